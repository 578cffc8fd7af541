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
    assert set(columns.files) == set(witness)


def test_every_value_of_every_packet_is_the_witness_value(columns: Any, witness: dict[str, np.ndarray]) -> None:
    for name, expected in witness.items():
        assert len(columns[name]) == 7200
        np.testing.assert_array_equal(columns[name], expected, err_msg=name)
