"""Live bytes of standard input, or of a file that another program appends to."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import structlog

from .address import Station
from .followed import FollowedFiles
from .tcp import Arrival, arrival_now
from .tcp_protocol import READ_BYTES

POLL_S = 0.05
ROTATION_GRACE_S = 1.0
"""How long a file that has lost its name must stay quiet before its successor is read: writers reopen late."""
_log = structlog.get_logger("station")


class GrowingFile:
    """Follow a file that grows, through rotation, truncation and restarts of this process.

    `position_of(pass_name)`: number of bytes already recorded; reading resumes there if the content is the same. A file
    that was truncated, replaced or rewritten is new content: it is read from its first byte, as a pass of its own.
    `memory`: path of the JSON file that keeps the identities of the contents across restarts.
    """

    n_lost = 0

    def __init__(self, station: Station, position_of: Callable[[str], int], memory: Path) -> None:
        self._path = station.path
        self._name = station.name
        self._position_of = position_of
        self._files = FollowedFiles(memory, station.name)

    async def arrivals(self) -> AsyncIterator[Arrival]:
        logged = ""
        while True:
            try:
                file = _open_regular(self._path)
            except OSError as error:
                reason = error.strerror or str(error)
                if reason != logged:
                    _log.warning("waiting for the file", station=self._name, reason=reason)
                logged = reason
                await asyncio.sleep(10 * POLL_S)
                continue
            logged = ""
            try:
                async for arrival in self._follow(file):
                    yield arrival
            except OSError as error:
                _log.error("the file cannot be read", station=self._name, reason=error.strerror)
                await asyncio.sleep(10 * POLL_S)
            finally:
                os.close(file)

    def recorded(self, n_bytes: int) -> None:
        """No-op: nobody to report to."""

    async def _follow(self, file: int) -> AsyncIterator[Arrival]:
        """Read an open file as it grows. Ends if its path names another file, or if its content was replaced."""
        followed = self._files.resume(self._path.name, file, self._position_of)
        position = self._position_of(followed.pass_name)
        quiet_s = 0.0
        while self._files.is_content_of(followed, file, position):
            if piece := os.pread(file, READ_BYTES, position):
                position += len(piece)
                followed = self._files.extend(followed, file, position)
                quiet_s = 0.0
                yield replace(arrival_now(piece), name=followed.pass_name)
                await asyncio.sleep(0)  # a long backlog must not keep other stations waiting
            elif quiet_s >= ROTATION_GRACE_S and not _is_same(self._path, file):
                return
            else:
                await asyncio.sleep(POLL_S)
                quiet_s += POLL_S
        _log.warning("the file was replaced", station=self._name, recorded_bytes=position)
        self._files.replaced(followed)


class StandardInput:
    """Reads standard input as one pass, which ends when the input is closed."""

    n_lost = 0

    async def arrivals(self) -> AsyncIterator[Arrival]:
        if stat.S_ISREG(os.fstat(0).st_mode):
            while piece := os.read(0, READ_BYTES):
                yield arrival_now(piece)
                await asyncio.sleep(0)
        else:
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader(limit=READ_BYTES)
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            try:
                while piece := await reader.read(READ_BYTES):
                    yield arrival_now(piece)
            finally:
                transport.close()
        yield Arrival([], [], ended=True)

    def recorded(self, n_bytes: int) -> None:
        """No-op: nobody to report to."""


def _open_regular(path: Path) -> int:
    """Open a file for reading without blocking. Raises OSError if it is not a regular file (a pipe would block)."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "not a regular file")
    return file


def _is_same(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except OSError:
        return True  # the name is free for the moment: the open file may still grow
