"""What the link layer hands on, put together from its channels in order of completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Event, FrameBatch, PacketBatch
from .channels.channels import ChannelOutput
from .frames.tables import Arrivals


@dataclass(frozen=True, slots=True)
class LinkOutput:
    """What one feed brought forth.

    `packets`: whole space packets, idle ones left out, in order of completion; `received_ns` is that of the frame
    that completed the packet. `frames`: those of the wanted channels in order of count within each, duplicates left
    out; `received_ns` is the receive time of the last byte, or the time stamp of the insert zone where none is known;
    None without any. `events`: gaps and restarts of a count, settings that look wrong.
    """

    packets: PacketBatch
    events: tuple[Event, ...] = ()
    frames: FrameBatch | None = None


NO_PACKETS = PacketBatch.empty()


def put_together(
    parts: Sequence[ChannelOutput | None], told: tuple[Event, ...] = (), *, frames: bool = True
) -> LinkOutput:
    """The outputs of the channels as one, frames and packets each in order of the frame that let them go on.

    `told`: events that are of no channel.
    """
    outputs = [output for output in parts if output and len(output.arrivals)]
    if not outputs:
        return LinkOutput(NO_PACKETS, told)
    carriers = _frames([output for output in outputs if not output.repeated]) if frames else None
    return LinkOutput(_packets(outputs), told + _events(outputs), carriers)


def _frames(outputs: Sequence[ChannelOutput]) -> FrameBatch | None:
    if not outputs:
        return None
    arrivals = Arrivals.join([output.arrivals for output in outputs])
    if len(outputs) == 1:
        return arrivals.frames
    return arrivals.take(np.argsort(arrivals.index, kind="stable")).frames


def _events(outputs: Sequence[ChannelOutput]) -> tuple[Event, ...]:
    told = [(int(output.arrivals.index[row]), event) for output in outputs for row, event in output.events]
    return tuple(event for _, event in sorted(told, key=lambda pair: pair[0]))


def _packets(outputs: Sequence[ChannelOutput]) -> PacketBatch:
    """The packets of all channels in order of completion."""
    parts, order, n_octets = [], [], 0
    for output in outputs:
        found, arrivals = output.packets, output.arrivals
        if found is None or not len(found):
            continue
        frames, frame = arrivals.frames, found.frame
        parts.append(
            PacketBatch(
                found.octets,
                found.start + n_octets if n_octets else found.start,
                found.length,
                found.apid,
                found.seq_count,
                found.seq_flags,
                frames.scid[frame],
                frames.vcid[frame],
                frames.received_ns[frame],
                found.quality,
            )
        )
        order.append((arrivals.index, frame))
        n_octets += len(found.octets)
    if len(parts) < 2:
        return parts[0] if parts else NO_PACKETS
    return _merge(parts, np.argsort(np.concatenate([index[frame] for index, frame in order]), kind="stable"))


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
