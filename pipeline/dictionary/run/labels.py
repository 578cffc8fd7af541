"""Labels of enumerations by value, ready to be looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.categorical import Categorical
from ..model.parameter_types import EnumeratedType
from .numbers import SIGNED_FORMS

Array = NDArray[Any]
Flags = NDArray[np.bool_]
UNKNOWN = "UNKNOWN"
LONGEST_UNKNOWN = np.dtype("U28")
"""UNKNOWN_ and 20 digits."""


class ToLabels:
    """Labels by value, as a column of codes.

    Values of a byte or less are codes themselves, into `by_value: unicode[2**bits]`; of wider ones the code is the
    number of the range that holds the value, from 1, into `labels`, whose first text stands for no range. `lows`,
    `highs`: the ranges in ascending order; `table`: range number by value, where there are few values. `dtype`: of the
    labels.
    """

    def __init__(self, kind: EnumeratedType) -> None:
        size_bits, signed = kind.encoding.size_bits, kind.encoding.form in SIGNED_FORMS
        ranges = _ranges(kind, size_bits, signed=signed)
        values = np.array([each[:2] for each in ranges], np.int64 if signed else np.uint64).reshape(-1, 2)
        self.lows, self.highs = values[:, 0].copy(), values[:, 1].copy()
        self.table = None if size_bits > 16 else _range_numbers(ranges, size_bits)
        complete = self.table is not None and int(np.count_nonzero(self.table)) == 1 << size_bits
        self.is_complete = complete
        """Whether every value has a label."""
        # Where every value has a label, texts need not be as wide as what stands for none.
        self.labels = _copied_fast(np.array(["" if complete else UNKNOWN, *(label for _, _, label in ranges)]))
        self.dtype: np.dtype[Any] = self.labels.dtype
        self.by_value: Array | None = None
        self.nameless: Flags | None = None
        """bool[256]: bytes without a label; None: there are none, or values are wider."""
        if self.table is not None and size_bits <= 8:
            n_values = 256 if signed else 1 << size_bits
            self.by_value = self.labels[self.table[:n_values]]
            self.nameless = None if complete else self.table == 0
        self._signed = signed
        self._with_numbers: Array | None = None

    @property
    def code_dtype(self) -> np.dtype[Any]:
        """The least type that numbers all ranges."""
        return np.min_scalar_type(len(self.lows))

    def fill(self, raw: Array, out: Array) -> Flags | None:
        """Write the codes of raw values to `out`, which is their own bytes where they are codes themselves."""
        if self.by_value is not None:
            unknown = None if self.nameless is None else self.nameless.take(raw.view(np.uint8), mode="clip")
            return unknown if unknown is not None and np.count_nonzero(unknown) else None
        number = self.number_of(raw)
        out[...] = number
        return None if np.count_nonzero(number) == number.size else number == 0

    def column(self, raw: Array, codes: Array, *, has_unknown: bool) -> Categorical:
        """The column of codes that `fill` made; `has_unknown`: there are values without a label among them."""
        if not has_unknown:
            return Categorical(codes, self.labels if self.by_value is None else self.by_value)
        if self.by_value is not None:
            return Categorical(codes, self._every_value())
        unknown = np.flatnonzero(codes.reshape(-1) == 0)
        numbers, place = np.unique(raw.reshape(-1)[unknown], return_inverse=True)
        wide = codes.astype(np.min_scalar_type(len(self.labels) + len(numbers)))
        wide.reshape(-1)[unknown] = place + len(self.labels)
        return Categorical(wide, np.concatenate([self.labels, _named(numbers)]))

    def number_of(self, raw: Array) -> Array:
        """The number of the range of each value, from 1; 0 for none."""
        if self.table is not None:
            return self.table.take(raw.view(f"u{raw.dtype.itemsize}"), mode="clip")
        if not len(self.lows):
            return np.zeros(raw.shape, np.intp)
        number = np.searchsorted(self.lows, raw, side="right")
        return np.where((number > 0) & (raw <= self.highs[number - 1]), number, 0)

    def _every_value(self) -> Array:
        """The labels by value, and a text for each value that has none."""
        if self._with_numbers is None:
            assert self.by_value is not None
            assert self.nameless is not None
            octets = np.arange(len(self.by_value), dtype=np.uint8)
            values = octets.view(np.int8) if self._signed else octets
            nameless = self.nameless[: len(octets)]
            found = self.by_value.astype(np.promote_types(self.by_value.dtype, LONGEST_UNKNOWN))
            found[nameless] = _named(values[nameless])
            self._with_numbers = found
        return self._with_numbers


def _named(numbers: Array) -> Array:
    """A text for each of the values that have no label."""
    return np.char.add(f"{UNKNOWN}_", numbers.astype("U20"))


def _copied_fast(labels: Array) -> Array:
    """A little wider: items of 16 or 32 bytes are copied in one instruction, others byte by byte."""
    width = labels.dtype.itemsize // 4
    return labels.astype(f"U{next((each for each in (1, 2, 4, 8) if each >= width), width)}")


def _ranges(kind: EnumeratedType, size_bits: int, *, signed: bool) -> list[tuple[int, int, str]]:
    """First and last value and label, in ascending order."""
    least, most = (-(1 << (size_bits - 1)), (1 << (size_bits - 1)) - 1) if signed else (0, (1 << size_bits) - 1)
    # A label for a value that the encoding cannot hold names nothing.
    ranges = sorted((max(low, least), min(high, most), label) for low, high, label in kind.labels)
    return [each for each in ranges if each[0] <= each[1]]


def _range_numbers(ranges: Sequence[tuple[int, int, str]], size_bits: int) -> Array:
    """The number of the range of each value of a byte or two, from 1; 0 for none."""
    table = np.zeros(1 << (8 if size_bits <= 8 else 16), np.intp)
    for number, (low, high, _) in enumerate(ranges, 1):
        table[np.arange(low, high + 1) % len(table)] = number
    return table
