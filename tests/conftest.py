"""What tests of every room share: where the real recordings are."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("DOWNLINK_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder} (or name their folder in DOWNLINK_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def bundled() -> Path:
    return REPOSITORY / "replay_data"
