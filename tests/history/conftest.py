"""Histories for tests: of products made by hand, and of the bundled night pass."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import downlink, inspect
from downlink_pipeline.cli import main
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.mission.loading import load_mission
from history_products import put, recorder

__all__ = ["downlink", "inspect", "put", "recorder"]


@pytest.fixture(scope="session")
def zhurong(bundled, tmp_path_factory) -> Path:
    """A history of the bundled night pass, with raw counts."""
    folder = tmp_path_factory.mktemp("zhurong") / "history"
    import_passes([bundled / "night.cadu"], load_mission("zhurong"), str(folder), lambda _: None, raw=True)
    return folder


@pytest.fixture
def command(monkeypatch, capsysbinary):
    """Run `downlink` in this process, as a process of its own would end."""

    def run(*words):
        before = signal.getsignal(signal.SIGTERM)
        monkeypatch.setattr(sys, "argv", ["downlink", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        signal.signal(signal.SIGTERM, before)
        out, err = (text.decode() for text in capsysbinary.readouterr())
        return subprocess.CompletedProcess(words, ended.value.code, out, err)

    return run
