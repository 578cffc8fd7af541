"""Live frames over UDP, one or more in a datagram. Datagrams that the kernel drops for want of room are counted."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from ..model.errors import RunError
from ..recordings.odd_datagrams import Datagram, frames_inside
from .address import Station
from .tcp import Arrival

RECEIVE_BUFFER_BYTES = 8 << 20
MOST_AT_ONCE = 1024
MAX_ODD_SIZES = 64
_SO_RXQ_OVFL = 40  # Linux: each datagram brings the number dropped so far
_SO_RCVBUFFORCE = 33
_HURRY_S = 0.002
_log = structlog.get_logger("station")


@dataclass(slots=True)
class OddSize:
    """Datagrams of one unexpected size, and how many of them hold no recognisable frame."""

    n: int = 0
    n_unused: int = 0


class UdpListener:
    """`block_bytes`: of a frame as it is sent, 0 where it has no fixed length.

    A datagram that is no whole number of frames is counted in `n_odd`, and by its size in `odd`. Its bytes are recorded
    like others, for a synchronizer to find the frames. `strict`: nothing would put the frames behind it in place again,
    so it is recorded whole beside the pass, which gets the frames inside (`odd_datagrams`, by `marker`).
    """

    def __init__(
        self, station: Station, block_bytes: int = 0, *, strict: bool = False, marker: bytes = b""
    ) -> None:
        self._station = station
        self.block_bytes = block_bytes
        self._strict = strict
        self._marker = marker
        self.n_lost = 0
        """Dropped by the kernel."""
        self.n_odd = 0
        self.odd: dict[int, OddSize] = {}
        """By size, of the first MAX_ODD_SIZES sizes."""
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
        """No-op: UDP has no way back to the sender."""

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
            found = self._take_now(arrival) if arrival.pieces or arrival.aside else None
        except Exception as error:  # noqa: BLE001 - raised where the arrivals are asked for, and not to the loop
            found = error
        if found is not None:
            loop.remove_reader(sock.fileno())
            self._waiting.put_nowait(found)

    def _drain(self, sock: socket.socket) -> Arrival:
        """Read waiting datagrams, at most MOST_AT_ONCE, so that the loop keeps answering.

        After a pause only one: a second system call, which finds nothing, costs as much as the first.
        """
        pieces: list[bytes] = []
        received_ns: list[int] = []
        aside: list[Datagram] = []
        n_most = MOST_AT_ONCE if time.monotonic() - self._read_at < _HURRY_S else 1
        while len(pieces) + len(aside) < n_most:
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
            now_ns = time.time_ns()
            if not piece or (self.block_bytes and len(piece) % self.block_bytes):
                fresh = self._take_odd(piece)
                if piece and self._strict:
                    aside.append((piece, now_ns))
            else:
                fresh = [piece]
            pieces += fresh
            received_ns += [now_ns] * len(fresh)
        self._read_at = time.monotonic()
        whole_frames = all(len(piece) == self.block_bytes for piece in pieces)
        return Arrival(pieces, received_ns, whole_frames=whole_frames, aside=aside)

    def _take_odd(self, piece: bytes) -> list[bytes]:
        """Count a datagram of another size; what of it goes into the pass."""
        self.n_odd += 1
        inside = frames_inside(piece, self.block_bytes, self._marker) if self._strict else [piece] if piece else []
        if len(piece) in self.odd or len(self.odd) < MAX_ODD_SIZES:
            size = self.odd.setdefault(len(piece), OddSize())
            size.n += 1
            size.n_unused += not inside
        return inside
