"""`downlink detect` on recordings of which nothing is told: the mission file that it writes gives the known counts."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.commands.detect import detected
from downlink_pipeline.commands.recordings import inspect as inspect_passes
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import RunError

CASES = Path(__file__).parents[1] / "link" / "cases"
REAL = {
    "suomi-npp/cadus.dat": {(157, 16): (65, 12)},
    "change-5/2020-11-28.frames": {(91, 1): (3072, 21280), (91, 2): (2, 2)},
    "tianwen-2/2026-05-25.frames": {(237, 1): (299, 4035)},
    "tianwen-2/2026-06-08-low-rate.frames": {(237, 1): (299, 706)},
    "emirates-mars/emm.frames": {(242, 0): (534, 464), (242, 62): (19, 0)},
    "stereo-a/2022-09-24.frames": {(234, 7): (88, 280), (234, 0): (6, 0)},
}
SMALL = {
    "aos_scid_0x245.frames": {(0x245, 1): (55, 60)},
    "yamcs1020_sdls_auth_tm.frames": {(9, 1): (55, 60)},
    "erminaz_like.kss": {(50, 1): (126, 80)},
    "junk_between_bare_frames_fecf.frames": {(9, 1): (73, 100)},
    "cut_frame_bare.frames": {(9, 1): (72, 98)},
    "tm_no_overlap_a.frames": {(5, 0): (254, 292)},
}
PACKETS = {
    "jpss-1/J01_G011_LZ_2021-04-09.packets": {"11": 7200},
    "imap/hit_hk.packets": {"1251": 88},
    "imap/swapi.packets": {"1188": 153, "1184": 17, "1192": 153, "1200": 140},
}


def report_of(recording: Path, folder: Path) -> dict[str, Any]:
    """The pass report by the mission file that is found for the recording."""
    (folder / "mission.toml").write_text(detected(recording))
    return inspect_passes([recording], load_mission(str(folder)), lambda _: None)


def counts(report: dict[str, Any]) -> dict[tuple[int, int], tuple[int, int]]:
    return {(one["scid"], one["vcid"]): (one["frames"], one["packets"]) for one in report["channels"]}


@pytest.mark.parametrize("name", REAL)
def test_a_real_recording_gives_its_known_counts(real_data: Path, name: str, tmp_path: Path) -> None:
    report = report_of(real_data / name, tmp_path)
    assert counts(report) == REAL[name]
    assert report["packets"]["bad_headers"] == 0


@pytest.mark.parametrize("name", SMALL)
def test_a_small_case_gives_its_known_counts(name: str, tmp_path: Path) -> None:
    assert counts(report_of(CASES / name, tmp_path)) == SMALL[name]


@pytest.mark.parametrize("name", PACKETS)
def test_a_file_of_packets_gives_those_of_each_apid(real_data: Path, name: str, tmp_path: Path) -> None:
    report = report_of(real_data / name, tmp_path)
    assert report["link"]["framing"] == "packets"
    assert sum(report["packets"]["by_apid"].values()) == sum(PACKETS[name].values())
    assert report["bytes"]["skipped"] == 0


def test_the_bundled_pass_gives_what_its_own_mission_gives(bundled: Path, tmp_path: Path) -> None:
    found = report_of(bundled / "damaged.cadu", tmp_path)
    known = inspect_passes([bundled / "damaged.cadu"], load_mission("zhurong"), lambda _: None)
    mine = counts(found)
    assert {name: mine[name] for name in counts(known)} == counts(known)


def test_bits_of_bluewalker_3_are_unpacked_behind_markers_of_one_phase(real_data: Path, tmp_path: Path) -> None:
    text = detected(real_data / "bluewalker-3/viterbi_1.bits")
    assert 'symbols = "unpacked"' in text
    assert "every 359 bytes" in text
    report = report_of(real_data / "bluewalker-3/viterbi_1.bits", tmp_path)
    assert report["frames"]["read"] >= 149


def test_the_evidence_stands_beside_each_key(real_data: Path) -> None:
    lines = detected(real_data / "suomi-npp/cadus.dat").splitlines()
    marker = next(line for line in lines if "1ACFFC1D stands" in line)
    assert "65 times, every 1,024 bytes" in marker
    assert lines[lines.index(marker) + 1] == 'framing = "cadu"'
    assert 'reed_solomon = { parity = 32, interleave = 4, basis = "dual" }' in lines


def test_soft_symbols_without_a_marker_are_said_to_be_of_an_inner_code(real_data: Path, tmp_path: Path) -> None:
    part = tmp_path / "symbols.f32"
    part.write_bytes((real_data / "bluewalker-3/symbols.f32").read_bytes()[:80000])
    with pytest.raises(RunError, match="inner code"):
        detected(part)


def test_the_command_prints_the_file_and_writes_it_and_check_takes_it(downlink, tmp_path: Path) -> None:
    recording = CASES / "erminaz_like.kss"
    shutil.copy(recording, tmp_path)
    written = tmp_path / "beacon" / "mission.toml"
    done = downlink("detect", recording, "--out", written)
    assert done.returncode == 0
    assert written.read_text() == done.stdout
    assert downlink("check", written.parent).returncode == 0
    report = downlink("inspect", recording, "--mission", written.parent, "--json")
    assert json.loads(report.stdout)["packets"]["read"] == 80
    again = downlink("detect", recording, "--out", written)
    assert (again.returncode, "overwrite" in again.stderr) == (2, True)


def test_noise_is_one_line_and_exit_status_1(downlink, tmp_path: Path) -> None:
    noise = tmp_path / "noise.bin"
    noise.write_bytes(np.random.default_rng(1).bytes(8000))
    done = downlink("detect", noise)
    assert (done.returncode, done.stdout) == (1, "")
    assert "noise" in done.stderr
    assert len(done.stderr.splitlines()) == 1
