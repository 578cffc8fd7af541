"""A recording is known by its content, what a mission is read from is an input, and refusals name the option."""

import shutil
from pathlib import Path

import pytest
from downlink_pipeline.cli.main import cli
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import DownlinkError
from downlink_pipeline.pictures.summary import PassSummary, is_summary_of, write_summary
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import decoded
from downlink_pipeline.system.identity import content_digest, content_of_all

REPOSITORY = Path(__file__).resolve().parents[2]
SAT = REPOSITORY / "tests/messages/sat"


def run(*words):
    """Exit status and the line of a refusal, in this process."""
    try:
        return cli([str(word) for word in words], standalone_mode=False) or 0, ""
    except DownlinkError as error:
        return error.exit_status, str(error)


@pytest.fixture
def two_of_a_name(tmp_path):
    """Two recordings of one name and size, with other values in them."""
    paths = tmp_path / "a" / "pass.packets", tmp_path / "b" / "pass.packets"
    for path in paths:
        path.parent.mkdir()
    shutil.copy(f"{SAT}.packets", paths[0])
    octets = bytearray(paths[0].read_bytes())
    octets[-1] ^= 1
    paths[1].write_bytes(octets)
    return paths


@pytest.mark.parametrize(("command", "how"), [("decode", ()), ("products", ("--format", "netcdf"))])
def test_what_was_made_of_another_recording_of_the_name_is_not_replaced(command, how, two_of_a_name, tmp_path):
    out, (one, other) = tmp_path / "out", two_of_a_name
    assert run(command, one, "-m", SAT, "--out", out, *how) == (0, "")
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert run(command, one, "-m", SAT, "--out", out, *how) == (0, "")
    status, text = run(command, other, "-m", SAT, "--out", out, *how)
    assert (status, "--overwrite" in text) == (2, True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert run(command, other, "-m", SAT, "--out", out, *how, "--overwrite") == (0, "")


def test_pictures_of_another_recording_of_the_name_are_not_replaced(two_of_a_name, tmp_path):
    pytest.importorskip("matplotlib")
    out, (one, other) = tmp_path / "out", two_of_a_name
    report = ProcessingChain(load_mission(str(SAT))).report()
    made = write_summary(PassSummary("sat/pass", "", report, [], [], content_of_all([one])), out, "pass")
    before = [path.read_bytes() for path in made]
    assert is_summary_of(made, "sat/pass", content_of_all([one]))
    status, text = run("plot", other, "-m", SAT, "--out", out)
    assert (status, "--overwrite" in text) == (2, True)
    assert [path.read_bytes() for path in made] == before


def test_a_copy_of_a_recording_has_its_content_and_a_changed_one_has_not(two_of_a_name, tmp_path):
    one, other = two_of_a_name
    copy = tmp_path / "copy"
    shutil.copy(one, copy)
    assert content_digest(one) == content_digest(copy) != content_digest(other)
    assert content_of_all([one, other]) != content_of_all([other, one])
    assert content_of_all([one, Path("-")]) == ""


def test_long_recordings_that_differ_everywhere_have_other_digests(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(bytes(range(256)) * (1 << 14))
    other.write_bytes(bytes(range(255, -1, -1)) * (1 << 14))
    assert content_digest(one) != content_digest(other)


@pytest.fixture
def mission(tmp_path):
    return shutil.copytree(SAT, tmp_path / "m")


@pytest.mark.parametrize("name", ["mission.toml", "sat.xml"])
@pytest.mark.parametrize("command", ["topics", "packets"])
def test_what_a_mission_is_read_from_is_never_replaced(command, name, mission):
    before = (mission / name).read_bytes()
    words = (mission,) if command == "topics" else (f"{SAT}.packets", "-m", mission)
    status, text = run(command, *words, "--out", mission / name, "--overwrite")
    assert (status, "input" in text) == (2, True)
    assert (mission / name).read_bytes() == before


def test_files_of_a_dictionary_of_many_are_inputs(tmp_path):
    case = tmp_path / "many"
    shutil.copytree(REPOSITORY / "tests/dictionary/cases/25_multi_file", case)
    mission = next(case.rglob("mission.toml")).parent
    known = load_mission(str(mission))
    assert {path.suffix for path in known.files} == {".toml", ".xml"}
    assert len({path.resolve() for path in known.files}) > 2
    for path in known.files:
        assert run("topics", mission, "--out", path, "--overwrite")[0] == 2


@pytest.mark.parametrize("target", ["file", "-"])
def test_a_refused_archive_names_its_own_option(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    status, text = run("replay", f"{SAT}.packets", "-m", SAT, "--archive", target)
    assert (status, text.startswith(f"--archive {target}:")) == (2, True)


def test_feeding_a_folder_is_wrong_usage(tmp_path):
    status, text = run("feed", tmp_path, "--to", "feed://127.0.0.1:9")
    assert (status, text) == (2, f"{tmp_path} is a folder: name a recording in it")


def test_bad_headers_are_an_event_while_the_pass_is_under_way(tmp_path):
    """Frames of the bundled pass, read with an insert zone one octet too short: the event comes before the end."""
    folder = shutil.copytree(REPOSITORY / "configs/zhurong", tmp_path / "m")
    text = (folder / "mission.toml").read_text()
    right = next(line for line in text.splitlines() if line.startswith("insert_zone_bytes"))
    wrong = right.replace(right.split("=")[1].split("#")[0].strip(), "7")
    (folder / "mission.toml").write_text(text.replace(right, wrong))
    line = ProcessingChain(load_mission(str(folder)), until="packets")
    events, n_read, first_at = [], 0, 0
    for _, batch, outcome in decoded(line, [REPOSITORY / "replay_data/clean.cadu"], 1 << 16):
        events += [event for event in outcome.events if event.kind == "bad_headers"]
        n_read += len(batch.data)
        first_at = first_at or (n_read if events else 0)
    assert 0 < first_at < n_read / 4
    assert [event.severity for event in events] == ["warning"] * len({e.details["channel"] for e in events})
    details = events[0].details
    assert details["bad_headers"] > details["packets"]
    assert details["bad_headers"] + details["packets"] >= 100
    assert "insert_zone_bytes" in events[0].text


def test_a_sound_pass_has_no_event_of_bad_headers(bundled):
    line = ProcessingChain(load_mission("zhurong"), until="packets")
    kinds = {e.kind for _, _, outcome in decoded(line, [bundled / "damaged.cadu"]) for e in outcome.events}
    assert "bad_headers" not in kinds
