"""The house has one way through it: import-linter's contracts in pyproject.toml hold."""

import subprocess
import sys
from pathlib import Path


def test_no_room_imports_a_later_one() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
