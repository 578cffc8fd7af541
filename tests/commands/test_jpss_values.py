"""JPSS-1: every value of every packet equals what a second decoder, space_packet_parser, gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

spp = pytest.importorskip("space_packet_parser")

MISSION = """
name = "jpss-1"

[link]
framing = "packets"

[dictionary]
xtce = "{xtce}"

[clock]
epoch = "1958-01-01T00:00:00Z"
terms = [
  {{ parameter = "DOY", unit_ns = 86_400_000_000_000 }},
  {{ parameter = "MSEC", unit_ns = 1_000_000 }},
  {{ parameter = "USEC", unit_ns = 1_000 }},
]
"""


@pytest.fixture(scope="session")
def jpss(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jpss-1")
    (folder / "mission.toml").write_text(MISSION.format(xtce=real_data / "jpss-1/geolocation.xml"))
    return folder


@pytest.fixture(scope="session")
def witness(real_data: Path) -> dict[str, np.ndarray]:
    definition = spp.load_xtce(real_data / "jpss-1/geolocation.xml")
    recording = (real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets").read_bytes()
    packets = [definition.parse_bytes(raw) for raw in spp.ccsds_generator(recording)]
    return {name: np.array([packet[name] for packet in packets]) for name in packets[0]}


@pytest.fixture(scope="session")
def columns(real_data: Path, jpss: Path, downlink: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("decoded")
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    done = downlink("decode", recording, "--mission", jpss, "--out", out)
    assert done.returncode == 0, done.stderr
    (file,) = out.glob("*.npz")
    return np.load(file)


def test_the_file_has_the_parameters_that_the_witness_has(columns: Any, witness: dict[str, np.ndarray]) -> None:
    rows = {"time", "onboard_ns"} | {
        f"packet_{name}" for name in ("apid", "seq_count", "order", "quality", "usable")
    }
    assert set(columns.files) - rows == set(witness)


def test_every_value_of_every_packet_is_the_witness_value(columns: Any, witness: dict[str, np.ndarray]) -> None:
    for name, expected in witness.items():
        assert len(columns[name]) == 7200
        np.testing.assert_array_equal(columns[name], expected, err_msg=name)


CSV = """name,data_type,bit_length
DOY,uint,16
MSEC,uint,32
USEC,uint,16
ADAESCID,uint,8
ADAET1DAY,uint,16
ADAET1MS,uint,32
ADAET1US,uint,16
ADGPSPOSX,float,32
REST0,fill,64
REST1,fill,64
REST2,fill,64
REST3,fill,64
REST4,fill,64
REST5,fill,32
"""


def test_a_dictionary_as_csv_gives_the_witness_values(
    real_data: Path, witness: dict[str, np.ndarray], downlink: Any, tmp_path: Path
) -> None:
    (tmp_path / "ATT_EPHEM.csv").write_text(CSV)
    (tmp_path / "mission.toml").write_text(
        'name = "x"\n[link]\nframing = "packets"\n[dictionary]\ncsv = "ATT_EPHEM.csv"\n'
    )
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    done = downlink("decode", recording, "--mission", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out/ATT_EPHEM.npz")
    for name in ("DOY", "MSEC", "USEC", "ADAESCID", "ADAET1US", "ADGPSPOSX"):
        np.testing.assert_array_equal(found[name], witness[name], err_msg=name)


def test_what_a_dictionary_uses_is_listed(real_data: Path, downlink: Any, tmp_path: Path) -> None:
    done = downlink("check", "--dictionary", real_data / "jpss-1/geolocation.xml")
    assert done.returncode == 0
    assert ["27", "supported", "ParameterRefEntry"] in [line.split() for line in done.stdout.splitlines()]
    text = (real_data / "jpss-1/geolocation.xml").read_text()
    (tmp_path / "odd.xml").write_text(
        text.replace("<xtce:ParameterSet>", "<xtce:AlgorithmSet/><xtce:ParameterSet>")
    )
    odd = downlink("check", "--dictionary", tmp_path / "odd.xml")
    assert odd.returncode == 0
    assert "passed over   AlgorithmSet" in odd.stdout
    strict = downlink("check", "--dictionary", tmp_path / "odd.xml", "--strict")
    assert strict.returncode == 2
    assert "AlgorithmSet" in strict.stderr
