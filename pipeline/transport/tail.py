"""Live bytes of standard input, or of a file that another program writes."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog

from pipeline.transport.inlet import READ_BYTES
from pipeline.transport.live import Arrival, now_one
from pipeline.transport.stations import Station

POLL_S = 0.05
_log = structlog.get_logger("station")


class GrowingFile:
    """A file from where its recording ends, which `position_of` its pass tells; another of the name follows it."""

    n_lost = 0

    def __init__(self, station: Station, position_of: Callable[[str], int]) -> None:
        self._path = station.path
        self._name = station.name
        self._position_of = position_of

    async def arrivals(self) -> AsyncIterator[Arrival]:
        told = False
        while True:
            try:
                file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                if not told:
                    _log.warning("waiting for the file", station=self._name, reason=error.strerror)
                told = True
                await asyncio.sleep(10 * POLL_S)
                continue
            try:
                async for arrival in self._follow(file, f"{self._path.name}.{os.fstat(file).st_ino}"):
                    yield arrival
            finally:
                os.close(file)

    def recorded(self, n_bytes: int) -> None:
        """Nobody to tell."""

    async def _follow(self, file: int, name: str) -> AsyncIterator[Arrival]:
        """All of one file; ends when another has its name or it was cut."""
        position = self._position_of(name)
        while True:
            if piece := os.pread(file, READ_BYTES, position):
                position += len(piece)
                one = now_one(piece)
                yield Arrival(one.pieces, one.received_ns, name)
            elif os.fstat(file).st_size < position or not _is_same(self._path, file):
                return
            else:
                await asyncio.sleep(POLL_S)


class StandardInput:
    """Ends when it is closed."""

    n_lost = 0

    async def arrivals(self) -> AsyncIterator[Arrival]:
        if stat.S_ISREG(os.fstat(0).st_mode):
            while piece := os.read(0, READ_BYTES):
                yield now_one(piece)
                await asyncio.sleep(0)
        else:
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader(limit=READ_BYTES)
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            try:
                while piece := await reader.read(READ_BYTES):
                    yield now_one(piece)
            finally:
                transport.close()
        yield Arrival([], [], ended=True)

    def recorded(self, n_bytes: int) -> None:
        """Nobody to tell."""


def _is_same(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except OSError:
        return True  # for the moment there is none of the name: what is open may still grow
