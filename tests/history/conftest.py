"""Histories for tests: of products made by hand, and of the bundled passes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.history.passes import PassRecord
from downlink_pipeline.history.recorder import HistoryRecorder, PassImport
from downlink_pipeline.history.storage import Storage
from downlink_pipeline.history.tables import version_of
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import Product


@pytest.fixture
def put(tmp_path) -> Callable[..., Path]:
    """Import products as a pass; gives the folder."""

    def run(*products: Product, name: str = "pass-1", folder: Path | None = None) -> Path:
        where = folder or tmp_path / "history"
        storage = Storage(where, create=True)
        record = PassRecord(products[0].stream, name, "sat", version_of(products[0].lineage))
        filling = PassImport(storage, record)
        for one in products:
            filling.add(one)
        filling.finish()
        return where

    return run


@pytest.fixture
def recorder(tmp_path) -> HistoryRecorder:
    """A service's way in, into `tmp_path / "history"`."""
    return HistoryRecorder(Storage(tmp_path / "history", create=True))


@pytest.fixture(scope="session")
def zhurong(bundled, tmp_path_factory) -> Path:
    """A history of the bundled night pass, with raw counts."""
    folder = tmp_path_factory.mktemp("zhurong") / "history"
    import_passes([bundled / "night.cadu"], load_mission("zhurong"), str(folder), lambda _: None, raw=True)
    return folder
