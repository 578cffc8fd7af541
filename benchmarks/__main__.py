"""`make bench`: each benchmark in a process of its own; `python -m benchmarks way link` for some of them."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIRST = ["way"]


def main() -> None:
    there = sorted(path.stem for path in HERE.glob("[a-z]*.py"))
    wanted = sys.argv[1:] or FIRST + [name for name in there if name not in FIRST]
    for name in wanted:
        print(f"\n== {name} ==", flush=True)
        env = {"OPENBLAS_NUM_THREADS": "1", **os.environ}  # as the command line sets it
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True, env=env)


main()
