"""Packet zones laid end to end, behind what the frames before left unfinished, and the chains of packets in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from ...model.constants import constants
from .partial_packets import PartialPacket
from .walk import PAD_BYTES

Rows = NDArray[np.intp]
Places = NDArray[np.int64]
(_ONE,) = constants(np.intp, 1)


@dataclass(frozen=True, slots=True)
class Zones:
    """The bytes of a partial packet, as row 0, and the packet zones of n frames behind them, as rows 1 to n.

    `begin`, `end: int64[n + 1]`. `gaps: intp[k]`: rows before which frames are missing, ascending. `n_idle`: frames of
    idle data only, whose zones are left out.
    """

    octets: NDArray[np.uint8]
    begin: Places
    end: Places
    gaps: Rows
    n_idle: int


@dataclass(frozen=True, slots=True)
class Chains:
    """m chains of packets, each from a first header pointer on; the partial packet begins one, too.

    `row: intp[m]`; `begin`, `zone_end`: of the first packet, and of its row; `limit`: where the stretch without a gap
    ends, beyond which no packet goes on. `last: intp[r]`: the last chain of each stretch that has any.
    """

    row: Rows
    begin: Places
    zone_end: Places
    limit: Places
    last: Rows


def lay_out(partial: PartialPacket, frames: FrameBatch, gaps: Rows, only_idle: NDArray[np.int32]) -> Zones:
    """The zones of `frames` behind a partial packet; frames are missing before each of the rows `gaps`."""
    size = np.empty(len(frames.lost) + 1, np.int64)
    size[0] = n_partial = len(partial.octets)
    size[1:] = frames.data_stop - frames.data_start
    idle = frames.first_header_pointer == only_idle
    n_idle = int(np.count_nonzero(idle))
    if n_idle:
        size[1:][idle] = 0
    end = size.cumsum()
    octets = np.empty(int(end[-1]) + PAD_BYTES, np.uint8)
    octets[-PAD_BYTES:] = 0
    octets[:n_partial] = partial.octets
    _copy_zones(frames, idle if n_idle else None, octets[n_partial:-PAD_BYTES])
    return Zones(octets, end - size, end, gaps, n_idle)


def chains_of(zones: Zones, pointer: NDArray[np.int32], least_code: NDArray[np.int32]) -> Chains:
    """The chains of packets. `pointer`: of each frame, one of `least_code` or more being none."""
    frame = (pointer < least_code).nonzero()[0]
    row = frame + _ONE
    begin = zones.begin[row] + pointer[frame]
    if zones.end[0]:
        row, begin = np.concatenate(([0], row)), np.concatenate(([0], begin))
    m = len(row)
    if not len(zones.gaps):
        return Chains(row, begin, zones.end[row], zones.end[-1:].repeat(m), np.arange(m)[-1:])
    stretch = np.searchsorted(zones.gaps, row, side="right")
    limit = np.append(zones.begin[zones.gaps], zones.end[-1])[stretch]
    last = np.flatnonzero(ahead(stretch, -1) != stretch)
    return Chains(row, begin, zones.end[row], limit, last)


def ahead(values: NDArray[np.int64], last: int) -> NDArray[np.int64]:
    """All of `values` but the first, then `last`: [n]."""
    out = np.empty_like(values)
    out[:-1] = values[1:]
    out[-1:] = last
    return out


def _copy_zones(frames: FrameBatch, idle: NDArray[np.bool_] | None, out: NDArray[np.uint8]) -> None:
    """Lay the packet zones end to end in `out`."""
    if not len(out):
        return
    start, stop = frames.data_start, frames.data_stop
    if idle is None and (len(start) == 1 or ((start == start[0]).all() and (stop == stop[0]).all())):
        out.reshape(len(start), -1)[:] = frames.data[:, start[0] : stop[0]]
        return
    column = np.arange(frames.data.shape[1])
    wanted = (column >= start[:, None]) & (column < stop[:, None])
    out[:] = frames.data[wanted if idle is None else wanted & ~idle[:, None]]
