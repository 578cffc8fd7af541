"""The package of IMAP, as it is installed or from this repository; what tests of it share."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "missions" / "imap"
IS_INSTALLED = importlib.util.find_spec("downlink_imap") is not None
sys.path[:0] = [str(Path(__file__).parent), *([] if IS_INSTALLED else [str(PACKAGE)])]


@pytest.fixture(scope="session", autouse=True)
def entry_point(tmp_path_factory):
    """That of the package, on the path where it is not installed."""
    if IS_INSTALLED:
        yield
        return
    site = tmp_path_factory.mktemp("site")
    about = site / "downlink_imap-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: downlink-imap\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[downlink.missions]\nimap = downlink_imap:PACKAGE\n")
    sys.path.insert(0, str(site))
    yield
    sys.path.remove(str(site))


@pytest.fixture(scope="session")
def imap_data(real_data):
    """The folder of IMAP's dictionaries and packets, which the mission file finds by the environment."""
    folder = real_data / "imap"
    before = os.environ.get("IMAP_DICTIONARIES")
    os.environ["IMAP_DICTIONARIES"] = str(folder)
    yield folder
    if before is None:
        del os.environ["IMAP_DICTIONARIES"]
    else:
        os.environ["IMAP_DICTIONARIES"] = before
