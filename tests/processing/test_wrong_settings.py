"""A pass that is read with wrong settings, or is none: a line, an event, and exit status 1 where nothing was right."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import outcomes
from forked_commands import FORKED

REPOSITORY = Path(__file__).resolve().parents[2]


def downlink(*words, **options):
    if not options:
        done = FORKED.run(*words, cwd=REPOSITORY)
        return done.returncode, done.stdout, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "downlink_pipeline", *map(str, words)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120, **options,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def wrong_insert_zone(tmp_path):
    """Emirates Mars without an insert zone, where one of 13 bytes is right."""
    folder = tmp_path / "emm"
    shutil.copytree(REPOSITORY / "configs" / "emirates-mars", folder)
    text = (folder / "mission.toml").read_text()
    (folder / "mission.toml").write_text(text.replace("insert_zone_bytes = 13", "insert_zone_bytes = 0"))
    return folder


def test_a_wrong_insert_zone_ends_with_status_1_and_is_an_event(wrong_insert_zone, real_data):
    recording = real_data / "emirates-mars" / "emm.frames"
    status, out, err = downlink("inspect", recording, "-m", wrong_insert_zone, "--json")
    assert status == 1
    assert "532 bad packet headers" in err  # of 534: the figure of the field trial
    assert "insert_zone_bytes" in err
    reported = [event for event in json.loads(out)["events"] if event["kind"] == "settings"]
    assert {event["severity"] for event in reported} == {"error"}
    assert "532 bad packet headers" in reported[0]["text"]


def test_the_right_insert_zone_ends_with_status_0_and_without_a_word(real_data):
    recording = real_data / "emirates-mars" / "emm.frames"
    status, out, err = downlink("inspect", recording, "-m", "emirates-mars", "--json")
    assert (status, err) == (0, "")
    assert not [event for event in json.loads(out)["events"] if event["kind"] == "settings"]


def test_a_replay_of_nothing_right_ends_with_status_1_and_publishes_the_event(wrong_insert_zone, real_data):
    recording = real_data / "emirates-mars" / "emm.frames"
    line = ProcessingChain(load_mission(str(wrong_insert_zone)), "x")
    events = [event for outcome in outcomes(line, [recording], lambda _: None) for event in outcome.events]
    assert [event.kind for event in events if event.kind == "settings"]
    status, _, err = downlink("replay", recording, "-m", wrong_insert_zone)
    assert status == 1
    assert "532 bad packet headers" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("content", [b"", b"x" * 10_000])
def test_a_replay_of_no_pass_ends_with_status_1_and_a_line(content, tmp_path):
    (tmp_path / "p.cadu").write_bytes(content)
    status, _, err = downlink("replay", tmp_path / "p.cadu", "-m", "zhurong")
    assert status == 1
    assert ("the recording is empty" if not content else "1ACFFC1D in 10,000 bytes") in err


def test_standard_input_without_a_byte_is_reported():
    status, _, err = downlink("inspect", "-", "-m", "zhurong", stdin=subprocess.DEVNULL)
    assert (status, err) == (1, "downlink: the recording is empty\n")


def test_a_pass_that_is_none_fails_in_an_archive_and_the_others_are_made(bundled, tmp_path):
    pytest.importorskip("netCDF4")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.cadu").touch()
    with (bundled / "clean.cadu").open("rb") as whole:
        (tmp_path / "in" / "good.cadu").write_bytes(whole.read(300_000))
    status, _, err = downlink(
        "reprocess",
        tmp_path / "in",
        "-m",
        "zhurong",
        "--out",
        tmp_path / "out",
        "--workers",
        1,
        "--format",
        "netcdf",
    )
    assert status == 1
    assert "downlink: empty.cadu: the recording is empty\n" in err
    assert "2 passes in" in err
    assert "1 made, 0 left alone, 1 failed" in err


def test_the_clock_of_a_wrong_pass_names_it(bundled, tmp_path):
    (tmp_path / "noise.cadu").write_bytes(b"x" * 10_000)
    status, _, err = downlink(
        "clock", bundled / "clean.cadu", tmp_path / "noise.cadu", "-m", "zhurong", "--out", tmp_path / "clock.toml"
    )
    assert status == 0, err
    assert f"downlink: {tmp_path / 'noise.cadu'}: no frame behind a marker" in err


def test_each_of_several_passes_is_judged_by_itself(bundled, tmp_path):
    (tmp_path / "empty.cadu").touch()
    (tmp_path / "noise.cadu").write_bytes(b"x" * 100_000)
    status, out, err = downlink(
        "inspect",
        bundled / "clean.cadu",
        tmp_path / "noise.cadu",
        tmp_path / "empty.cadu",
        "-m",
        "zhurong",
        "--json",
    )
    assert status == 0  # something was right
    assert f"downlink: {tmp_path / 'empty.cadu'}: the recording is empty\n" in err
    assert "pass 2: no frame behind a marker 1ACFFC1D in 100,000 bytes" in err
    assert [event["kind"] for event in json.loads(out)["events"]].count("settings") == 1
