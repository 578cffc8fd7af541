"""The public interface: recorded passes for notebooks and scripts, and the types for mission packages.

`open_pass("my.cadu", mission="mysat")` opens recordings, `open_bundled()` the recording in this package.

>>> from downlink_pipeline import open_bundled
>>> found = open_bundled()
>>> found.report()["frames"]["uncorrectable"]
0
>>> navigation = found.to_xarray("NAVIGATION")
>>> navigation["POSITION_NORTH"].attrs["units"], navigation.sizes["time"]
('m', 203)

A radargram, to be drawn with `radar["quicklook"].T.plot(x="distance_m", y="depth_m", yincrease=False)`:

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
    """Open recordings, or lists of them. `mission`: a folder, a name under configs/, or that of an installed package.

    Several recordings are read in sequence: pieces of one recording are joined, different passes are separated.
    `merge`: they are of several stations that received the same pass, and are merged frame by frame. Raises ConfigError
    for no recordings, and for a mission that cannot be loaded, with all problems.

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
    """Open the recorded pass in this package.

    >>> open_bundled().paths[0].name
    'clean.cadu'
    """
    found = bundled_pass()
    return open_pass(bundled_recording(found.recording), mission=found.mission)


def open_history(url: str | Path) -> History:
    """Open a history, as written by `downlink history import`, `replay --history` and `stage history`.

    `url`: a folder, `s3://bucket/prefix`, or the address of `downlink history serve`: `http://HOST:PORT`, or
    `grpc://HOST:PORT` of its `--flight`, with the token in DOWNLINK_HISTORY_TOKEN. This needs the extra `history`.
    Raises ConfigError if there is no history, or the extra is missing.
    """
    try:
        from .history.opening import opened  # noqa: PLC0415 - pyarrow is an optional extra
    except ModuleNotFoundError as error:
        raise ConfigError(f"a history needs {error.name}: {to_install('history')}") from error
    return opened(url)
