"""A pass over TCP that survives either side: the receiver says how much is recorded, the sender goes on from there.

The sender writes a line, `downlink <name> <bytes in all>`. The receiver answers with how many bytes of that pass it
has, 8 bytes big-endian, and says so again whenever it has recorded more. The sender sends the pass from
there, and is done when all is recorded.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import structlog

from pipeline.batches import ByteBatch
from pipeline.errors import RunError
from pipeline.transport.inlet import Inlet
from pipeline.transport.live import Arrival, TcpListener
from pipeline.transport.source import paced, read_pass
from pipeline.transport.stations import Station, tls_of
from pipeline.transport.tls import HANDSHAKE_S, in_words, options

COUNT_BYTES = 8
HELLO_S = 10.0
MAX_HELLO_BYTES = 200
_HELLO = re.compile(rb"downlink ([A-Za-z0-9][A-Za-z0-9_.\-]{0,99}) ([0-9]{1,15})\n")
_log = structlog.get_logger("feed")


class FeedListener(TcpListener):
    """A listener that knows what is recorded: `position_of` a pass by its name."""

    def __init__(self, station: Station, position_of: Callable[[str], int]) -> None:
        super().__init__(station)
        self._position_of = position_of
        self._feeding: Inlet | None = None
        self._before = 0

    def recorded(self, n_bytes: int) -> None:
        """Tell the sender. Not waited for: a sender that does not listen loses only its own place."""
        if self._feeding and n_bytes > self._before:
            self._before = n_bytes
            self._feeding.write(n_bytes.to_bytes(COUNT_BYTES, "big"))

    async def _read(self, connection: Inlet) -> None:
        hello = b""
        with suppress(TimeoutError):
            hello = await asyncio.wait_for(connection.read_line(MAX_HELLO_BYTES), HELLO_S)
        known = _HELLO.fullmatch(hello)
        if not known:
            _log.warning("refused: no feed", station=self._station.name, began=hello[:40].hex())
            return
        name, total = known[1].decode(), int(known[2])
        self._before = self._position_of(name)
        self._feeding = connection
        connection.write(self._before.to_bytes(COUNT_BYTES, "big"))
        try:
            n_bytes = self._before
            await self._came.put(Arrival([], [], name, ended=n_bytes >= total))
            while piece := await connection.read():
                n_bytes += len(piece)
                await self._came.put(Arrival([piece], [time.time_ns()], name, ended=n_bytes >= total))
        finally:
            if self._feeding is connection:
                self._feeding = None


async def feed(
    station: Station, recording: Path, name: str, speed: float | None, *, patience_s: float = 60.0
) -> None:
    """Send a recording to a FeedListener until it has all of it; RunError where none answers for `patience_s`."""
    tls = tls_of(station, server=False)
    total = _size(recording)
    heard, told = time.monotonic(), ""
    while True:
        try:
            reader, writer = await _dial(station, tls)
        except ssl.SSLCertVerificationError as error:  # waiting does not mend it
            raise RunError(f"cannot feed {station.host}:{station.port}: {in_words(error)}") from None
        except OSError as error:
            reason = error.strerror or in_words(error) or "no answer"
        else:
            heard, reason = time.monotonic(), "the connection was closed"
            try:
                if await _feed_once(reader, writer, recording, name, speed) >= total:
                    return
            except EOFError:
                reason = "it closes the connection without an answer; does it want another certificate?"
            except OSError as error:
                reason = in_words(error) or "no answer"
            finally:
                writer.transport.abort()
        if time.monotonic() - heard > patience_s:
            raise RunError(f"cannot feed {station.host}:{station.port}: {reason}")
        if reason != told:
            _log.warning("trying on", to=f"{station.host}:{station.port}", reason=reason)
            told = reason
        await asyncio.sleep(0.1)


async def _dial(station: Station, tls: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, within a bounded time; OSError where nobody listens or TLS fails."""
    async with asyncio.timeout(2 * HANDSHAKE_S):
        return await asyncio.open_connection(station.host, station.port, **options(tls))


def _size(recording: Path) -> int:
    return recording.stat().st_size


async def _feed_once(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recording: Path, name: str, speed: float | None
) -> int:
    """Send what is not recorded there yet; what is recorded at the end."""
    total = _size(recording)
    writer.write(f"downlink {name} {total}\n".encode())
    async with asyncio.timeout(HELLO_S):
        start = int.from_bytes(await reader.readexactly(COUNT_BYTES), "big")
    listening = asyncio.create_task(_listen(reader, start, total), name="feed: recorded")
    sending = asyncio.create_task(_send(writer, recording, start, speed), name="feed: send")
    try:
        await asyncio.wait((listening, sending), return_when=asyncio.FIRST_COMPLETED)
        if listening.done():  # all is there, or the connection is gone
            return listening.result()
        sending.result()
        return await listening
    finally:
        listening.cancel()
        sending.cancel()
        await asyncio.wait((listening, sending))


async def _send(writer: asyncio.StreamWriter, recording: Path, start: int, speed: float | None) -> None:
    """The pass from `start` on, each byte not before its time."""
    chunk_bytes = 1 << 16 if speed else 1 << 20
    async for batch in paced(_from(read_pass(recording, chunk_bytes), start), speed):
        writer.write(batch.data.tobytes())
        await writer.drain()


def _from(batches: Iterable[ByteBatch], start: int) -> Iterator[ByteBatch]:
    """The same without the first `start` bytes."""
    place = 0
    for batch in batches:
        cut = min(max(start - place, 0), len(batch.data))
        place += len(batch.data)
        if cut < len(batch.data):
            first = max(int(np.searchsorted(batch.mark_start, cut, "right")) - 1, 0)
            marks = np.maximum(batch.mark_start[first:] - cut, 0)
            yield ByteBatch(batch.data[cut:], marks, batch.mark_ns[first:])


async def _listen(reader: asyncio.StreamReader, start: int, total: int) -> int:
    """The last count that comes, at the latest when it is all."""
    recorded = start
    try:
        while recorded < total:
            recorded = int.from_bytes(await reader.readexactly(COUNT_BYTES), "big")
    except (OSError, EOFError):
        pass
    return recorded
