"""Reads one TCP connection into large buffers, with one copy of each byte (the streams of asyncio make four).

Out: on a quiet link each piece as it comes; on a busy one large pieces, which cost less for each byte. Back-pressure:
nothing is received beyond the piece that is being filled.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from ..system.tls import options

READ_BYTES = 2 << 20
MAX_HANDSHAKES = 16
BUSY_BYTES, GATHER_S = 1 << 15, 0.02
"""Where so much is there at once the link is busy: then more is waited for."""


class TcpReceiver(asyncio.BufferedProtocol):
    """A connection; `opened` is called with it once it is made. One task reads."""

    def __init__(self, opened: Callable[[TcpReceiver], None] = lambda _: None) -> None:
        self._opened = opened
        self._buffer = _fresh()
        self._n_bytes = 0
        self._wanted = 1
        self._closed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._enough: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _keep_alive(transport)
        self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - what there is
        return self._buffer[self._n_bytes :]

    def buffer_updated(self, nbytes: int) -> None:
        self._n_bytes += nbytes
        if self._n_bytes == READ_BYTES and self._transport:
            self._transport.pause_reading()
        if self._n_bytes >= self._wanted:
            self._wake()

    def eof_received(self) -> bool:
        """The other side may be read to its end before this one is closed, except over TLS."""
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()
        return self.extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(exc)
        self._wake()

    async def read(self) -> bytes | memoryview:
        """At most READ_BYTES: what is there, or on a busy link what comes within GATHER_S. Empty at the end.

        What was read before a connection broke is given; the next call raises its OSError.
        """
        await self._until(1)
        if self._n_bytes >= BUSY_BYTES:
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._until(READ_BYTES)
        if not self._n_bytes and (error := self._closed.result()):
            raise error
        return self._taken()

    async def read_line(self, limit: int) -> bytes:
        """The line that the other side begins with, and its end; without that where it is not in `limit` bytes."""
        while b"\n" not in (line := bytes(self._buffer[: min(self._n_bytes, limit)])):
            if len(line) == limit or self._closed.done():
                return line
            await self._until(self._n_bytes + 1)
        line = line[: line.index(b"\n") + 1]
        rest = bytes(self._buffer[len(line) : self._n_bytes])
        self._buffer[: len(rest)] = rest
        self._n_bytes = len(rest)
        return line

    async def holds(self, n_bytes: int) -> None:
        """Wait until so much was received and not read, or nothing more comes."""
        await self._until(min(n_bytes, READ_BYTES))

    def peek(self, n_bytes: int) -> bytes:
        """The first of the bytes that were received and not read."""
        return bytes(self._buffer[: min(self._n_bytes, n_bytes)])

    @property
    def n_bytes(self) -> int:
        """Bytes that were received and not read."""
        return self._n_bytes

    @property
    def closed(self) -> bool:
        """Whether nothing more comes from the other side."""
        return self._closed.done()

    def write(self, data: bytes) -> None:
        """Not waited for: what the other side does not take by 64 KiB is dropped."""
        transport = self._transport
        if transport and not transport.is_closing() and transport.get_write_buffer_size() < 1 << 16:
            transport.write(data)

    def close(self) -> None:
        """End the connection after what was written is sent."""
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def extra_info(self, name: str) -> object:
        """What the transport knows, as `get_extra_info`."""
        return self._transport.get_extra_info(name) if self._transport else None

    async def _until(self, n_bytes: int) -> None:
        """Wait until so much is here, or nothing more comes."""
        self._wanted = n_bytes
        while self._n_bytes < n_bytes and not self._closed.done():
            self._enough = asyncio.get_running_loop().create_future()
            await self._enough

    def _wake(self) -> None:
        if self._enough and not self._enough.done():
            self._enough.set_result(None)

    def _taken(self) -> bytes | memoryview:
        """What is here; a small piece as a copy, a large one with its memory, in whose place comes other."""
        if self._n_bytes < BUSY_BYTES:
            piece: bytes | memoryview = bytes(self._buffer[: self._n_bytes])
        else:
            piece, self._buffer = self._buffer[: self._n_bytes], _fresh()
        was_full, self._n_bytes = self._n_bytes == READ_BYTES, 0
        if was_full and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
        return piece


async def listen(
    tls: ssl.SSLContext | None, opened: Callable[[TcpReceiver], None], host: str, port: int
) -> asyncio.Server:
    """Listen for connections; `opened` is called with each, after its TLS handshake. OSError where it cannot listen.

    At most MAX_HANDSHAKES are under way: the oldest is closed for a new one. Out of file descriptors, asyncio accepts
    again a second later.
    """
    loop = asyncio.get_running_loop()
    if tls is None:
        return await loop.create_server(lambda: TcpReceiver(opened), host, port, backlog=8)
    under_way: dict[asyncio.Task[None], asyncio.Transport] = {}
    return await loop.create_server(lambda: _Handshake(tls, opened, under_way), host, port, backlog=8)


class _Handshake(asyncio.Protocol):
    """A connection until its TLS handshake is done; a TcpReceiver has it then."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        opened: Callable[[TcpReceiver], None],
        under_way: dict[asyncio.Task[None], asyncio.Transport],
    ) -> None:
        self._tls = tls
        self._opened = opened
        self._under_way = under_way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        if len(self._under_way) >= MAX_HANDSHAKES:
            oldest = next(iter(self._under_way))
            self._under_way.pop(oldest).abort()
            oldest.cancel()
        task = asyncio.create_task(self._shake(transport), name="TLS handshake")
        self._under_way[task] = transport
        task.add_done_callback(lambda _: self._under_way.pop(task, None))

    async def _shake(self, transport: asyncio.Transport) -> None:
        receiver = TcpReceiver(self._opened)
        timeout_s = options(self._tls)["ssl_handshake_timeout"]
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, receiver, self._tls, server_side=True, ssl_handshake_timeout=timeout_s
            )
        except OSError:  # logged by the handshake itself, where it is more than a connection that broke
            transport.abort()
            return
        if secured:
            receiver.connection_made(secured)


def _fresh() -> memoryview:
    return np.empty(READ_BYTES, np.uint8).data


def _keep_alive(transport: asyncio.Transport) -> None:
    """Notice within about a minute that the other side is gone."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
