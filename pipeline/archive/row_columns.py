"""Row columns: properties of each decoded packet that are no parameters, with the same names in every format.

| column | meaning |
|---|---|
| `time` | UTC, if the mission has a clock and the container a time |
| `received` | UTC of reception on Earth, if the recording has receive times |
| `sol`, `lmst`, `ltst`, `ls` | local times, if the mission has a site: mean and true solar time (h), Ls (deg) |
| `pass` | if there are several passes: the recording of the packet |
| `onboard_ns` | int64, onboard time in nanoseconds since the mission epoch |
| `packet_apid`, `packet_seq_count` | of the packet, or of the first segment of a record |
| `packet_quality` | quality bits |
| `packet_usable` | bool: no quality bit that makes the packet doubtful |
| `packet_order` | number of the packet in the stream, to sort rows of all containers |

If a parameter has such a name, the column is called `packet_<name>`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, usable
from ..model.categorical import Categorical
from .netcdf_attributes import LOCAL_TIMES, USABLE, quality_flags

PASS = "pass"  # noqa: S105 - of a spacecraft over a station
UtcOf = Callable[[Iterable[str], NDArray[np.int64]], NDArray[np.int64]]
"""Converts onboard times to UTC, ns since 1970. First argument: parameters of the packet, which determine its clock."""
LocalOf = Callable[[Iterable[str], NDArray[np.int64]], Mapping[str, NDArray[Any]]]
"""Converts UTC to local times, by name; empty without a site. First argument: parameters of the packet."""
ROW_FIELDS = ("order", "time_ns", "received_ns", "apid", "seq_count", "quality")
"""Fields of a ColumnBatch that the row columns are made of."""


@dataclass(frozen=True, slots=True)
class RowColumn:
    """One row column: n values, and CF attributes."""

    values: NDArray[Any] | Categorical
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata of a container and its pass: `units` and `descriptions` by parameter; `origin`: global attributes.

    `passes`: number of rows of each pass, by its name, in order.
    """

    units: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    utc_of: UtcOf | None = None
    local_of: LocalOf | None = None
    passes: Mapping[str, int] = field(default_factory=dict)

    def of_rows(self, first: int, n_rows: int) -> Metadata:
        """Metadata of a part of the rows."""
        ends = np.cumsum([0, *self.passes.values()]).clip(first, first + n_rows)
        return replace(self, passes=dict(zip(self.passes, np.diff(ends).tolist(), strict=True)))


@dataclass(frozen=True, slots=True)
class RowTimes:
    """Whether some, or all, rows of a container have an onboard time and a receive time."""

    some_onboard: bool = False
    every_onboard: bool = True
    some_received: bool = False
    every_received: bool = True

    def and_of(self, rows: Mapping[str, NDArray[Any]]) -> RowTimes:
        """Include more rows. `rows`: ROW_FIELDS."""
        onboard, received = _distinct(rows["time_ns"]) != NO_TIME, _distinct(rows["received_ns"]) != 0
        return RowTimes(
            self.some_onboard or bool(onboard.any()),
            self.every_onboard and bool(onboard.all()),
            self.some_received or bool(received.any()),
            self.every_received and bool(received.all()),
        )


def _distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The values; a single one if all are the same element in memory."""
    return values[:1] if values.strides == (0,) else values


def axis_of(times: RowTimes, parameters: Collection[str], known: Metadata) -> str:
    """Name of the dimension: `time` if every row has one, else `received`, else `packet`."""
    if known.utc_of is not None and times.some_onboard and times.every_onboard:
        return free_name("time", parameters)
    return free_name("received", parameters) if times.some_received and times.every_received else "packet"


def row_columns(
    rows: Mapping[str, NDArray[Any]],
    parameters: Collection[str],
    known: Metadata,
    times: RowTimes | None = None,
) -> dict[str, RowColumn]:
    """Make the row columns, by name. `rows`: ROW_FIELDS; `times`: of all rows, if `rows` are only a part."""
    times = times or RowTimes().and_of(rows)
    return {free_name(name, parameters): column for name, column in _columns(rows, parameters, known, times)}


def _columns(
    rows: Mapping[str, NDArray[Any]], parameters: Collection[str], known: Metadata, times: RowTimes
) -> Iterable[tuple[str, RowColumn]]:
    if known.utc_of is not None and times.some_onboard:
        has_time = rows["time_ns"] != NO_TIME
        utc = np.where(has_time, known.utc_of(parameters, rows["time_ns"]), NO_TIME)
        attributes = {"long_name": "onboard time as UTC", "standard_name": "time"}
        yield "time", RowColumn(utc.view("datetime64[ns]"), attributes)
        local = known.local_of(parameters, utc) if known.local_of is not None else {}
        for name, values in local.items():
            unit, long_name = LOCAL_TIMES[name]
            kept = values if times.every_onboard else values.astype(np.float64)  # the same type in all parts
            yield name, RowColumn(kept, {"units": unit, "long_name": long_name})
    if len(known.passes) > 1:
        yield PASS, passes_column(known.passes)
    if times.some_received:
        received = np.where(rows["received_ns"] != 0, rows["received_ns"], NO_TIME)
        yield "received", RowColumn(received.view("datetime64[ns]"), {"long_name": "UTC of reception on Earth"})
    if times.some_onboard:
        attributes = {"long_name": "onboard time, nanoseconds since the epoch of the mission"}
        yield "onboard_ns", RowColumn(rows["time_ns"], attributes)
    for name, values, attributes in (
        ("apid", rows["apid"], {"long_name": "application process identifier"}),
        ("seq_count", rows["seq_count"], {"long_name": "packet sequence count"}),
        (
            "quality",
            rows["quality"],
            {"long_name": "what is known of a packet; see packet_usable"} | quality_flags(),
        ),
        ("usable", usable(rows["quality"]), {"long_name": USABLE}),
        ("order", rows["order"], {"long_name": "number of the packet in the whole stream"}),
    ):
        yield f"packet_{name}", RowColumn(values, attributes)


def passes_column(passes: Mapping[str, int]) -> RowColumn:
    """Pass of each row; `passes` as in Metadata."""
    codes = np.arange(len(passes), dtype=np.min_scalar_type(len(passes)))
    values = Categorical(np.repeat(codes, list(passes.values())), np.array(list(passes)))
    return RowColumn(values, {"long_name": "pass that the packet is of: its recording"})


def free_name(name: str, parameters: Collection[str]) -> str:
    """Name of a column that no parameter has."""
    while name in parameters:
        name = f"packet_{name}"
    return name
