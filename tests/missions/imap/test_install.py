"""The package as it is installed: a wheel beside downlink."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from downlink_pipeline.api import ConfigError, load_mission

PACKAGE = Path(__file__).resolve().parents[3] / "missions" / "imap"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where a wheel of the package is unpacked; what else is needed comes from this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=PACKAGE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_brings_mission_file_calibrations_and_its_own_dictionaries(site):
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    own = [path for path in (PACKAGE / "downlink_imap").rglob("*") if path.suffix in {".py", ".toml", ".xml"}]
    assert {path.relative_to(PACKAGE).as_posix() for path in own} <= names


def test_check_says_which_package_it_took(site, real_data):
    done = subprocess.run(
        [sys.executable, "-m", "downlink_pipeline", "check", "imap"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), *sys.path]),
            "IMAP_DICTIONARIES": str(real_data / "imap"),
        },
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["version"]
    assert f"downlink_imap of downlink-imap {version}" in done.stdout


def test_that_the_dictionaries_of_the_mission_are_missing_is_one_line_of_its_file(monkeypatch):
    monkeypatch.delenv("IMAP_DICTIONARIES", raising=False)
    with pytest.raises(ConfigError, match=r"mission\.toml:\d+: dictionary\.xtce: .*IMAP_DICTIONARIES is not set"):
        load_mission("imap")
