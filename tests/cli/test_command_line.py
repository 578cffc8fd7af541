"""The command line as a person meets it: quick help, one mission for all commands, names as they are."""

import fcntl
import io
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from downlink_pipeline.cli.progress import TopicTable, replay_view
from downlink_pipeline.model.batches import Message
from forked_commands import FORKED
from rich.console import Console

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "erfa", "bokeh", "PIL", "aiomqtt", "zstandard", "msgpack", "matplotlib", "amqtt"}
COMMANDS = (
    "demo", "replay", "inspect", "packets", "decode", "products", "check", "simulate", "watch", "dashboard", "plot",
    "topics", "clock", "spice", "reprocess", "feed", "certs",
    "stage ingest", "stage decode", "stage publish", "stage all",
)  # fmt: skip


def downlink(*words, cwd=REPOSITORY, **environment):
    """Run a command: its exit status, standard output and standard error."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DOWNLINK_")}
    own = clean | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"} | environment
    if all(key.startswith("DOWNLINK_") for key in environment):
        done = FORKED.run(*words, cwd=cwd, env=own)
        return done.returncode, done.stdout, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "downlink_pipeline", *map(str, words)],
        cwd=cwd, env=own, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def imported(*words):
    """The modules that a command imports, as `python -v` names them."""
    told = subprocess.run(
        [sys.executable, "-v", "-m", "downlink_pipeline", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return {match[1].split(".")[0] for match in re.finditer(r"^import '([\w.]+)'", told.stderr, re.MULTILINE)}


def test_help_imports_nothing_that_only_a_run_needs():
    found = imported("--help")
    assert "typer" in found
    assert not found & {*HEAVY, "pydantic"}


@pytest.mark.parametrize("command", [one for one in COMMANDS if one != "simulate"])  # its options are a package's
def test_the_help_of_a_command_imports_nothing_that_only_a_run_needs(command):
    assert not imported(*shlex.split(command), "--help") & HEAVY  # pydantic: typer reads options with it


@pytest.mark.parametrize(
    "command",
    [
        "inspect clean.cadu", "packets clean.cadu --out {out}", "decode clean.cadu --out {out}", "check", "topics",
        "topics clean.cadu",
        "replay clean.cadu", "clock clean.cadu --out {out}",
    ],
)  # fmt: skip
def test_the_environment_names_the_mission_of_every_command(command, bundled, tmp_path):
    words = [
        word.replace("clean.cadu", str(bundled / "clean.cadu")).format(out=tmp_path / "out")
        for word in shlex.split(command)
    ]
    status, _, err = downlink(*words, DOWNLINK_MISSION="zhurong")
    assert status == 0, err


def test_the_mission_on_the_command_line_goes_before_that_of_the_environment():
    status, out, err = downlink("check", "suomi-npp", DOWNLINK_MISSION="zhurong")
    assert status == 0, err
    assert "suomi-npp" in out


def test_checking_a_dictionary_does_not_ask_for_the_mission_of_the_environment():
    xtce = REPOSITORY / "configs" / "zhurong" / "telemetry.xml"
    status, out, err = downlink("check", "--dictionary", xtce, DOWNLINK_MISSION="nowhere")
    assert status == 0, err
    assert "SequenceContainer" in out


def test_brackets_and_colons_of_a_name_are_printed_as_they_are(bundled, tmp_path):
    mission = tmp_path / "mine"
    shutil.copytree(REPOSITORY / "configs" / "zhurong", mission)
    text = (mission / "mission.toml").read_text()
    (mission / "mission.toml").write_text(text.replace('"rover relay"', '"rover [x] [bold]:star:"'))
    recording = tmp_path / "pass [red]:star:.cadu"
    shutil.copy(bundled / "damaged.cadu", recording)
    shown = [downlink("check", mission), downlink("inspect", recording, "-m", mission)]
    assert [status for status, _, _ in shown] == [0, 0]
    for _, out, _ in shown:
        assert "rover [x] [bold]:star:" in out
    report = shown[1][1]
    assert "pass [red]:star:.cadu" in report
    assert "rover [x] [bold]:star:: " in report  # of its events
    _, _, err = downlink("inspect", tmp_path / "[x].cadu", "-m", mission)
    assert err == f"downlink: {tmp_path / '[x].cadu'}: there is no such file\n"


def test_rich_markup_in_names_reaches_the_tables_of_a_replay():
    table = TopicTable()
    table.add([Message("m/s/product/telemetry/temperature_[x]_:star:", b"")])
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(table)
    assert "telemetry/temperature_[x]_:star:" in console.export_text()


def test_a_mission_is_described_in_words_not_in_python():
    status, out, _ = downlink("check", "zhurong")
    assert status == 0
    rows = dict(line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(" "))
    assert rows["link"] == "AOS frames of 892 bytes, each with sync marker and coding"
    assert rows["profiles"] == "low-rate"
    assert rows["channels"] == "245/5 rover relay (packets)"
    assert not re.search(r"True|False|None|[\[\]{}']", out)


@pytest.fixture
def terminal():
    """Run a command on a terminal of 24 lines; what it shows grows in the list while it runs."""
    running = []

    def start(*words):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "downlink_pipeline", *map(str, words)], stdin=theirs, stdout=theirs, stderr=theirs,
            cwd=REPOSITORY, start_new_session=True, env=os.environ | {"TERM": "xterm"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads
        )  # fmt: skip
        os.close(theirs)
        running.append((process, ours))
        return process, ours

    yield start
    for process, ours in running:
        process.kill()
        process.wait()
        os.close(ours)


def shown_until(number, end, seconds=60):
    """What a terminal shows until a text comes, and for a moment more, without control sequences."""
    shown, deadline, stop = b"", time.monotonic() + seconds, None
    while time.monotonic() < (stop or deadline):
        if select.select([number], [], [], 0.2)[0]:
            try:
                shown += os.read(number, 65536)
            except OSError:
                break
        if stop is None and end.encode() in shown:
            stop = time.monotonic() + 0.5
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace")).replace("\r", "")


def test_the_address_stands_at_the_end_of_a_held_replay(terminal, bundled, tmp_path):
    recording = tmp_path / "short.cadu"
    recording.write_bytes((bundled / "damaged.cadu").read_bytes()[:400_000])
    process, screen = terminal("replay", recording, "-m", "zhurong", "--hold", "--stream", "here")
    text = shown_until(screen, "or Ctrl-C")
    last = [line.strip() for line in text.splitlines() if line.strip()][-3:]
    assert any(re.match(r"publishing zhurong/here/# on mqtt://127.0.0.1:\d+", line) for line in last), text[-3000:]
    process.send_signal(signal.SIGINT)
    process.wait(30)


def test_the_address_stands_above_the_topics_while_a_pass_is_replayed():
    console = Console(width=100, height=10, file=io.StringIO(), force_terminal=True)
    with replay_view(console, 100, ["broker on mqtt://127.0.0.1:5", "dashboard on http://x"]) as view:
        for k in range(30):
            view.advance(1, [Message(f"m/s/product/telemetry/container_{k}", b"")])
        console.file.truncate(0)
        time.sleep(0.5)  # it is drawn eight times a second
        drawn = console.file.getvalue()
    assert "broker on mqtt://127.0.0.1:5" in drawn
    assert "dashboard on http://x" in drawn


def test_what_cannot_be_reached_is_not_published_to(bundled):
    status, _, err = downlink("replay", bundled / "clean.cadu", "-m", "zhurong", "--broker", "mqtt://127.0.0.1:1")
    assert status == 1
    assert "publishing" not in err


NO_UTF_8 = b"n\xffx.cadu"


@pytest.mark.parametrize("command", ["inspect", "plot --out out", "products --out out --format netcdf", "replay"])
def test_a_name_that_is_no_utf_8_is_a_name(command, bundled, tmp_path):
    path = os.fsencode(tmp_path) + b"/" + NO_UTF_8
    try:
        Path(os.fsdecode(path)).write_bytes((bundled / "clean.cadu").read_bytes()[:100_000])
    except OSError:
        pytest.skip("this file system has no such names")
    words = command.replace(" out", f" {tmp_path}/out").split()
    status, _, err = downlink(words[0], Path(os.fsdecode(path)), "-m", "zhurong", *words[1:])
    assert status == 0, err


def test_what_a_terminal_has_no_letters_for_is_written_another_way(bundled):
    status, out, err = downlink("inspect", bundled / "damaged.cadu", "-m", "zhurong", PYTHONIOENCODING="ascii")
    assert status == 0, err
    assert "corrected symbols of a codeword" in out


def test_the_version_is_that_of_the_package():
    text = (REPOSITORY / "pyproject.toml").read_text()
    version = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)[1]
    assert downlink("--version") == (0, f"downlink-pipeline {version}\n", "")


def test_an_archive_without_a_recording_is_said(tmp_path):
    status, _, err = downlink("reprocess", tmp_path, "-m", "zhurong", "--out", tmp_path / "out")
    assert status == 1
    assert f"there is no recording in {tmp_path}" in err
