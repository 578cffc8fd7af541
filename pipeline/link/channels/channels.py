"""One wanted virtual channel: its frames in order, its packets, its counts, an event for each gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Event, Quality
from ..frames.clcw import control_words, is_clcw, read_clcw
from ..frames.headers import HeaderReader
from ..frames.tables import Frames
from ..packets.assembly import Assembly
from ..packets.tables import Packets
from ..settings import ChannelSettings
from ..verdict import HeaderCounts
from .continuity import WIDE_COUNT, Continuity, ContinuityCounts
from .sequence import SequenceCounts, gap_report

_GAPS_LISTED = 1000
_AFTER_GAP = np.uint32(Quality.AFTER_GAP)


@dataclass(slots=True)
class ChannelOutput:
    """Frames of one channel in order of count, and the packets that end in them (`packets.frame`: row of `frames`)."""

    settings: ChannelSettings
    frames: Frames
    packets: Packets | None
    events: Sequence[tuple[int, Event]] = ()
    """Each with the row of `frames` that it belongs to."""
    repeated: bool = False
    """The frames were output before; only the packets are new."""
    has_bad_headers: bool = False
    """Impossible packet headers were found."""


class VirtualChannel:
    """One wanted channel: frame continuity, packet assembly, counts."""

    def __init__(self, settings: ChannelSettings, headers: HeaderReader) -> None:
        self.settings = settings
        self._name = f"{settings.name} ({settings.spacecraft_id}/{settings.virtual_channel})"
        self.sequence = SequenceCounts()
        self.has_waiting_frames = False
        """Whether frames wait for missing ones; then `expire` must be called."""
        self._window: int | None = None
        self._continuity: Continuity | None = None
        self._headers = headers
        self._assembly = Assembly(headers, keep_fragments=settings.hand_on_fragments)
        self._last: Frames | None = None
        self._gaps: list[dict[str, int]] = []
        self._received_ns = (0, 0)
        self._n_replayed = 0
        self._n_stamped = 0
        self._n_suspected = 0
        self._clcw: int | None = None

    @property
    def bad_headers(self) -> int:
        """Number of impossible packet headers so far."""
        return self._assembly.counts.bad_headers

    def header_counts(self) -> HeaderCounts:
        """Counts of good and bad packet headers so far."""
        counts = self._assembly.counts
        n_good = counts.packets + counts.idle_packets + counts.encapsulation_packets
        return HeaderCounts(self._name, counts.bad_headers, n_good)

    def receive(self, frames: Frames) -> ChannelOutput | None:
        """Receive frames in order of arrival, at least one. Returns None if all of them wait or are dropped."""
        if self._continuity is None:
            self._continuity = Continuity(self._headers.count_modulus(frames.data[0]), self._window)
        released = self._continuity.in_order(frames)
        self.has_waiting_frames = self._continuity.has_waiting
        return self._output(released)

    def allow_late(self, window: int | None) -> None:
        """Set how many frames of the link a frame may be late; None: frames arrive in order."""
        self._window = window
        if self._continuity:
            self._continuity.window = window

    def expire(self, now: int) -> ChannelOutput | None:
        """Release waiting frames whose time is over when frame `now` of the link has arrived."""
        released = self._continuity.expire(now) if self._continuity else None
        if released is None:
            return None
        self.has_waiting_frames = False
        return self._output(released)

    def flush(self, now: int) -> list[ChannelOutput]:
        """End the recording: release waiting frames; count the unfinished packet, or output it as a fragment."""
        released = self._continuity.flush(now) if self._continuity else None
        self.has_waiting_frames = False
        output = self._output(released) if released else None
        outputs = [output] if output else []
        packets = self._assembly.flush()
        if packets is None or self._last is None:
            return outputs
        self._mark_sequence_breaks(packets)
        carrier = replace(self._last, index=np.full_like(self._last.index, now))
        return [*outputs, ChannelOutput(self.settings, carrier, packets, repeated=True)]

    def break_off(self, now: int, n_most: int) -> list[ChannelOutput]:
        """Note that up to `n_most` frames are missing before the next one (-1: any number).

        If the count may have wrapped in between, the state is flushed, so that no packet is continued over the gap.
        """
        modulus = self._continuity.modulus if self._continuity else 0
        return self.flush(now) if modulus and (n_most >= modulus or (n_most < 0 and modulus < WIDE_COUNT)) else []

    def report(self) -> dict[str, Any]:
        """Return the channel's entry in the pass report.

        `frames` includes duplicates and late frames. `insert_zone_times`: number of frames without receive time that
        got the time stamp of their insert zone. `gap_list`: the first gaps; -1 lost frames is a counter restart.
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
            "clcw": None if self._clcw is None else read_clcw(self._clcw),
            "first_received_ns": self._received_ns[0],
            "last_received_ns": self._received_ns[1],
            "gap_list": list(self._gaps),
        }

    def _output(self, frames: Frames) -> ChannelOutput | None:
        """Make the output of frames in order; None if there are none."""
        packets = None
        if not len(frames.index):
            return None
        if self._headers.has_insert_times:
            frames = self._with_insert_times(frames)
        gaps = frames.lost.nonzero()[0]
        n_bad = self._assembly.counts.bad_headers
        if self.settings.service == "packets":
            packets = self._assembly.assemble(frames, gaps)
            self._mark_sequence_breaks(packets)
            self._last = frames.take(slice(-1, None)) if self.settings.hand_on_fragments else None
        self._update_receive_times(frames.received_ns)
        self._n_replayed += self._headers.n_replayed(frames)
        if self._headers.may_have_control_field:
            self._read_control_word(frames)
        events = self._gap_events(frames, gaps.tolist()) if len(gaps) else ()
        has_bad_headers = self._assembly.counts.bad_headers > n_bad
        if has_bad_headers:
            events = (*events, *self._suspected_losses(frames, self._assembly.contradicting))
        return ChannelOutput(self.settings, frames, packets, events, has_bad_headers=has_bad_headers)

    def _with_insert_times(self, frames: Frames) -> Frames:
        """Give frames without a receive time the time stamp of their insert zone, if there is one."""
        unknown = (frames.received_ns == 0).nonzero()[0]
        if not len(unknown):
            return frames
        data = frames.data if len(unknown) == len(frames.index) else frames.data[unknown]
        stamped = self._headers.insert_times(data)
        if stamped is None:
            return frames
        self._n_stamped += int(np.count_nonzero(stamped))
        received_ns = frames.received_ns.copy()
        received_ns[unknown] = stamped
        return replace(frames, received_ns=received_ns)

    def _update_receive_times(self, received_ns: NDArray[np.int64]) -> None:
        """Update the first and the last known receive time."""
        if not (received_ns.item(0) and received_ns.item(-1)):
            received_ns = received_ns[received_ns.nonzero()[0]]
            if not len(received_ns):
                return
        self._received_ns = (self._received_ns[0] or received_ns.item(0), received_ns.item(-1))

    def _read_control_word(self, frames: Frames) -> None:
        """Keep the last control word for the report; mostly it is in the last frame."""
        rows = self._headers.with_operational_control(frames)
        for some in (rows[-1:], rows[:-1]):
            if not len(some):
                return
            words = control_words(frames.data[some], self._headers.control_field_at)
            found = words[is_clcw(words)]
            if len(found):
                self._clcw = found.item(-1)
                return

    def _mark_sequence_breaks(self, packets: Packets) -> None:
        if len(packets.apid):
            breaks = self.sequence.find_breaks(packets.apid, packets.seq_count)
            if len(breaks):
                packets.quality[breaks] |= _AFTER_GAP

    def _gap_events(self, frames: Frames, rows: Sequence[int]) -> tuple[tuple[int, Event], ...]:
        """Make an event for each gap or counter restart, at the frame after it."""
        self._list_gaps(frames, rows)
        return tuple((row, self._event(frames.lost.item(row), frames.received_ns.item(row))) for row in rows)

    def _suspected_losses(self, frames: Frames, rows: Sequence[int]) -> tuple[tuple[int, Event], ...]:
        """Events of frames whose count is continuous but whose pointer contradicts: a whole turn may be lost."""
        modulus = self._continuity.modulus if self._continuity else 0
        if modulus >= WIDE_COUNT:
            return ()
        self._n_suspected += len(rows)
        channel = self.settings
        details = {"scid": channel.spacecraft_id, "vcid": channel.virtual_channel, "channel": channel.name}
        text = (
            f"{channel.name}: a pointer contradicts the packet before: {modulus} frames or a multiple may be lost"
        )
        times = frames.received_ns
        return tuple((row, Event("warning", "suspected_loss", text, times.item(row), details)) for row in rows)

    def _list_gaps(self, frames: Frames, rows: Sequence[int]) -> None:
        """List gaps for the report, at most _GAPS_LISTED, each by the frame after it."""
        for row in rows[: max(0, _GAPS_LISTED - len(self._gaps))]:
            lost, count, time_ns = (
                column.item(row) for column in (frames.lost, frames.vc_count, frames.received_ns)
            )
            self._gaps.append({"lost_frames": lost, "vc_count": count, "received_ns": time_ns})

    def _event(self, lost: int, time_ns: int) -> Event:
        channel = self.settings
        details = {"scid": channel.spacecraft_id, "vcid": channel.virtual_channel, "channel": channel.name}
        if lost < 0:
            return Event("warning", "counter_restart", f"{channel.name}: frame count began anew", time_ns, details)
        frames = "1 frame" if lost == 1 else f"{lost} frames"
        return Event("warning", "gap", f"{channel.name}: {frames} lost", time_ns, {**details, "lost_frames": lost})


def packet_report(channels: Sequence[VirtualChannel]) -> dict[str, Any]:
    """Return the key packets of the pass report, summed over all channels."""
    by_apid: Counter[int] = Counter()
    gaps: Counter[int] = Counter()
    for channel in channels:
        by_apid.update(channel.sequence.by_apid())
        gaps.update(channel.sequence.gaps_by_apid())
    reports = [channel.report() for channel in channels]
    sums = ("idle_packets", "encapsulation_packets", "fragments", "truncated_packets", "bad_headers")
    return {
        "read": sum(report["packets"] for report in reports),
        "by_apid": {str(apid): n for apid, n in sorted(by_apid.items())},
        **gap_report(gaps),
        **{name: sum(report[name] for report in reports) for name in sums},
    }
