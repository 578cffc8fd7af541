"""The history over Arrow Flight (gRPC), read-only: columns for programs, at the speed of the network.

A ticket is JSON (`calls.py`). A descriptor whose path is a kind, as `list_flights` gives it, stands for all rows of
that kind. The extra information of an error is `{"error": TEXT, "usage": BOOL}`; `usage`: the request is wrong, not the
folder.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

import pyarrow as pa
from pyarrow import flight

from ..model.errors import ConfigError, DownlinkError
from ..system.hosts import in_url
from .calls import answer
from .history import History
from .rows import Span

AT_ONCE, PATIENCE_S = 4, 10.0
"""Concurrent answers, and how long another request waits for one of them to end."""


class FlightServer(flight.FlightServerBase):  # type: ignore[misc]
    """Serves from its construction until `shutdown`, on `port`."""

    def __init__(self, history: History, host: str, port: int, *, token: str = "") -> None:
        """`token`: required as `authorization: Bearer TOKEN` of each call; empty: none is required."""
        super().__init__(
            f"grpc://{in_url(host)}:{port}", middleware={"token": _TokenCheck(token)} if token else None
        )
        self._history = history
        self._turns = BoundedSemaphore(AT_ONCE)

    def do_get(self, _context: Any, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Stream the answer of a ticket."""
        self._wait_for_turn()
        try:
            with _errors_for_clients():
                schema, batches = answer(self._history, ticket.ticket)
        except BaseException:
            self._turns.release()
            raise
        return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(schema, self._releasing(batches)))

    def get_flight_info(self, _context: Any, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Schema and ticket of a descriptor, which is a kind, or a command with the text of a ticket."""
        with _errors_for_clients():
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
        """The batches; releases the turn after them, or when the client disconnects."""
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
def _errors_for_clients() -> Iterator[None]:
    """Convert errors to those of Flight."""
    try:
        yield
    except DownlinkError as error:
        details = {"error": str(error), "usage": isinstance(error, ConfigError)}
        raise flight.FlightServerError(str(error), json.dumps(details).encode()) from None
    except (pa.ArrowException, OSError) as error:
        details = {"error": f"the history cannot be read: {error}", "usage": False}
        raise flight.FlightServerError(details["error"], json.dumps(details).encode()) from None


def _info(schema: pa.Schema, descriptor: flight.FlightDescriptor, ticket: bytes, n_rows: int) -> flight.FlightInfo:
    return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [])], n_rows, -1)
