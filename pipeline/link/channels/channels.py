"""One wanted virtual channel: its frames in order, its packets, its counts, its gaps told as events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ...model.batches import Event, Quality
from ..frames.clcw import control_words, read_clcw
from ..frames.headers import HeaderReader
from ..frames.tables import Arrivals
from ..packets.assembly import Assembly
from ..packets.tables import Packets
from ..settings import ChannelSettings
from ..verdict import HeaderCounts
from .continuity import WIDE_COUNT, Continuity, ContinuityCounts
from .sequence import SequenceCounts

_GAPS_LISTED = 1000
_AFTER_GAP = np.uint32(Quality.AFTER_GAP)


@dataclass(frozen=True, slots=True)
class ChannelOutput:
    """Frames in order of their count, and the packets that ended in them (`packets.frame` counts in `arrivals`)."""

    arrivals: Arrivals
    packets: Packets | None
    events: tuple[tuple[int, Event], ...]
    """Each with the row of `arrivals` that it is told with."""
    repeated: bool = False
    """The frames went on before; these packets ended with them all the same."""


class VirtualChannel:
    """State of one channel."""

    def __init__(self, settings: ChannelSettings, headers: HeaderReader) -> None:
        self.settings = settings
        self._name = f"{settings.name} ({settings.spacecraft_id}/{settings.virtual_channel})"
        self.sequence = SequenceCounts()
        self._window: int | None = None
        self._continuity: Continuity | None = None
        self._headers = headers
        self._assembly = Assembly(headers, hand_on=settings.hand_on_fragments)
        self._last: Arrivals | None = None
        self._gaps: list[dict[str, int]] = []
        self._received_ns = (0, 0)
        self._n_replayed = 0
        self._n_stamped = 0
        self._n_suspected = 0
        self._clcw: dict[str, Any] | None = None

    def header_counts(self) -> HeaderCounts:
        """Packet headers so far, bad ones and good ones; cheap enough to be asked after every batch."""
        counts = self._assembly.counts
        n_good = counts.packets + counts.idle_packets + counts.encapsulation_packets
        return HeaderCounts(self._name, counts.bad_headers, n_good)

    def feed(self, arrivals: Arrivals) -> ChannelOutput:
        """Frames as they came in."""
        if self._continuity is None:
            modulus = self._headers.count_modulus(arrivals.frames.data[0])
            self._continuity = Continuity(modulus, self._window)
        return self._put_out(self._continuity.feed(arrivals))

    def allow_late(self, window: int | None) -> None:
        """Frames may come late by so many frames of the link from now on; None: they come in order."""
        self._window = window
        if self._continuity:
            self._continuity.window = window

    def expire(self, now: int) -> ChannelOutput | None:
        """What has waited long enough when frame `now` of the link has arrived."""
        released = self._continuity.expire(now) if self._continuity else None
        return self._put_out(released) if released else None

    def flush(self, now: int) -> list[ChannelOutput]:
        """The recording ends: what still waits; the unfinished packet is counted, or handed on."""
        released = self._continuity.flush(now) if self._continuity else None
        outputs = [self._put_out(released)] if released else []
        packets = self._assembly.flush()
        if packets is None or self._last is None:
            return outputs
        self._mark_sequence_breaks(packets)
        carrier = Arrivals(self._last.frames, np.full_like(self._last.index, now))
        return [*outputs, ChannelOutput(carrier, packets, (), repeated=True)]

    def break_off(self, now: int, n_most: int) -> list[ChannelOutput]:
        """Up to `n_most` frames are missing before the next one (-1: any number).

        Where the count may have turned meanwhile, what is unfinished is not taken to go on.
        """
        modulus = self._continuity.modulus if self._continuity else 0
        return self.flush(now) if modulus and (n_most >= modulus or (n_most < 0 and modulus < WIDE_COUNT)) else []

    def report(self) -> dict[str, Any]:
        """The channel's entry in the pass report.

        `frames` includes duplicates and late frames; `insert_zone_times`: frames whose receive time is not known, for
        which the time stamp of the insert zone stands; `gap_list` holds the first gaps, -1 lost being a restart.
        """
        continuity = asdict(self._continuity.counts if self._continuity else ContinuityCounts())
        return {
            "scid": self.settings.spacecraft_id,
            "vcid": self.settings.virtual_channel,
            "name": self.settings.name,
            "service": self.settings.service,
            **continuity,
            **asdict(self._assembly.counts),
            "suspected_losses": self._n_suspected,
            "replay_frames": self._n_replayed,
            "insert_zone_times": self._n_stamped,
            "clcw": self._clcw,
            "first_received_ns": self._received_ns[0],
            "last_received_ns": self._received_ns[1],
            "gap_list": list(self._gaps),
        }

    def _put_out(self, arrivals: Arrivals) -> ChannelOutput:
        packets = None
        arrivals = self._timed(arrivals)
        if self.settings.service == "packets" and len(arrivals):
            packets = self._assembly.feed(arrivals.frames)
            self._mark_sequence_breaks(packets)
            self._last = arrivals.take(slice(-1, None)) if self.settings.hand_on_fragments else None
        self._count_kinds(arrivals)
        self._read_control_word(arrivals)
        events = self._events(arrivals) + (() if packets is None else self._suspicions(arrivals))
        return ChannelOutput(arrivals, packets, events)

    def _timed(self, arrivals: Arrivals) -> Arrivals:
        """Frames without a receive time get the time stamp of their insert zone, where there is one."""
        frames = arrivals.frames
        if np.count_nonzero(frames.received_ns) == len(arrivals):
            return arrivals
        stamped = self._headers.insert_times(frames.data)
        if stamped is None:
            return arrivals
        self._n_stamped += int(np.count_nonzero((frames.received_ns == 0) & (stamped != 0)))
        received_ns = np.where(frames.received_ns == 0, stamped, frames.received_ns)
        return Arrivals(replace(frames, received_ns=received_ns), arrivals.index)

    def _count_kinds(self, arrivals: Arrivals) -> None:
        frames = arrivals.frames
        known = frames.received_ns.nonzero()[0]
        if len(known):
            first, last = frames.received_ns[known[0]].item(), frames.received_ns[known[-1]].item()
            self._received_ns = (self._received_ns[0] or first, last)
        replayed = self._headers.replayed(frames.data)
        self._n_replayed += 0 if replayed is None else int(np.count_nonzero(replayed))

    def _read_control_word(self, arrivals: Arrivals) -> None:
        """The last one is what a person wants to see; mostly that of the last frame."""
        flagged = self._headers.with_operational_control(arrivals.frames.data)
        rows = () if flagged is None else flagged.nonzero()[0]
        for some in (rows[-1:], rows[:-1]):
            if not len(some):
                return
            frames = arrivals.frames.data[some]
            words = control_words(frames, self._headers.control_field_at)[::-1].tolist()
            if clcw := next(filter(None, map(read_clcw, words)), None):
                self._clcw = clcw
                return

    def _mark_sequence_breaks(self, packets: Packets) -> None:
        if len(packets):
            packets.quality[self.sequence.feed(packets.apid, packets.seq_count)] |= _AFTER_GAP

    def _events(self, arrivals: Arrivals) -> tuple[tuple[int, Event], ...]:
        """A gap or a restart of the count, told when the frame after it goes on."""
        lost = arrivals.frames.lost
        rows = lost.nonzero()[0].tolist()
        if not rows:
            return ()
        self._list_gaps(arrivals, rows)
        return tuple((row, self._event(int(lost[row]), int(arrivals.frames.received_ns[row]))) for row in rows)

    def _suspicions(self, arrivals: Arrivals) -> tuple[tuple[int, Event], ...]:
        """Where the count goes on and the pointer contradicts: a narrow count does not show a loss of a whole turn."""
        modulus = self._continuity.modulus if self._continuity else 0
        if modulus >= WIDE_COUNT:
            return ()
        rows = self._assembly.contradicting
        self._n_suspected += len(rows)
        channel = self.settings
        details = {"scid": channel.spacecraft_id, "vcid": channel.virtual_channel, "channel": channel.name}
        text = (
            f"{channel.name}: a pointer contradicts the packet before: {modulus} frames or a multiple may be lost"
        )
        times = arrivals.frames.received_ns
        return tuple((row, Event("warning", "suspected_loss", text, int(times[row]), details)) for row in rows)

    def _list_gaps(self, arrivals: Arrivals, rows: Sequence[int]) -> None:
        """The first so many gaps, each by the frame after it."""
        frames = arrivals.frames
        for row in rows[: max(0, _GAPS_LISTED - len(self._gaps))]:
            lost, count, time_ns = frames.lost[row], frames.vc_count[row], frames.received_ns[row]
            self._gaps.append({"lost_frames": int(lost), "vc_count": int(count), "received_ns": int(time_ns)})

    def _event(self, lost: int, time_ns: int) -> Event:
        channel = self.settings
        details = {"scid": channel.spacecraft_id, "vcid": channel.virtual_channel, "channel": channel.name}
        if lost < 0:
            return Event("warning", "counter_restart", f"{channel.name}: frame count began anew", time_ns, details)
        frames = "1 frame" if lost == 1 else f"{lost} frames"
        return Event("warning", "gap", f"{channel.name}: {frames} lost", time_ns, {**details, "lost_frames": lost})


def packet_report(channels: Sequence[VirtualChannel]) -> dict[str, Any]:
    """The key packets of the pass report, over all channels."""
    by_apid: Counter[int] = Counter()
    for channel in channels:
        by_apid.update(channel.sequence.by_apid())
    reports = [channel.report() for channel in channels]
    sums = ("idle_packets", "encapsulation_packets", "fragments", "truncated_packets", "bad_headers")
    return {
        "read": sum(report["packets"] for report in reports),
        "by_apid": {str(apid): n for apid, n in sorted(by_apid.items())},
        "sequence_gaps": sum(channel.sequence.n_breaks for channel in channels),
        **{name: sum(report[name] for report in reports) for name in sums},
    }
