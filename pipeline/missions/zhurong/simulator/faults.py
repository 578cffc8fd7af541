"""Faults of the link: relay frames that are lost, uncorrectable or sent twice, and symbol errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....model.errors import ConfigError
from . import chance
from .arrays import Flags, Longs, Octets
from .scenario import Faults

CORRECTABLE = 16
LONGEST_BURST = 5


@dataclass(frozen=True, slots=True)
class FrameFaults:
    """Rows of relay frames, ascending; no frame has two faults."""

    lost: Longs
    uncorrectable: Longs
    duplicated: Longs


def choose(n_relay: int, faults: Faults, seed: int) -> FrameFaults:
    """Draw the frames with faults; the first and the last relay frame are spared, so every loss shows as a gap."""
    wanted = faults.lost_frames + faults.uncorrectable_frames + faults.duplicate_frames
    if wanted > max(0, n_relay - 2):
        raise ConfigError(f"{wanted} frames to lose, spoil or repeat, but the pass has only {n_relay} relay frames")
    draw = chance.stream(seed, "frame faults")
    lost = _bursts(n_relay, faults.lost_frames, draw)
    others = draw.permutation(np.setdiff1d(np.arange(1, n_relay - 1), lost))
    spoilt, rest = np.split(others, [faults.uncorrectable_frames])
    return FrameFaults(lost, np.sort(spoilt), np.sort(rest[: faults.duplicate_frames]))


def _bursts(n_relay: int, n_lost: int, draw: np.random.Generator) -> Longs:
    """Frames lost in bursts of one to five."""
    lost: set[int] = set()
    while len(lost) < n_lost:
        first = int(draw.integers(1, n_relay - 1))
        burst = range(first, min(first + int(draw.integers(1, LONGEST_BURST + 1)), n_relay - 1))
        lost.update([frame for frame in burst if frame not in lost][: n_lost - len(lost)])
    return np.array(sorted(lost), np.int64)


def add_symbol_errors(blocks: Octets, uncorrectable: Flags, interleave: int, faults: Faults, seed: int) -> Flags:
    """Put wrong symbols into coded blocks uint8[n, interleave * symbols], in place.

    One codeword of each uncorrectable block gets 17 to 64 wrong symbols; the other codewords of all blocks get
    `symbol_errors` with the chance of `symbol_error_share`. Gives bool[n]: hit, but correctable.
    """
    n = len(blocks)
    draw = chance.stream(seed, "symbol errors")
    struck = draw.random((n, interleave)) < faults.symbol_error_share
    n_wrong = np.where(struck, faults.symbol_errors, 0)
    spoilt = np.flatnonzero(uncorrectable)
    n_wrong[spoilt, draw.integers(0, interleave, spoilt.size)] = draw.integers(CORRECTABLE + 1, 65, spoilt.size)
    for block, codeword in np.argwhere(n_wrong):
        symbols = blocks[block, codeword::interleave]
        wrong = draw.permutation(symbols.size)[: n_wrong[block, codeword]]
        symbols[wrong] ^= draw.integers(1, 256, wrong.size, np.uint8)
    return (n_wrong > 0).any(axis=1) & ~uncorrectable
