"""Down-sample parameters to bins with minimum, maximum, mean, last value and worst quality.

Long bins are whole minutes, hours or days. They are computed from summaries where these are up to date, else from rows,
as are the ends of the range.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .forms import Naming, concat
from .names import DAY_NS, SUMMARIES, SUMMARY_PERIODS, Part
from .rows import Choice, RowReader, Span
from .summaries import COMMON, coarser, summary_of
from .summary_files import covers_of, read_summary

_NS = 10**9
FIRST_NS = -(1 << 62)
MAX_WIDTH_NS = DAY_NS * ((1 << 62) // DAY_NS)
PARTS = ("min", "max", "last", "n")


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal bins: width, level of summaries they are computed from (None: from rows), and begin of one, in ns."""

    width_ns: int
    level: str | None
    origin_ns: int = 0


def bins_of(start: int, end: int, points: int) -> Bins:
    """The narrowest bins of which at most `points` cover the range; long ones are whole minutes, hours or days.

    They begin at multiples of their width since 1970; a single one that contains 1970 begins before it.
    """
    width = min(max(-(-(end - start) // points), 1), MAX_WIDTH_NS)
    unit = next((SUMMARIES[level] * _NS for level in reversed(SUMMARIES) if width >= SUMMARIES[level] * _NS), 1)
    width = -(-width // unit) * unit
    origin = start // unit * unit if points == 1 and start < 0 < end else 0
    while (end - 1 - origin) // width - (start - origin) // width >= points and width < MAX_WIDTH_NS:
        width += max(width // points // unit, 1) * unit
    level = next((level for level in reversed(SUMMARIES) if width % (SUMMARIES[level] * _NS) == 0), None)
    return Bins(width, level, origin)


def samples(
    reader: RowReader, folder: str, columns: Sequence[str], span: Span, points: int, choice: Choice
) -> pa.Table:
    """Summaries of the columns of a kind in at most `points` bins, sorted by time (begin of the bin); no empty bins."""
    every = reader.parts(folder, choice)
    parts = [one for one in every if span.may_have(one)]
    first, last = bounds(reader, folder, parts, span)
    if first >= last:
        return pa.table({})
    bins = bins_of(first, last, points)
    plain = not choice.streams and not choice.passes and choice.version is None and not span.by_reception
    if bins.level is None or not plain:
        return _of_rows(reader, folder, columns, span, choice, bins)
    pieces = _pieces(reader, folder, columns, Span(first, last), parts, bins, reader.naming(every))
    return _joined(pieces, bins)


def bounds(reader: RowReader, folder: str, parts: Sequence[Part], span: Span) -> tuple[int, int]:
    """Begin and end of a span; open ends are those of the files, or of summaries of pruned rows. (0, 0): no rows."""
    spans = [(one.first, one.last + 1) for one in parts if one.first > FIRST_NS]
    if span.start is None or span.end is None:
        dates = {one.date for one in parts}
        for year in reader.storage.folders(f"days/kind={folder}"):
            days, _ = read_summary(reader.storage, f"days/kind={folder}/{year}/summary.parquet", ["time"])
            times = days["time"].cast(pa.int64()).to_pylist() if len(days) else ()
            spans += [(one, one + DAY_NS) for one in times if str(np.datetime64(one // DAY_NS, "D")) not in dates]
    low, high = (min(one for one, _ in spans), max(one for _, one in spans)) if spans else (None, None)
    start = span.start if span.start is not None else low
    end = span.end if span.end is not None else high
    return (0, 0) if start is None or end is None else (start, end)


def _of_rows(
    reader: RowReader, folder: str, columns: Sequence[str], span: Span, choice: Choice, bins: Bins
) -> pa.Table:
    table = reader.read(folder, [*columns, "quality", "stream"], span, choice)
    if span.by_reception and table.num_columns:
        table = table.set_column(table.schema.get_field_index("time"), "time", table["received"])
    return _joined([_summarised(table, bins.width_ns)], bins)


def _summarised(table: pa.Table, width_ns: int) -> pa.Table:
    return summary_of(table, width_ns) if table.num_columns else table


def _joined(pieces: Sequence[pa.Table], bins: Bins) -> pa.Table:
    """Combine pieces to bins over all streams."""
    pieces = [one for one in pieces if one.num_columns and len(one)]
    if not pieces:
        return pa.table({})
    table = concat(pieces, exact=False)
    table = table.set_column(1, "stream", pa.array([""] * len(table), pa.string()))
    times = np.asarray(table["time"].cast(pa.int64()).to_numpy())
    return coarser(table, (times - bins.origin_ns) // bins.width_ns * bins.width_ns + bins.origin_ns)


def _pieces(
    reader: RowReader,
    folder: str,
    columns: Sequence[str],
    span: Span,
    parts: Sequence[Part],
    bins: Bins,
    naming: Naming,
) -> list[pa.Table]:
    """Whole units of the level from summaries; days without summaries, and both ends, from rows."""
    assert bins.level is not None
    assert span.start is not None
    assert span.end is not None
    unit = SUMMARIES[bins.level] * _NS
    low, high = -(-span.start // unit) * unit, span.end // unit * unit
    by_date: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_date[part.date].append(part)
    pieces: list[pa.Table] = []
    covered: list[tuple[int, int]] = []
    for path in _paths(reader, folder, bins.level, low, high):
        table, covers = read_summary(reader.storage, path, [*COMMON, *columns], naming)
        if not len(table):
            continue
        times = np.asarray(table["time"].cast(pa.int64()).to_numpy())
        good = [
            date for date, digest in covers.items() if date not in by_date or covers_of(by_date[date]) == digest
        ]
        days = np.array(good, "datetime64[D]").astype(np.int64)
        inside = (times >= low) & (times < high) & np.isin(times // DAY_NS, days)
        pieces.append(table.filter(pa.array(inside)))
        covered += [(int(day) * DAY_NS, int(day + 1) * DAY_NS) for day in days]
    for start, end in _uncovered(span.start, span.end, low, high, covered):
        if any(part.overlaps(start, end) for part in parts):
            rows = reader.read(folder, [*columns, "quality", "stream"], Span(start, end))
            pieces.append(_summarised(rows, unit))
    return pieces


def _paths(reader: RowReader, folder: str, level: str, low: int, high: int) -> list[str]:
    """Files of summaries of a level that may have bins of a range."""
    if low >= high:
        return []
    names = reader.storage.folders(f"{level}/kind={folder}")
    length = SUMMARY_PERIODS[level][1]
    first, last = (str(np.datetime64(one // DAY_NS, "D"))[:length] for one in (low, high - 1))
    return [
        f"{level}/kind={folder}/{name}/summary.parquet" for name in names if first <= name.partition("=")[2] <= last
    ]


def _uncovered(
    start: int, end: int, low: int, high: int, covered: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Ranges of [start, end) without summaries: the ends beyond whole units, and days that are not covered."""
    if low >= high:
        return [(start, end)]
    gaps = [(start, low)] if start < low else []
    place = low
    for first, last in sorted(covered):
        if first > place:
            gaps.append((place, min(first, high)))
        place = max(place, last)
        if place >= high:
            break
    if place < high:
        gaps.append((place, high))
    if high < end:
        gaps.append((high, end))
    return [(first, last) for first, last in gaps if first < last]


def flattened(table: pa.Table, names: dict[str, str]) -> pa.Table:
    """Structs as columns `NAME` (mean; of texts the last), `NAME.min`, `.max`, `.last`, `.n`; `names`: by column."""
    columns = {name: table[name] for name in COMMON if name != "stream" and name in table.schema.names}
    fields = [table.schema.field(name) for name in columns]
    for column, out in names.items():
        if column not in table.schema.names:
            continue
        field = table.schema.field(column)
        whole = table[column].combine_chunks()
        parts = {field.type.field(i).name: pc.struct_field(whole, i) for i in range(field.type.num_fields)}
        parts = {"": parts.get("mean", parts["last"]), **{one: parts[one] for one in PARTS if one in parts}}
        for part, values in parts.items():
            columns[f"{out}.{part}" if part else out] = values
            words = None if part == "n" else field.metadata
            fields.append(pa.field(f"{out}.{part}" if part else out, values.type, metadata=words))
    return pa.table(list(columns.values()), schema=pa.schema(fields))
