"""Live bytes over TCP: a listener for one station, and a client that reconnects with backoff.

Out: `Arrival`s. Back-pressure: nothing is read ahead, so TCP makes a station wait that sends faster than is recorded.
A lost connection does not end the source: a listener waits for the next one, a client reconnects. `recorded` gives the
source the number of bytes on disk.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import structlog

from ..model.carrier import carrier
from ..model.errors import RunError
from ..system.backoff import Backoff
from ..system.tls import HANDSHAKE_S, in_words, n_refused, options
from .address import Station, tls_of
from .tcp_protocol import TcpReceiver, listen

TAKEOVER_S = 5.0
"""A connection that was silent for so long is replaced by another one that sends."""
MAX_CANDIDATES = 8
PEEK_BYTES = 1 << 16
CHECK_S = 0.25
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_log = structlog.get_logger("station")


@carrier
class Arrival:
    """Pieces as they were received, each with its receive time in ns since 1970 UTC.

    `name`: of the pass, if the sender gives one; `ended`: the pass ends with these pieces. `whole_frames`: each piece
    is one frame. `resumes`: append the pieces to the recorded pass `name` even if that has ended. `reconnected`: the
    first pieces of a new connection, before which bytes may be missing.
    """

    pieces: Sequence[bytes | memoryview]
    received_ns: list[int]
    name: str = ""
    ended: bool = False
    whole_frames: bool = False
    resumes: bool = False
    reconnected: bool = False
    odd_datagrams: Sequence[tuple[bytes, int]] = ()
    """Datagrams of an unexpected size, with receive times in ns: recorded beside the pass, not in it."""


class Source(Protocol):
    """Where a station's bytes come from."""

    @property
    def n_lost(self) -> int:
        """Pieces known to be lost before they were received."""
        ...

    def arrivals(self) -> AsyncIterator[Arrival]:
        """Yield arrivals until the source ends; sockets never end. Raises RunError if it cannot be opened."""
        ...

    def recorded(self, n_bytes: int) -> None:
        """Report to the sender that `n_bytes` of the open pass are on disk."""


def arrival_now(piece: bytes | memoryview) -> Arrival:
    """Make an arrival of one piece with the present time as its receive time."""
    return Arrival([piece], [time.time_ns()])


