"""Asks the tools whose formats are converted what packets hold, in a Python that has them and a process of its own.

`make witness` makes that Python; DOWNLINK_WITNESS names another. Tests are skipped where there is none.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("DOWNLINK_WITNESS", HERE.parents[1] / ".venv" / "witness" / "bin" / "python"))


def ask(module, script, question):
    """What `script` answers to the question, run by a Python that can import `module`."""
    if not PYTHON.exists():
        pytest.skip(f"no Python with {module}: make witness (or DOWNLINK_WITNESS)")
    if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{PYTHON} cannot import {module}")
    done = subprocess.run(
        [PYTHON, HERE / script], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("ANSWER") + 6 :])
