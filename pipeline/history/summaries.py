"""Summarise rows by minute, hour and day: count, minimum, maximum, mean, last value and worst quality.

In: sorted rows of one kind. Out: a row for each stream and bin that has rows, with a struct `{n, min, max, mean, last}`
for each numeric parameter (`n`: number of values without NaN and nulls), `{n, last}` for texts. The metadata of a field
has the parameter, unit and type of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL, NO_TIME
from .forms import Naming, concat, is_number, is_text, stored_column, type_word, unit_of
from .names import FIXED
from .tables import axis_ns

Array = NDArray[Any]
_NS = pa.timestamp("ns", tz="UTC")
MINUTE_NS = 60 * 10**9
COMMON = ("time", "stream", "n_rows", "n_doubtful", "quality")


def summary_of(table: pa.Table, width_ns: int) -> pa.Table:
    """Summarise sorted rows in bins of `width_ns`; rows without time and receive time are left out."""
    axis = axis_ns(table)
    if np.any(axis == NO_TIME):
        table = table.filter(pa.array(axis != NO_TIME))
        axis = axis[axis != NO_TIME]
    found = []
    streams = table["stream"].combine_chunks() if len(table) else None
    for stream in pc.unique(table["stream"]).to_pylist() if len(table) else ():
        mine = np.asarray(pc.equal(streams, stream).to_numpy(zero_copy_only=False))
        some, own = (table, axis) if mine.all() else (table.filter(pa.array(mine)), axis[mine])
        found.append(_of_stream(some, own, stream, width_ns))
    return concat(found, exact=False) if found else pa.table({})


def _of_stream(table: pa.Table, axis: Array, stream: str, width: int) -> pa.Table:
    bins = axis // width
    starts = np.concatenate([[0], np.flatnonzero(np.diff(bins)) + 1]).astype(np.int64)
    n_rows = np.diff(np.concatenate([starts, [len(axis)]]))
    quality = np.asarray(table["quality"].to_numpy()).astype(np.uint32)
    doubtful = ((quality & np.uint32(DOUBTFUL)) != 0).astype(np.int64)
    columns: dict[str, Any] = {
        "time": pa.array(bins[starts] * width).cast(_NS),
        "stream": pa.array([stream] * len(starts), pa.string()),
        "n_rows": pa.array(n_rows),
        "n_doubtful": pa.array(np.add.reduceat(doubtful, starts)),
        "quality": pa.array(np.bitwise_or.reduceat(quality, starts)),
    }
    fields = [pa.field(name, one.type) for name, one in columns.items()]
    for field in table.schema:
        if field.name in FIXED:
            continue
        made = _struct(table[field.name], starts)
        if made is not None:
            columns[field.name] = made
            words = {**(field.metadata or {}), b"type": type_word(field.type).encode()}
            fields.append(pa.field(field.name, made.type, metadata=words))
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def named(table: pa.Table, naming: Naming) -> pa.Table:
    """Summaries with the present names of their parameters: a newer unit takes over a name."""
    if not table.num_columns:
        return table
    return table.rename_columns([summary_name(field, naming) for field in table.schema])


def summary_name(field: pa.Field, naming: Naming) -> str:
    """The present name of a column of summaries, by parameter, unit and type."""
    if not pa.types.is_struct(field.type):
        return str(field.name)
    return naming.name(stored_column(field), unit_of(field), value_type(field))


def value_type(field: pa.Field) -> pa.DataType:
    """The type of the values of a column of rows or summaries (by metadata, else that of the last value)."""
    if not pa.types.is_struct(field.type):
        return field.type
    word = (field.metadata or {}).get(b"type", b"").decode()
    try:
        return pa.string() if word == "text" else pa.type_for_alias(word)
    except ValueError:
        return field.type.field("last").type


def _struct(column: pa.ChunkedArray, starts: Array) -> Any:
    """The summary of one parameter; None for types without one, such as lists."""
    kind = column.type
    if is_text(kind):
        present = np.asarray(pc.is_valid(column).to_numpy())
        last, n = _last(present, starts)
        values = pc.cast(column, pa.string()).combine_chunks().take(pa.array(np.maximum(last, 0)))
        return _made({"n": pa.array(n), "last": pc.if_else(pa.array(last >= 0), values, None)})
    if pa.types.is_boolean(kind):
        return _numbers(column.cast(pa.uint8()), starts)
    return _numbers(column, starts) if is_number(kind) else None


def _numbers(column: pa.ChunkedArray, starts: Array) -> Any:
    whole = pa.types.is_integer(column.type) and not column.null_count
    values = np.asarray(column.to_numpy() if whole else column.cast(pa.float64(), safe=False).to_numpy())
    if whole:
        least, most = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        n = np.diff(np.concatenate([starts, [len(values)]]))
        total = np.add.reduceat(values, starts, dtype=np.float64)
        ends = np.concatenate([starts[1:], [len(values)]]) - 1
        last = pa.array(values[ends])
    else:
        present = ~np.isnan(values)
        least, most = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
        place, n = _last(present, starts)
        with np.errstate(invalid="ignore"):  # of infinities of both signs
            total = np.add.reduceat(np.where(present, values, 0.0), starts)
        last = pa.array(values[np.maximum(place, 0)], from_pandas=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = pa.array(total / n, from_pandas=True)
    low, high = (pa.array(one, from_pandas=True) for one in (least, most))  # NaN of bins without a number: null
    return _made({"n": pa.array(n), "min": low, "max": high, "mean": mean, "last": last})


def _last(present: Array, starts: Array) -> tuple[Array, Array]:
    """Index of the last value of each bin (-1: none), and the number of values."""
    places = np.where(present, np.arange(len(present)), -1)
    return np.maximum.reduceat(places, starts), np.add.reduceat(present.astype(np.int64), starts)


def _made(parts: dict[str, Any]) -> Any:
    arrays = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in parts.values()]
    return pa.StructArray.from_arrays(arrays, list(parts))


def coarser(table: pa.Table, seconds: int | Array) -> pa.Table:
    """Summaries of longer bins from shorter ones. `seconds`: their width, or int64[n] with the bin of each row."""
    if not len(table):
        return table
    times = np.asarray(table["time"].cast(pa.int64()).to_numpy())
    found = []
    for stream in pc.unique(table["stream"]).to_pylist():
        mine = np.asarray(pc.equal(table["stream"], stream).to_numpy())
        some = table.filter(pa.array(mine))
        bins = seconds[mine] if isinstance(seconds, np.ndarray) else times[mine] // (seconds * 10**9)
        order = np.lexsort((times[mine], bins))
        found.append(_coarser(some.take(pa.array(order)), bins[order], seconds))
    return concat(found, exact=False)


def _coarser(table: pa.Table, bins: Array, seconds: int | Array) -> pa.Table:
    starts = np.concatenate([[0], np.flatnonzero(np.diff(bins)) + 1]).astype(np.int64)
    width = 1 if isinstance(seconds, np.ndarray) else seconds * 10**9
    columns: list[Any] = [
        pa.array(bins[starts] * width).cast(_NS),
        table["stream"].take(pa.array(starts)),
        pa.array(np.add.reduceat(table["n_rows"].to_numpy(), starts)),
        pa.array(np.add.reduceat(table["n_doubtful"].to_numpy(), starts)),
        pa.array(np.bitwise_or.reduceat(table["quality"].to_numpy(), starts)),
    ]
    fields = [pa.field(name, one.type) for name, one in zip(COMMON, columns, strict=True)]
    for field in table.schema:
        if field.name not in COMMON:
            made = _coarser_struct(table[field.name].combine_chunks(), starts)
            columns.append(made)
            fields.append(pa.field(field.name, made.type, metadata=field.metadata))
    return pa.table(columns, schema=pa.schema(fields))


def _coarser_struct(column: pa.StructArray, starts: Array) -> Any:
    n = np.asarray(pc.fill_null(pc.struct_field(column, "n"), 0).to_numpy(zero_copy_only=False))
    place, _ = _last(n > 0, starts)
    last = pc.if_else(
        pa.array(place >= 0), pc.struct_field(column, "last").take(pa.array(np.maximum(place, 0))), None
    )
    total = np.add.reduceat(n, starts)
    if column.type.get_field_index("mean") < 0:
        return _made({"n": pa.array(total), "last": last})
    least, most, mean = (pc.struct_field(column, one) for one in ("min", "max", "mean"))
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted = np.where(n > 0, _floats(mean), 0.0) * n
        means = pa.array(np.add.reduceat(weighted, starts) / total, from_pandas=True)
    return _made(
        {
            "n": pa.array(total),
            "min": _extreme(np.fmin, least, starts),
            "max": _extreme(np.fmax, most, starts),
            "mean": means,
            "last": last,
        }
    )


def _floats(column: Any) -> Array:
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _extreme(reduce: np.ufunc, column: Any, starts: Array) -> Any:
    if pa.types.is_integer(column.type) and not column.null_count:
        return pa.array(reduce.reduceat(column.to_numpy(), starts))
    return pa.array(reduce.reduceat(_floats(column), starts), from_pandas=True).cast(
        column.type if pa.types.is_floating(column.type) else pa.float64()
    )
