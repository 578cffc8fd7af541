"""Records one station, and keeps its passes in flight until they are closed: confirmed, and beyond any resend.

In: `Arrival`s of a source. Out: bytes on disk (`recordings.log`); for each pass a `Dispatch` and, on disk, its
checkpoint: how far publish has confirmed it. Bytes that the disk refuses are returned to the caller, who retries.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from ..model.batches import Event
from ..model.errors import RunError
from ..recordings.log import PassFolder, Policy, Recorder
from ..recordings.log_reader import PassReader
from ..recordings.records import UNKNOWN
from ..recordings.retention import Retention
from ..stations.tcp import Arrival
from .dispatch import Dispatch, Pace
from .protocol import MAX_EVENTS, Chunk, StageMessage

_AGAIN = "~"  # between a pass's name and its number where the name is in use
_log = structlog.get_logger("ingest")


@dataclass(slots=True)
class PassInFlight:
    """A pass that is not closed: its recording, and its dispatch to the other services."""

    folder: PassFolder
    dispatch: Dispatch
    ended: bool
    recorded_at: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=4096))
    """Bytes of the pass after each write, and the time of the write (seconds since 1970)."""
    committed: int = 0
    logged_run: str = ""
    """The newest run that was logged."""
    reader: PassReader | None = None
    """Of the present run."""
    n_damaged: int = 0
    """Places where recorded bytes are missing: such a pass is never closed."""

    def count_new_damage(self) -> int:
        """Number of damaged places found since the last call."""
        n_before = self.n_damaged
        self.n_damaged = max(n_before, self.reader.n_damaged if self.reader else 0)
        return self.n_damaged - n_before


class StationRecorder:
    """One station: its recorder, and its passes in flight.

    `marks_connections`: the link has no sync marker, so a frame or packet cut by a lost connection cannot be
    distinguished from the bytes of the next connection: the recording then has a gap where a connection begins.
    """

    def __init__(
        self, name: str, recorder: Recorder, policy: Policy, pace: Pace, *, marks_connections: bool = False
    ) -> None:
        self.name = name
        self._marks_connections = marks_connections
        self.recorder = recorder
        self._policy = policy
        self._pace = pace
        self._retention = Retention(policy.keep_bytes, policy.keep_s)
        self.disk_full = False
        self.checkpoint_failure = ""
        """Why checkpoints cannot be written, or old passes not deleted; empty where they can."""
        self._whole_frames = False
        self.n_odd = self.n_lost = 0
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        """Events of the station, to be published with the next chunk."""
        self._last_byte_at = time.monotonic()
        now_open = recorder.open
        earlier = self._of_name(now_open.name.split(_AGAIN)[0]) if now_open else []
        self._n_earlier = sum(one.n_bytes() for one in earlier) - recorder.n_bytes
        """Bytes of earlier passes with the name of the open one."""
        self.passes = [self._in_flight(one) for one in recorder.passes() if not one.committed.closed]

    def position_of(self, name: str) -> int:
        """Sync, then give the bytes of all passes of a name that survive a loss of power."""
        if self._is_open(name):
            with suppress(OSError):
                self.recorder.sync()
        return self.n_durable_of(name)

    def n_durable_of(self, name: str) -> int:
        """Bytes of all passes of a name that survive a loss of power."""
        if self._is_open(name):
            return self._n_earlier + self.recorder.n_durable
        return sum(one.n_bytes() for one in self._of_name(name))

    @property
    def open_name(self) -> str:
        """The sender's name of the open pass; empty where none is open."""
        return self.recorder.open.name.split(_AGAIN)[0] if self.recorder.open else ""

    def n_recorded(self, arrival: Arrival) -> int:
        """Bytes of the pass of an arrival that survive a loss of power."""
        if not arrival.resumes:
            return self.n_durable_of(arrival.name)
        now_open = self.recorder.open
        if now_open and now_open.name == arrival.name:
            return self.recorder.n_durable
        return sum(one.n_bytes() for one in self._named(arrival.name))

    def recorded(self) -> list[PassFolder]:
        """All passes of the station, the newest first; without the open one if its disk has failed."""
        with suppress(OSError):
            self.recorder.sync()
        passes = self.recorder.passes()[::-1]
        return [one for one in passes if not (self.recorder.broken and one.name == self._open_folder_name)]

    def begin(self, name: str) -> PassFolder:
        """End the open pass and begin another, with a number behind a name in use. OSError where the disk fails."""
        self._end_or_raise()
        self._n_earlier = self.position_of(name) if name else 0
        folder = self.recorder.begin(time.time_ns(), self._free_name(name) if name else "")
        self.passes.append(self._in_flight(folder))
        self._whole_frames = True
        self._last_byte_at = time.monotonic()
        _log.info("a pass begins", station=self.name, pass_=folder.name)
        return folder

    def resume(self, folder: PassFolder) -> None:
        """Reopen a recorded pass: with its next bytes it is decoded again from its beginning."""
        now_open = self.recorder.open
        self._last_byte_at = time.monotonic()
        if now_open and now_open.name == folder.name:
            return
        self._end_or_raise()
        one = next((one for one in self.passes if one.folder.name == folder.name), None)
        self.recorder.reopen(one.folder if one else folder)
        if one:
            self.passes.remove(one)
            one.ended = False
            one.dispatch.reopen()
        self.passes.append(one or self._in_flight(folder))
        self._whole_frames, self._n_earlier = False, 0
        _log.info("a pass is resumed", station=self.name, pass_=folder.name, bytes=self.recorder.n_bytes)

    def record(self, arrival: Arrival) -> Arrival | None:
        """Write an arrival. Returns the part that the disk refused, for a retry; None where all is written."""
        self._last_byte_at = time.monotonic()
        try:
            if arrival.pieces or arrival.odd_datagrams or (arrival.name and not arrival.ended):
                self._be_open(arrival)
            if arrival.odd_datagrams and self.recorder.open:
                self.recorder.append_odd_datagrams(arrival.odd_datagrams)
                arrival = replace(arrival, odd_datagrams=())
            if arrival.reconnected:
                if self._marks_connections and self.recorder.n_bytes:
                    self.recorder.gap(UNKNOWN, "a new connection: bytes may be missing before it")
                arrival = replace(arrival, reconnected=False)
        except OSError as error:
            return self._refused_by_disk(arrival, 0, error.strerror or str(error))
        n_done = self.recorder.append(arrival.pieces, arrival.received_ns) if arrival.pieces else 0
        if n_done and self.passes and self.recorder.open:
            self.passes[-1].recorded_at.append((self.recorder.n_bytes, time.time()))
            self._whole_frames &= arrival.whole_frames
        if n_done < len(arrival.pieces):
            return self._refused_by_disk(arrival, n_done, self.recorder.reason)
        if arrival.ended and self._is_open_one(arrival) and not self.end():
            return replace(arrival, pieces=[], received_ns=[])
        if self.disk_full and not self.recorder.broken:
            _log.warning("the disk takes bytes again", station=self.name)
            self.disk_full = False
        return None

    def _is_open_one(self, arrival: Arrival) -> bool:
        """Whether an arrival is of the open pass; only one that resumes a pass may be of another."""
        now_open = self.recorder.open
        return not arrival.resumes or now_open is None or now_open.name == arrival.name

    def with_events(self, messages: list[StageMessage]) -> list[StageMessage]:
        """Return the messages, with the waiting events in the first Chunk among them."""
        if not self.events:
            return messages
        place = next((i for i, one in enumerate(messages) if isinstance(one, Chunk)), None)
        if place is None:
            return messages
        events, first = tuple(self.events), messages[place]
        assert isinstance(first, Chunk)
        self.events.clear()
        return [*messages[:place], replace(first, events=events), *messages[place + 1 :]]

    @property
    def complete_at(self) -> int:
        """Bytes of the open pass, if all of it was received as single frames; else -1."""
        return self.recorder.n_bytes if self._whole_frames and self.recorder.open else -1

    def end(self) -> bool:
        """End the open pass. False where the disk fails."""
        now_open, n_bytes = self.recorder.open, self.recorder.n_bytes
        if now_open is None:
            return True
        try:
            self.recorder.end()
        except OSError as error:
            self._refused_by_disk(Arrival([], []), 0, error.strerror or str(error))
            return False
        _log.info("the pass ended", station=self.name, pass_=now_open.name, bytes=n_bytes)
        self.passes[-1].ended = True
        return True

    def end_after(self, gap_s: float) -> None:
        """End the open pass after `gap_s` seconds without a byte."""
        if self.recorder.open and not self.disk_full and time.monotonic() - self._last_byte_at > gap_s:
            self.end()

    async def commit(self, now: float) -> None:
        """Write the checkpoints and drop closed passes. Where the disk fails, `checkpoint_failure` is the reason.

        In a thread: a disk may be slow, and the link does not wait for it.
        """
        try:
            await self._write_positions(now)
        except (RunError, OSError) as error:
            if not self.checkpoint_failure:
                _log.error("positions cannot be written; tried again", station=self.name, reason=str(error))
            self.checkpoint_failure = str(error)
        else:
            self.checkpoint_failure = ""

    async def _write_positions(self, now: float) -> None:
        for one in list(self.passes):
            if one.count_new_damage():
                _log.error("the recording is damaged", station=self.name, pass_=one.folder.name, n=one.n_damaged)
            committed = one.dispatch.committed(now)
            if one.n_damaged:
                committed = replace(committed, closed=False)
            if committed.n_bytes != one.committed or committed.closed:
                await asyncio.to_thread(one.folder.commit, committed)
                one.committed = committed.n_bytes
            if committed.closed:
                one.dispatch.close()
                self.passes.remove(one)
        for name in await asyncio.to_thread(self._delete_expired):
            _log.info("a committed pass is deleted", station=self.name, pass_=name)

    @property
    def n_damaged(self) -> int:
        """Number of damaged passes in flight."""
        return sum(one.n_damaged > 0 for one in self.passes)

    def stalled(self, now: float) -> dict[str, str]:
        """Names of stalled passes, with the reason."""
        found = {one.folder.name: one.dispatch.stalled(now) for one in self.passes}
        return {name: why for name, why in found.items() if why}

    def lag(self) -> tuple[int, float]:
        """Lag: bytes recorded and not confirmed, and the age of the oldest of them in seconds."""
        n_bytes, oldest = 0, time.time()
        for one in self.passes:
            confirmed = max(one.dispatch.n_best, 0)
            while one.recorded_at and one.recorded_at[0][0] <= confirmed:
                one.recorded_at.popleft()
            try:
                n_recorded = self.recorder.n_bytes if not one.ended else one.folder.n_bytes()
            except OSError:  # reported by `unread`
                n_recorded = confirmed
            n_recorded -= one.reader.n_missing if one.reader else 0
            n_bytes += max(n_recorded - confirmed, 0)
            oldest = min(oldest, one.recorded_at[0][1]) if one.recorded_at else oldest
        return n_bytes, time.time() - oldest

    def _be_open(self, arrival: Arrival) -> None:
        name, now_open = arrival.name, self.recorder.open
        if arrival.resumes:
            if not now_open or now_open.name != name:
                found = self._named(name)
                self.resume(found[0]) if found else self.begin(name)
        elif now_open is None or (name and not self._is_open(name)):
            self.begin(name)

    def _free_name(self, name: str) -> str:
        """The name; where passes have it already, with the next number behind it."""
        numbers = [int(one.name.partition(_AGAIN)[2] or 1) for one in self._of_name(name)]
        return f"{name}{_AGAIN}{max(numbers) + 1}" if numbers else name

    def _named(self, name: str) -> list[PassFolder]:
        """The pass with this folder name, in a list; empty where there is none."""
        return [one for one in self.recorder.passes() if one.name == name]

    @property
    def _open_folder_name(self) -> str:
        return self.recorder.open.name if self.recorder.open else ""

    def _end_or_raise(self) -> None:
        if not self.end():
            raise OSError(errno.EIO, self.recorder.reason or "the pass before cannot be ended")

    def _is_open(self, name: str) -> bool:
        return bool(name) and self.open_name == name

    def _delete_expired(self) -> list[str]:
        """Delete passes beyond the limits of the policy. Returns their names."""
        if self._policy.keep_bytes is None and self._policy.keep_s is None:
            return []
        gone = self._retention.delete_expired(self.recorder.passes(), time.time_ns())
        self.recorder.deleted(sum(n_bytes for _, n_bytes in gone))
        return [name for name, _ in gone]

    def _of_name(self, name: str) -> list[PassFolder]:
        return [one for one in self.recorder.passes() if one.name.split(_AGAIN)[0] == name]

    def _refused_by_disk(self, arrival: Arrival, n_done: int, reason: str) -> Arrival:
        if not self.disk_full:
            _log.error("the disk takes no more: the station waits", station=self.name, reason=reason)
        self.disk_full = True
        return replace(arrival, pieces=arrival.pieces[n_done:], received_ns=arrival.received_ns[n_done:])

    def _in_flight(self, folder: PassFolder) -> PassInFlight:
        def open_reader() -> PassReader:
            in_flight.count_new_damage()
            in_flight.reader = PassReader(folder, lambda: self.recorder.newest)
            return in_flight.reader

        dispatch = Dispatch(self.name, folder.name, open_reader, self._pace)
        in_flight = PassInFlight(folder, dispatch, folder.ended)
        return in_flight
