"""The wheel alone, in another folder: its missions, the demo's pass, its types and its version are in it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(installed, folder, *arguments):
    """Run Python there, with the wheel before all else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOWNLINK_")}
    environment["PYTHONPATH"] = str(installed)
    command = [sys.executable, "-P", *arguments]
    kept = {"capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, cwd=folder, env=environment, **kept, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "zhurong"],
        ["simulate", "--duration", "60", "--out", "mine.cadu"],
        ["products", "--mission", "zhurong", "--out", "files", "PASS"],
        ["plot", "--mission", "zhurong", "--out", "pictures", "PASS"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_work_from_any_folder(installed, tmp_path, arguments):
    carried = str(ROOT / "replay_data" / "night.cadu")
    found = run(
        installed, tmp_path, "-m", "downlink_pipeline", *[carried if text == "PASS" else text for text in arguments]
    )
    assert found.returncode == 0, found.stderr


def test_the_demo_has_a_pass(installed, tmp_path):
    script = "from downlink_pipeline.api import open_bundled as opened; print(opened().paths[0].stat().st_size)"
    assert (
        int(run(installed, tmp_path, "-c", script).stdout) == (ROOT / "replay_data" / "clean.cadu").stat().st_size
    )


def test_it_says_its_version_and_that_it_has_types(installed, tmp_path):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    script = "import downlink_pipeline; print(downlink_pipeline.__version__, downlink_pipeline.__file__)"
    assert (
        run(installed, tmp_path, "-c", script).stdout
        == f"{version} {installed / 'downlink_pipeline' / '__init__.py'}\n"
    )
    assert (installed / "downlink_pipeline" / "py.typed").is_file()
