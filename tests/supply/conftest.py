"""The wheel, built once for all tests that install it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def unpacked_wheel(project, folder):
    """What the wheel of a project installs, in a folder."""
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, project]
    subprocess.run([sys.executable, *build], check=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder with what our wheel holds; the libraries are those of the tests."""
    return unpacked_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def unpack():
    return unpacked_wheel
