"""Decodes one stream of coded blocks or bare frames to the packets of its wanted channels.

In: bytes with receive times. Out: packets and frames, batch by batch. State between batches: the synchronizer, the
frame counters of the channels and their partial packets, each of bounded size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.batches import ByteBatch, Event
from .channels.channels import ChannelOutput, VirtualChannel, packet_report
from .frames.frame_types import channel_readers
from .front_end import FrontEnd, Sorted
from .output import LinkOutput, join_outputs
from .settings import ChannelSettings, LinkSettings
from .verdict import HeaderCounts


class FrameReceiver:
    """A link that carries transfer frames. `frames`: also output the frames, not only their packets."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings], *, frames: bool) -> None:
        self._settings = settings
        self._with_frames = frames
        self._front_end = FrontEnd(settings, channels)
        readers = channel_readers(settings, channels, self._front_end.headers)
        self._channels = [VirtualChannel(*pair) for pair in zip(channels, readers, strict=True)]
        self._unordered = False

    def receive(self, batch: ByteBatch) -> LinkOutput:
        if batch.unordered != self._unordered:
            self._unordered = batch.unordered
            for channel in self._channels:
                channel.allow_late(self._settings.reorder_window_frames if batch.unordered else None)
        if batch.missing:
            return self._receive_after_loss(batch)
        arrived = self._front_end.find_frames(batch)
        return self._output(self._channel_outputs(arrived), arrived.events)

    def flush(self, last: ByteBatch | None = None) -> LinkOutput:
        """End the stream, after the bytes `last` if there are any."""
        outputs: list[ChannelOutput] = []
        events: tuple[Event, ...] = ()
        if last is not None:
            arrived = self._front_end.find_frames(last)
            outputs, events = self._channel_outputs(arrived), arrived.events
        arrived = self._front_end.flush()
        outputs += self._channel_outputs(arrived)
        for channel in self._channels:
            outputs += channel.flush(self._front_end.n_frames)
        return self._output(outputs, events + arrived.events)

    def header_counts(self) -> list[HeaderCounts]:
        """Packet headers so far of the channels that have bad ones."""
        return [channel.header_counts() for channel in self._channels if channel.bad_headers]

    def report(self) -> dict[str, Any]:
        channels = [channel.report() for channel in self._channels]
        return {**self._front_end.report(), "channels": channels, "packets": packet_report(self._channels)}

    def _receive_after_loss(self, batch: ByteBatch) -> LinkOutput:
        """Receive a batch before which bytes of the recording are missing."""
        before = self._front_end.break_off(batch.missing)
        outputs = self._channel_outputs(before)
        n_most = self._front_end.most_frames_in(batch.missing)
        for channel in self._channels:
            outputs += channel.break_off(self._front_end.n_frames, n_most)
        arrived = self._front_end.find_frames(batch)
        return self._output(outputs + self._channel_outputs(arrived), before.events + arrived.events)

    def _channel_outputs(self, arrived: Sorted) -> list[ChannelOutput]:
        """Pass frames to their channels, in order of the channels: it decides between frames of equal index."""
        outputs: list[ChannelOutput] = []
        by_channel = arrived.by_channel
        for number, channel in enumerate(self._channels):
            if number in by_channel and (output := channel.receive(by_channel[number])):
                outputs.append(output)
            if channel.has_waiting_frames and (late := channel.expire(self._front_end.n_frames - 1)):
                outputs.append(late)
        return outputs

    def _output(self, outputs: list[ChannelOutput], events: tuple[Event, ...]) -> LinkOutput:
        return join_outputs(outputs, events, frames=self._with_frames)