class TcpListener:
    """Reads one connection at a time; later ones wait as candidates, and an idle one never interrupts the active one.

    A candidate replaces the active connection once its bytes look like the link (`looks_valid`), or once it has sent
    anything and the active one has been silent for TAKEOVER_S (its peer may be gone without closing it). Candidates
    and TLS handshakes are bounded: the oldest is closed for a new one.
    """

    n_lost = 0

    def __init__(self, station: Station, looks_valid: Callable[[bytes], bool] = bool) -> None:
        self._station = station
        self._tls = tls_of(station, server=True)
        self._looks_valid = looks_valid
        self._arrivals: asyncio.Queue[Arrival] = asyncio.Queue(1)
        self._reading = asyncio.Lock()
        self._candidates: dict[asyncio.Task[None], TcpReceiver] = {}
        self._waiting: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._connection: TcpReceiver | None = None
        self._last_received_at = -math.inf
        """Loop time in seconds at which the active connection was accepted or last sent bytes; -inf: never."""
        self.port = station.port

    async def arrivals(self) -> AsyncIterator[Arrival]:
        try:
            server = await listen(self._tls, self._opened, self._station.host, self._station.port)
        except OSError as error:
            raise RunError(
                f"{self._station.name} cannot listen on {self._station.host}:{self._station.port}: "
                f"{error.strerror or error}"
            ) from error
        self.port = server.sockets[0].getsockname()[1]
        _log.info("listening", station=self._station.name, host=self._station.host, port=self.port)
        try:
            while True:
                yield await self._arrivals.get()
                self._arrivals.task_done()
        finally:
            server.close()
            for task in (*self._candidates, self._waiting, self._serving):
                if task:
                    task.cancel()

    @property
    def n_refused(self) -> int:
        """TLS handshakes that failed: no certificate, one of another authority, or one that is not named."""
        return n_refused(self._tls)

    def recorded(self, n_bytes: int) -> None:
        """No-op: TCP stations do not request the recorded position."""

    def _opened(self, connection: TcpReceiver) -> None:
        """Handle a new connection: read it if there is no other, else make it a candidate."""
        if self._connection is None and self._waiting is None:
            self._replace(connection)
            return
        if len(self._candidates) >= MAX_CANDIDATES:
            next(iter(self._candidates)).cancel()
        task = asyncio.create_task(self._admit(connection), name=f"admit {self._station.name}")
        self._candidates[task] = connection
        task.add_done_callback(self._candidates.pop)

    async def _admit(self, connection: TcpReceiver) -> None:
        """Wait until a candidate may replace the active connection, or is closed."""
        admitted = False
        try:
            while connection.n_bytes or not connection.closed:
                n_bytes = connection.n_bytes
                admitted = bool(n_bytes) and self._may_take_over(connection.peek(PEEK_BYTES))
                if admitted:
                    break
                is_undecided = n_bytes < PEEK_BYTES and not connection.closed
                with suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_S):
                        await (connection.wait_for(n_bytes + 1) if is_undecided else asyncio.sleep(CHECK_S))
        finally:
            if not admitted:
                connection.abort()
        if admitted:
            self._replace(connection)

    def _may_take_over(self, octets: bytes) -> bool:
        """Whether a candidate that has sent `octets` so far may replace the active connection."""
        if self._connection is None:
            return True
        silent_s = asyncio.get_running_loop().time() - self._last_received_at
        return silent_s >= TAKEOVER_S or self._looks_valid(octets)

    def _replace(self, connection: TcpReceiver) -> None:
        """Close the active connection and read this one next."""
        if self._waiting:
            self._waiting.cancel()
        if self._connection:
            self._connection.abort()
        self._waiting = asyncio.create_task(self._serve(connection), name=f"serve {self._station.name}")
        self._waiting.add_done_callback(lambda _: connection.abort())

    async def _serve(self, connection: TcpReceiver) -> None:
        """Read a connection, after the previous one is closed and all its bytes are recorded."""
        peer = str(connection.extra_info("peername"))
        try:
            async with self._reading:
                await self._arrivals.join()
                self._serving, self._waiting, self._connection = self._waiting, None, connection
                self._last_received_at = asyncio.get_running_loop().time()
                _log.info("connected", station=self._station.name, peer=peer)
                await self._read(connection)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if self._connection is connection:
                self._connection = self._serving = None
                _log.info("disconnected", station=self._station.name, peer=peer)

    async def _read(self, connection: TcpReceiver) -> None:
        reconnected = True
        while piece := await connection.read():
            self._last_received_at = asyncio.get_running_loop().time()
            await self._arrivals.put(replace(arrival_now(piece), reconnected=reconnected))
            reconnected = False


class TcpClient:
    """Connects to a station, and reconnects with backoff whenever the connection is lost."""

    n_lost = 0

    def __init__(self, station: Station) -> None:
        self._station = station
        self._tls = tls_of(station, server=False)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        backoff, logged = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S), set()
        while True:
            try:
                connection = await _connect(self._station, self._tls)
            except OSError as error:
                reason = in_words(error)
                if reason not in logged:
                    _log.warning("cannot connect; trying on", station=self._station.name, reason=reason)
                logged.add(reason)
                await backoff.wait()
                continue
            _log.info("connected", station=self._station.name)
            logged.clear()
            try:
                reconnected = True
                with suppress(OSError):
                    while piece := await connection.read():
                        backoff.reset()
                        yield replace(arrival_now(piece), reconnected=reconnected)
                        reconnected = False
            finally:
                connection.abort()
            _log.warning("the station closed the connection", station=self._station.name)
            await backoff.wait()

    def recorded(self, n_bytes: int) -> None:
        """No-op: TCP stations do not request the recorded position."""


async def _connect(station: Station, tls: ssl.SSLContext | None) -> TcpReceiver:
    """Connect within `2 * HANDSHAKE_S` seconds. Raises OSError if nobody listens or TLS fails."""
    async with asyncio.timeout(2 * HANDSHAKE_S):
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(TcpReceiver, station.host, station.port, **options(tls))
    return connection
