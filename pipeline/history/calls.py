"""Calls of a served history, over Arrow Flight and over HTTP, answered as Arrow record batches.

A ticket is JSON: `{"call": NAME, ...}` with the arguments of the method that CALLS names; those of `KindRows` need
`kind` beside them. Times are ns since 1970.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from ..model.errors import ConfigError
from .arguments import shown
from .history import MAX_VALUES, History
from .kind_rows import Extent, KindRows, Range
from .parameter import Parameter
from .passes import PassRecord

MAX_SQL_ROWS, MAX_NAMES, MAX_TICKET = 10_000_000, 1000, 1 << 20
BATCH_BYTES = 8 << 20
_LIMITS = {"max_values": MAX_VALUES, "max_rows": MAX_SQL_ROWS}
"""Largest values of arguments; a ticket without the argument has this one."""
Answer = tuple[pa.Schema, Iterator[pa.RecordBatch]]
_TEXT = pa.string()
PARAMETER = pa.schema(
    [(name, _TEXT) for name in ("name", "kind", "parameter", "column", "unit", "description", "type")]
    + [("first", pa.int64()), ("last", pa.int64())]
)
_SPANS = pa.schema([("kind", _TEXT), ("first", pa.int64()), ("last", pa.int64())])


def answer(history: History, ticket: bytes, refused: Sequence[str] = ()) -> Answer:
    """The schema and the batches that a ticket asks for. `refused`: calls that are not answered.

    ConfigError for a malformed ticket, an unknown call, and arguments that do not fit the signature of its method. An
    error inside the method is not an error of the client: it is raised as it is.
    """
    arguments = _read(ticket)
    call = arguments.pop("call", None)
    if not isinstance(call, str) or call not in CALLS or call in refused:
        raise ConfigError(f"a ticket is JSON with a call: {', '.join(one for one in CALLS if one not in refused)}")
    method, to_answer = CALLS[call]
    target: History | KindRows = history
    if method.__qualname__.startswith(KindRows.__name__):
        kind = arguments.pop("kind", None)
        _check(call, "kind", kind, str)
        target = history.rows_of(kind)
    names = arguments.pop("names", None) if "names" in _signature(method).parameters else []
    _check(call, "names", names, Sequence[str])
    if len(names) > MAX_NAMES:
        raise ConfigError(f"{len(names)} names, and {MAX_NAMES} are the most")
    return to_answer(method(target, *names, **_arguments(call, method, target, names, arguments)))


def _read(ticket: bytes) -> dict[str, Any]:
    """The JSON object of a ticket; an empty one if it is none, is too long, or has text that UTF-8 cannot encode."""
    try:
        arguments = json.loads(ticket) if len(ticket) <= MAX_TICKET else None
        json.dumps(arguments, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


_signature = cache(inspect.signature)
_hints = cache(get_type_hints)


def _arguments(
    call: str, method: Callable[..., Any], target: object, names: Sequence[str], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The keyword arguments of a call, checked against the signature and the annotations of its method."""
    try:
        _signature(method).bind(target, *names, **arguments)
    except TypeError as error:
        raise ConfigError(f"call {call}: an argument is missing, unknown or of another type: {error}") from None
    for name, value in arguments.items():
        _check(call, name, value, _hints(method)[name])
    limits = {name: limit for name, limit in _LIMITS.items() if name in _signature(method).parameters}
    return {**arguments, **{name: min(arguments.get(name, limit), limit) for name, limit in limits.items()}}


def _check(call: str, name: str, value: Any, hint: Any) -> None:
    """ConfigError if a value out of JSON does not have the annotated type."""
    if get_origin(hint) is Literal and isinstance(value, str) and value not in get_args(hint):
        raise ConfigError(f"{name}={shown(value)}: {' or '.join(get_args(hint))}")
    if not _is_of(value, hint):
        raise ConfigError(
            f"call {call}: an argument is missing, unknown or of another type: {name} = {shown(repr(value))}"
        )


def _is_of(value: Any, hint: Any) -> bool:
    """Whether a value out of JSON has an annotated type: a class, a union, a literal, or a sequence of one."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return any(_is_of(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is not None:
        return isinstance(value, list | tuple) and all(_is_of(one, inner[0]) for one in value)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _of_table(table: pa.Table) -> Answer:
    """A table in batches of about BATCH_BYTES."""
    rows = max(1, int(len(table) * BATCH_BYTES / max(table.nbytes, 1)))
    return table.schema, iter(table.to_batches(max_chunksize=rows))


def _of_reader(reader: pa.RecordBatchReader) -> Answer:
    return reader.schema, reader


def _of_parameters(found: Sequence[Parameter]) -> Answer:
    return _of_table(pa.Table.from_pylist([asdict(one) for one in found], schema=PARAMETER))


def _of_kinds(found: Mapping[str, str]) -> Answer:
    return _of_table(pa.table({"kind": pa.array(found, _TEXT), "folder": pa.array(found.values(), _TEXT)}))


def _of_passes(found: Sequence[PassRecord]) -> Answer:
    return _of_table(pa.table({"record": pa.array([json.dumps(asdict(one), default=str) for one in found], _TEXT)}))


def _of_spans(found: Mapping[str, Range]) -> Answer:
    rows = [{"kind": kind, "first": first, "last": last} for kind, (first, last) in found.items()]
    return _of_table(pa.Table.from_pylist(rows, schema=_SPANS))


def _of_extent(found: Extent) -> Answer:
    return _of_table(pa.table({"extent": pa.array([json.dumps(asdict(found))], _TEXT)}))


CALLS: dict[str, tuple[Callable[..., Any], Callable[[Any], Answer]]] = {
    "table": (History.table, _of_table),
    "scan": (History.batches, _of_reader),
    "sql": (History.sql, _of_table),
    "find": (History.find, _of_parameters),
    "parameters": (History.parameters, _of_parameters),
    "resolve": (History.resolve, lambda found: _of_parameters([found])),
    "last": (History.last, _of_table),
    "kinds": (History.kinds, _of_kinds),
    "passes": (History.passes, _of_passes),
    "spans": (History.spans, _of_spans),
    "extent": (KindRows.extent, _of_extent),
    "kind_rows": (KindRows.rows, _of_table),
    "kind_samples": (KindRows.samples, _of_table),
}
"""By name of a call: the method, and how its result becomes Arrow batches."""
