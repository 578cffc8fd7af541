"""Reads one TCP connection into large buffers, with one copy of each byte (the streams of asyncio make four).

Out: on a quiet link each piece as it is received; on a busy one large pieces, which cost less for each byte.
Back-pressure: nothing is received beyond one buffer of READ_BYTES.
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
"""A link with BUSY_BYTES or more to read is busy: `read` then waits GATHER_S for a larger piece."""


class TcpReceiver(asyncio.BufferedProtocol):
    """One connection. `opened` is called with it when it is established. Only one task may read."""

    def __init__(self, opened: Callable[[TcpReceiver], None] = lambda _: None) -> None:
        self._opened = opened
        self._buffer = _new_buffer()
        self._n_bytes = 0
        self._n_needed = 1
        self._closed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._received_enough: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _keep_alive(transport)
        self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the rest of the buffer, whatever the hint
        return self._buffer[self._n_bytes :]

    def buffer_updated(self, nbytes: int) -> None:
        self._n_bytes += nbytes
        if self._n_bytes == READ_BYTES and self._transport:
            self._transport.pause_reading()
        if self._n_bytes >= self._n_needed:
            self._wake()

    def eof_received(self) -> bool:
        """Keep our side open (half-closed) so that the received bytes can be read; TLS does not allow that."""
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()
        return self.extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(exc)
        self._wake()

    async def read(self) -> bytes | memoryview:
        """Return at most READ_BYTES: the received bytes, on a busy link after GATHER_S. Empty at the end.

        If the connection broke, bytes received before are returned first; the next call raises its OSError.
        """
        await self._until(1)
        if self._n_bytes >= BUSY_BYTES:
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._until(READ_BYTES)
        if not self._n_bytes and (error := self._closed.result()):
            raise error
        return self._take_received()

    async def read_line(self, limit: int) -> bytes:
        """Read the first line with its line end; without it if there is none in `limit` bytes or before the end."""
        while b"\n" not in (line := bytes(self._buffer[: min(self._n_bytes, limit)])):
            if len(line) == limit or self._closed.done():
                return line
            await self._until(self._n_bytes + 1)
        line = line[: line.index(b"\n") + 1]
        rest = bytes(self._buffer[len(line) : self._n_bytes])
        self._buffer[: len(rest)] = rest
        self._n_bytes = len(rest)
        return line

    async def wait_for(self, n_bytes: int) -> None:
        """Wait until at least `n_bytes` are received and not read, or the connection has ended."""
        await self._until(min(n_bytes, READ_BYTES))

    def peek(self, n_bytes: int) -> bytes:
        """Copy at most `n_bytes` of the received bytes without reading them."""
        return bytes(self._buffer[: min(self._n_bytes, n_bytes)])

    @property
    def n_bytes(self) -> int:
        """Number of bytes received and not read."""
        return self._n_bytes

    @property
    def closed(self) -> bool:
        """Whether the peer has ended the connection."""
        return self._closed.done()

    def write(self, data: bytes) -> None:
        """Send without waiting. Data are dropped while 64 KiB or more are not taken by the peer."""
        transport = self._transport
        if transport and not transport.is_closing() and transport.get_write_buffer_size() < 1 << 16:
            transport.write(data)

    def close(self) -> None:
        """Close the connection after all written bytes are sent."""
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def extra_info(self, name: str) -> object:
        """Return `get_extra_info(name)` of the transport; None before it is connected."""
        return self._transport.get_extra_info(name) if self._transport else None

    async def _until(self, n_bytes: int) -> None:
        """Wait until `n_bytes` are in the buffer, or the connection has ended."""
        self._n_needed = n_bytes
        while self._n_bytes < n_bytes and not self._closed.done():
            self._received_enough = asyncio.get_running_loop().create_future()
            await self._received_enough

    def _wake(self) -> None:
        if self._received_enough and not self._received_enough.done():
            self._received_enough.set_result(None)

    def _take_received(self) -> bytes | memoryview:
        """Empty the buffer. A small piece is copied; a large one keeps its memory, and a new buffer replaces it."""
        if self._n_bytes < BUSY_BYTES:
            piece: bytes | memoryview = bytes(self._buffer[: self._n_bytes])
        else:
            piece, self._buffer = self._buffer[: self._n_bytes], _new_buffer()
        was_full, self._n_bytes = self._n_bytes == READ_BYTES, 0
        if was_full and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
        return piece


async def listen(
    tls: ssl.SSLContext | None, opened: Callable[[TcpReceiver], None], host: str, port: int
) -> asyncio.Server:
    """Listen for connections; `opened` is called with each, after its TLS handshake.

    Raises OSError if it cannot listen. At most MAX_HANDSHAKES handshakes are pending: the oldest is closed for a new
    one. Out of file descriptors, asyncio retries to accept after a second.
    """
    loop = asyncio.get_running_loop()
    if tls is None:
        return await loop.create_server(lambda: TcpReceiver(opened), host, port, backlog=8)
    under_way: dict[asyncio.Task[None], asyncio.Transport] = {}
    return await loop.create_server(lambda: _Handshake(tls, opened, under_way), host, port, backlog=8)


class _Handshake(asyncio.Protocol):
    """A connection during its TLS handshake; a TcpReceiver takes it over afterwards."""

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


def _new_buffer() -> memoryview:
    return np.empty(READ_BYTES, np.uint8).data


def _keep_alive(transport: asyncio.Transport) -> None:
    """Let TCP keep-alive detect within about a minute that the peer is gone."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
