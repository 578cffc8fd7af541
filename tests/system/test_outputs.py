"""No output is an input, and nothing is replaced that the command did not make itself."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.system.outputs import locked_folder
from forked_commands import FORKED

NIGHT = Path(__file__).parents[2] / "replay_data/night.cadu"
MISSION = ("--mission", "zhurong")


def run(*arguments, cwd=None, text=True):
    command = [sys.executable, "-m", "downlink_pipeline", *map(str, arguments)]
    env = os.environ | {"PYTHONPATH": str(NIGHT.parents[1])}
    if text:
        return FORKED.run(*arguments, cwd=cwd, env=env)
    return subprocess.run(command, capture_output=True, text=text, timeout=120, check=False, cwd=cwd, env=env)


def refused(*arguments, cwd=None):
    """The one line with which a command refuses."""
    done = run(*arguments, cwd=cwd)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Usage")]
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def recording(tmp_path):
    for ending in ("", ".times"):
        shutil.copy(f"{NIGHT}{ending}", tmp_path / f"night.cadu{ending}")
    return tmp_path / "night.cadu"


def test_packets_of_standard_input_never_replace_its_file(recording):
    before = recording.read_bytes()
    words = [
        sys.executable,
        "-m",
        "downlink_pipeline",
        "packets",
        "-",
        *MISSION,
        "--out",
        str(recording),
        "--overwrite",
    ]
    with recording.open("rb") as file:
        done = subprocess.run(words, stdin=file, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, recording.read_bytes() == before) == (2, True)
    assert "belongs to the input" in done.stderr


def test_packets_that_are_there_already_are_not_called_something_else(recording, tmp_path):
    words = ("packets", recording, *MISSION, "--out", tmp_path / "out")
    assert run(*words).returncode == 0
    assert refused(*words) == f"downlink: {tmp_path / 'out'} exists already: --overwrite replaces it"


@pytest.mark.parametrize("flag", [(), ("--overwrite",)])
@pytest.mark.parametrize("name", ["itself", "symbolic", "hard", "times", "no times yet", "truth"])
def test_packets_never_replace_what_they_are_made_of(recording, tmp_path, name, flag):
    out = tmp_path / "other"
    if name == "itself":
        out = recording
    elif name == "symbolic":
        out.symlink_to(recording)
    elif name == "hard":
        out.hardlink_to(recording)
    else:
        out = tmp_path / f"night.cadu{'.truth.json' if name == 'truth' else '.times'}"
        if name == "no times yet":
            out.unlink()
    before = recording.read_bytes()
    assert "input" in refused("packets", recording, *MISSION, "--out", out, *flag)
    assert recording.read_bytes() == before
    assert out.exists() == (name not in {"no times yet", "truth"})


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(recording, tmp_path):
    out = tmp_path / "thesis.txt"
    out.write_text("years of work")
    assert "--overwrite" in refused("packets", recording, *MISSION, "--out", out)
    assert out.read_text() == "years of work"
    assert run("packets", recording, *MISSION, "--out", out, "--overwrite").returncode == 0
    assert out.stat().st_size > 100_000


@pytest.mark.parametrize("command", ["packets", "clock", "simulate", "topics"])
@pytest.mark.parametrize("out", [".", "", "folder"])
def test_a_folder_where_a_file_is_wanted_is_one_line(recording, tmp_path, command, out):
    (tmp_path / "folder").mkdir()
    inputs = {"simulate": (), "topics": ("zhurong",)}.get(command, (recording, *MISSION))
    assert "folder" in refused(command, *inputs, "--out", out, cwd=tmp_path)
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("command", ["decode", "products", "plot", "spice"])
def test_a_file_where_a_folder_is_wanted_is_one_line_and_stays(recording, tmp_path, command):
    (tmp_path / "file").write_text("mine")
    assert "no folder" in refused(command, recording, *MISSION, "--out", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["decode", "products", "plot", "clock", "spice", "simulate", "certs"])
def test_a_dash_never_is_the_name_of_a_file(recording, tmp_path, command):
    inputs = () if command in {"simulate", "certs"} else (recording, *MISSION)
    assert "--out -" in refused(command, *inputs, "--out", "-", cwd=tmp_path)
    assert not (tmp_path / "-").exists()


def test_packets_on_standard_output_are_those_of_a_file(recording, tmp_path):
    assert run("packets", recording, *MISSION, "--out", tmp_path / "p").returncode == 0
    done = run("packets", recording, *MISSION, "--out", "-", cwd=tmp_path, text=False)
    assert done.returncode == 0
    assert done.stdout == (tmp_path / "p").read_bytes()
    assert not (tmp_path / "-").exists()


def test_a_pipe_is_written_to_and_stays_a_pipe(recording, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        (tmp_path / "read").open("wb") as file,
        subprocess.Popen(["cat", tmp_path / "pipe"], stdout=file) as reader,
    ):
        assert run("packets", recording, *MISSION, "--out", tmp_path / "pipe").returncode == 0
        assert reader.wait(timeout=60) == 0
    assert (tmp_path / "read").stat().st_size > 100_000
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_decoded_folder_is_of_one_pass(recording, tmp_path):
    out = tmp_path / "columns"
    assert run("decode", recording, *MISSION, "--out", out).returncode == 0
    assert run("decode", recording, *MISSION, "--out", out).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = NIGHT.with_name("clean.cadu")
    assert "night.cadu" in refused("decode", other, *MISSION, "--out", out)
    assert "night.cadu" in refused("decode", recording, *MISSION, "--out", out, "--raw")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert run("decode", other, *MISSION, "--out", out, "--overwrite").returncode == 0
    alone = tmp_path / "alone"
    assert run("decode", other, *MISSION, "--out", alone).returncode == 0
    assert {path.name for path in out.iterdir()} == {path.name for path in alone.iterdir()}


def test_a_foreign_file_of_a_container_s_name_stays(tmp_path):
    (tmp_path / "NAVIGATION.npz").write_text("mine")
    done = run("decode", NIGHT.with_name("clean.cadu"), *MISSION, "--out", tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "NAVIGATION.npz").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"NAVIGATION.npz"}


def test_two_processes_do_not_fill_one_folder(recording, tmp_path):
    with locked_folder(tmp_path / "columns"):
        assert "another process" in refused("decode", recording, *MISSION, "--out", tmp_path / "columns")
        with pytest.raises(ConfigError, match="another process"), locked_folder(tmp_path / "columns"):
            pass
    assert run("decode", recording, *MISSION, "--out", tmp_path / "columns").returncode == 0


@pytest.mark.parametrize(("command", "foreign"), [("products", "*.nc"), ("plot", "*.png")])
def test_pictures_and_products_are_made_anew_but_replace_nothing_else(recording, tmp_path, command, foreign):
    out = tmp_path / "out"
    how = ("--format", "netcdf") if command == "products" else ()
    assert run(command, recording, *MISSION, "--out", out, *how).returncode == 0
    assert run(command, recording, *MISSION, "--out", out, *how).returncode == 0
    one = next(out.glob(foreign))
    shutil.rmtree(tmp_path / "out")
    out.mkdir()
    (out / one.name).write_text("mine")
    assert one.name in refused(command, recording, *MISSION, "--out", out, *how)
    assert (out / one.name).read_text() == "mine"


def test_a_recording_in_a_folder_is_no_place_for_outputs(tmp_path):
    folder = tmp_path / "pass"
    folder.mkdir()
    shutil.copy(NIGHT, folder / "0000000000000000.raw")
    assert "recording" in refused("decode", folder, *MISSION, "--out", folder)
    assert "recording" in refused("products", folder, *MISSION, "--out", folder / "products")


def test_a_simulated_pass_is_made_anew_and_a_recording_is_not(tmp_path, recording):
    short = ("--duration", 60)
    made = tmp_path / "made.cadu"
    assert run("simulate", "--out", made, *short).returncode == 0
    assert run("simulate", "--out", made, *short).returncode == 0
    before = recording.read_bytes()
    assert "--overwrite" in refused("simulate", "--out", recording, *short)
    assert recording.read_bytes() == before


def test_certificates_replace_no_file(tmp_path):
    (tmp_path / "acl").write_text("mine")
    assert "acl" in refused("certs", "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["acl"]


def test_the_containers_of_a_pass_are_listed(bundled):
    done = run("decode", bundled / "clean.cadu", *MISSION, "--list")
    listed = {name: int(count) for name, count in (line.split() for line in done.stdout.splitlines())}
    assert listed == open_pass(bundled / "clean.cadu", mission="zhurong").containers()
    assert listed["NAVIGATION"] == 203


def test_a_pass_shows_itself_in_a_line(bundled):
    found = open_pass(bundled / "clean.cadu", bundled / "night.cadu", mission="zhurong")
    shown = repr(found)
    assert len(shown) < 300
    assert "clean.cadu" in shown
    assert "night.cadu" in shown
    assert "zhurong" in shown


def test_reprocess_makes_no_folder_called_dash(recording, tmp_path):
    assert "--out -" in refused("reprocess", recording.parent, *MISSION, "--out", "-", cwd=tmp_path)
    assert not (tmp_path / "-").exists()
