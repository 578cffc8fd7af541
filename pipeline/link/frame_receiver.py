"""From one stream of coded blocks or bare frames to the packets of its wanted channels.

In: bytes with receive times. Out: packets and frames, batch by batch. Kept between batches: what the synchroniser,
the channels' counters and their packet assemblers hold, each of them bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.batches import ByteBatch, PacketBatch
from pipeline.link.channels import ChannelOutput, VirtualChannel, packet_report
from pipeline.link.front_end import FrontEnd, Sorted
from pipeline.link.lone import frame_batch, packet_batch
from pipeline.link.output import LinkOutput, put_together, with_insert_times
from pipeline.link.settings import ChannelSettings, LinkSettings

_NONE = PacketBatch.empty()


class FrameReceiver:
    """A link that carries transfer frames."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings], *, frames: bool) -> None:
        self._settings = settings
        self._with_frames = frames or bool(settings.insert_zone_codec)
        self._front_end = FrontEnd(settings, channels)
        self._channels = [VirtualChannel(channel, self._front_end.headers) for channel in channels]
        self._unordered = False
        self._channel_of = {
            (one.settings.spacecraft_id, one.settings.virtual_channel): one for one in reversed(self._channels)
        }

    def feed(self, batch: ByteBatch) -> LinkOutput:
        if batch.unordered != self._unordered:
            self._unordered = batch.unordered
            for channel in self._channels:
                channel.allow_late(self._settings.reorder_window_frames if batch.unordered else None)
        return self._feed_lone(batch) or self._receive(self._front_end.feed(batch), final=False)

    def flush(self) -> LinkOutput:
        return self._receive(self._front_end.flush(), final=True)

    def report(self) -> dict[str, Any]:
        channels = [channel.report() for channel in self._channels]
        return {**self._front_end.report(), "channels": channels, "packets": packet_report(self._channels)}

    def _feed_lone(self, batch: ByteBatch) -> LinkOutput | None:
        """What a batch that is one frame brings, where there is nothing about it to decide."""
        frame = self._front_end.lone(batch)
        if frame is None:
            return None
        channel = self._channel_of.get((frame.header.scid, frame.header.vcid))
        if channel is None or any(one.waits for one in self._channels):
            return None
        packets = channel.take_lone(frame)
        if packets is None:
            return None
        self._front_end.take_lone(batch)
        if not self._with_frames:
            return LinkOutput(packet_batch(frame, packets), encapsulated=_NONE)
        output = LinkOutput(packet_batch(frame, packets), frames=frame_batch(frame), encapsulated=_NONE)
        return with_insert_times(output, self._settings)

    def _receive(self, arrived: Sorted, *, final: bool) -> LinkOutput:
        """Frames to their channels; in order of the channels, which decides between frames of the same moment."""
        outputs: list[ChannelOutput | None] = []
        for channel, arrivals in zip(self._channels, arrived.by_channel, strict=True):
            if arrivals is not None:
                outputs.append(channel.feed(arrivals))
            outputs.append(channel.expire(self._front_end.n_frames - 1))
        if final:
            for channel in self._channels:
                outputs += channel.flush(self._front_end.n_frames)
        output = put_together(outputs, arrived.told, frames=self._with_frames)
        return with_insert_times(output, self._settings)
