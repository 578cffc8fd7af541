"""Receives what `downlink feed` sends: a pass over TCP that survives a restart of either side.

In: a connection of a sender (`feed_messages`). Out: `Arrival`s of a named pass. Dedup by content: a recording whose
bytes are all recorded is not recorded again, one that continues a recorded pass resumes where that stops, any other
becomes a new pass. While one sender is connected, others get `busy` and retry.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

import structlog

from ..model.errors import DownlinkError
from ..recordings.log import PassFolder
from ..recordings.reader import read_pass
from .address import Station
from .feed_messages import (
    HEAD_BYTES,
    HELLO_S,
    MAX_LINE_BYTES,
    WAIT_S,
    Hello,
    digest_of,
    is_of_another_release,
    read_hello,
)
from .tcp import Arrival, TcpListener
from .tcp_protocol import TcpReceiver

MAX_ASKING = 16
"""Connections whose first line has not come yet."""
_HASHED_BYTES_PER_S = 20e6
"""A sender that computes a digest is expected to be at least this fast."""
_QUIET_S = 60.0
"""The same refusal is logged at most this often."""
_log = structlog.get_logger("station")


class PassStore(Protocol):
    """The passes of one station."""

    def recorded(self) -> Sequence[PassFolder]:
        """All of them, the newest first."""
        ...

    def begin(self, name: str) -> PassFolder:
        """Open a new pass, under this name or one made from it. OSError if the disk does not take it."""
        ...

    def resume(self, folder: PassFolder) -> None:
        """Open a recorded pass again, so that what follows is appended. OSError if the disk does not take it."""
        ...


class _Recorded(NamedTuple):
    """The recorded pass that begins with the sender's first `n_bytes`; `folder` is None if there is none."""

    folder: PassFolder | None
    n_bytes: int


