"""Live frames over UDP, one or more of them a datagram; what the kernel drops for want of room is counted."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable

import structlog

from pipeline.errors import RunError
from pipeline.transport.live import Arrival
from pipeline.transport.stations import Station

RECEIVE_BUFFER_BYTES = 8 << 20
MOST_AT_ONCE = 1024
_SO_RXQ_OVFL = 40  # Linux: each datagram brings the number dropped so far
_SO_RCVBUFFORCE = 33
_HURRY_S = 0.002
_log = structlog.get_logger("station")


class UdpListener:
    """`block_bytes`: of a frame as it is sent, 0 where it has no fixed length.

    `strict`: a datagram that is no whole number of frames is dropped and counted, since nothing would put those
    behind it in place again.
    """

    def __init__(self, station: Station, block_bytes: int = 0, *, strict: bool = False) -> None:
        self._station = station
        self._block_bytes = block_bytes
        self._strict = strict
        self.n_lost = 0
        self.n_odd = 0
        self.port = station.port
        self._take_now: Callable[[Arrival], Arrival | None] = lambda arrival: arrival
        self._read_at = 0.0
        self._waiting: asyncio.Queue[Arrival | Exception] = asyncio.Queue()

    def attend(self, take_now: Callable[[Arrival], Arrival | None]) -> None:
        """`take_now` is given what comes as it comes, and gives back what is to be had from `arrivals`: this spares a
        turn of the loop for each datagram.
        """
        self._take_now = take_now

    async def arrivals(self) -> AsyncIterator[Arrival]:
        sock = self._open()
        self.port = sock.getsockname()[1]
        _log.info("listening", station=self._station.name, host=self._station.host, port=self.port)
        loop = asyncio.get_running_loop()
        try:
            while True:
                loop.add_reader(sock.fileno(), self._read, loop, sock)
                found = await self._waiting.get()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            loop.remove_reader(sock.fileno())
            sock.close()

    def recorded(self, n_bytes: int) -> None:
        """Nobody to tell."""

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._station.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        for option, value in ((_SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES), (_SO_RXQ_OVFL, 1)):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, value)
            except OSError as error:  # not root, or not Linux
                _log.debug("a socket option is not to be had", option=option, reason=error.strerror)
        try:
            sock.bind((self._station.host, self._station.port))
        except OSError as error:
            sock.close()
            raise RunError(
                f"{self._station.name} cannot listen on {self._station.host}:{self._station.port}: {error.strerror}"
            ) from error
        return sock

    def _read(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """While something waits the system keeps what comes, and counts what it drops."""
        arrival = self._drain(sock)
        found: Arrival | Exception | None = None
        try:
            found = self._take_now(arrival) if arrival.pieces else None
        except Exception as error:  # noqa: BLE001 - raised where the arrivals are asked for, and not to the loop
            found = error
        if found is not None:
            loop.remove_reader(sock.fileno())
            self._waiting.put_nowait(found)

    def _drain(self, sock: socket.socket) -> Arrival:
        """What has come, up to a limit that keeps the loop answering; one datagram only after a rest, since to be told
        that there is no second one takes as long as to read the first.
        """
        pieces: list[bytes] = []
        received_ns: list[int] = []
        n_most = MOST_AT_ONCE if time.monotonic() - self._read_at < _HURRY_S else 1
        while len(pieces) < n_most:
            try:
                piece, ancillary, _, _ = sock.recvmsg(65536, 32)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                _log.warning("a datagram was not received", station=self._station.name, reason=error.strerror)
                break
            for _, kind, value in ancillary:
                if kind == _SO_RXQ_OVFL and len(value) >= 4:
                    self.n_lost = struct.unpack("=I", value[:4])[0]
            if not piece or (self._strict and len(piece) % self._block_bytes):
                self.n_odd += 1
                continue
            pieces.append(piece)
            received_ns.append(time.time_ns())
        self._read_at = time.monotonic()
        alone = all(len(piece) == self._block_bytes for piece in pieces)
        return Arrival(pieces, received_ns, alone=alone)
