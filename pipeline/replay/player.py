"""Plays recordings at a speed, with pause and seek: the source of a replay.

Out, in order: `BEGIN` at the begin of a run, the bytes of the run when they are due, `END` at the end of the
recordings. A seek forward plays at maximum speed up to the target; a seek back begins another run and does the same
from its first byte. So a run gets the same bytes whatever commands are given, and no product is left out. A thread
reads one batch ahead; not of merged recordings, whose next batch depends on what was decoded.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np

from ..mission.loading import Mission
from ..model.batches import ByteBatch
from ..model.errors import ConfigError
from ..processing.passes import Recordings, recordings
from ..recordings.reader import PACE_STEP_S, size_of_pass
from .control import Command
from .pace import OnboardPace, Pace, ReceivePace, choose_pace

BEGIN, END = "begin", "end"
PIECE_BYTES = 4 << 20
"""Larger pieces cost less for each byte, as long as their results fit into the cache."""

PlayerItem = ByteBatch | str
"""Bytes, BEGIN or END."""


class Player:
    """`state`: "playing", "paused", "seeking" or "ended" (with `hold`, it waits there for a seek or a resume).

    `speed`: None: maximum. `rate_bits_per_s`: constant rate, in place of the times of the recording. A recording
    without any times (see `pace`) is played at maximum speed; `print_line` is called with a line about this.
    `stations`: names of the stations whose recordings are merged; then the consumer sets `next_station` after each
    batch, from the run that decodes it. Raises ConfigError for a speed that is not above 0.
    """

    def __init__(
        self,
        mission: Mission,
        passes: Sequence[Path],
        speed: float | None,
        *,
        stations: Sequence[str] = (),
        hold: bool = False,
        rate_bits_per_s: float | None = None,
        print_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        if speed is not None and not speed > 0:
            raise ConfigError(f"a speed of {speed:g} is not possible: give a number above 0, or max")
        self.n_total = _total_bytes(passes)
        self.speed = None if speed is None or math.isinf(speed) else speed
        self.position = 0
        """Number of bytes of the run so far."""
        self.stations = stations
        self.next_station: int | None = 0
        """Station whose bytes are read next."""
        self._mission, self._passes, self._hold = mission, passes, hold
        self._rate_bits_per_s, self._print_line = rate_bits_per_s, print_line
        self._pace: Pace | None = None
        self._can_go_back = all(path.is_file() or path.is_dir() for path in passes)
        self._time_ns = 0
        self._paused = self._ended = self._rewind = False
        self._until_byte = self._until_ns = 0
        self._anchor: tuple[int, float] | None = None
        self._changed = asyncio.Event()

    @property
    def state(self) -> str:
        if self._until_byte or self._until_ns or self._rewind:
            return "seeking"
        return "ended" if self._ended else "paused" if self._paused else "playing"

    def take(self, command: Command) -> None:
        """Execute a command. Raises ValueError, in one line, if it is not possible."""
        if self._ended and not self._hold:
            raise ValueError(f"{command.name}: the replay is at its end")
        match command.name:
            case "pause":
                self._paused = True
            case "resume":
                self._paused = False
                if self._ended:
                    self._go_to(0, 0)
            case "speed":
                self.speed = command.speed
            case _:
                self._seek(command)
        self._anchor = None
        self._changed.set()

    def lag_s(self, time_ns: int) -> float | None:
        """Lag of bytes received at `time_ns` behind the pace, in seconds; None without a pace."""
        is_paced = isinstance(self._pace, ReceivePace) and self._anchor is not None and self.state == "playing"
        if not is_paced or self.speed is None or not time_ns:
            return None
        return round(max(self._due_ns(self.speed) - time_ns, 0) / self.speed / 1e9, 3)

    async def play(self) -> AsyncGenerator[PlayerItem, None]:
        """Yield the items until the end; with `hold`, forever."""
        while True:
            self.position, self._time_ns, self._anchor, self._rewind = 0, 0, None, False
            self.next_station = 0
            yield BEGIN
            async for batch in self._run():
                yield batch
            if self._rewind:
                continue
            self._until_byte = self._until_ns = 0
            self._ended = True
            yield END
            if not self._hold:
                return
            while not self._rewind:
                await self._change(None)
            self._ended = False

    def _seek(self, command: Command) -> None:
        if command.time_ns is not None:
            if not self._time_ns:
                raise ValueError("seek: the recording has no receive times; give a share")
            self._go_to(0, command.time_ns)
        elif self.n_total is None:
            raise ValueError("seek: the length of the recording is not known; give a time")
        else:
            self._go_to(round((command.share or 0.0) * self.n_total), 0)

    def _go_to(self, byte: int, time_ns: int) -> None:
        back = self._ended or (time_ns <= self._time_ns if time_ns else byte < self.position)
        if back and not self._can_go_back:
            raise ValueError("seek: a pipe cannot be read again from an earlier position")
        self._rewind = self._rewind or back
        self._until_byte, self._until_ns = byte, time_ns

    async def _run(self) -> AsyncIterator[ByteBatch]:
        """Yield recordings in sequence, without the time between them; merged ones together."""
        of_run = recordings(self._mission, self._passes, merged=self._is_merged, chunk_bytes=PIECE_BYTES)
        for number, batches in enumerate(of_run):
            self._anchor = self._pace = None
            position = 0
            async with aclosing(self._read(batches)) as read:
                async for batch in read:
                    timed = await self._timed(batch, position, self._passes[number].name)
                    position += len(batch.data)
                    async for part in self._when_due(batch, timed):
                        self.position += len(part.data)
                        if len(part.mark_ns):
                            self._time_ns = int(part.mark_ns[-1])
                        yield part
                    if self._rewind:
                        return

    @property
    def _is_merged(self) -> bool:
        return len(self.stations) > 1

    async def _read(self, batches: Recordings) -> AsyncGenerator[ByteBatch, None]:
        """Read in a thread, one batch ahead if it is known which one is next."""
        ahead: asyncio.Future[ByteBatch | None] | None = None
        try:
            while True:
                batches.next_station = self.next_station
                batch = await (ahead or asyncio.to_thread(next, batches, None))
                if batch is None:
                    return
                if not self._is_merged:
                    ahead = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
                yield batch
        finally:
            if ahead and not ahead.done():
                ahead.cancel()

    async def _timed(self, batch: ByteBatch, position: int, name: str) -> ByteBatch:
        """Add marks for when the bytes of a batch are due; none if they are due at once."""
        if self.speed is None or not len(batch.data):
            return batch
        is_first = self._pace is None
        if is_first:
            self._pace = choose_pace(self._mission, batch, self._rate_bits_per_s, merged=self._is_merged)
        timed = await asyncio.to_thread(self._pace.timed, batch, position) if self._pace else batch
        if is_first and not position:
            self._report_pace(name, timed)
        return timed

    def _report_pace(self, name: str, timed: ByteBatch) -> None:
        if not len(timed.mark_ns):
            self._print_line(
                f"{name} has no receive times, and there are no times in it: it is replayed as fast as it can be read; "
                "--rate BITS_PER_S sets a pace"
            )
        elif isinstance(self._pace, OnboardPace):
            self._print_line(f"{name} has no receive times: its pace is that of {self._pace.description}")

    async def _when_due(self, batch: ByteBatch, timed: ByteBatch) -> AsyncIterator[ByteBatch]:
        rest = batch
        while not self._rewind:
            n_bytes, wait_s = self._due(rest, timed)
            if n_bytes or not len(rest.data):
                part, rest = _cut(rest, n_bytes)
                _, timed = _cut(timed, n_bytes)
                yield part
                if not len(rest.data):
                    return
            else:
                await self._change(wait_s)

    def _due(self, batch: ByteBatch, timed: ByteBatch) -> tuple[int, float | None]:
        """Return the number of bytes that are due now, by the marks of `timed`, and if 0, the seconds to wait.

        None in place of seconds: wait for a command.
        """
        if not len(batch.data):
            return 0, None
        if self._until_byte or self._until_ns:
            n_before = self._before_sought(batch)
            if n_before:
                return n_before, None
            self._until_byte = self._until_ns = 0
        if self._paused:
            return 0, None
        if self.speed is None or not len(timed.mark_ns):
            return len(batch.data), None
        if self._anchor is None:
            self._anchor = int(timed.mark_ns[0]), monotonic()
        due_ns = self._due_ns(self.speed)
        n_marks = int(np.searchsorted(timed.mark_ns, due_ns, side="right"))
        if not n_marks:
            return 0, max((int(timed.mark_ns[0]) - due_ns) / self.speed / 1e9, PACE_STEP_S)
        return _byte_of(timed, n_marks), None

    def _due_ns(self, speed: float) -> float:
        """Time, on the scale of the pace, up to which bytes are due now, in ns."""
        received_ns, then_s = self._anchor or (0, 0.0)
        return received_ns + (monotonic() - then_s) * speed * 1e9

    def _before_sought(self, batch: ByteBatch) -> int:
        """Number of bytes of a batch before the target of the seek."""
        if self._until_byte:
            return max(min(self._until_byte - self.position, len(batch.data)), 0)
        if not len(batch.mark_ns):
            return len(batch.data)
        return _byte_of(batch, int(np.searchsorted(batch.mark_ns, self._until_ns)))

    async def _change(self, wait_s: float | None) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._changed.wait()


def _byte_of(batch: ByteBatch, mark: int) -> int:
    """Position of a mark; 0 for the first one, the end of the batch after the last one."""
    if mark == 0:
        return 0
    return int(batch.mark_start[mark]) if mark < len(batch.mark_start) else len(batch.data)


def _cut(batch: ByteBatch, n_bytes: int) -> tuple[ByteBatch, ByteBatch]:
    """Split a batch; the second part begins with the receive time that applies there."""
    if n_bytes >= len(batch.data):
        return batch, replace(
            batch, data=batch.data[:0], mark_start=batch.mark_start[:0], mark_ns=batch.mark_ns[:0]
        )
    k = int(np.searchsorted(batch.mark_start, n_bytes))
    first = replace(batch, data=batch.data[:n_bytes], mark_start=batch.mark_start[:k], mark_ns=batch.mark_ns[:k])
    begins = k < len(batch.mark_start) and batch.mark_start[k] == n_bytes
    k = k if begins or not k else k - 1
    start = np.maximum(batch.mark_start[k:] - n_bytes, 0)
    rest = replace(batch, data=batch.data[n_bytes:], mark_start=start, mark_ns=batch.mark_ns[k:])
    return first, replace(rest, missing=0)


def _total_bytes(passes: Sequence[Path]) -> int | None:
    """Total size of the recordings; None if one is a pipe or compressed."""
    sizes = [size_of_pass(path) for path in passes]
    return None if None in sizes else sum(size for size in sizes if size)
