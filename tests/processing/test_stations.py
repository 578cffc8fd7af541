"""Recordings of several stations are one pass: what one missed the other gives, and nothing comes twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.messages.topics import product_message
from downlink_pipeline.model.errors import ConfigError

N_FRAMES = (Path(__file__).parents[2] / "replay_data/clean.cadu").stat().st_size // 1024


@pytest.fixture
def station(bundled: Path, tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write what a station received: some CADUs of the clean pass, with their receive times."""
    cadus = np.fromfile(bundled / "clean.cadu", np.uint8).reshape(N_FRAMES, 1024)
    times = np.fromfile(bundled / "clean.cadu.times", "<i8").reshape(N_FRAMES, 2)

    def write(name: str, rows: Any) -> Path:
        cadus[rows].tofile(tmp_path / name)
        offsets = np.arange(len(rows)) * 1024
        np.stack([offsets, times[rows, 1]], 1).astype("<i8").tofile(tmp_path / f"{name}.times")
        return tmp_path / name

    return write


def payloads(*paths: Path) -> list[bytes]:
    products = open_pass(*paths, mission="zhurong", merge=True).products()
    return sorted(product_message(product).payload for product in products)


def test_what_one_station_missed_the_other_gives(bundled: Path, station: Any) -> None:
    lost = np.random.default_rng(1).permutation(N_FRAMES)[:400]
    first = station("pass.first", np.setdiff1d(np.arange(N_FRAMES), lost[:200]))
    second = station("pass.second", np.setdiff1d(np.arange(N_FRAMES), lost[200:]))
    report = open_pass(first, second, mission="zhurong", merge=True).report()
    separate = open_pass(bundled / "clean.cadu", mission="zhurong").report()
    channel, _ = report["channels"]
    assert channel["lost_frames"] == channel["gaps"] == 0
    assert report["packets"] == separate["packets"]
    assert [one["only_frames"] for one in report["stations"]] == [200, 200]


def test_products_are_those_of_the_whole_pass_in_either_order(bundled: Path, station: Any, tmp_path: Path) -> None:
    early, late = station("pass.a", np.arange(1700)), station("pass.b", np.arange(1200, N_FRAMES))
    (tmp_path / "pass.c").write_bytes((bundled / "clean.cadu").read_bytes())
    (tmp_path / "pass.c.times").write_bytes((bundled / "clean.cadu.times").read_bytes())
    whole = payloads(tmp_path / "pass.c")
    assert payloads(early, late) == whole
    assert payloads(late, early) == whole


def test_the_same_recording_twice_is_refused(bundled: Path) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        open_pass(bundled / "clean.cadu", bundled / "clean.cadu", mission="zhurong").report()


def test_files_of_packets_are_read_one_after_another(real_data: Path, tmp_path: Path) -> None:
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    (tmp_path / "more.packets").write_bytes(recording.read_bytes()[: 71 * 100])
    report = open_pass(recording, tmp_path / "more.packets", mission="jpss-1").report()
    assert report["packets"]["by_apid"] == {"11": 7300}
