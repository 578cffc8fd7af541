"""What bad input gets: one clear line (or a count), the exit status of the contract, never a traceback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
import zstandard
from paho.mqtt import subscribe
from waiting import wait_until

Run = Callable[..., subprocess.CompletedProcess[str]]
Inspect = Callable[..., dict[str, Any]]


def one_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_missing_file_is_wrong_usage(downlink: Run, tmp_path: Path) -> None:
    line = one_line(downlink("inspect", tmp_path / "absent", "--mission", "zhurong"), 2)
    assert line.endswith("absent: there is no such file")


def test_a_folder_is_wrong_usage(downlink: Run, tmp_path: Path) -> None:
    assert "is a folder" in one_line(downlink("inspect", tmp_path, "--mission", "zhurong"), 2)


def test_an_unknown_mission_is_wrong_usage(downlink: Run, bundled: Path) -> None:
    assert "there is no mission 'voyager'" in one_line(
        downlink("inspect", bundled / "clean.cadu", "--mission", "voyager"), 2
    )


def test_an_empty_file_is_said_and_counted(downlink: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    done = downlink("inspect", tmp_path / "empty", "--mission", "zhurong")
    assert "the recording is empty" in one_line(done, 1)


def test_bytes_without_a_marker_are_said_and_counted(downlink: Run, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 400)
    done = downlink("inspect", tmp_path / "noise", "--mission", "zhurong")
    assert "no frame behind a marker 1ACFFC1D in 102,400 bytes: see framing, sync_marker" in one_line(done, 1)


def test_frames_of_another_mission_are_said_and_counted(downlink: Run, real_data: Path) -> None:
    done = downlink("inspect", real_data / "change-5/2020-11-28.frames", "--mission", "tianwen-2:low-rate")
    assert "none of 3,075 good frames is on a wanted channel, they are on 91/1" in one_line(done, 1)


def test_a_truncated_recording_loses_its_last_frame_alone(bundled: Path, tmp_path: Path, inspect: Inspect) -> None:
    whole = (bundled / "clean.cadu").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-100])
    report = inspect(tmp_path / "cut", "--mission", "zhurong")
    assert report["bytes"] == {"read": len(whole) - 100, "skipped": 1024 - 100}
    assert report["frames"]["clean"] == len(whole) // 1024 - 1


def test_a_wrong_speed_is_wrong_usage(downlink: Run, bundled: Path) -> None:
    done = downlink("replay", bundled / "clean.cadu", "--mission", "zhurong", "--speed", "fast")
    assert "--speed fast" in one_line(done, 2)


def test_a_stream_that_is_no_topic_level_is_wrong_usage(downlink: Run, bundled: Path) -> None:
    done = downlink("replay", bundled / "clean.cadu", "--mission", "zhurong", "--stream", "a/b")
    assert "--stream a/b" in one_line(done, 2)


def test_a_mission_without_a_dictionary_cannot_decode(downlink: Run, bundled: Path, tmp_path: Path) -> None:
    done = downlink("decode", bundled / "clean.cadu", "--mission", "suomi-npp", "--out", tmp_path / "out")
    assert "no dictionary" in one_line(done, 2)


def test_a_refused_connection_is_one_line(downlink: Run, bundled: Path) -> None:
    done = downlink("replay", bundled / "clean.cadu", "--mission", "zhurong", "--broker", "mqtt://127.0.0.1:1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "127.0.0.1:1" in done.stderr.strip().splitlines()[-1]


def test_a_broker_url_that_is_none_is_wrong_usage(downlink: Run, bundled: Path) -> None:
    done = downlink("replay", bundled / "clean.cadu", "--mission", "zhurong", "--broker", "http://x")
    assert "mqtt://" in one_line(done, 2)


@pytest.mark.parametrize(("command", "out"), [("packets", "file"), ("decode", "folder")])
def test_a_full_disk_is_one_line_and_leaves_nothing(bundled: Path, tmp_path: Path, command: str, out: str) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code = f"{limit}{ignore}from downlink_pipeline.cli.main import main; main()"
    arguments = [command, bundled / "clean.cadu", "--mission", "zhurong", "--out", tmp_path / out]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "cannot write" in one_line(done, 1) or "File too large" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_mission_file_with_three_mistakes_gives_three_lines(downlink: Run, tmp_path: Path) -> None:
    text = 'name = "x"\n[link]\nframing = "cadus"\nfec = true\n[dictionary]\nxtce = "absent.xml"\n'
    (tmp_path / "mission.toml").write_text(text)
    done = downlink("check", tmp_path)
    assert done.returncode == 2
    assert [line.split(": ")[1].split(":")[-1] for line in done.stderr.splitlines()] == ["3", "4", "6"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<SpaceSystem", "telemetry.xml"),
        ('<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><SpaceSystem name="&c;"/>', "telemetry.xml:1"),
        (
            (
                '<SpaceSystem name="a"><TelemetryMetaData><ContainerSet><SequenceContainer name="c"><EntryList>\n'
                '<ParameterRefEntry parameterRef="gone"/></EntryList></SequenceContainer></ContainerSet>'
                "</TelemetryMetaData></SpaceSystem>"
            ),
            "gone",
        ),
    ],
)
def test_a_dictionary_that_cannot_be_used_is_told(downlink: Run, tmp_path: Path, document: str, said: str) -> None:
    text = 'name = "x"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "telemetry.xml"\n'
    (tmp_path / "mission.toml").write_text(text)
    (tmp_path / "telemetry.xml").write_text(document)
    done = downlink("check", tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_drains_and_still_prints_the_report(bundled: Path) -> None:
    arguments = ["replay", str(bundled / "clean.cadu"), "--mission", "zhurong", "--speed", "0.2", "--json"]
    run = subprocess.Popen(
        [sys.executable, "-m", "downlink_pipeline", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = read_until(run.stderr, "publishing")
    first_product("127.0.0.1", int(line.split(":")[-1].split()[0].rstrip("/")))
    os.kill(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    assert '"frames"' in out
    assert "Traceback" not in err


def read_until(stream: IO[str] | None, word: str) -> str:
    """Read lines up to one with a word, and give that."""
    assert stream is not None
    return next(line for line in stream if word in line)


def first_product(host: str, port: int) -> None:
    """Wait until a product is published."""
    subscribe.simple("zhurong/+/product/#", hostname=host, port=port)


AS_FOREGROUND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from downlink_pipeline.cli.main import main
main()
"""


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    """A command in the foreground: a shell's background jobs, and so what tests start there, ignore Ctrl-C."""
    command = [sys.executable, "-c", AS_FOREGROUND, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_ctrl_c_stops_at_once_in_one_line(bundled: Path) -> None:
    run = started("replay", bundled / "clean.cadu", "-m", "zhurong", "--speed", "0.2")
    read_until(run.stderr, "publishing")
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode in {0, 130}
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_says_so_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    os.mkfifo(tmp_path / "slow")
    run = started("packets", tmp_path / "slow", "-m", "zhurong", "--out", tmp_path / "out" / "packets")
    with (tmp_path / "slow").open("wb") as writer:
        writer.write(bytes(5000))
        writer.flush()
        wait_until((tmp_path / "out").exists)
        run.send_signal(number)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.splitlines() == ["downlink: interrupted; nothing half-written is left"]
    assert list((tmp_path / "out").iterdir()) == []


def test_words_of_a_mission_are_shown_as_they_are(downlink: Run, real_data: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "configs/suomi-npp/mission.toml").read_text()
    (tmp_path / "mission.toml").write_text(text.replace("VIIRS science", "[/b] [red]sun[0]"))
    done = downlink("inspect", real_data / "suomi-npp/cadus.dat", "-m", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[/b] [red]sun[0]" in done.stdout
    assert "[/b] [red]sun[0]" in downlink("check", tmp_path).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "x"),
        ("nope",),
        ("inspect", "x", "-m", "zhurong", "--bad"),
        ("watch", "a/#/b", "--broker", "mqtt://x"),
    ],
)
def test_wrong_usage_is_one_line(downlink: Run, arguments: tuple[str, ...]) -> None:
    one_line(downlink(*arguments), 2)


