"""Live bytes over TCP, as they come: who reads slowly makes the station wait, since nothing is read ahead.

A `Source` gives `Arrival`s, and is told by `recorded` what of them is on disk. Losing a connection is no end: a
listener waits for the next, a client connects again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.errors import RunError
from pipeline.transport.inlet import Inlet
from pipeline.transport.stations import Station, tls_of
from pipeline.transport.tls import HANDSHAKE_S, in_words, n_refused, options

_LONGEST_PAUSE_S = 5.0
_log = structlog.get_logger("station")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Pieces as they were received, and when.

    `name`: of the pass where the sender has one; `ended`: its last; `alone`: each piece is one frame, whole.
    `resumes`: the name is that of a recorded pass, to which the pieces are appended even if it has ended.
    """

    pieces: Sequence[bytes | memoryview]
    received_ns: list[int]
    name: str = ""
    ended: bool = False
    alone: bool = False
    resumes: bool = False


class Source(Protocol):
    """Where a station's bytes come from. `n_lost`: pieces that are known to be lost before they came here."""

    n_lost: int

    def arrivals(self) -> AsyncIterator[Arrival]:
        """What comes in, as long as anything can."""
        ...

    def recorded(self, n_bytes: int) -> None:
        """So many bytes of the open pass are on disk."""


def now_one(piece: bytes | memoryview) -> Arrival:
    """One piece, received now."""
    return Arrival([piece], [time.time_ns()])


class TcpListener:
    """One connection at a time: the newest, since the one before may be dead without a word."""

    n_lost = 0

    def __init__(self, station: Station) -> None:
        self._station = station
        self._tls = tls_of(station, server=True)
        self._came: asyncio.Queue[Arrival] = asyncio.Queue(1)
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._connection: Inlet | None = None
        self.port = station.port

    async def arrivals(self) -> AsyncIterator[Arrival]:
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: Inlet(self._opened),
                self._station.host,
                self._station.port,
                backlog=8,
                **options(self._tls),
            )
        except OSError as error:
            raise RunError(
                f"{self._station.name} cannot listen on {self._station.host}:{self._station.port}: "
                f"{error.strerror or error}"
            ) from error
        self.port = server.sockets[0].getsockname()[1]
        _log.info("listening", station=self._station.name, host=self._station.host, port=self.port)
        try:
            while True:
                yield await self._came.get()
                self._came.task_done()
        finally:
            server.close()
            for task in (self._waiting, self._serving):
                if task:
                    task.cancel()

    @property
    def n_refused(self) -> int:
        """TLS handshakes that failed: no certificate, one of another authority, or one that is not named."""
        return n_refused(self._tls)

    def recorded(self, n_bytes: int) -> None:
        """A station does not ask."""

    def _opened(self, connection: Inlet) -> None:
        """Of two that wait, the newer."""
        if self._waiting:
            self._waiting.cancel()
        if self._connection:
            self._connection.abort()
        self._waiting = asyncio.create_task(self._serve(connection), name=f"serve {self._station.name}")
        self._waiting.add_done_callback(lambda _: connection.abort())

    async def _serve(self, connection: Inlet) -> None:
        """Once the connection before is closed, and all that came over it is recorded."""
        peer = str(connection.told("peername"))
        try:
            async with self._turn:
                await self._came.join()
                self._serving, self._waiting, self._connection = self._waiting, None, connection
                _log.info("connected", station=self._station.name, peer=peer)
                await self._read(connection)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if self._connection is connection:
                self._connection = self._serving = None
                _log.info("disconnected", station=self._station.name, peer=peer)

    async def _read(self, connection: Inlet) -> None:
        while piece := await connection.read():
            await self._came.put(now_one(piece))


class TcpClient:
    """Connects to a station, again and again."""

    n_lost = 0

    def __init__(self, station: Station) -> None:
        self._station = station
        self._tls = tls_of(station, server=False)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        pause_s, told = 0.1, set()
        while True:
            try:
                connection = await _dial(self._station, self._tls)
            except OSError as error:
                reason = in_words(error)
                if reason not in told:
                    _log.warning("cannot connect; trying on", station=self._station.name, reason=reason)
                told.add(reason)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            _log.info("connected", station=self._station.name)
            told.clear()
            try:
                with suppress(OSError):
                    while piece := await connection.read():
                        pause_s = 0.1
                        yield now_one(piece)
            finally:
                connection.abort()
            _log.warning("the station closed the connection", station=self._station.name)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def recorded(self, n_bytes: int) -> None:
        """A station does not ask."""


async def _dial(station: Station, tls: ssl.SSLContext | None) -> Inlet:
    """Connect to a station, within a bounded time; OSError where it is not there or TLS fails."""
    async with asyncio.timeout(2 * HANDSHAKE_S):
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Inlet, station.host, station.port, **options(tls))
    return connection
