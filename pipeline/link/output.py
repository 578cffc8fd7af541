"""Output of the link layer: the outputs of its channels, joined in order of completion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Event, FrameBatch, PacketBatch
from ..model.carrier import carrier
from .channels.channels import ChannelOutput
from .frames.tables import Frames
from .packets.tables import Packets
from .settings import ChannelSettings


@carrier
class LinkOutput:
    """Output of one call of `receive` or `flush`.

    `packets`: whole space packets without idle ones, in order of completion; `received_ns` is that of the frame that
    completed the packet. `frames`: of the wanted channels, without duplicates, in order of count within each channel;
    `received_ns` is the receive time of the last byte, or the time stamp of the insert zone if that is unknown; None:
    no frames. `events`: gaps, counter restarts, wrong settings. `has_bad_headers`: impossible packet headers were
    found.
    """

    packets: PacketBatch
    events: tuple[Event, ...] = ()
    frames: FrameBatch | None = None
    has_bad_headers: bool = False


NO_PACKETS = PacketBatch.empty()


def join_outputs(
    outputs: Sequence[ChannelOutput], events: tuple[Event, ...] = (), *, frames: bool = True
) -> LinkOutput:
    """Join the outputs of channels; frames and packets each in order of the frame that released them (`index`).

    `events`: events of no channel; they come first. `frames`: whether to output the frames.
    """
    if not outputs:
        return LinkOutput(NO_PACKETS, events)
    has_events = has_bad_headers = False
    for output in outputs:
        has_events = has_events or len(output.events) > 0
        has_bad_headers = has_bad_headers or output.has_bad_headers
    if has_events:
        events += _events(outputs)
    return LinkOutput(_packets(outputs), events, _frames(outputs) if frames else None, has_bad_headers)


def _frames(outputs: Sequence[ChannelOutput]) -> FrameBatch | None:
    parts = [output.frames for output in outputs if not output.repeated]
    if not parts:
        return None
    frames = Frames.join(parts)
    return frames.batch() if len(parts) == 1 else frames.take(np.argsort(frames.index, kind="stable")).batch()


def _events(outputs: Sequence[ChannelOutput]) -> tuple[Event, ...]:
    indexed = [(output.frames.index.item(row), event) for output in outputs for row, event in output.events]
    return tuple(event for _, event in sorted(indexed, key=lambda pair: pair[0]))


def _packets(outputs: Sequence[ChannelOutput]) -> PacketBatch:
    """Join the packets of all channels in order of completion."""
    parts, order, n_octets = [], [], 0
    for output in outputs:
        found, frames = output.packets, output.frames
        if found is None or not len(found.start):
            continue
        parts.append(_of_channel(output.settings, found, frames.received_ns[found.frame], n_octets))
        order.append((frames.index, found.frame))
        n_octets += len(found.octets)
    if len(parts) < 2:
        return parts[0] if parts else NO_PACKETS
    data = np.concatenate([part.data for part in parts])
    return PacketBatch.join(
        data, parts, np.argsort(np.concatenate([index[frame] for index, frame in order]), kind="stable")
    )


def _of_channel(
    channel: ChannelSettings, found: Packets, received_ns: NDArray[np.int64], n_before: int
) -> PacketBatch:
    """Make a batch of the packets of one channel; `n_before`: octets of the channels before it."""
    n = len(found.start)
    scid, vcid = np.empty(n, np.uint16), np.empty(n, np.uint8)
    scid[:], vcid[:] = channel.spacecraft_id, channel.virtual_channel
    return PacketBatch(
        found.octets,
        found.start + n_before if n_before else found.start,
        found.length,
        found.apid,
        found.seq_count,
        found.seq_flags,
        scid,
        vcid,
        received_ns,
        found.quality,
    )
