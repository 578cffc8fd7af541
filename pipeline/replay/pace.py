"""When the bytes of a recording are due in a paced replay.

In: the batches of one recording, in order. Out: the same bytes with marks for when they are due, on any time scale that
runs at the rate of the link. In order of preference: a rate from the user; receive times of the recording; receive
times in its records or container; time stamps in the insert zones of its frames; the onboard clock of its packets.
A batch without marks is due at once.

To find the positions of onboard times, the recording is decoded with byte positions in place of receive times.
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
"""Resolution of the positions of onboard times."""
RECORDED_MARK_BYTES = 1024
"""Resolution of the positions of receive times in records."""
LONGEST_STEP_NS = 600 * 10**9
"""A longer step of a clock, or one back, is a jump between stored data: it is left out."""

Longs = NDArray[np.int64]
Timed = Iterator[tuple[str, Longs, Longs]]
"""Name of a clock, byte positions in the recording, times (ns): int64[n] each, in order of the recording."""


class Pace(Protocol):
    """Determines when the batches of one recording are due."""

    description: str
    """Description, for messages."""

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:
        """Add marks for when the bytes of `batch`, which begins at byte `position`, are due."""


def choose_pace(mission: Mission, batch: ByteBatch, rate_bits_per_s: float | None, *, merged: bool) -> Pace | None:
    """Return the preferred pace for a recording that begins with `batch`; None if there are no times in it.

    `merged`: the batches are of several recordings, so byte positions cannot be used.
    """
    if rate_bits_per_s is not None:
        return RatePace(rate_bits_per_s)
    if len(batch.mark_ns):
        return ReceivePace()
    return None if merged else _pace_inside(mission, batch)


def _pace_inside(mission: Mission, batch: ByteBatch) -> Pace | None:
    """Return the pace by times in the bytes of a recording."""
    if (mission.link.record_time or mission.link.container != "none") and _holds_times(mission, batch):
        return RecordedPace(mission)
    if mission.link.framing != "packets" and mission.link.insert_zone_time:
        return OnboardPace(_insert_zone_times(mission), "the time stamps of its insert zones")
    if mission.plan is not None and mission.time_terms:
        return OnboardPace(_packet_times(mission), "the onboard clock of its packets")
    return None


class ReceivePace:
    """Bytes are due at their receive times."""

    description = "its receive times"

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:  # noqa: ARG002 - of the protocol
        return batch


class RecordedPace:
    """Bytes are due at the receive times in records or a container."""

    description = "the receive times in its records"

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
    """Whether the first bytes of a recording have receive times."""
    return len(RecordedPace(mission).timed(batch, 0).mark_ns) > 0


class RatePace:
    """Bytes are due at a constant rate."""

    def __init__(self, bits_per_s: float) -> None:
        self._bits_per_s = bits_per_s
        self.description = f"{bits_per_s / 1000:g} kbit/s"

    def timed(self, batch: ByteBatch, position: int) -> ByteBatch:
        return at_rate(batch, position, self._bits_per_s)


class OnboardPace:
    """Bytes are due by the onboard clocks in them.

    Clocks of different packets may differ by days, as those of stored data do. So the time elapsed is determined for
    each separately; the largest one counts.
    """

    def __init__(self, times_of: Callable[[ByteBatch], Timed], description: str) -> None:
        self._times_of, self.description = times_of, description
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
        """Time elapsed at each reading of a clock, ns."""
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
    chain = ProcessingChain(mission, until="columns")

    def times_of(batch: ByteBatch) -> Timed:
        for columns in chain.process(batch).columns:
            for apid in np.unique(columns.apid):
                known = (columns.apid == apid) & (columns.time_ns != NO_TIME)
                yield f"{columns.container}/{apid}", columns.received_ns[known], columns.time_ns[known]

    return times_of
