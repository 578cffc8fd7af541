"""Live frames over UDP, one or more in a datagram. Datagrams that the kernel drops (buffer full) are counted."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from ..model.errors import RunError
from ..recordings.odd_datagrams import Datagram, frames_inside
from .address import Station
from .tcp import Arrival

RECEIVE_BUFFER_BYTES = 8 << 20
MAX_DATAGRAMS = 1024
MAX_ODD_SIZES = 64
MAX_DATAGRAM_BYTES = 1 << 16
_SO_MEMINFO, _N_MEMINFO = 55, 9
"""Linux: memory of the socket, nine 32-bit numbers; the last is of the datagrams dropped (SK_MEMINFO_DROPS)."""
_SO_RCVBUFFORCE = 33
_HURRY_S = 0.002
_log = structlog.get_logger("station")


@dataclass(slots=True)
class OddSize:
    """Number of datagrams of one unexpected size; `n_unused`: those without a recognisable frame."""

    n: int = 0
    n_unused: int = 0


class UdpListener:
    """Receives datagrams for one station. `block_bytes`: size of a frame as it is sent; 0 if it is not fixed.

    A datagram that is not a whole number of frames is counted in `n_odd`, and by its size in `odd`. Its bytes are
    recorded like others, so that a synchronizer can find the frames. `strict`: the link has no synchronizer that could
    find them, so the datagram is recorded beside the pass, and the pass gets only the frames inside it (found by
    `marker`, see `recordings.odd_datagrams`).
    """

    def __init__(
        self, station: Station, block_bytes: int = 0, *, strict: bool = False, marker: bytes = b""
    ) -> None:
        self._station = station
        self.block_bytes = block_bytes
        self._strict = strict
        self._marker = marker
        self._sock: socket.socket | None = None
        self._n_lost = 0
        self.n_odd = 0
        self.odd: dict[int, OddSize] = {}
        """Counts by size in bytes, of the first MAX_ODD_SIZES sizes."""
        self.port = station.port
        self._handle: Callable[[Arrival], Arrival | None] = lambda arrival: arrival
        self._read_at = 0.0
        self._waiting: asyncio.Queue[Arrival | Exception] = asyncio.Queue()

    @property
    def n_lost(self) -> int:
        """Datagrams dropped by the kernel so far; 0 if it does not count them (only Linux does)."""
        if self._sock is not None:
            with suppress(OSError):
                found = self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * _N_MEMINFO)
                self._n_lost = struct.unpack(f"={_N_MEMINFO}I", found)[-1]
        return self._n_lost

    def set_handler(self, handle: Callable[[Arrival], Arrival | None]) -> None:
        """Call `handle` with each arrival as soon as it is received, without an extra turn of the event loop.

        `handle` returns what `arrivals` is to yield, or None. Its exceptions are raised from `arrivals`.
        """
        self._handle = handle

    async def arrivals(self) -> AsyncIterator[Arrival]:
        sock = self._sock = self._open()
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
            self._n_lost, self._sock = self.n_lost, None
            sock.close()

    def recorded(self, n_bytes: int) -> None:
        """No-op: UDP has no way back to the sender."""

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._station.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        with suppress(OSError):  # only root, and only on Linux, may exceed the system's limit
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        try:
            sock.bind((self._station.host, self._station.port))
        except OSError as error:
            sock.close()
            raise RunError(
                f"{self._station.name} cannot listen on {self._station.host}:{self._station.port}: {error.strerror}"
            ) from error
        return sock

    def _read(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Read and handle datagrams. While a result waits to be yielded, the kernel buffers and counts its drops."""
        arrival = self._drain(sock)
        found: Arrival | Exception | None = None
        try:
            found = self._handle(arrival) if arrival.pieces or arrival.odd_datagrams else None
        except Exception as error:  # noqa: BLE001 - raised from `arrivals`, not into the event loop
            found = error
        if found is not None:
            loop.remove_reader(sock.fileno())
            self._waiting.put_nowait(found)

    def _drain(self, sock: socket.socket) -> Arrival:
        """Read waiting datagrams, at most MAX_DATAGRAMS, so that the loop keeps answering.

        After a pause only one: a second system call, which finds nothing, costs as much as the first.
        """
        pieces: list[bytes] = []
        received_ns: list[int] = []
        odd_datagrams: list[Datagram] = []
        n_most = MAX_DATAGRAMS if time.monotonic() - self._read_at < _HURRY_S else 1
        while len(pieces) + len(odd_datagrams) < n_most:
            try:
                piece = sock.recv(MAX_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                _log.warning("a datagram was not received", station=self._station.name, reason=error.strerror)
                break
            now_ns = time.time_ns()
            if not piece or (self.block_bytes and len(piece) % self.block_bytes):
                fresh = self._count_odd(piece)
                if piece and self._strict:
                    odd_datagrams.append((piece, now_ns))
            else:
                fresh = [piece]
            pieces += fresh
            received_ns += [now_ns] * len(fresh)
        self._read_at = time.monotonic()
        whole_frames = {self.block_bytes}.issuperset(map(len, pieces))
        return Arrival(pieces, received_ns, whole_frames=whole_frames, odd_datagrams=odd_datagrams)

    def _count_odd(self, piece: bytes) -> list[bytes]:
        """Count a datagram of an unexpected size. Returns the pieces of it that belong into the pass."""
        self.n_odd += 1
        inside = frames_inside(piece, self.block_bytes, self._marker) if self._strict else [piece] if piece else []
        if len(piece) in self.odd or len(self.odd) < MAX_ODD_SIZES:
            size = self.odd.setdefault(len(piece), OddSize())
            size.n += 1
            size.n_unused += not inside
        return inside
