"""Decodes a stream of space packets back to back (recordings without frames)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..model.batches import ByteBatch, PacketBatch, Quality
from .channels.sequence import SequenceCounts, gap_report
from .marks import ReceiveTimes
from .output import NO_PACKETS, LinkOutput
from .packets.packet_headers import count_idle, header_fields, not_idle
from .packets.packet_stream import PacketStream, StreamPackets
from .settings import ChannelSettings, LinkSettings, link_report
from .verdict import HeaderCounts


class PacketReceiver:
    """A link of packets without frames. Spacecraft and channel are 0; `received_ns` is that of the last byte."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self._settings = settings
        self._stream = PacketStream(settings.packet_prefix_bytes)
        self._times = ReceiveTimes()
        self._sequence = SequenceCounts()
        self._channels = channels
        self._n_idle = self._n_packets = 0

    def receive(self, batch: ByteBatch) -> LinkOutput:
        self._times.add(batch)
        n_bad = self._stream.bad_headers
        before = self._stream.break_off() if batch.missing else None
        found = self._stream.find_packets(batch.data, batch.around)
        found = StreamPackets.join(before, found) if before else found
        return self._output(found, has_bad_headers=self._stream.bad_headers > n_bad)

    def flush(self, last: ByteBatch | None = None) -> LinkOutput:
        """End the stream, after the bytes `last` if there are any."""
        if last is None:
            return self._output(self._stream.flush())
        self._times.add(last)
        return self._output(
            StreamPackets.join(self._stream.find_packets(last.data, last.around), self._stream.flush())
        )

    def header_counts(self) -> list[HeaderCounts]:
        """Counts of good and bad packet headers so far; empty if none is bad."""
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
                **gap_report(self._sequence.gaps_by_apid()),
                "idle_packets": self._n_idle,
                "truncated_packets": self._stream.truncated_packets,
                "bad_headers": self._stream.bad_headers,
            },
        }

    def _output(self, found: StreamPackets, *, has_bad_headers: bool = False) -> LinkOutput:
        n_found = len(found.start)
        self._n_packets += n_found
        start, length, word, last = found.start, found.length, found.word, found.last
        if n_idle := count_idle(word):
            self._n_idle += n_idle
            kept = not_idle(word)
            start, length, word, last = start[kept], length[kept], word[kept], last[kept]
        received_ns = self._times.at(last)
        self._times.forget_before(self._stream.position)
        n = len(start)
        if not n:
            return LinkOutput(NO_PACKETS, has_bad_headers=has_bad_headers)
        apid, count, flags = header_fields(word)
        quality = np.zeros(n, np.uint32)
        breaks = self._sequence.find_breaks(apid, count)
        if len(breaks):
            quality[breaks] = Quality.AFTER_GAP
        scid, vcid = np.zeros(n, np.uint16), np.zeros(n, np.uint8)
        packets = PacketBatch(found.octets, start, length, apid, count, flags, scid, vcid, received_ns, quality)
        return LinkOutput(packets, has_bad_headers=has_bad_headers)
