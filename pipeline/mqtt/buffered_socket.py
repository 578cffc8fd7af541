"""The socket between the client library and the network, with a buffer on each side.

paho reads byte by byte and copies what a socket does not take at once; here it meets buffers. Bytes from the network
go through a ReceiveLimiter, and only what is neither message nor acknowledgement is left for the library to read.
Packets, from the library or from the connection, are taken whole, small ones joined, and written by `flush`: many by
one call of the system, large payloads from their own memory.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import Any, Self

from ..system.tls import in_words
from .receive_limit import ReceiveLimiter

_RECEIVE_BYTES = 1 << 16
_MAX_UNSENT_BYTES = 1 << 20
"""With so much unsent no further packet of paho is accepted."""
_SMALL_BYTES = 1 << 13
_JOINED_BYTES = 1 << 16
_PIECES_AT_ONCE = 64
"""Buffers given to the system by one call; it takes 1024 at most (IOV_MAX)."""
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """What paho needs of a socket (`paho.mqtt.client.SocketLike`), around one of the network."""

    def __init__(self, sock: socket.socket, limiter: ReceiveLimiter) -> None:
        self._sock = sock
        self._limiter = limiter
        self._scratch = memoryview(bytearray(_RECEIVE_BYTES))
        self._unread = b""
        self._read_at = 0
        self._ended = False
        """Whether the network's side has ended, by `_error` if that is set."""
        self._error: OSError | None = None
        self._unsent: deque[bytes | bytearray | memoryview] = deque()
        self._joining: bytearray | None = None
        """The last of `_unsent`, where small packets may be added to it."""
        self.n_unsent_bytes = 0
        self.refusal = ""
        """The reason in a TLS alert with which the broker ended the connection."""

    # For paho, which makes the connection and reads and writes packets.

    def settimeout(self, seconds: float) -> None:
        self._sock.settimeout(seconds)

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def do_handshake(self) -> None:
        """TLS, where there is one."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.do_handshake()

    def fileno(self) -> int:
        return self._sock.fileno()

    def recv(self, n_bytes: int) -> bytes:
        """Bytes that `fill` has read: BlockingIOError where there are none, b"" or an OSError at the end."""
        octets = self._unread[self._read_at : self._read_at + n_bytes]
        if octets:
            self._read_at += len(octets)
            return octets
        if self._error:
            raise self._error
        if self._ended:
            return b""
        raise BlockingIOError

    def send(self, octets: bytes | bytearray) -> int:
        """Accept a packet of paho as a whole; BlockingIOError while too much is unsent (back-pressure)."""
        if self.n_unsent_bytes > _MAX_UNSENT_BYTES:
            raise BlockingIOError
        self.add(octets)
        return len(octets)

    def close(self) -> None:
        """Write what can be written at once, and close."""
        with suppress(OSError):
            self.flush()
        self.abort()

    # For the connection, which waits for the network.

    @property
    def has_unread(self) -> bool:
        """Whether `recv` would return bytes, or the end."""
        return self.is_open and (self._read_at < len(self._unread) or self._ended)

    @property
    def is_open(self) -> bool:
        return self._sock.fileno() >= 0

    def fill(self) -> bool:
        """Read once from the network; False where there was nothing, or it has ended. `recv` raises its error."""
        if self._ended:
            return False
        try:
            n_bytes = self._sock.recv_into(self._scratch)
            self._ended = not n_bytes
            others = self._limiter.receive(self._scratch[:n_bytes])
        except _WOULD_BLOCK:
            return False
        except OSError as error:
            self._ended, self._error = True, error
            self.refusal = in_words(error) if isinstance(error, ssl.SSLError) else ""
            return True
        if others:
            self._unread = self._unread[self._read_at :] + others
            self._read_at = 0
        return True

    @property
    def n_pending_bytes(self) -> int:
        """Bytes that TLS has read ahead, which the event loop cannot know of."""
        return self._sock.pending() if self.is_open and isinstance(self._sock, ssl.SSLSocket) else 0

    def add(self, octets: bytes | bytearray, payload: bytes = b"") -> None:
        """Buffer a packet for `flush`, whatever waits already: `octets`, then `payload`, which is not copied if large.

        Small packets are joined.
        """
        if len(payload) > _SMALL_BYTES and not isinstance(self._sock, ssl.SSLSocket):
            self._append(octets)
            self._append(payload)
        else:
            self._append(octets + payload if payload else octets)

    def _append(self, octets: bytes | bytearray) -> None:
        n_bytes = len(octets)
        if n_bytes > _SMALL_BYTES:
            self._unsent.append(octets)
            self._joining = None
        elif self._joining is not None and len(self._joining) < _JOINED_BYTES:
            self._joining += octets
        else:
            self._joining = bytearray(octets)
            self._unsent.append(self._joining)
        self.n_unsent_bytes += n_bytes

    def flush(self) -> None:
        """Write until nothing is left or the network accepts no more. OSError where the connection is broken."""
        try:
            while self._unsent:
                self._joining = None  # what the system has seen of a buffer must not change
                self._drop(self._write())
        except _WOULD_BLOCK:
            return

    def _write(self) -> int:
        """Write some of what is unsent, by one call. Returns the number of bytes that the network accepted."""
        if isinstance(self._sock, ssl.SSLSocket):  # which has no sendmsg
            return self._sock.send(self._unsent[0])
        return self._sock.sendmsg([*islice(self._unsent, _PIECES_AT_ONCE)])

    def _drop(self, n_bytes: int) -> None:
        """The first `n_bytes` of what is unsent are written."""
        self.n_unsent_bytes -= n_bytes
        while n_bytes:
            front = self._unsent[0]
            if n_bytes < len(front):
                self._unsent[0] = memoryview(front)[n_bytes:]
                return
            n_bytes -= len(front)
            self._unsent.popleft()

    def abort(self) -> None:
        """Close without writing unsent bytes."""
        self._sock.close()
        self._unsent.clear()
        self._joining = None
        self.n_unsent_bytes = 0


class SocketWrapper(ssl.SSLContext):
    """Wraps the TCP socket of paho (`Client.tls_set_context`): a BufferedSocket, over TLS where `tls` is given.

    The context that is its base is not used: paho has one place where its user may wrap a socket, and it is this.
    """

    tls: ssl.SSLContext | None
    limiter: ReceiveLimiter
    wrapped: BufferedSocket | None

    def __new__(cls, tls: ssl.SSLContext | None, limiter: ReceiveLimiter) -> Self:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self.tls, self.limiter, self.wrapped = tls, limiter, None
        return self

    def wrap_socket(self, sock: socket.socket, *_: Any, server_hostname: Any = None, **_more: Any) -> Any:
        """The wrapped socket, on which paho calls `do_handshake` next. The TCP socket is closed where this fails."""
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_hostname=server_hostname, do_handshake_on_connect=False)
        except (OSError, ValueError):
            sock.close()
            raise
        self.wrapped = BufferedSocket(sock, self.limiter)
        return self.wrapped
