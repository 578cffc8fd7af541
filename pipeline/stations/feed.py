"""Sends a recording to a `FeedListener` over TCP until all of it is recorded there.

In: a recording, packed or not. Out: its unpacked bytes, from where the receiver's copy of the same content stops
(`feed_messages` describes the exchange). A lost connection is retried with exponential backoff; errors that no retry
can mend end with a ConfigError (an address) or a RunError (an unknown host, a certificate, a receiver of another
release).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import structlog

from ..model.batches import ByteBatch
from ..model.errors import ConfigError, RunError
from ..recordings.compression import compression
from ..recordings.pass_folder import begins_with_record
from ..recordings.reader import all_at_rate, paced, read_pass
from ..system.backoff import Backoff
from ..system.tls import HANDSHAKE_S, in_words, options
from .address import Station, tls_of
from .feed_messages import HEAD_BYTES, HELLO_S, Hello, digest_of

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
QUIET_S = 60.0
"""The same reason for a retry is logged at most this often."""
MAX_SILENT = 3
"""Connections in a row that are closed without an answer before that counts as one: a broken link does it once."""
_SILENT = (
    "it closes the connection without an answer; is it a feed source of this release, and does it want another "
    "certificate?"
)
_log = structlog.get_logger("feed")


@dataclass(frozen=True, slots=True)
class FeedResult:
    """Result of a feed: name of the recorded pass, its size; `known`: all was recorded before, nothing was sent."""

    pass_name: str
    n_bytes: int
    known: bool


class _NotNowError(OSError):
    """The receiver answers that it cannot take the recording at present."""


class _SilentError(OSError):
    """The receiver closed the connection before its first answer."""


class _Retry:
    """Retry policy: exponential backoff, and a log line for each new reason.

    `patience_s`: how long to retry while the receiver has never answered. After its first answer the address is known
    to be right, so retries go on without a limit.
    """

    def __init__(self, to: str, patience_s: float) -> None:
        self._to, self._patience_s = to, patience_s
        self._began_at = time.monotonic()
        self._logged_at: dict[str, float] = {}
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._n_silent = 0
        self.has_answered = False
        """Whether the receiver has answered yet."""

    def progressed(self) -> None:
        """Reset the backoff: the receiver has recorded more bytes."""
        self._backoff.reset()

    async def wait(self, error: OSError) -> None:
        """Log the error and wait for the backoff. Raises RunError if the receiver never answered in time."""
        now, reason = time.monotonic(), in_words(error.strerror or error) or "no answer"
        self._n_silent += isinstance(error, _SilentError)
        is_expired = now - self._began_at > self._patience_s or self._n_silent >= MAX_SILENT
        if is_expired and not self.has_answered:
            raise RunError(f"cannot feed {self._to}: {reason}")
        if now - self._logged_at.get(reason, -QUIET_S) >= QUIET_S:
            self._logged_at[reason] = now
            _log.warning("trying on", to=self._to, reason=reason)
        await self._backoff.wait()


async def feed(
    station: Station,
    recording: Path,
    name: str,
    speed: float | None,
    *,
    rate_bits_per_s: float | None = None,
    again: bool = False,
    patience_s: float = 60.0,
) -> FeedResult:
    """Send a recording as pass `name`, and reconnect until all its bytes are recorded by the receiver.

    `speed`: relative to the receive times of the recording; None: as fast as possible. `rate_bits_per_s`: constant bit
    rate that replaces the receive times. `again`: record a new pass even if the same bytes are recorded already.

    Raises ConfigError if the station is not `feed://HOST:PORT`; RunError if nobody answers within `patience_s`, and for
    errors that a retry cannot mend (unknown host, certificate, receiver of another release).
    """
    if station.kind != "feed" or not station.port:
        raise ConfigError("a recording is fed to feed://HOST:PORT, with a port from 1 to 65535")
    tls = tls_of(station, server=False)
    total = await asyncio.to_thread(_n_bytes, recording)
    if not total:
        raise RunError(f"{recording} is empty: there is nothing to feed")
    to = f"{station.host}:{station.port}"
    retry = _Retry(to, patience_s)
    sender = _Sender(recording, name, speed, rate_bits_per_s, total, "again" if again else "auto", retry)
    while True:
        try:
            reader, writer = await _connect(station, tls)
        except ssl.SSLCertVerificationError as error:  # a retry cannot succeed
            raise RunError(f"cannot feed {to}: {in_words(error)}") from None
        except socket.gaierror as error:
            if not retry.has_answered:
                raise RunError(f"cannot feed {to}: the host's name is not known ({error.strerror})") from None
            await retry.wait(error)
            continue
        except OSError as error:
            await retry.wait(error)
            continue
        try:
            return await sender.send(reader, writer)
        except OSError as error:
            await retry.wait(error)
        finally:
            writer.transport.abort()


async def _connect(
    station: Station, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect within `2 * HANDSHAKE_S` seconds. Raises OSError if nobody listens or TLS fails."""
    async with asyncio.timeout(2 * HANDSHAKE_S):
        return await asyncio.open_connection(station.host, station.port, **options(tls))


