"""Real recordings of seven spacecraft give the counts that are known of them (the table of their README)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Inspect = Callable[..., dict[str, Any]]


def channel(report: dict[str, Any], vcid: int) -> dict[str, Any]:
    return next(item for item in report["channels"] if item["vcid"] == vcid)


def test_suomi_npp_is_clean_with_one_gap_and_twelve_packets(real_data: Path, inspect: Inspect) -> None:
    report = inspect(real_data / "suomi-npp/cadus.dat", "--mission", "suomi-npp")
    assert report["frames"] | {"read": 65, "clean": 65} == report["frames"]
    assert channel(report, 16) | {"frames": 65, "gaps": 1, "lost_frames": 1, "packets": 12} == channel(report, 16)


def test_change_5_has_seventeen_gaps_and_one_frame_of_noise(real_data: Path, inspect: Inspect) -> None:
    report = inspect(real_data / "change-5/2020-11-28.frames", "--mission", "change-5")
    one, two = channel(report, 1), channel(report, 2)
    assert report["frames"]["other_channel"] == 1
    assert one | {"frames": 3072, "gaps": 17, "lost_frames": 50, "packets": 21280, "bad_headers": 0} == one
    assert two | {"frames": 2, "packets": 2} == two


def test_change_5_has_94_apids_on_its_first_channel(real_data: Path, inspect: Inspect, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "configs/change-5/mission.toml").read_text()
    head, _, _ = text.rpartition("[[channel]]")
    (tmp_path / "mission.toml").write_text(head)
    report = inspect(real_data / "change-5/2020-11-28.frames", "--mission", tmp_path)
    assert len(report["packets"]["by_apid"]) == 94


def test_tianwen_2_has_no_gap_and_one_frame_of_noise(real_data: Path, inspect: Inspect) -> None:
    report = inspect(real_data / "tianwen-2/2026-05-25.frames", "--mission", "tianwen-2")
    one = channel(report, 1)
    assert one | {"frames": 299, "gaps": 0, "packets": 4035} == one
    assert report["frames"]["other_channel"] == 1
    assert len(report["packets"]["by_apid"]) == 23


def test_tianwen_2_at_its_low_rate_has_no_gap(real_data: Path, inspect: Inspect) -> None:
    report = inspect(real_data / "tianwen-2/2026-06-08-low-rate.frames", "--mission", "tianwen-2:low-rate")
    one = channel(report, 1)
    assert one | {"frames": 299, "gaps": 0, "packets": 706} == one
    assert len(report["packets"]["by_apid"]) == 21


def test_emirates_mars_has_no_wrong_fecf(real_data: Path, inspect: Inspect) -> None:
    report = inspect(real_data / "emirates-mars/emm.frames", "--mission", "emirates-mars")
    assert report["frames"] | {"read": 553, "clean": 553, "failed_check": 0} == report["frames"]


def test_stereo_a_has_idle_packets_and_idle_frames(real_data: Path, inspect: Inspect) -> None:
    report = inspect(real_data / "stereo-a/2022-09-24.frames", "--mission", "stereo-a")
    seven, zero = channel(report, 7), channel(report, 0)
    assert report["frames"] | {"read": 94, "clean": 94, "failed_check": 0} == report["frames"]
    assert seven | {"frames": 88, "gaps": 1, "packets": 280, "idle_packets": 72} == seven
    assert zero | {"frames": 6, "packets": 0} == zero
    assert len(report["packets"]["by_apid"]) == 6


def test_jpss_1_has_7200_packets_of_apid_11(real_data: Path, inspect: Inspect) -> None:
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    report = inspect(recording, "--mission", "jpss-1")
    assert report["packets"]["by_apid"] == {"11": 7200}
    assert report["bytes"] == {"read": 511200, "skipped": 0}


def test_packets_of_jpss_1_are_the_file_itself(real_data: Path, downlink: Any, tmp_path: Path) -> None:
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    assert downlink("packets", recording, "--mission", "jpss-1", "--out", tmp_path / "out").returncode == 0
    assert (tmp_path / "out").read_bytes() == recording.read_bytes()
