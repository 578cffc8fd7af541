"""When the bytes of a recording are due in a paced replay.

In: the batches of one recording, in order. Out: the same bytes with marks for when they are due, on any time scale that
runs at the rate of the link. In this order of preference: a rate given by the user; the receive times of the recording;
those in its records or its container; time stamps in the insert zone of its frames; the onboard clock of its packets.
A batch without marks is due at once.

Onboard times come from decoding the recording a second time with byte positions in place of receive times: frames and
packets then carry the position at which they begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..link.frames.frame_types import header_reader
from ..link.receiver import Receiver
from ..mission.loading import Mission
from ..model.batches import NO_TIME, ByteBatch
from ..processing.chain import ProcessingChain
from ..recordings.reader import at_rate

MARK_BYTES = 16
"""Onboard times are placed to this resolution in the recording."""
RECORDED_MARK_BYTES = 1024
"""Receive times in records are placed to this resolution."""
LONGEST_STEP_NS = 600 * 10**9
"""A step of a clock that is longer, or goes back, is a jump between recorded data: it is passed over."""

Longs = NDArray[np.int64]
Timed = Iterator[tuple[str, Longs, Longs]]
"""Name of a clock, places in the recording (bytes), times (ns): int64[n] each, in order of the recording."""


class Pace(Protocol):
    """The rule by which the batches of one recording are due."""

    words: str
    """What sets the pace, for people."""

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:
        """Give the bytes of `batch`, which begins at byte `position`, with marks for when they are due."""


def choose_pace(mission: Mission, batch: ByteBatch, rate_bits_per_s: float | None, *, merged: bool) -> Pace | None:
    """Give the best pace for a recording that begins with `batch`; None where nothing in it has a time.

    `merged`: batches of several recordings, whose byte positions are no measure of time.
    """
    if rate_bits_per_s is not None:
        return RatePace(rate_bits_per_s)
    if len(batch.mark_ns):
        return ReceivePace()
    return None if merged else _pace_inside(mission, batch)


def _pace_inside(mission: Mission, batch: ByteBatch) -> Pace | None:
    """The pace by what the bytes of a recording hold."""
    if (mission.link.record_time or mission.link.container != "none") and _holds_times(mission, batch):
        return RecordedPace(mission)
    if mission.link.framing != "packets" and mission.link.insert_zone_time:
        return OnboardPace(_insert_zone_times(mission), "the time stamps of its insert zones")
    if mission.plan is not None and mission.time_terms:
        return OnboardPace(_packet_times(mission), "the onboard clock of its packets")
    return None


class ReceivePace:
    """Bytes are due as they were received."""

    words = "its receive times"

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:  # noqa: ARG002 - of the protocol
        return batch


class RecordedPace:
    """Bytes are due as the receive times go on that records or a container hold."""

    words = "the receive times in its records"

    def __init__(self, mission: Mission) -> None:
        self._receiver = Receiver(mission.link, mission.channels)
        self._newest_ns = 0

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:  # noqa: ARG002 - of the protocol
        start, times = [], []
        for at in range(0, len(batch.data), RECORDED_MARK_BYTES):
            output = self._receiver.receive(ByteBatch.of(batch.data[at : at + RECORDED_MARK_BYTES]))
            received_ns = (output.packets if output.frames is None else output.frames).received_ns
            newest_ns = int(received_ns.max(initial=0))
            if newest_ns > self._newest_ns:
                self._newest_ns = newest_ns
                start.append(at)
                times.append(newest_ns)
        return replace(batch, mark_start=np.array(start, np.int64), mark_ns=np.array(times, np.int64))


def _holds_times(mission: Mission, batch: ByteBatch) -> bool:
    """Whether receive times are found in the first bytes of a recording."""
    return len(RecordedPace(mission).timed(batch, 0).mark_ns) > 0


class RatePace:
    """Bytes are due at a constant rate."""

    def __init__(self, bits_per_s: float) -> None:
        self._bits_per_s = bits_per_s
        self.words = f"{bits_per_s / 1000:g} kbit/s"

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:
        return at_rate(batch, position, self._bits_per_s)


class OnboardPace:
    """Bytes are due as the onboard clocks in them go on.

    Clocks of different packets may differ by days, as those of recorded data do. Each is followed by itself: time goes
    on as far as the clock that has gone furthest since its first reading.
    """

    def __init__(self, times_of: Callable[[ByteBatch], Timed], words: str) -> None:
        self._times_of, self.words = times_of, words
        self._clocks: dict[str, tuple[int, int]] = {}
        self._elapsed_ns = 0

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:
        start = np.arange(0, len(batch.data), MARK_BYTES)
        placed = ByteBatch(batch.data, start, position + start + 1)  # 0 would be no time
        found = [(place - 1, self._elapsed(name, ns)) for name, place, ns in self._times_of(placed) if len(ns)]
        if not found:
            return replace(batch, mark_start=start[:0], mark_ns=start[:0])
        places, elapsed = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        order = np.argsort(places, kind="stable")
        due = np.maximum.accumulate(np.maximum(elapsed[order], self._elapsed_ns))
        self._elapsed_ns = int(due[-1])
        at, first = np.unique(np.maximum(places[order] - position, 0), return_index=True)
        return replace(batch, mark_start=at, mark_ns=due[first])

    def _elapsed(self, name: str, time_ns: Longs) -> Longs:
        """How far a clock has gone at each of its readings."""
        last_ns, before_ns = self._clocks.get(name, (int(time_ns[0]), self._elapsed_ns))
        step = np.diff(time_ns, prepend=last_ns)
        elapsed: Longs = before_ns + np.where((step > 0) & (step <= LONGEST_STEP_NS), step, 0).cumsum()
        self._clocks[name] = int(time_ns[-1]), int(elapsed[-1])
        return elapsed


def _insert_zone_times(mission: Mission) -> Callable[[ByteBatch], Timed]:
    receiver, headers = Receiver(mission.link, mission.channels), header_reader(mission.link)

    def times_of(batch: ByteBatch) -> Timed:
        output = receiver.receive(batch)
        if output.frames is not None:
            stamped = headers.insert_times(output.frames.data)
            if stamped is not None:
                yield "insert zone", output.frames.received_ns, stamped

    return times_of


def _packet_times(mission: Mission) -> Callable[[ByteBatch], Timed]:
    line = ProcessingChain(mission, until="columns")

    def times_of(batch: ByteBatch) -> Timed:
        for columns in line.process(batch).columns:
            for apid in np.unique(columns.apid):
                known = (columns.apid == apid) & (columns.time_ns != NO_TIME)
                yield f"{columns.container}/{apid}", columns.received_ns[known], columns.time_ns[known]

    return times_of
