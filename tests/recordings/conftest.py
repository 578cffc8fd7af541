"""The command line, run as a person would run it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def downlink() -> Run:
    def run(*arguments: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "downlink_pipeline", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **how)

    return run


@pytest.fixture(scope="session")
def inspect(downlink: Run) -> Callable[..., dict[str, Any]]:
    def report(*arguments: str | Path) -> dict[str, Any]:
        done = downlink("inspect", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        frames = found["frames"]
        used = sum(channel["frames"] for channel in found["channels"])
        assert frames["read"] == sum(frames[key] for key in ("clean", "corrected", "uncorrectable", "failed_check"))
        assert frames["clean"] + frames["corrected"] == used + frames["other_channel"]
        assert found["packets"]["read"] == sum(found["packets"]["by_apid"].values())
        return found

    return report
