"""Live bytes over TCP, as they come: who reads slowly makes the station wait, since nothing is read ahead.

A `Source` gives `Arrival`s, and is told by `recorded` what of them is on disk. Losing a connection is no end: a
listener waits for the next, a client connects again.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.errors import RunError
from pipeline.transport.stations import Station, tls_of
from pipeline.transport.tls import HANDSHAKE_S, in_words

READ_BYTES = 1 << 20
BUSY_BYTES, GATHER_S = 1 << 15, 0.01
"""Where so much is there at once the link is busy: then more is waited for, since large pieces cost less than many."""
_LONGEST_PAUSE_S = 5.0
_log = structlog.get_logger("station")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Pieces as they were received, and when.

    `name`: of the pass where the sender has one; `ended`: its last; `alone`: each piece is one frame, whole.
    """

    pieces: list[bytes]
    received_ns: list[int]
    name: str = ""
    ended: bool = False
    alone: bool = False


class Source(Protocol):
    """Where a station's bytes come from. `n_lost`: pieces that are known to be lost before they came here."""

    n_lost: int

    def arrivals(self) -> AsyncIterator[Arrival]:
        """What comes in, as long as anything can."""
        ...

    def recorded(self, n_bytes: int) -> None:
        """So many bytes of the open pass are on disk."""


def now_one(piece: bytes) -> Arrival:
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
        self._connection: asyncio.StreamWriter | None = None
        self.port = station.port

    async def arrivals(self) -> AsyncIterator[Arrival]:
        try:
            server = await asyncio.start_server(
                self._serve,
                self._station.host,
                self._station.port,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S if self._tls else None,
                limit=READ_BYTES,
                backlog=8,
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

    def recorded(self, n_bytes: int) -> None:
        """A station does not ask."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Once the connection before is closed, and all that came over it is recorded; of two that wait, the newer."""
        if self._waiting:
            self._waiting.cancel()
        if self._connection:
            self._connection.transport.abort()
        self._waiting = asyncio.current_task()
        keep_alive(writer)
        peer = str(writer.get_extra_info("peername"))
        try:
            async with self._turn:
                await self._came.join()
                self._serving, self._waiting, self._connection = self._waiting, None, writer
                _log.info("connected", station=self._station.name, peer=peer)
                await self._read(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            if self._connection is writer:
                self._connection = self._serving = None
                _log.info("disconnected", station=self._station.name, peer=peer)
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while piece := await read_some(reader):
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
                reader, writer = await dial(self._station, self._tls)
            except OSError as error:
                reason = in_words(error)
                if reason not in told:
                    _log.warning("cannot connect; trying on", station=self._station.name, reason=reason)
                told.add(reason)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            _log.info("connected", station=self._station.name)
            keep_alive(writer)
            told.clear()
            try:
                with suppress(OSError):
                    while piece := await read_some(reader):
                        pause_s = 0.1
                        yield now_one(piece)
            finally:
                writer.transport.abort()
            _log.warning("the station closed the connection", station=self._station.name)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def recorded(self, n_bytes: int) -> None:
        """A station does not ask."""


async def dial(station: Station, tls: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a station, within a bounded time; OSError where it is not there or TLS fails."""
    handshake_s = HANDSHAKE_S if tls else None
    async with asyncio.timeout(2 * HANDSHAKE_S):
        return await asyncio.open_connection(
            station.host, station.port, ssl=tls, ssl_handshake_timeout=handshake_s, limit=READ_BYTES
        )


async def read_some(reader: asyncio.StreamReader) -> bytes:
    """What has come in, at once on a quiet link; on a busy one at most READ_BYTES of GATHER_S. Empty at the end.

    What was read before a connection broke is given; the next call raises.
    """
    pieces = [await reader.read(READ_BYTES)]
    n_bytes = len(pieces[0])
    if n_bytes < BUSY_BYTES:
        return pieces[0]
    with suppress(OSError):  # a TimeoutError is one
        async with asyncio.timeout(GATHER_S):
            while pieces[-1] and n_bytes < READ_BYTES:
                pieces.append(await reader.read(READ_BYTES - n_bytes))
                n_bytes += len(pieces[-1])
    return b"".join(pieces)


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """Notice within about a minute that the other side is gone."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