class FeedListener(TcpListener):
    """A listener for `downlink feed`, one sender at a time."""

    def __init__(self, station: Station, store: PassStore) -> None:
        super().__init__(station)
        self._store = store
        self._asking: dict[asyncio.Task[None], TcpReceiver] = {}
        self._hello: Hello | None = None
        """Of the sender that is connected."""
        self._feeding: TcpReceiver | None = None
        self._name = ""
        self._n_reported = 0
        self._refused_at: dict[str, float] = {}

    def recorded(self, n_bytes: int) -> None:
        """Report the recorded position to the sender. Never blocks: reports to a sender that does not read are lost."""
        if self._feeding and n_bytes > self._n_reported:
            self._n_reported = n_bytes
            _write(self._feeding, f"recorded {n_bytes}")

    def _opened(self, connection: TcpReceiver) -> None:
        """Admit a connection once its first line has come: one that sends nothing interrupts no sender."""
        if len(self._asking) >= MAX_ASKING:
            next(iter(self._asking)).cancel()
        task = asyncio.create_task(self._admit(connection), name=f"admit {self._station.name}")
        self._asking[task] = connection
        task.add_done_callback(self._asking.pop)

    async def _admit(self, connection: TcpReceiver) -> None:
        line = b""
        try:
            async with asyncio.timeout(HELLO_S):
                line = await connection.read_line(MAX_LINE_BYTES)
        except (OSError, asyncio.CancelledError):
            pass
        hello = read_hello(line)
        if hello is None:
            self._refuse(connection, line)
        elif self._hello and self._hello.sender != hello.sender:
            _write(connection, f"busy {self._hello.name}")
            connection.close()
        else:
            self._hello = hello
            self._replace(connection)
            assert self._waiting
            self._waiting.add_done_callback(lambda _: self._sender_left(hello))

    def _sender_left(self, hello: Hello) -> None:
        if self._hello is hello:
            self._hello = None

    def _refuse(self, connection: TcpReceiver, line: bytes) -> None:
        reason = "refused: no feed"
        if is_of_another_release(line):
            reason = "refused: a feed of another release of downlink; both sides must be of the same"
            _write(connection, reason)
        now = time.monotonic()
        if now - self._refused_at.get(reason, -_QUIET_S) >= _QUIET_S:
            self._refused_at[reason] = now
            _log.warning(reason, station=self._station.name, began=line[:40].hex())
        connection.close()

    async def _read(self, connection: TcpReceiver) -> None:
        hello = self._hello
        assert hello is not None
        recorded = await self._find_recorded(connection, hello)
        if recorded.folder and recorded.n_bytes >= hello.n_bytes and not hello.resumes:
            _write(connection, f"known {recorded.folder.name}")
            _log.info("already recorded", station=self._station.name, pass_=recorded.folder.name, fed=hello.name)
            if recorded.folder.n_bytes() == hello.n_bytes and not recorded.folder.ended:
                await self._arrivals.put(Arrival([], [], recorded.folder.name, ended=True, resumes=True))
            await _closed(connection)
            return
        try:
            name = self._open_pass(hello, recorded)
        except OSError as error:
            _write(connection, f"later {error.strerror or error}")
            await _closed(connection)
            return
        n_bytes = self._n_reported = recorded.n_bytes
        self._feeding = connection
        _write(connection, f"begin {name} {n_bytes}")
        try:
            await self._arrivals.put(Arrival([], [], name, ended=n_bytes >= hello.n_bytes, resumes=True))
            while piece := await connection.read():
                n_bytes += len(piece)
                ended = n_bytes >= hello.n_bytes
                await self._arrivals.put(Arrival([piece], [time.time_ns()], name, ended=ended, resumes=True))
        finally:
            if self._feeding is connection:
                self._feeding = None

    def _open_pass(self, hello: Hello, recorded: _Recorded) -> str:
        """Begin or resume the pass in the store. Returns its name; raises OSError if the disk does not take it."""
        if recorded.folder is None:
            return self._store.begin(hello.name).name
        if recorded.n_bytes < hello.n_bytes:
            self._store.resume(recorded.folder)
        return recorded.folder.name

    async def _find_recorded(self, connection: TcpReceiver, hello: Hello) -> _Recorded:
        """Find the longest recorded pass that is a prefix of the sender's recording, by comparing digests."""
        best = _Recorded(None, 0)
        if hello.resumes:
            found = [one for one in self._store.recorded() if one.name == hello.resumes]
            return _Recorded(found[0], found[0].n_bytes()) if found else best
        if hello.mode == "again":
            return best
        for folder in self._store.recorded():
            n_bytes = min(_n_readable(folder), hello.n_bytes)
            if n_bytes > best.n_bytes and await self._is_prefix(connection, hello, folder, n_bytes):
                best = _Recorded(folder, n_bytes)
        return best

    async def _is_prefix(self, connection: TcpReceiver, hello: Hello, folder: PassFolder, n_bytes: int) -> bool:
        """Whether a recorded pass equals the sender's first `n_bytes`. Sends `wait` lines while it computes."""
        digest = asyncio.create_task(asyncio.to_thread(_digest_if_same_head, folder, n_bytes, hello))
        while not (await asyncio.wait((digest,), timeout=WAIT_S))[0]:
            _write(connection, "wait")
        if not digest.result():
            return False
        _write(connection, f"compare {n_bytes} {digest.result()}")
        async with asyncio.timeout(HELLO_S + n_bytes / _HASHED_BYTES_PER_S):
            return await connection.read_line(MAX_LINE_BYTES) == b"same\n"


def _n_readable(folder: PassFolder) -> int:
    """Size of a recorded pass in bytes; 0 if it cannot be read, so that others can still be compared."""
    try:
        return folder.n_bytes()
    except OSError as error:
        _log.warning("a recorded pass cannot be read", recording=str(folder.path), reason=error.strerror)
        return 0


def _digest_if_same_head(folder: PassFolder, n_bytes: int, hello: Hello) -> str:
    """Digest of the first `n_bytes` of a pass; empty if its head differs from the sender's or cannot be read."""
    n_head = min(hello.n_bytes, HEAD_BYTES)
    try:
        if n_bytes >= n_head and digest_of(read_pass(folder.path, HEAD_BYTES), n_head) != hello.head:
            return ""
        return digest_of(read_pass(folder.path), n_bytes)
    except (OSError, DownlinkError):
        return ""


def _write(connection: TcpReceiver, line: str) -> None:
    connection.write(f"{line}\n".encode())


async def _closed(connection: TcpReceiver) -> None:
    """Close once the peer has read what was written, or after a timeout."""
    connection.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(HELLO_S):
            while await connection.read():
                pass
