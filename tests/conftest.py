"""What tests of every room share: where recordings are, and what comes out of the bundled pass."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it: results are equal to the last bit

import pytest
import structlog
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import outcomes

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "fixtures"))  # what the conftest.py of several rooms share


LONGEST = (
    "compose",
    "services/outages",
    "docs/test_documents.py",
    "dashboard/test_looks.py",
    "archive/test_netcdf.py",
    "dashboard/test_reconnect.py",
    "dashboard/test_reach.py",
    "dashboard",
    "pictures",
    "services",
    "supply",
    "replay",
)
"""Folders and files that take a minute or more begin first: of two processes none then works alone at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The longest files first, otherwise in the order that there is (a random one)."""

    def place(item):
        path = item.path.as_posix()
        return next((i for i, name in enumerate(LONGEST) if f"/tests/{name}" in path), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _logs_go_where_tests_look():
    """A command that ran in this process left its logs on a stream that pytest has closed by the next test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; tests that want it are skipped where it is absent."""
    folder = Path(os.environ.get("DOWNLINK_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder} (or name their folder in DOWNLINK_REAL_DATA)")
    return folder


@pytest.fixture(scope="session")
def cases_of(faults) -> Callable[..., list[dict[str, Any]]]:
    """Run a script with the library of faults preloaded and named first; gives what it says, a line a case."""

    def run(script: Path, *words: object) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, script, faults, *map(str, words)],
            env={**os.environ, "LD_PRELOAD": str(faults)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def bundled() -> Path:
    return REPOSITORY / "replay_data"


@pytest.fixture(scope="session")
def products(bundled):
    """The products of the clean pass, in order."""
    line = ProcessingChain(load_mission("zhurong"), "clean")
    return [p for outcome in outcomes(line, [bundled / "clean.cadu"], lambda _: None) for p in outcome.products]


@pytest.fixture(scope="session")
def faults(tmp_path_factory) -> Path:
    """A library that makes calls to the disk fail, to be loaded with LD_PRELOAD."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or not compiler:
        pytest.skip("faults are injected on Linux, where there is a C compiler")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = REPOSITORY / "tests" / "fixtures" / "faults.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library
