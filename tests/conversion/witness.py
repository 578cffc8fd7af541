"""Asks the tools whose formats are converted what packets hold, in a Python that has them and a process of its own.

`make witness` makes a Python for each; DOWNLINK_WITNESS names the folder of others. Without one a test is skipped.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("DOWNLINK_WITNESS", HERE.parents[1] / ".venv" / "witness"))


def ask(package, script, question):
    """What `script` answers to the question, run by the Python that has `package`."""
    python = FOLDER / package / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no Python with {package} in {FOLDER}: make witness (or name its folder in DOWNLINK_WITNESS)")
    done = subprocess.run(
        [python, HERE / script], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("ANSWER") + 6 :])
