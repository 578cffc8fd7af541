"""Writes radar traces as SEG-Y (SEG, revision 1), for seismic software.

In: collections of radar products, complex traces (`real`, `imaginary`) or radargrams (`amplitude`), with `twt_ns`. Out:
a file of IEEE floats for each polarisation, two for complex traces. Amplitudes are those of the product, without gain.
As is usual for ground-penetrating radar, the sample interval is in picoseconds instead of microseconds; coordinates are
local, in millimetres east, north and up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..system.files import whole_path
from ..system.software import software
from .collection import ROW, Collection, Origin
from .jobs import Job
from .libraries import science
from .netcdf_attributes import level_words
from .product_names import file_stem
from .provenance import notes

_MOST = 32_767
_IEEE_FLOAT, _LENGTH_UNITS, _UTC, _LIVE = 5, 1, 4, 1
_MILLIMETRES = -1000  # a scalar: divide by 1000
_SCALARS = (1000, 100, 10, 1)
_CARD, _MOST_CARDS = 76, 38  # letters of a line of the textual header, and lines before the two of the standard


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a collection that becomes a job: the rows of one polarisation; a file for each array."""

    collection: Collection
    arrays: tuple[str, ...]
    rows: NDArray[np.bool_]
    part: str


def plan_segy(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan a job for each polarisation of each collection with traces."""
    for section in (one for collection in collections for one in _sections(collection)):
        one, n_rows = section.collection, int(section.rows.sum())
        kinds = tuple(("segy", f".{name}.sgy" if len(section.arrays) > 1 else ".sgy") for name in section.arrays)
        utc_ns = one.columns["time_utc_ns"].array.whole()[section.rows]
        known = utc_ns[utc_ns != NO_TIME]
        ends = (int(known.min()), int(known.max())) if len(known) else (NO_TIME, NO_TIME)
        stem = file_stem(one, origin, section.part)
        yield Job(stem, kinds, partial(_write, section, origin), (one,), ends, n_rows, tuple(one.ids))


def _sections(collection: Collection) -> Iterator[Section]:
    columns = collection.columns
    wanted = ("amplitude",) if "amplitude" in columns else ("real", "imaginary")
    if not sum(collection.n_rows) or "twt_ns" not in columns:
        return
    if any(columns[name].dims[:1] != (ROW,) for name in wanted if name in columns):
        return
    if not all(name in columns for name in wanted) or len(columns[wanted[0]].array.shape) != 2:
        return
    polarization = columns["polarization"].array.whole() if "polarization" in columns else None
    if polarization is None or polarization.shape != (sum(collection.n_rows),):
        yield Section(collection, wanted, np.ones(sum(collection.n_rows), np.bool_), "")
        return
    for name in np.unique(polarization).tolist():
        yield Section(collection, wanted, polarization == name, str(name))


def _write(section: Section, origin: Origin, paths: Sequence[Path]) -> None:
    """Write a file for each array, all or none. Raises RunError if one cannot be written."""
    with ExitStack() as stack:
        for name, path in zip(section.arrays, paths, strict=True):
            _write_file(stack.enter_context(whole_path(path)), section, name, origin)


def _write_file(path: Path, section: Section, name: str, origin: Origin) -> None:
    segyio = science("segyio")
    columns = section.collection.columns
    traces = np.ascontiguousarray(columns[name].array.whole()[section.rows], np.float32)
    twt_ns = _flat(columns["twt_ns"].array.whole())
    interval_ns = float(twt_ns[1] - twt_ns[0]) if len(twt_ns) > 1 else 0.0
    spec = segyio.spec()
    spec.format, spec.tracecount = _IEEE_FLOAT, len(traces)
    spec.samples = np.arange(traces.shape[1], dtype=np.float64)
    headers = _headers(section, interval_ns, float(twt_ns[0]) if len(twt_ns) else 0.0)
    with segyio.create(str(path), spec) as file:
        file.text[0] = segyio.tools.create_text_header(_text(section, name, origin, twt_ns))
        file.bin.update(
            {
                segyio.BinField.Interval: _picoseconds(interval_ns),
                segyio.BinField.Samples: traces.shape[1],
                segyio.BinField.Format: _IEEE_FLOAT,
                segyio.BinField.MeasurementSystem: 1,
                segyio.BinField.SortingCode: 1,
                segyio.BinField.SEGYRevision: 1,
                segyio.BinField.TraceFlag: 1,
            }
        )
        fields = {getattr(segyio.TraceField, key): values.tolist() for key, values in headers.items()}
        for k, trace in enumerate(traces):  # segyio writes one trace at a time
            file.header[k] = {field: values[k] for field, values in fields.items()}
            file.trace[k] = trace


def _headers(section: Section, interval_ns: float, first_ns: float) -> Mapping[str, NDArray[np.int64]]:
    """Trace header fields, int64[n] each, by their names in segyio."""
    n = int(section.rows.sum())
    number = np.arange(1, n + 1)
    east, north, up = _place_mm(section).T
    n_samples = section.collection.columns[section.arrays[0]].array.shape[1]
    delay, scalar = _scaled(first_ns)
    constant = {
        "TraceIdentificationCode": _LIVE,
        "CoordinateUnits": _LENGTH_UNITS,
        "SourceGroupScalar": _MILLIMETRES,
        "ElevationScalar": _MILLIMETRES,
        "TRACE_SAMPLE_COUNT": n_samples,
        "TRACE_SAMPLE_INTERVAL": _picoseconds(interval_ns),
        "DelayRecordingTime": delay,
        "ScalarTraceHeader": scalar,
    }
    return {
        **{name: np.full(n, value) for name, value in constant.items()},
        **dict.fromkeys(("TRACE_SEQUENCE_LINE", "TRACE_SEQUENCE_FILE", "FieldRecord", "CDP"), number),
        "TraceNumber": np.ones(n, np.int64),
        **dict.fromkeys(("SourceX", "GroupX", "CDP_X"), east),
        **dict.fromkeys(("SourceY", "GroupY", "CDP_Y"), north),
        "ReceiverGroupElevation": up,
        **_date(section),
    }


def _date(section: Section) -> dict[str, NDArray[np.int64]]:
    """Year, day of year, hour, minute and second of each trace, UTC; zeros if unknown."""
    utc_ns = section.collection.columns["time_utc_ns"].array.whole()[section.rows]
    known = utc_ns != NO_TIME
    seconds = np.where(known, utc_ns, 0).view("M8[ns]").astype("M8[s]")
    years, days = seconds.astype("M8[Y]"), seconds.astype("M8[D]")
    of_day = (seconds - days).astype(np.int64)
    fields = {
        "YearDataRecorded": years.astype(np.int64) + 1970,
        "DayOfYear": (days - years.astype("M8[D]")).astype(np.int64) + 1,
        "HourOfDay": of_day // 3600,
        "MinuteOfHour": of_day // 60 % 60,
        "SecondOfMinute": of_day % 60,
        "TimeBaseCode": np.full(len(utc_ns), _UTC),
    }
    return {name: np.where(known, values, 0) for name, values in fields.items()}


def _place_mm(section: Section) -> NDArray[np.int64]:
    """Position of each trace, int64[n, 3]: east, north, up in mm, in the frame of the product; zeros if unknown."""
    columns = section.collection.columns
    if "position_enu_m" in columns:
        metres = columns["position_enu_m"].array.whole()[section.rows]
    elif "position_m" in columns:
        metres = columns["position_m"].array.whole()[section.rows][:, [1, 0, 2]] * [1, 1, -1]
    else:
        return np.zeros((int(section.rows.sum()), 3), np.int64)
    millimetres = np.rint(np.clip(np.nan_to_num(metres), -2e6, 2e6) * 1000)
    return np.asarray(millimetres, np.int64)


def _text(section: Section, name: str, origin: Origin, twt_ns: NDArray[np.float64]) -> dict[int, str]:
    """Lines of the textual header, by number."""
    one = section.collection
    first, step = (twt_ns[0], twt_ns[1] - twt_ns[0]) if len(twt_ns) > 1 else (0.0, 0.0)
    lines = [
        f"{origin.mission}: {one.instrument} {one.product} {section.part}".strip(),
        f"DATA: {name}, IEEE float, no gain; level {level_words(one, origin)}",
        f"TIME: two-way travel time of sample 0 is {first:.6g} ns, step {step:.6g} ns",
        "SAMPLE INTERVAL: picoseconds in place of microseconds, as is the custom for GPR",
        "DELAY RECORDING TIME: nanoseconds in place of milliseconds, with the scalar of bytes 215-216",
        "COORDINATES: local, mm east (X), north (Y), up (elevation), not georeferenced",
        f"ORIGIN: {origin.rules.position_origin or 'that of the positions in the products'}",
        f"SITE FRAME: {one.common.get('site_frame', 'none')}",
        f"RECORDINGS: {', '.join(origin.recordings)}",
        f"CLOCK CORRELATION: {one.common.get('clock_correlation', '')}",
        f"DICTIONARY SHA256: {one.common.get('dictionary_sha256', '')}",
        *(f"{key.upper().replace('_', ' ')}: {words}" for key, words in notes(one, origin).items()),
        f"WRITTEN BY: {software()}",
    ]
    plain = [line.encode("ascii", "replace").decode() for line in lines]
    cards = [card for line in plain for card in wrap(line, _CARD, subsequent_indent="  ", break_on_hyphens=False)]
    return {**dict(enumerate(cards[:_MOST_CARDS], 1)), 39: "SEG Y REV1", 40: "END TEXTUAL HEADER"}


def _flat(values: NDArray[Any]) -> NDArray[np.float64]:
    """An abscissa; that of the first product, if each has its own."""
    return np.asarray(values.reshape(-1, values.shape[-1])[0], np.float64)


def _scaled(first_ns: float) -> tuple[int, int]:
    """A time as 16-bit integer with the finest scalar for which it fits, such as -1906, -1000."""
    divisor = next((one for one in _SCALARS if abs(first_ns) * one <= _MOST), 1)
    return _whole(first_ns * divisor), -divisor if divisor > 1 else 1


def _picoseconds(interval_ns: float) -> int:
    return _whole(interval_ns * 1000)


def _whole(value: float) -> int:
    """Round to a 16-bit integer, saturated; 0 for NaN and infinity."""
    return int(np.clip(np.rint(np.nan_to_num(value, posinf=0, neginf=0)), -_MOST, _MOST))
