"""What the link layer hands on, put together from its channels in order of completion."""

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
    """What one feed brought forth.

    `packets`: whole space packets, idle ones left out, in order of completion; `received_ns` is that of the frame
    that completed the packet. `frames`: those of the wanted channels in order of count within each, duplicates left
    out; `received_ns` is the receive time of the last byte, or the time stamp of the insert zone where none is known;
    None without any. `events`: gaps and restarts of a count, settings that look wrong. `has_bad_headers`: there were
    packet headers that cannot be right.
    """

    packets: PacketBatch
    events: tuple[Event, ...] = ()
    frames: FrameBatch | None = None
    has_bad_headers: bool = False


NO_PACKETS = PacketBatch.empty()


def put_together(
    outputs: Sequence[ChannelOutput], events: tuple[Event, ...] = (), *, frames: bool = True
) -> LinkOutput:
    """The outputs of the channels as one, frames and packets each in order of the frame that let them go on.

    `events`: those that are of no channel; they come first.
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
    """The packets of all channels in order of completion."""
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
    return _merge(parts, np.argsort(np.concatenate([index[frame] for index, frame in order]), kind="stable"))


def _of_channel(
    channel: ChannelSettings, found: Packets, received_ns: NDArray[np.int64], n_before: int
) -> PacketBatch:
    """The packets of one channel, behind `n_before` octets of others."""
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


def _merge(parts: Sequence[PacketBatch], order: NDArray[np.intp]) -> PacketBatch:
    """Batches of one array of octets each, `start` counting through all of them, in the order given."""
    return PacketBatch(
        np.concatenate([part.data for part in parts]),
        np.concatenate([part.start for part in parts])[order],
        np.concatenate([part.length for part in parts])[order],
        np.concatenate([part.apid for part in parts])[order],
        np.concatenate([part.seq_count for part in parts])[order],
        np.concatenate([part.seq_flags for part in parts])[order],
        np.concatenate([part.scid for part in parts])[order],
        np.concatenate([part.vcid for part in parts])[order],
        np.concatenate([part.received_ns for part in parts])[order],
        np.concatenate([part.quality for part in parts])[order],
    )
