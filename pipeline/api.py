"""What others build on: recorded passes in Python, and what mission packages are written against.

A recorded pass has its report, frames, packets, columns and products, for notebooks and scripts.

>>> from downlink_pipeline import open_bundled, open_pass
>>> found = (
...     open_bundled()
... )  # the pass that comes with the package; open_pass("my.cadu", mission="mysat") opens others
>>> found.report()["frames"]["uncorrectable"]
0
>>> navigation = found.to_xarray("NAVIGATION")
>>> navigation["POSITION_NORTH"].attrs["units"], navigation.sizes["time"]
('m', 203)

A radargram in five lines: behind these two, `radar["quicklook"].T.plot(x="distance_m", y="depth_m", yincrease=False)`.

>>> radar = found.product("gpr/radargram_high").set_coords(["distance_m", "depth_m"])
>>> radar["quicklook"].dims, radar["depth_m"].attrs["units"]
(('time', 'sample'), 'm')
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .mission.bundled import bundled_pass, bundled_recording
from .mission.loading import Mission, load_mission
from .model.batches import (
    DOUBTFUL,
    NO_TIME,
    ColumnBatch,
    Event,
    FrameBatch,
    PacketBatch,
    Product,
    Quality,
    Quantity,
    Ragged,
    TimeRange,
    usable,
)
from .model.errors import ConfigError, RunError
from .model.looks import Curves, Kept, Look, Rows
from .processing.recorded_pass import RecordedPass
from .products.archive_rules import (
    ArchiveRules,
    Attitude,
    FileNames,
    ImageName,
    InstrumentArchive,
    Pds4Rules,
    PlaceElements,
    Platform,
)
from .products.calibration import Calibration, Finite, Matrix, Positive, Range, Source, Span, Table, Vector, outside
from .products.context import Context, Site
from .products.draft import Draft, column_quantity, flag
from .products.instrument import Auxiliary, Instrument
from .products.kinds import DEFAULT_FILES, ProductKind, View
from .products.package import INTERFACE, InstrumentFolder, MissionPackage
from .products.rows import compact, join, sample_times, take, window_keys, with_columns
from .products.suite import Suite
from .system.software import to_install

if TYPE_CHECKING:
    from .history.history import History


__all__ = [
    "DEFAULT_FILES",
    "DOUBTFUL",
    "INTERFACE",
    "NO_TIME",
    "ArchiveRules",
    "Attitude",
    "Auxiliary",
    "Calibration",
    "ColumnBatch",
    "ConfigError",
    "Context",
    "Curves",
    "Draft",
    "Event",
    "FileNames",
    "Finite",
    "FrameBatch",
    "ImageName",
    "Instrument",
    "InstrumentArchive",
    "InstrumentFolder",
    "Kept",
    "Look",
    "Matrix",
    "Mission",
    "MissionPackage",
    "PacketBatch",
    "Pds4Rules",
    "PlaceElements",
    "Platform",
    "Positive",
    "Product",
    "ProductKind",
    "Quality",
    "Quantity",
    "Ragged",
    "Range",
    "RecordedPass",
    "Rows",
    "RunError",
    "Site",
    "Source",
    "Span",
    "Suite",
    "Table",
    "TimeRange",
    "Vector",
    "View",
    "column_quantity",
    "compact",
    "flag",
    "join",
    "load_mission",
    "open_bundled",
    "open_pass",
    "outside",
    "sample_times",
    "take",
    "usable",
    "window_keys",
    "with_columns",
]


def open_pass(*paths: str | Path | Sequence[str | Path], mission: str, merge: bool = False) -> RecordedPass:
    """Open recordings, or a list of them; `mission` is a folder, or the name of one under configs/.

    Several are read one after the other: pieces of one recording give what the whole gives, different passes what each
    gives alone. `merge`: they are of several stations that received one pass, and are merged frame by frame.

    >>> one = open_bundled()
    >>> found = open_pass(one.paths[0], "replay_data/night.cadu", mission=one.mission.name)
    >>> found.report()["passes"]
    2
    """
    named = [one for path in paths for one in ([path] if isinstance(path, str | Path) else path)]
    if not named:
        raise ConfigError("name at least one recording")
    return RecordedPass(tuple(map(Path, named)), load_mission(mission), merge)


def open_bundled() -> RecordedPass:
    """Open the recorded pass that comes with the package.

    >>> open_bundled().paths[0].name
    'clean.cadu'
    """
    found = bundled_pass()
    return open_pass(bundled_recording(found.recording), mission=found.mission)


def open_history(url: str | Path) -> History:
    """Open a history, as `downlink history import`, `replay --history` and `stage history` fill it.

    `url`: its folder, `s3://bucket/prefix`, or of `downlink history serve` `http://HOST:PORT`, or `grpc://HOST:PORT` of
    its `--flight`, with the token in DOWNLINK_HISTORY_TOKEN. This needs the extra `history`. ConfigError where there
    is none.
    """
    try:
        from .history.opening import opened  # noqa: PLC0415 - pyarrow is an optional extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"a history needs {error.name}: {to_install('history')}") from error
    return opened(url)
