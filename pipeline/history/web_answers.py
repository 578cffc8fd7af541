"""Answers of the paths of the HTTP interface, as JSON, CSV or an Arrow stream."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow as pa
from pyarrow import csv
from starlette.responses import Response

from ..messages.time_texts import iso_utc
from ..model.errors import ConfigError
from .calls import answer
from .coverage import books, coverage
from .forms import unit_of
from .history import History, Values
from .names import date_of
from .parameter import Parameter
from .times import to_ns

if TYPE_CHECKING:
    from .web import Query

MAX_JSON, MAX_ARROW = 1_000_000, 50_000_000
"""Most values of an answer."""
MAX_LISTED = 10_000
MAX_ARROW_BYTES = 256 << 20
ARROW_TYPE = "application/vnd.apache.arrow.stream"


def values_word(query: Query) -> Values:
    """`calibrated` or `raw`, as requested."""
    return "raw" if query.raw else "calibrated"


def parameters(history: History, query: Query) -> Any:
    """Parameters with unit, type, description, alarm limits if known, first and last time."""
    found = history.find(query.words.get("match", "*"), values_word(query))
    return {"parameters": [_parameter(one, query) for one in found[:MAX_LISTED]], "n": len(found)}


def _parameter(one: Parameter, query: Query) -> dict[str, Any]:
    described: dict[str, Any] = {
        key: getattr(one, key) for key in ("name", "kind", "parameter", "unit", "description", "type")
    }
    if one.name in query.limits and not query.raw:
        described["limits"] = query.limits[one.name]
    return described | {"first": iso(one.first), "last": iso(one.last)}


def values(history: History, query: Query) -> Any:
    """Rows with a column for each name."""
    by = cast("Literal['time', 'received']", query.words.get("by", "time"))
    table = history.table(
        *query.names,
        start=query.start,
        end=query.end,
        by=by,
        stream=query.streams,
        values=values_word(query),
        max_values=MAX_JSON if query.file_format != "arrow" else MAX_ARROW,
    )
    return _answer(table, query)


def sampled(history: History, query: Query) -> Any:
    """Samples; in JSON a row for each name and bin: value (the mean), min, max, last, n, quality."""
    table = history.table(
        *query.names, start=query.start, end=query.end, points=query.points, values=values_word(query)
    )
    if query.file_format != "json":
        return _answer(table, query)
    units = {name: unit_of(table.schema.field(name)) for name in query.names if name in table.schema.names}
    return {"rows": list(long_rows(table, units))}


def long_rows(table: pa.Table, units: dict[str, str]) -> Iterable[dict[str, Any]]:
    """Samples as rows of one name each, in order of time."""
    columns = {name: table[name].to_pylist() for name in table.schema.names if name != "time"}
    times = [iso(one) for one in table["time"].cast(pa.int64()).to_pylist()] if table.num_columns else []
    for i, time in enumerate(times):
        for name, unit in units.items():
            if name in columns and columns.get(f"{name}.n", [0])[i if f"{name}.n" in columns else 0]:
                parts = {part: plain(columns[f"{name}.{part}"][i]) for part in ("min", "max", "last", "n")
                         if f"{name}.{part}" in columns}  # fmt: skip
                yield {"time": time, "name": name, "unit": unit, "value": plain(columns[name][i]), **parts,
                       "quality": columns["quality"][i]}  # fmt: skip


def last(history: History, query: Query) -> Any:
    """The newest value of each parameter."""
    rows = history.newest(*query.names, end=query.end, values=values_word(query))
    return {"rows": [{key: plain(value) for key, value in row.items()} for row in rows]}


def events(history: History, query: Query) -> Any:
    """Events, oldest first, by range and severity."""
    low, high, severity = to_ns(query.start), to_ns(query.end, is_end=True), query.words.get("severity")
    found = []
    for one in history.passes():
        for event in one.events:
            ns = to_ns(event.get("time"))
            inside = (low is None or (ns is not None and ns >= low)) and (
                high is None or (ns is not None and ns < high)
            )
            if inside and severity in {None, event.get("severity")}:
                found.append({**event, "stream": one.stream, "pass": one.name})
    found.sort(key=lambda event: str(event.get("time") or ""))
    return {"events": found[:MAX_LISTED], "n": len(found)}


def passes(history: History, query: Query) -> Any:
    """Accounting of passes (`coverage.books`)."""
    found = books(history, _date(query))
    return {"passes": found[:MAX_LISTED], "n": len(found)}


def covered(history: History, query: Query) -> Any:
    """Number of rows by kind and date."""
    found = coverage(history, _date(query))
    rows = [{**one, "first": iso(one["first"]), "last": iso(one["last"])} for one in found[:MAX_LISTED]]
    return {"coverage": rows, "n": len(found), "problems": history.problems}


def arrow(history: History, query: Query) -> Response:
    """The answer of a ticket (`calls.py`) as an Arrow stream; without SQL, which only Flight has."""
    ticket = query.words.get("ticket", "")
    schema, batches = answer(history, ticket.encode(), refused=("sql",))
    sink, n_bytes = io.BytesIO(), 0
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            n_bytes += batch.nbytes
            if n_bytes > MAX_ARROW_BYTES:
                raise ConfigError(
                    f"more than {MAX_ARROW_BYTES:,} bytes: narrow the range, or ask over Arrow Flight"
                )
            writer.write_batch(batch)
    return Response(sink.getvalue(), media_type=ARROW_TYPE)


def _date(query: Query) -> str | None:
    date = query.words.get("date")
    if date is not None:
        first, end = to_ns(date), to_ns(date, is_end=True)
        if first is None or first == end:
            raise ConfigError(f"date={date}: YYYY-MM-DD")
        return date_of(first)
    return None


def _answer(table: pa.Table, query: Query) -> Any:
    if query.file_format == "arrow":
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return Response(sink.getvalue(), media_type=ARROW_TYPE)
    if query.file_format == "csv":
        if any(pa.types.is_nested(one.type) for one in table.schema):
            raise ConfigError("format=csv: a parameter has several values a row: json or arrow")
        text = io.BytesIO()
        csv.write_csv(_texts(table), text)
        return Response(text.getvalue(), media_type="text/csv")
    rows = _timed(table).to_pylist()
    return {"rows": [{key: plain(value) for key, value in row.items()} for row in rows]}


def _texts(table: pa.Table) -> pa.Table:
    columns = [
        one.cast(pa.string()) if pa.types.is_dictionary(one.type) else one for one in _timed(table).itercolumns()
    ]
    return pa.table(columns, names=table.schema.names)


def _timed(table: pa.Table) -> pa.Table:
    """Times as ISO 8601 text with nanoseconds."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            texts = [None if ns is None else iso(ns) for ns in table[field.name].cast(pa.int64()).to_pylist()]
            table = table.set_column(i, field.name, pa.array(texts, pa.string()))
    return table


def plain(value: Any) -> Any:
    """A value for JSON: NaN and infinities are null, times text, bytes hexadecimal."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else value


iso = iso_utc
"""A time in ISO 8601, UTC, to the nanosecond; None for NO_TIME."""
