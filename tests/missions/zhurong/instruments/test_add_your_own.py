"""What docs/instruments/add-your-own.md says is done here, and a packet is sent through: a folder, and nothing else."""

import importlib
import re
import struct
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.missions import zhurong
from downlink_pipeline.model.batches import PacketBatch
from downlink_pipeline.processing.chain import product_context
from downlink_pipeline.products.suite import Suite

PAGE = (Path(__file__).parents[4] / "docs/instruments/add-your-own.md").read_text()
# the last file named before each block is the one that it belongs to
BLOCKS = {
    re.findall(r"`((?:dosimeter|tests)/\w+\.\w+)`", before)[-1]: block
    for before, block in re.findall(r"((?:(?!```).)*?)```\w+\n(.*?)```", PAGE, re.DOTALL)
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the page, as if it were one of Zhurong's package; no other file changes."""
    for name, text in BLOCKS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "dosimeter/__init__.py").touch()
    monkeypatch.setattr(zhurong, "__path__", [*zhurong.__path__, str(tmp_path)])
    monkeypatch.syspath_prepend(str(tmp_path / "sys"))  # what was found before is looked for anew
    importlib.invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if ".zhurong.dosimeter" in name]:
        del sys.modules[name]


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
        "dosimeter/packets.xml",
        "dosimeter/calibration.toml",
        "dosimeter/kinds.py",
        "dosimeter/dosimeter.py",
        "tests/test_dosimeter.py",
    ]


@pytest.mark.usefixtures("folder")
def test_a_packet_of_the_new_instrument_becomes_its_product():
    mission = load_mission("zhurong")
    columns = Decoder(mission.plan, mission.time_terms).decode(packet(50, 45.0))
    suite = Suite(mission.instruments, mission.calibrations, product_context(mission, "test"))
    (product,) = [*suite.make_products(columns), *suite.flush()]
    assert (product.instrument, product.product, product.time.sol) == ("dosimeter", "dose", (11, 11))
    assert product.arrays["dose_rate"].values == pytest.approx([1e-8 / 1.1])
    assert product.arrays["dose_rate"].unit == "Gy s-1"
    assert product.lineage["calibration"]["sources"] == {"crystal": "assumed"}


@pytest.mark.usefixtures("folder")
def test_the_tests_of_the_page_pass():
    tests = ModuleType("test_dosimeter")
    exec(compile(BLOCKS["tests/test_dosimeter.py"], "test_dosimeter.py", "exec"), tests.__dict__)
    names = [name for name in vars(tests) if name.startswith("test_")]
    assert len(names) == 2
    for name in names:
        getattr(tests, name)()
