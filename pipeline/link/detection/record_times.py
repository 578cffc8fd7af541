"""Detects receive times in the record prefix before each frame."""

from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ..coding.blocks import Record
from ..settings import ByteOrder, RecordTime, TimeUnit
from .guess import Guess

_FIRST_NS, _LAST_NS = 946_684_800 * 10**9, 2_208_988_800 * 10**9  # 2000 to 2040
_UNITS: tuple[TimeUnit, ...] = ("ns", "us", "ms", "s")
_FEWEST = 3
_IN_ORDER = 0.95
_LONGEST_STEP_NS = 7 * 86400 * 10**9


def with_times(guess: Guess, prefixes: NDArray[np.uint8]) -> Guess:
    """Add the field of `prefixes: uint8[n, prefix]` that counts time since 1970, if there is one."""
    n, length = prefixes.shape
    if n < _FEWEST:
        return guess
    for size, unit, order in product((8, 4), _UNITS, get_args(ByteOrder)):
        for offset in range(length - size + 1):
            field = RecordTime(offset, size, unit, order)
            if _is_time(prefixes, field):
                text = f"bytes {offset} to {offset + size - 1} of the prefix count {unit} since 1970"
                return guess.having("record_time", (field,), text)
    return guess


def _is_time(prefixes: NDArray[np.uint8], field: RecordTime) -> bool:
    """Whether the field holds ascending times between 2000 and 2040."""
    with np.errstate(over="ignore"):
        times = Record(times=(field,)).received_ns(prefixes)
    sane = (times >= _FIRST_NS) & (times < _LAST_NS)
    step = np.diff(times)
    in_order = (step >= 0) & (step < _LONGEST_STEP_NS)
    return bool(sane.mean() >= _IN_ORDER and in_order.mean() >= _IN_ORDER)
