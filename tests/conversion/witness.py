"""Asks the tools whose formats are converted what packets hold, in a Python that has them and a process of its own.

`make witness` makes a Python for each, and runs the tests that are marked so; DOWNLINK_WITNESS names another folder.
"""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("DOWNLINK_WITNESS", HERE.parents[1] / ".venv" / "witness"))


def ask(package, script, question):
    """What `script` answers to the question, run by the Python that has `package`."""
    python = FOLDER / package / "bin" / "python"
    assert python.exists(), f"no Python with {package} in {FOLDER}: make witness"
    done = subprocess.run(
        [python, HERE / script], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index("ANSWER") + 6 :])
