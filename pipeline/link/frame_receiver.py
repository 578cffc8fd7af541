"""From a stream of coded blocks or bare frames to the packets of its wanted channels.

In: bytes with receive times. Out: packets and frames, batch by batch. Kept between batches: what the synchroniser,
the channels' counters and their packet assemblers hold, each of them bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import ByteBatch, Event, FrameBatch
from pipeline.link.blocks import FixedBlocks
from pipeline.link.channels import ChannelOutput, VirtualChannel
from pipeline.link.coding import Checked, FrameDecoder
from pipeline.link.frames import Arrivals
from pipeline.link.guard import SettingsGuard
from pipeline.link.headers import Headers, header_reader
from pipeline.link.marks import ReceiveTimes
from pipeline.link.output import LinkOutput, put_together
from pipeline.link.settings import ChannelSettings, LinkSettings
from pipeline.link.synchronizer import Blocks, Marker, Synchronizer

_OTHER_CHANNELS_KEPT = 256


class FrameReceiver:
    """A link that carries transfer frames."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self._decoder = FrameDecoder(settings)
        self._blocks = _block_source(settings, self._decoder.block_length)
        self._headers = header_reader(settings)
        self._channels = [VirtualChannel(channel, settings.reorder_window_frames) for channel in channels]
        self._guard = SettingsGuard(settings, channels)
        self._times = ReceiveTimes()
        self._n_frames = 0  # that passed all checks, on any channel
        self._n_other = 0
        self._others: Counter[tuple[int, int]] = Counter()

    def feed(self, batch: ByteBatch) -> LinkOutput:
        self._times.add(batch)
        outputs, told = self._receive(self._blocks.feed(batch.data))
        self._times.forget_before(self._blocks.place)
        return put_together(outputs, told)

    def flush(self) -> LinkOutput:
        outputs, told = self._receive(self._blocks.flush())
        told += self._guard.judge()
        last = [channel.flush(self._n_frames) for channel in self._channels]
        self._times.forget_before(self._blocks.place)
        return put_together([*outputs, *(output for output in last if output)], told)

    def report(self) -> dict[str, Any]:
        coding = asdict(self._decoder.counts)
        codewords = {str(k): int(n) for k, n in enumerate(coding.pop("codewords")) if n}
        channels = [channel.report() for channel in self._channels]
        others = [
            {"scid": scid, "vcid": vcid, "frames": n}
            for (scid, vcid), n in sorted(self._others.items(), key=lambda item: (-item[1], item[0]))
        ]
        return {
            "bytes": {"read": self._times.n_bytes, "skipped": self._blocks.skipped_bytes},
            "frames": {**coding, "other_channel": self._n_other, "corrected_symbols": codewords},
            "synchronizer": self._blocks.report(),
            "channels": channels,
            "other_channels": others,
            "packets": self._packet_report(channels),
        }

    def _packet_report(self, channels: Sequence[dict[str, Any]]) -> dict[str, Any]:
        by_apid: Counter[int] = Counter()
        for channel in self._channels:
            by_apid.update(channel.sequence.by_apid())
        return {
            "read": sum(channel["packets"] for channel in channels),
            "by_apid": {str(apid): n for apid, n in sorted(by_apid.items())},
            "sequence_gaps": sum(channel.sequence.n_breaks for channel in self._channels),
            "idle_packets": sum(channel["idle_packets"] for channel in channels),
            "truncated_packets": sum(channel["truncated_packets"] for channel in channels),
            "bad_headers": sum(channel["bad_headers"] for channel in channels),
        }

    def _receive(self, blocks: Blocks) -> tuple[list[ChannelOutput], tuple[Event, ...]]:
        """Frames to their channels, packets assembled; and what the guard has to say."""
        if not len(blocks.start):
            return [], ()
        checked = self._decoder.decode(blocks.data)
        if not len(checked.row):
            return [], self._guard.watch(blocks.data, checked.row)
        headers = self._headers.read(checked.frames)
        arrivals = self._arrivals(checked, headers, self._times.at(blocks.start[checked.row]))
        outputs, other = self._distribute(arrivals, headers.valid)
        return outputs, self._guard.watch(blocks.data, checked.row[~other])

    def _arrivals(self, checked: Checked, headers: Headers, received_ns: NDArray[np.int64]) -> Arrivals:
        n = len(checked.row)
        frames = FrameBatch(
            data=checked.frames,
            scid=headers.scid,
            vcid=headers.vcid,
            vc_count=headers.vc_count,
            first_header_pointer=headers.first_header_pointer,
            lost=np.zeros(n, np.int32),
            n_corrected=checked.n_corrected,
            received_ns=received_ns,
            data_start=headers.zone_start,
            data_stop=headers.zone_stop,
        )
        index = np.arange(self._n_frames, self._n_frames + n, dtype=np.int64)
        self._n_frames += n
        return Arrivals(frames, index)

    def _distribute(
        self, arrivals: Arrivals, valid: NDArray[np.bool_]
    ) -> tuple[list[ChannelOutput], NDArray[np.bool_]]:
        """Outputs in order of the channels, which decides between frames that go on at the same moment.

        With them, which frames are of no wanted channel.
        """
        outputs: list[ChannelOutput] = []
        frames = arrivals.frames
        other = np.ones(len(arrivals), bool)
        for channel in self._channels:
            wanted = channel.settings
            mine = valid & (frames.scid == wanted.spacecraft_id) & (frames.vcid == wanted.virtual_channel) & other
            if mine.any():
                other &= ~mine
                own = arrivals if mine.all() else arrivals.take(np.nonzero(mine)[0])
                outputs.append(channel.feed(own, self._headers.count_modulus(own.frames.data[0])))
            expired = channel.expire(self._n_frames - 1)
            if expired:
                outputs.append(expired)
        self._count_others(frames, other)
        return outputs, other

    def _count_others(self, frames: FrameBatch, other: NDArray[np.bool_]) -> None:
        """Frames of channels nobody asked for, or of another version: each channel by itself, up to a limit."""
        n_other = int(other.sum())
        self._n_other += n_other
        if not n_other:
            return
        key = frames.scid[other].astype(np.int64) << 8 | frames.vcid[other]
        values, first, counts = np.unique(key, return_index=True, return_counts=True)
        for which in np.argsort(first):
            name = (int(values[which]) >> 8, int(values[which]) & 0xFF)
            if name in self._others or len(self._others) < _OTHER_CHANNELS_KEPT:
                self._others[name] += int(counts[which])


def _block_source(settings: LinkSettings, block_length: int) -> Synchronizer | FixedBlocks:
    if settings.framing == "frames":
        return FixedBlocks(block_length)
    checked_later = settings.reed_solomon is not None or settings.fecf
    marker = Marker.of(
        settings.sync_marker,
        settings.marker_errors_searching,
        settings.marker_errors_locked,
        settings.flywheel_frames,
    )
    return Synchronizer(marker, block_length, eager=checked_later)
