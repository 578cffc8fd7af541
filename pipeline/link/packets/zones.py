"""Packet zones laid end to end, behind what the frames before left unfinished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from .partial_packets import Held
from .walk import NOTHING, PAD_BYTES


@dataclass(frozen=True, slots=True)
class Zones:
    """The bytes held from before, as row 0, and the packet zones of n frames behind them.

    `begin`, `end: int64[n + 1]`; `run` numbers the stretches without a gap, `limit` is where each ends. `pointer`:
    place of the first packet that begins in the row, `NOTHING` without one, at `end` or beyond where it is wrong.
    """

    octets: NDArray[np.uint8]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    run: NDArray[np.intp]
    limit: NDArray[np.int64]
    pointer: NDArray[np.int64]
    after_gap: NDArray[np.bool_]
    corrected: NDArray[np.bool_]


def lay_out(
    held: Held, frames: FrameBatch, broken: NDArray[np.bool_], no_packet_starts: int, only_idle: int
) -> Zones:
    """The zones of `frames` behind what is held; a gap stands before each frame that is `broken: bool[n]`."""
    idle = frames.first_header_pointer == only_idle
    size = frames.data_stop - frames.data_start
    size[idle] = 0
    end = np.empty(len(size) + 1, np.int64)
    end[0] = len(held.octets)
    np.cumsum(size, out=end[1:])
    end[1:] += len(held.octets)
    begin = _behind(0, end[:-1])
    octets = np.zeros(int(end[-1]) + PAD_BYTES, np.uint8)
    octets[: len(held.octets)] = held.octets
    _copy_zones(frames, idle, octets[len(held.octets) : -PAD_BYTES])
    pointer = begin + _behind(0 if len(held.octets) else NOTHING, frames.first_header_pointer)
    pointer[1:][idle | (frames.first_header_pointer == no_packet_starts)] = NOTHING
    after_gap = _behind(False, broken)
    run = after_gap.cumsum()
    limit = np.full_like(end, end[-1])
    if run[-1]:
        last_rows = np.append(np.nonzero(after_gap)[0] - 1, len(end) - 1)
        limit = end[last_rows][run]
    corrected = _behind(held.corrected, frames.n_corrected > 0)
    return Zones(octets, begin, end, run, limit, pointer, after_gap, corrected)


def _behind(first: Any, rest: NDArray[Any]) -> NDArray[Any]:
    """`first`, then all of `rest`: [n + 1]."""
    out = np.empty(len(rest) + 1, rest.dtype)
    out[0] = first
    out[1:] = rest
    return out


def ahead(values: NDArray[Any], last: Any) -> NDArray[Any]:
    """All of `values` but the first, then `last`: [n]."""
    out = np.empty_like(values)
    out[:-1] = values[1:]
    out[-1:] = last
    return out


def _copy_zones(frames: FrameBatch, idle: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    """Lay the packet zones end to end in `out`."""
    if not len(out):
        return
    start, stop = frames.data_start, frames.data_stop
    if not idle.any() and start[0] == start[-1] and (start == start[0]).all() and (stop == stop[0]).all():
        out.reshape(len(start), -1)[:] = frames.data[:, start[0] : stop[0]]
        return
    column = np.arange(frames.data.shape[1])
    wanted = (column >= start[:, None]) & (column < stop[:, None]) & ~idle[:, None]
    out[:] = frames.data[wanted]
