"""What docs/instruments/add-your-own.md says is done here, and a packet is sent through."""

import re
import shutil
import struct
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import PacketBatch
from downlink_pipeline.processing.chain import product_context
from downlink_pipeline.products import REGISTER, Suite

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/instruments/add-your-own.md").read_text()
# the last file named before each block is the one that it belongs to
BLOCKS = {
    re.findall(r"`([\w./-]+\.\w+)`", before)[-1]: block
    for before, block in re.findall(r"((?:(?!```).)*?)```\w+\n(.*?)```", PAGE, re.DOTALL)
}


def module(name, file, monkeypatch):
    made = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(BLOCKS[file], file, "exec"), made.__dict__)
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of Zhurong's mission with the pieces of the page, and its module registered."""
    mission = tmp_path / "configs/zhurong"
    shutil.copytree(ROOT / "configs/zhurong", mission)
    (tmp_path / "configs/zhurong/calibration/dosimeter.toml").write_text(
        BLOCKS["configs/zhurong/calibration/dosimeter.toml"]
    )
    xml = (mission / "telemetry.xml").read_text().rstrip()
    assert xml.endswith("</SpaceSystem>")
    (mission / "telemetry.xml").write_text(
        xml.removesuffix("</SpaceSystem>") + BLOCKS["configs/zhurong/telemetry.xml"] + "</SpaceSystem>\n"
    )
    settings = (mission / "mission.toml").read_text()
    (mission / "mission.toml").write_text(settings.replace("instruments = [", 'instruments = ["dosimeter", ', 1))
    name = "downlink_pipeline.missions.zhurong.dosimeter.dosimeter"
    made = module(name, "pipeline/missions/zhurong/dosimeter/dosimeter.py", monkeypatch)
    name, place, kind = re.search(r'`"(\w+)": "([\w.]+):(\w+)",`', PAGE).groups()
    assert made.__name__ == f"downlink_pipeline{place}"
    monkeypatch.setitem(REGISTER, name, getattr(made, kind))
    monkeypatch.chdir(tmp_path)
    return mission


def packet(counts, degc):
    """APID 400: 6-byte onboard time, COUNTS u16, T16."""
    field = struct.pack(">IHHH", 170_338_800, 0, counts, round((degc + 150) / 0.005))
    octets = struct.pack(">HHH", 0x0800 | 400, 0xC000, len(field) - 1) + field
    one = np.array([0])
    return PacketBatch(
        np.frombuffer(octets, np.uint8), one, one + len(octets), one.astype("u2") + np.uint16(400), one.astype("u2"),
        one.astype("u1") + np.uint8(3), one.astype("u2"), one.astype("u1"), one, one.astype("u4"),
    )  # fmt: skip


def test_the_page_has_its_five_pieces():
    assert list(BLOCKS) == [
        "configs/zhurong/telemetry.xml",
        "configs/zhurong/calibration/dosimeter.toml",
        "pipeline/missions/zhurong/dosimeter/dosimeter.py",
        "tests/missions/zhurong/instruments/test_dosimeter.py",
    ]


def test_a_packet_of_the_new_instrument_becomes_its_product(folder):
    mission = load_mission(str(folder))
    columns = Decoder(mission.plan, mission.time_terms).decode(packet(50, 45.0))
    suite = Suite(mission.instruments, mission.calibrations, product_context(mission, "test"))
    (product,) = [*suite.feed(columns), *suite.flush()]
    assert (product.instrument, product.product, product.time.sol) == ("dosimeter", "dose", (11, 11))
    assert product.arrays["dose_rate"].values == pytest.approx([1e-8 / 1.1])
    assert product.lineage["calibration"]["sources"] == {"crystal": "assumed"}


@pytest.mark.usefixtures("folder")
def test_the_tests_of_the_page_pass(rows, monkeypatch):
    tests = module("test_dosimeter", "tests/missions/zhurong/instruments/test_dosimeter.py", monkeypatch)
    names = [name for name in vars(tests) if name.startswith("test_")]
    assert len(names) == 2
    for name in names:
        getattr(tests, name)(rows)
