"""From a stream of space packets back to back to a batch of them: the way of recordings without frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..model.batches import ByteBatch, PacketBatch, Quality
from .channels.sequence import SequenceCounts
from .marks import ReceiveTimes
from .output import LinkOutput
from .packets.packet_headers import is_idle, packet_fields
from .packets.packet_stream import PacketStream, StreamPackets
from .settings import ChannelSettings, LinkSettings, link_report
from .verdict import HeaderCounts


class PacketReceiver:
    """A link of packets without frames: spacecraft and channel are 0, `received_ns` is that of the last byte."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self._settings = settings
        self._stream = PacketStream(settings.packet_prefix_bytes)
        self._times = ReceiveTimes()
        self._sequence = SequenceCounts()
        self._channels = channels
        self._n_idle = self._n_packets = 0

    def feed(self, batch: ByteBatch) -> LinkOutput:
        self._times.add(batch)
        before = self._stream.break_off() if batch.missing else None
        found = self._stream.feed(batch.data)
        return self._hand_on(StreamPackets.join(before, found) if before else found)

    def flush(self, last: ByteBatch | None = None) -> LinkOutput:
        """The stream ends, with `last` if there is any."""
        if last is None:
            return self._hand_on(self._stream.flush())
        self._times.add(last)
        return self._hand_on(StreamPackets.join(self._stream.feed(last.data), self._stream.flush()))

    def header_counts(self) -> list[HeaderCounts]:
        """Packet headers so far, if there are bad ones; a link of packets has no channels."""
        n_bad = self._stream.bad_headers
        return [HeaderCounts("packets", n_bad, self._n_packets)] if n_bad else []

    def report(self) -> dict[str, Any]:
        by_apid = self._sequence.by_apid()
        zeros = {"skipped_zeros": self._stream.skipped_zeros} if self._stream.skipped_zeros else {}
        frames = ("read", "clean", "corrected", "uncorrectable", "failed_check", "other_channel")
        return {
            "link": link_report(self._settings),
            "bytes": {"read": self._times.n_bytes, "skipped": self._stream.skipped_bytes, **zeros},
            "frames": dict.fromkeys(frames, 0),
            "channels": [],
            "packets": {
                "read": sum(by_apid.values()),
                "by_apid": {str(apid): n for apid, n in by_apid.items()},
                "sequence_gaps": self._sequence.n_breaks,
                "idle_packets": self._n_idle,
                "truncated_packets": self._stream.truncated_packets,
                "bad_headers": self._stream.bad_headers,
            },
        }

    def _hand_on(self, found: StreamPackets) -> LinkOutput:
        self._n_packets += len(found.start)
        found = self._without_idle(found)
        received_ns = self._times.at(found.last)
        self._times.forget_before(self._stream.place)
        if not len(found.start):
            return LinkOutput(PacketBatch.empty())
        _, apid, count, flags = packet_fields(found.word)
        quality = self._sequence.feed(apid, count) * np.uint32(Quality.AFTER_GAP)
        none = np.zeros(len(apid), np.uint16)
        packets = PacketBatch(
            found.octets,
            found.start,
            found.length,
            apid,
            count,
            flags,
            none,
            none.astype(np.uint8),
            received_ns,
            quality,
        )
        return LinkOutput(packets)

    def _without_idle(self, found: StreamPackets) -> StreamPackets:
        """The packets but idle ones, which are counted."""
        idle = is_idle(found.word)
        n_idle = int(np.count_nonzero(idle))
        if not n_idle:
            return found
        self._n_idle += n_idle
        kept = np.nonzero(~idle)[0]
        return StreamPackets(
            found.octets, found.start[kept], found.length[kept], found.word[kept], found.last[kept]
        )
