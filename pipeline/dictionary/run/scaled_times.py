"""Counts of time to int64 nanoseconds: `unit_ns` times the count, plus `offset_ns`, rounded to the nearest nanosecond.

Small integer counts are computed in integers. All other counts are computed in pairs of float64 (a value and what is
missing to it: 106 bits), which is exact far below a nanosecond within the range of int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Flags = NDArray[np.bool_]
NANOSECONDS: np.dtype[Any] = np.dtype(np.int64)
LARGEST_NS = 2.0**63 - 1024
"""The largest float64 that int64 can hold."""
SPLIT = 2.0**27 + 1
"""Splits a float64 into halves of 26 bits (Dekker, A floating-point technique for extending precision, 1971)."""
LARGEST_COUNT = 2.0**900
"""Beyond it the halves overflow; no time is there."""


@dataclass(frozen=True, slots=True)
class ToTime:
    """Counts, integers or floats, to nanoseconds. What int64 cannot hold, and NaN, becomes 0 and is flagged."""

    unit_ns: Fraction
    offset_ns: Fraction
    dtype: np.dtype[Any] = NANOSECONDS

    def fill(self, raw: Array, out: Array) -> Flags | None:
        if raw.dtype.kind == "f" or not self._fits(raw):
            return self._fill_pairs(raw, out)
        top, bottom = self.unit_ns.numerator, self.unit_ns.denominator
        wide = raw.astype(np.int64, copy=False)
        whole, rest = np.divmod(wide, np.int64(bottom))
        out[...] = whole * top + (rest * top + bottom // 2) // bottom + int(self.offset_ns)
        return None

    def _fits(self, raw: Array) -> bool:
        """Whether no step of the computation in integers leaves int64."""
        top, bottom = self.unit_ns.numerator, self.unit_ns.denominator
        if abs(top) * bottom >= 1 << 62 or self.offset_ns.denominator != 1 or not raw.size:
            return not raw.size
        largest = max(abs(int(raw.max())), abs(int(raw.min())))
        return largest < 1 << 63 and largest * abs(self.unit_ns) + abs(self.offset_ns) < LARGEST_NS

    def _fill_pairs(self, raw: Array, out: Array) -> Flags | None:
        high, low = _pair_of(raw)
        wrong = ~(np.abs(high) < LARGEST_COUNT)
        high = np.where(wrong, 0.0, high)
        unit, unit_rest = _pair_of_fraction(self.unit_ns)
        offset, offset_rest = _pair_of_fraction(self.offset_ns)
        product, rest = _product(high, unit)
        total, lost = _sum(product, np.float64(offset))
        rest = rest + (high * unit_rest + low * unit + offset_rest) + lost
        wrong |= ~(np.abs(total) < LARGEST_NS)
        total[wrong] = 0.0
        whole = np.floor(total)
        out[...] = whole.astype(np.int64) + np.floor((total - whole) + rest + 0.5).astype(np.int64)
        out[wrong] = 0
        return wrong if wrong.any() else None


def _pair_of(raw: Array) -> tuple[Array, Array]:
    """Counts as float64, and what is missing to an integer of more than 53 bits."""
    high = raw.astype(np.float64)
    if raw.dtype.kind == "f" or raw.dtype.itemsize < 8:
        return high, np.zeros_like(high)
    # 2**64, to which the largest counts are rounded, is no uint64: the halves are apart.
    upper, lower = (raw >> raw.dtype.type(32)).astype(np.float64) * 2.0**32, raw & raw.dtype.type(0xFFFFFFFF)
    return _sum(upper, lower.astype(np.float64))


def _pair_of_fraction(value: Fraction) -> tuple[float, float]:
    high = float(value)
    return high, float(value - Fraction(high))


def _sum(a: Array, b: Array | np.float64) -> tuple[Array, Array]:
    """The rounded sum, and its error (Knuth, The Art of Computer Programming, volume 2, 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _product(a: Array, b: float) -> tuple[Array, Array]:
    """The rounded product, and its error (Dekker)."""
    total = a * b
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(np.float64(b))
    return total, ((a_high * b_high - total) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(value: Any) -> tuple[Any, Any]:
    scaled = value * SPLIT
    high = scaled - (scaled - value)
    return high, value - high
