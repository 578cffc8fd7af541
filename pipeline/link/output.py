"""What the link layer hands on, put together from its channels in order of completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Event, FrameBatch, PacketBatch
from .channels.channels import ChannelOutput
from .frames.aos import AOS_HEADER_BYTES, HEADER_ERROR_CONTROL_BYTES
from .frames.insert_zone import insert_zone_times
from .frames.tables import Arrivals
from .packets.packet_headers import is_encapsulation, packet_fields, protocol
from .packets.tables import Hole, Packets
from .settings import LinkSettings


@dataclass(frozen=True, slots=True)
class LinkOutput:
    """What one feed brought forth.

    `packets`: whole space packets, idle ones left out, in order of completion; `received_ns` is that of the frame
    that completed the packet. `frames`: those of the wanted channels in order of count within each, duplicates left
    out, `received_ns` being the receive time of the last byte; None without any. `encapsulated`: encapsulation
    packets with their headers, `apid` being the protocol id, without counts. `events`: gaps and restarts of a count,
    settings that look wrong.
    `holes`: what is missing in packets flagged FRAGMENT, by their number in `packets`.
    `insert_time_ns: int64[n]`: onboard UTC of each of `frames` by its insert zone, where the mission names a codec.
    """

    packets: PacketBatch
    events: tuple[Event, ...] = ()
    frames: FrameBatch | None = None
    encapsulated: PacketBatch = field(default_factory=PacketBatch.empty)
    holes: tuple[Hole, ...] = ()
    insert_time_ns: NDArray[np.int64] | None = None


def put_together(
    parts: Sequence[ChannelOutput | None], told: tuple[Event, ...] = (), *, frames: bool = True
) -> LinkOutput:
    """The outputs of the channels as one, frames and packets each in order of the frame that let them go on.

    `told`: events that are of no channel.
    """
    outputs = [output for output in parts if output and len(output.arrivals)]
    if not outputs:
        return LinkOutput(PacketBatch.empty(), told)
    packets, holes = _packets([(output.packets, output.arrivals) for output in outputs])
    encapsulated, _ = _packets([(output.encapsulated, output.arrivals) for output in outputs])
    carriers = _frames([output for output in outputs if not output.repeated]) if frames else None
    return LinkOutput(packets, told + _events(outputs), carriers, encapsulated, holes)


def with_insert_times(output: LinkOutput, settings: LinkSettings) -> LinkOutput:
    """With the time stamps of the insert zones, where the mission names their codec."""
    if not settings.insert_zone_codec or output.frames is None:
        return output
    start = AOS_HEADER_BYTES + HEADER_ERROR_CONTROL_BYTES * settings.header_error_control
    return replace(output, insert_time_ns=insert_zone_times(settings.insert_zone_codec, output.frames.data, start))


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


def _packets(outputs: Sequence[tuple[Packets | None, Arrivals]]) -> tuple[PacketBatch, tuple[Hole, ...]]:
    parts: list[PacketBatch] = []
    holes: list[Hole] = []
    order: list[NDArray[np.int64]] = []
    n_octets = 0
    for packets, arrivals in outputs:
        if packets is None or not len(packets):
            continue
        apid, flags, count = packet_fields(packets.word)
        if is_encapsulation(packets.word[:1])[0]:  # all of one kind
            apid, flags, count = protocol(packets.word), np.zeros_like(flags), np.zeros_like(count)
        frame, frames = packets.frame, arrivals.frames
        parts.append(
            PacketBatch(
                packets.octets,
                packets.start + n_octets,
                packets.length,
                apid,
                count,
                flags,
                frames.scid[frame],
                frames.vcid[frame],
                frames.received_ns[frame],
                packets.quality,
            )
        )
        holes += [replace(hole, packet=hole.packet + sum(map(len, order))) for hole in packets.holes]
        order.append(arrivals.index[frame])
        n_octets += len(packets.octets)
    if not parts:
        return PacketBatch.empty(), ()
    if len(parts) == 1:
        return parts[0], tuple(holes)
    by_index = np.argsort(np.concatenate(order), kind="stable")
    number = np.argsort(by_index)
    return _merge(parts, by_index), tuple(replace(hole, packet=int(number[hole.packet])) for hole in holes)


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
