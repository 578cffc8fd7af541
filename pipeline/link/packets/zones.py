"""The packet zones of frames, concatenated behind the partial packet before them, and the chains of packets in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..frames.tables import Frames
from .partial_packets import PartialPacket
from .walk import PAD_BYTES, Chains

Rows = NDArray[np.intp]
Places = NDArray[np.int64]


@dataclass(slots=True)
class Zones:
    """The bytes of a partial packet (row 0) and the packet zones of n frames (rows 1 to n), concatenated.

    `begin`, `end: int64[n + 1]`. `gaps: intp[k]`: rows before which frames are missing, ascending. `n_idle`: number of
    frames of idle data only, whose zones are empty.
    """

    octets: NDArray[np.uint8]
    begin: Places
    end: Places
    gaps: Rows
    n_idle: int


def lay_out(partial: PartialPacket, frames: Frames, gaps: Rows, only_idle: NDArray[np.int64]) -> Zones:
    """Concatenate the zones of `frames` behind a partial packet; `gaps`: rows before which frames are missing."""
    size = np.empty(len(frames.index) + 1, np.int64)
    size[0] = n_partial = len(partial.octets)
    np.subtract(frames.data_stop, frames.data_start, out=size[1:])
    idle = (frames.first_header_pointer == only_idle).nonzero()[0]
    if len(idle):
        size[1:][idle] = 0
    end = size.cumsum()
    n_octets = end.item(-1)
    octets = np.empty(n_octets + PAD_BYTES, np.uint8)
    if n_partial:
        octets[:n_partial] = partial.octets
    octets[n_octets:] = 0
    _copy_zones(frames, idle, octets[n_partial:n_octets])
    return Zones(octets, end - size, end, gaps, len(idle))


def chains_of(zones: Zones, pointer: NDArray[np.int64], least_code: NDArray[np.int64]) -> Chains:
    """Make the chains of packets. `pointer: int64[n]`: first header pointers; from `least_code` on they are codes."""
    in_zone = np.empty(len(pointer) + 1, np.int64)
    in_zone[0] = 0 if zones.end[0] else least_code
    in_zone[1:] = pointer
    row = (in_zone < least_code).nonzero()[0]
    begin = zones.begin[row] + in_zone[row]
    return Chains(row, begin, zones.end[row], _limits(zones, row))


def _limits(zones: Zones, row: Rows) -> Places:
    """End of the range without a gap that each row is in: int64[m]."""
    if not len(zones.gaps):
        return zones.end[-1:].repeat(len(row))
    ends = np.append(zones.begin[zones.gaps], zones.end[-1])
    return ends[zones.gaps.searchsorted(row, side="right")]


def last_of_stretches(zones: Zones, chains: Chains) -> Rows:
    """The last chain of each range without a gap: intp[r], ascending; ranges without a chain are left out."""
    n = len(chains.row)
    if not len(zones.gaps):
        return np.arange(max(n - 1, 0), n)
    stretch = zones.gaps.searchsorted(chains.row, side="right")
    return np.append(stretch[1:] != stretch[:-1], np.ones(min(n, 1), np.bool_)).nonzero()[0]


def _copy_zones(frames: Frames, idle: Rows, out: NDArray[np.uint8]) -> None:
    """Copy the packet zones one behind the other into `out`; those of the rows `idle` are left out."""
    if not len(out):
        return
    start, stop = frames.data_start, frames.data_stop
    n, first, last = len(start), start.item(0), stop.item(0)
    if not len(idle) and (n == 1 or ((start == first).all() and (stop == last).all())):
        out.reshape(n, -1)[:] = frames.data[:, first:last]
        return
    column = np.arange(frames.data.shape[1])
    wanted = (column >= start[:, None]) & (column < stop[:, None])
    wanted[idle] = False
    out[:] = frames.data[wanted]
