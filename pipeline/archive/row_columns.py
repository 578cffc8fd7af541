"""What is known of each decoded packet beside its parameters, under the same names in every format.

| column | what |
|---|---|
| `time` | UTC, where the mission has a clock and the container a time |
| `received` | UTC of reception on Earth, where the recording has receive times |
| `onboard_ns` | int64, onboard time in nanoseconds since the mission's epoch |
| `packet_apid`, `packet_seq_count` | of the packet, of a record that of its first segment |
| `packet_quality` | quality bits |
| `packet_usable` | bool: no quality bit that makes the packet doubtful |
| `packet_order` | number of the packet in the whole stream: the order of rows over containers |

A parameter that has such a name keeps it; the column is then `packet_<name>`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.netcdf_attributes import USABLE, quality_flags
from pipeline.batches import NO_TIME, usable

UtcOf = Callable[[Iterable[str], NDArray[np.int64]], NDArray[np.int64]]
"""Told the parameters of a packet, which tell its clock, and onboard times: gives UTC, ns since 1970."""
ROW_FIELDS = ("order", "time_ns", "received_ns", "apid", "seq_count", "quality")
"""Of a ColumnBatch: what these columns are made of."""
AXES = ("time", "received")
"""The dimension of a container is the first of these that is known, else `packet`."""


@dataclass(frozen=True, slots=True)
class RowColumn:
    """One of the columns: n values, and CF attributes."""

    values: NDArray[Any]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a container and of the pass: `units` and `descriptions` by parameter; `origin`: attributes."""

    units: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    utc_of: UtcOf | None = None


def row_columns(
    rows: Mapping[str, NDArray[Any]], parameters: Collection[str], utc_of: UtcOf | None
) -> tuple[str, dict[str, RowColumn]]:
    """Give the name of the dimension and the columns, by name; `rows` holds ROW_FIELDS."""
    found = {_free(name, parameters): column for name, column in _columns(rows, parameters, utc_of)}
    axes = (_free(name, parameters) for name in AXES)
    return next((name for name in axes if name in found), "packet"), found


def _columns(
    rows: Mapping[str, NDArray[Any]], parameters: Collection[str], utc_of: UtcOf | None
) -> Iterable[tuple[str, RowColumn]]:
    has_time = rows["time_ns"] != NO_TIME
    if utc_of is not None and has_time.any():
        utc = np.where(has_time, utc_of(parameters, rows["time_ns"]), NO_TIME)
        yield (
            "time",
            RowColumn(utc.astype("datetime64[ns]"), {"long_name": "onboard time as UTC", "standard_name": "time"}),
        )
    if rows["received_ns"].any():
        received = np.where(rows["received_ns"] != 0, rows["received_ns"], NO_TIME)
        yield "received", RowColumn(received.astype("datetime64[ns]"), {"long_name": "UTC of reception on Earth"})
    if has_time.any():
        yield (
            "onboard_ns",
            RowColumn(rows["time_ns"], {"long_name": "onboard time, nanoseconds since the epoch of the mission"}),
        )
    yield "packet_apid", RowColumn(rows["apid"], {"long_name": "application process identifier"})
    yield "packet_seq_count", RowColumn(rows["seq_count"], {"long_name": "packet sequence count"})
    yield (
        "packet_quality",
        RowColumn(
            rows["quality"], {"long_name": "what is known of a packet; see packet_usable", **quality_flags()}
        ),
    )
    yield "packet_usable", RowColumn(usable(rows["quality"]), {"long_name": USABLE})
    yield "packet_order", RowColumn(rows["order"], {"long_name": "number of the packet in the whole stream"})


def _free(name: str, parameters: Collection[str]) -> str:
    while name in parameters:
        name = f"packet_{name}"
    return name