class _Sender:
    """Sends one recording. `send` is called with each new connection, and resumes where the receiver stopped."""

    def __init__(
        self,
        recording: Path,
        name: str,
        speed: float | None,
        rate_bits_per_s: float | None,
        total: int,
        mode: str,
        retry: _Retry,
    ) -> None:
        self._recording, self._speed, self._retry = recording, speed, retry
        self._rate_bits_per_s = rate_bits_per_s
        head = digest_of(read_pass(recording), min(total, HEAD_BYTES))
        self._hello = partial(Hello, secrets.token_hex(8), name, total, head)
        self._total = total
        self._mode = mode

    async def send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> FeedResult:
        """Send the bytes that the receiver has not recorded yet. Raises OSError if the connection is lost first."""
        writer.write(self._hello(self._mode).line())
        answered = False
        while True:
            words = await self._answer(reader, answered=answered)
            answered = True
            match words:
                case ["wait"]:
                    pass
                case ["compare", n_bytes, digest]:
                    own_digest = await asyncio.to_thread(digest_of, read_pass(self._recording), int(n_bytes))
                    writer.write(b"same\n" if own_digest == digest else b"other\n")
                case ["known", name]:
                    return FeedResult(name, self._total, known=True)
                case ["begin", name, start]:
                    self._mode = f"pass={name}"
                    await self._send_from(int(start), reader, writer)
                    return FeedResult(name, self._total, known=False)
                case ["busy", name]:
                    raise _NotNowError(f"it waits until {name} is fed")
                case ["later", *reason]:
                    raise _NotNowError(" ".join(reason))
                case _:
                    raise RunError(f"cannot feed {self._recording.name}: {' '.join(words)[:200]}")

    async def _answer(self, reader: asyncio.StreamReader, *, answered: bool) -> list[str]:
        try:
            async with asyncio.timeout(HELLO_S):
                line = await reader.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise ConnectionResetError("the connection was closed") if answered else _SilentError(_SILENT)
        self._retry.has_answered = True
        return line.decode("utf-8", "replace").split()

    async def _send_from(self, start: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening = asyncio.create_task(self._listen(reader, start), name="feed: recorded")
        sending = asyncio.create_task(self._write(writer, start), name="feed: send")
        try:
            await asyncio.wait((listening, sending), return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                sending.result()
            await listening
        finally:
            listening.cancel()
            sending.cancel()
            await asyncio.wait((listening, sending))

    async def _write(self, writer: asyncio.StreamWriter, start: int) -> None:
        """Write the recording from byte `start` on, paced by its receive times."""
        chunk_bytes = 1 << 16 if self._speed else 1 << 20
        batches = _between(read_pass(self._recording, chunk_bytes), start, self._total)
        if self._rate_bits_per_s is not None:
            batches = all_at_rate(batches, self._rate_bits_per_s)
        async for batch in paced(batches, self._speed):
            writer.write(batch.data.tobytes())
            await writer.drain()

    async def _listen(self, reader: asyncio.StreamReader, start: int) -> None:
        """Read `recorded` lines until all bytes are recorded. Raises ConnectionError if the connection ends first."""
        recorded = start
        while recorded < self._total:
            words = (await reader.readline()).split()
            if words[:1] != [b"recorded"]:
                raise ConnectionResetError("the connection was closed")
            recorded = int(words[1])
            self._retry.has_answered = True
            self._retry.progressed()


def _n_bytes(recording: Path) -> int:
    """Size of the unpacked recording in bytes. A damaged one counts as far as it can be read, which is logged."""
    if recording.is_file() and not compression(recording) and not begins_with_record(recording):
        return recording.stat().st_size
    total = 0
    for batch in read_pass(recording):
        total += len(batch.data)
        if batch.damage:
            _log.warning("the recording is not whole", reason=batch.damage)
    return total


def _between(batches: Iterable[ByteBatch], start: int, stop: int) -> Iterator[ByteBatch]:
    """Give bytes `start` to `stop` of the batches with their receive times (the first: of the mark before it)."""
    position = 0
    for batch in batches:
        first, last = (min(max(end - position, 0), len(batch.data)) for end in (start, stop))
        position += len(batch.data)
        if first < last:
            n_before = max(int(np.searchsorted(batch.mark_start, first, "right")) - 1, 0)
            n_until = int(np.searchsorted(batch.mark_start, last))
            marks = np.maximum(batch.mark_start[n_before:n_until] - first, 0)
            yield ByteBatch(batch.data[first:last], marks, batch.mark_ns[n_before:n_until])
        if position >= stop:
            return
