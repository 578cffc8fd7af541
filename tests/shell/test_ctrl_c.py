"""Ctrl-C, whenever it comes, is one line and the status that a shell has for it."""

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
    run = started("-v", "-m", "pipeline", "inspect", "nothing", "-m", "zhurong")
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
    run = started("-m", "pipeline", "products", bundled / "clean.cadu", "-m", "zhurong", "--out", tmp_path / "out")
    deadline = time.monotonic() + 60
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
