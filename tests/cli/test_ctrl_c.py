"""Ctrl-C and SIGTERM, whenever they come, are one line and the status that a shell has for it."""

import re
import signal
import subprocess
import sys
import time

import pytest


def started(*words):
    """A command in the foreground: what a shell puts in the background ignores Ctrl-C, and so would this."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )


@pytest.mark.parametrize("module", ["erfa", "numpy", "pydantic", "typer"])
def test_ctrl_c_while_the_command_line_is_imported_ends_quietly(module):
    run = started("-v", "-m", "downlink_pipeline", "inspect", "nothing", "-m", "zhurong")
    for line in run.stderr:
        if line.startswith(f"import '{module}"):
            run.send_signal(signal.SIGINT)
            break
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.count("downlink: interrupted") == 1  # among what -v tells
    assert "Traceback" not in err
    assert "KeyboardInterrupt" not in err


def test_the_package_itself_imports_next_to_nothing():
    code = "import sys; before = set(sys.modules); import pipeline.__main__; print(*set(sys.modules) - before)"
    told = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append('.'); {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert not {"typing", "numpy", "typer", "asyncio"} & set(told.stdout.split())


def test_ctrl_c_among_product_files_tells_how_many_are_finished(bundled, tmp_path):
    pytest.importorskip("netCDF4")
    run = started(
        "-m", "downlink_pipeline", "products", bundled / "clean.cadu", "-m", "zhurong", "--out", tmp_path / "out"
    )
    deadline = time.monotonic() + 200
    while not list((tmp_path / "out").glob("[!.]*.nc")) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    finished = [path for path in (tmp_path / "out").iterdir() if path.name != "products.sqlite"]
    line = re.fullmatch(
        r"downlink: interrupted; (\d+) files? finished in (.*), and nothing half-written is left\n", err
    )
    assert line is not None, err
    assert int(line[1]) == len(finished) > 0
    assert line[2] == str(tmp_path / "out")
    assert (tmp_path / "out" / "products.sqlite").exists()


def ended_by_two(run, line_begins, gap_s, number=signal.SIGTERM):
    """The exit status and standard error of a command that gets a signal twice once it has printed such a line."""
    told = []
    for line in run.stderr:
        told.append(line)
        if line_begins in line:
            break
    run.send_signal(number)
    time.sleep(gap_s)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    return run.returncode, "".join(told) + err


@pytest.mark.parametrize("gap_s", [0, 0.002])
def test_a_second_sigterm_ends_a_service_in_one_line(tmp_path, gap_s):
    words = ["stage", "all", "-m", "zhurong", "--source", "live=udp://127.0.0.1:0", "--health", ""]
    run = started(
        "-m", "downlink_pipeline", *words, "--state", tmp_path / "state", "--broker", "mqtt://127.0.0.1:1"
    )
    status, err = ended_by_two(run, "waiting for", gap_s)
    one_came = status == 0  # the system joins signals of a kind that are not handled yet, or all had stopped before
    assert status == 130 or one_came, err
    assert err.count("downlink: interrupted") == (0 if one_came else 1)
    assert "Traceback" not in err


@pytest.mark.parametrize("gap_s", [0, 0.002])
def test_a_second_sigterm_ends_a_replay_in_one_line(bundled, gap_s):
    words = ["replay", bundled / "clean.cadu", "-m", "zhurong", "--speed", "1"]
    status, err = ended_by_two(started("-m", "downlink_pipeline", *words), "publishing", gap_s)
    one_came = status == 0
    assert status == 130 or one_came, err
    assert err.count("downlink: interrupted") == (0 if one_came else 1)
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "gap_s"), [(signal.SIGINT, 0), (signal.SIGINT, 0.01), (signal.SIGTERM, 0.03)])
def test_a_second_signal_ends_a_command_in_one_line_and_never_by_itself(bundled, tmp_path, number, gap_s):
    """At any moment after the first: while that unwinds, while its line is written, while the interpreter ends."""
    pytest.importorskip("netCDF4")
    run = started(
        "-m", "downlink_pipeline", "products", bundled / "clean.cadu", "-m", "zhurong", "--out", tmp_path / "out"
    )
    deadline = time.monotonic() + 200
    while not list((tmp_path / "out").glob("[!.]*.nc")) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(number)
    time.sleep(gap_s)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert "downlink: interrupted" in err


def test_a_replay_says_that_it_publishes_once_there_is_a_connection(bundled):
    words = ["replay", bundled / "clean.cadu", "-m", "zhurong", "--broker", "mqtt://127.0.0.1:1"]
    _, err = started("-m", "downlink_pipeline", *words).communicate(timeout=60)
    assert "cannot connect" in err
    assert "publishing" not in err
