"""The history over Arrow Flight (gRPC), read-only: columns for programs, at the speed of the network.

A ticket is JSON: `{"call": NAME, ...}` with the arguments of a method of `History` (CALLS); times are ns since 1970. A
descriptor with a path of one kind, as `list_flights` gives it, stands for all rows of that kind. An error has
`{"error": TEXT, "usage": BOOL}` as its extra information; `usage`: the request is wrong, not the folder.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from threading import BoundedSemaphore
from typing import Any

import pyarrow as pa
from pyarrow import flight

from ..model.errors import ConfigError, DownlinkError
from ..system.hosts import in_url
from .history import MAX_VALUES, History
from .rows import Span

AT_ONCE, PATIENCE_S = 4, 10.0
"""Answers that are sent at once, and how long one more waits for its turn."""
MAX_SQL_ROWS, MAX_NAMES, MAX_TICKET = 10_000_000, 1000, 1 << 20
BATCH_BYTES = 8 << 20
Answer = tuple[pa.Schema, Iterator[pa.RecordBatch]]
_TEXT = pa.string()
PARAMETER = pa.schema(
    [(name, _TEXT) for name in ("name", "kind", "parameter", "column", "unit", "description", "type")]
    + [("first", pa.int64()), ("last", pa.int64())]
)


class FlightServer(flight.FlightServerBase):  # type: ignore[misc]
    """Answers as soon as it is made, until `shutdown`. `port` is where it listens."""

    def __init__(self, history: History, host: str, port: int, *, token: str = "") -> None:
        """`token`: what a call must bear as `authorization: Bearer TOKEN`; empty for none."""
        super().__init__(
            f"grpc://{in_url(host)}:{port}", middleware={"token": _TokenCheck(token)} if token else None
        )
        self._history = history
        self._turns = BoundedSemaphore(AT_ONCE)

    def do_get(self, _context: Any, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Send the answer of a ticket, batch by batch."""
        self._wait_for_turn()
        try:
            with _told():
                schema, batches = answer(self._history, ticket.ticket)
        except BaseException:
            self._turns.release()
            raise
        return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(schema, self._releasing(batches)))

    def get_flight_info(self, _context: Any, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Say the schema of a descriptor and the ticket that gives it: a kind, or a command as a ticket has it."""
        with _told():
            if not descriptor.path:
                schema, _ = answer(self._history, descriptor.command)
                return _info(schema, descriptor, descriptor.command, -1)
            return self._of_kind(b"/".join(descriptor.path).decode(errors="replace"), descriptor)

    def list_flights(self, _context: Any, _criteria: bytes) -> Iterator[flight.FlightInfo]:
        """A flight for each kind that has rows."""
        for kind in self._history.kinds():
            try:
                yield self._of_kind(kind, flight.FlightDescriptor.for_path(kind))
            except ConfigError:  # only summaries are left
                continue

    def _of_kind(self, kind: str, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        ticket = json.dumps({"call": "scan", "kind": kind}).encode()
        n_rows = sum(part.n_rows for group in self._history.groups(kind, Span()) for part in group.parts)
        return _info(self._history.batches(kind).schema, descriptor, ticket, n_rows)

    def _wait_for_turn(self) -> None:
        if not self._turns.acquire(timeout=PATIENCE_S):
            raise flight.FlightUnavailableError("too many queries at once: try again")

    def _releasing(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches; the turn ends with them, or when the client goes away."""
        try:
            yield from batches
        finally:
            self._turns.release()


class _TokenCheck(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Refuses calls without the token."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    def start_call(self, _info: Any, headers: Mapping[str, Any]) -> None:
        given = (headers.get("authorization") or [""])[0]
        octets = given if isinstance(given, bytes) else given.encode()
        if not hmac.compare_digest(octets, self._expected):
            raise flight.FlightUnauthenticatedError("authorization: Bearer TOKEN is needed")


@contextmanager
def _told() -> Iterator[None]:
    """Errors as Flight carries them."""
    try:
        yield
    except DownlinkError as error:
        told = {"error": str(error), "usage": isinstance(error, ConfigError)}
        raise flight.FlightServerError(str(error), json.dumps(told).encode()) from None
    except (pa.ArrowException, OSError) as error:
        told = {"error": f"the history cannot be read: {error}", "usage": False}
        raise flight.FlightServerError(told["error"], json.dumps(told).encode()) from None


def _info(schema: pa.Schema, descriptor: flight.FlightDescriptor, ticket: bytes, n_rows: int) -> flight.FlightInfo:
    return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [])], n_rows, -1)


def answer(history: History, ticket: bytes) -> Answer:
    """The schema and the batches that a ticket asks for. ConfigError for one that is malformed or out of bounds."""
    try:
        asked = json.loads(ticket) if len(ticket) <= MAX_TICKET else None
    except (ValueError, RecursionError):
        asked = None
    call = asked.pop("call", None) if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not isinstance(call, str) or call not in CALLS:
        raise ConfigError(f"a ticket is JSON with a call: {', '.join(CALLS)}")
    try:
        return CALLS[call](history, asked)
    except (TypeError, AttributeError, KeyError) as error:
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
}


def _parameters(found: list[Any]) -> pa.Table:
    return pa.Table.from_pylist([asdict(one) for one in found], schema=PARAMETER)


def _of_table(table: pa.Table) -> Answer:
    """A table in batches of some megabytes."""
    rows = max(1, int(len(table) * BATCH_BYTES / max(table.nbytes, 1)))
    return table.schema, iter(table.to_batches(max_chunksize=rows))
