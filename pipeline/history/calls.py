"""What a client of a served history may ask, over Arrow Flight and over HTTP: calls by name, answered as Arrow batches.

A ticket is JSON: `{"call": NAME, ...}` with the arguments of a method of `History` or of `KindRows` (CALLS); times are
ns since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from ..model.errors import ConfigError
from .history import MAX_VALUES, History
from .kind_rows import KindRows

MAX_SQL_ROWS, MAX_NAMES, MAX_TICKET = 10_000_000, 1000, 1 << 20
BATCH_BYTES = 8 << 20
Answer = tuple[pa.Schema, Iterator[pa.RecordBatch]]
_TEXT = pa.string()
PARAMETER = pa.schema(
    [(name, _TEXT) for name in ("name", "kind", "parameter", "column", "unit", "description", "type")]
    + [("first", pa.int64()), ("last", pa.int64())]
)


def answer(history: History, ticket: bytes, refused: Sequence[str] = ()) -> Answer:
    """The schema and the batches that a ticket asks for. ConfigError for one that is malformed or out of bounds, and
    for calls that are `refused`.
    """
    try:
        asked = json.loads(ticket) if len(ticket) <= MAX_TICKET else None
    except (ValueError, RecursionError):
        asked = None
    call = asked.pop("call", None) if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not isinstance(call, str) or call not in CALLS or call in refused:
        raise ConfigError(f"a ticket is JSON with a call: {', '.join(one for one in CALLS if one not in refused)}")
    try:
        return CALLS[call](history, asked)
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError) as error:
        raise ConfigError(f"call {call}: an argument is missing, unknown or of another type: {error}") from None


def _table(history: History, asked: dict[str, Any]) -> Answer:
    names = [str(one) for one in asked.pop("names")]
    if len(names) > MAX_NAMES:
        raise ConfigError(f"{len(names)} names, and {MAX_NAMES} are the most")
    asked["max_values"] = min(int(asked.get("max_values", MAX_VALUES)), MAX_VALUES)
    return _of_table(history.table(*names, **asked))


def _scan(history: History, asked: dict[str, Any]) -> Answer:
    reader = history.batches(**asked)
    return reader.schema, reader


def _sql(history: History, asked: dict[str, Any]) -> Answer:
    most = min(int(asked.get("max_rows", MAX_SQL_ROWS)), MAX_SQL_ROWS)
    return _of_table(history.sql(str(asked["query"]), max_rows=most))


def _find(history: History, asked: dict[str, Any]) -> Answer:
    return _of_table(_parameters(history.find(**asked)))


def _of_kind(history: History, asked: dict[str, Any]) -> Answer:
    return _of_table(_parameters(history.parameters(**asked)))


def _resolve(history: History, asked: dict[str, Any]) -> Answer:
    return _of_table(_parameters([history.resolve(**asked)]))


def _last(history: History, asked: dict[str, Any]) -> Answer:
    return _of_table(history.last(*asked.pop("names"), **asked))


def _kinds(history: History, asked: dict[str, Any]) -> Answer:
    known = history.kinds(**asked)
    return _of_table(pa.table({"kind": pa.array(known, _TEXT), "folder": pa.array(known.values(), _TEXT)}))


def _passes(history: History, asked: dict[str, Any]) -> Answer:
    texts = [json.dumps(asdict(one), default=str) for one in history.passes(**asked)]
    return _of_table(pa.table({"record": pa.array(texts, _TEXT)}))


def _spans(history: History, asked: dict[str, Any]) -> Answer:
    found = [{"kind": kind, "first": first, "last": last} for kind, (first, last) in history.spans(**asked).items()]
    schema = pa.schema([("kind", _TEXT), ("first", pa.int64()), ("last", pa.int64())])
    return _of_table(pa.Table.from_pylist(found, schema=schema))


def _extent(history: History, asked: dict[str, Any]) -> Answer:
    found = history.rows_of(asked.pop("kind")).extent(**asked)
    return _of_table(pa.table({"extent": pa.array([json.dumps(asdict(found))], _TEXT)}))


def _kind_rows(history: History, asked: dict[str, Any]) -> Answer:
    of: KindRows = history.rows_of(asked.pop("kind"))
    return _of_table(of.rows(**asked))


def _kind_samples(history: History, asked: dict[str, Any]) -> Answer:
    of: KindRows = history.rows_of(asked.pop("kind"))
    return _of_table(of.samples(**asked))


CALLS: dict[str, Callable[[History, dict[str, Any]], Answer]] = {
    "table": _table,
    "scan": _scan,
    "sql": _sql,
    "find": _find,
    "parameters": _of_kind,
    "resolve": _resolve,
    "last": _last,
    "kinds": _kinds,
    "passes": _passes,
    "spans": _spans,
    "extent": _extent,
    "kind_rows": _kind_rows,
    "kind_samples": _kind_samples,
}


def _parameters(found: list[Any]) -> pa.Table:
    return pa.Table.from_pylist([asdict(one) for one in found], schema=PARAMETER)


def _of_table(table: pa.Table) -> Answer:
    """A table in batches of some megabytes."""
    rows = max(1, int(len(table) * BATCH_BYTES / max(table.nbytes, 1)))
    return table.schema, iter(table.to_batches(max_chunksize=rows))