@pytest.mark.parametrize("command", ["packets", "decode", "products", "plot", "topics"])
def test_a_file_that_is_no_pass_is_said_by_whoever_reads_it(downlink: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty").touch()
    for name, said in (
        ("noise", "no frame behind a marker 1ACFFC1D in 10,240 bytes"),
        ("empty", "the recording is empty"),
    ):
        words = ("zhurong", tmp_path / name) if command == "topics" else (tmp_path / name, "-m", "zhurong")
        done = downlink(command, *words, "--out", tmp_path / f"{command}-{name}")
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith(f"downlink: {said}")


def test_a_packed_recording_cut_to_nothing_is_told_as_that(downlink: Run, bundled: Path, tmp_path: Path) -> None:
    packed = zstandard.compress((bundled / "clean.cadu").read_bytes()[:100_000])
    (tmp_path / "cut.zst").write_bytes(packed[:50])
    done = downlink("inspect", tmp_path / "cut.zst", "-m", "zhurong", "--json")
    assert one_line(done, 1) == "downlink: cut.zst: it is cut short: what is there is used"
    assert json.loads(done.stdout)["damaged"] == ["cut.zst: it is cut short: what is there is used"]


def test_a_broker_that_is_not_there_is_told_by_watch(downlink: Run) -> None:
    """`dashboard` waits for it: tests/dashboard has that."""
    done = downlink("watch", "--broker", "mqtt://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "downlink: cannot connect to mqtt://127.0.0.1:1: connection refused"
    assert "Traceback" not in done.stderr


def test_of_two_runs_into_one_folder_one_is_refused_and_files_are_whole(bundled: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    words = ("decode", bundled / "clean.cadu", "-m", "zhurong", "--out", tmp_path / "out", "--format", "parquet")
    runs = [started(*words), started(*words)]
    told = [run.communicate(timeout=60) for run in runs]
    ended = dict(zip([run.returncode for run in runs], told, strict=True))
    assert 0 in ended, told
    if len(ended) > 1:  # else the second began when the first had ended
        assert "another process is filling it" in ended[2][1], told
    from pyarrow import parquet  # noqa: PLC0415 - an extra

    assert parquet.read_table(tmp_path / "out" / "NAVIGATION.parquet").num_rows == 203
    assert not list((tmp_path / "out").glob(".*"))
