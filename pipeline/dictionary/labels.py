"""Labels of enumerations by value, ready to be looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dictionary.numbers import SIGNED_FORMS
from pipeline.dictionary.parameter_types import EnumeratedType

Array = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ToLabels:
    """Labels by value. Values without one get "UNKNOWN" here; `repair` tells them apart afterwards.

    `lows`, `highs`: the ranges in ascending order; `labels[i + 1]` belongs to range i, `labels[0]` to none.
    `table`: range number by value, where the values are few. `by_octet`: labels by value, where they fit a byte;
    `complete`: every value has one.
    """

    lows: Array
    highs: Array
    labels: Array
    table: Array | None
    by_octet: Array | None
    unknown_octets: Array
    complete: bool
    dtype: np.dtype[Any]

    def fill(self, raw: Array, out: Array) -> Flags | None:
        if self.by_octet is not None:
            octets = raw.view(np.uint8)
            self.by_octet.take(octets, out=out, mode="clip")
            unknown = None if self.complete else self.unknown_octets.take(octets, mode="clip")
            return unknown if unknown is not None and unknown.any() else None
        number = self.number_of(raw)
        self.labels.take(number, out=out, mode="clip")
        return None if number.all() else number == 0

    def number_of(self, raw: Array) -> Array:
        """The number of the range of each value, from 1; 0 for none."""
        if self.table is not None:
            return self.table.take(raw.view(f"u{raw.dtype.itemsize}"), mode="clip")
        if not len(self.lows):
            return np.zeros(raw.shape, np.intp)
        number = np.searchsorted(self.lows, raw, side="right")
        return np.where((number > 0) & (raw <= self.highs[number - 1]), number, 0)

    def repair(self, raw: Array, out: Array) -> Array:
        """`out`, wide enough, with UNKNOWN_<value> for each value without a label."""
        unknown = self.number_of(raw) == 0
        named = np.char.add("UNKNOWN_", raw[unknown].astype("U21"))
        wide = out.astype(np.promote_types(out.dtype, named.dtype))
        wide[unknown] = named
        return wide


def _copied_fast(labels: Array) -> Array:
    """A little wider: items of 16 or 32 bytes are copied in one instruction, others byte by byte."""
    width = labels.dtype.itemsize // 4
    return labels.astype(f"U{next((each for each in (1, 2, 4, 8) if each >= width), width)}")


def labels_of(kind: EnumeratedType) -> ToLabels:
    """The labels of an enumeration, ready to be looked up."""
    size_bits, signed = kind.encoding.size_bits, kind.encoding.form in SIGNED_FORMS
    least, most = (-(1 << (size_bits - 1)), (1 << (size_bits - 1)) - 1) if signed else (0, (1 << size_bits) - 1)
    # A label for a value that the encoding cannot hold names nothing.
    ranges = sorted((max(low, least), min(high, most), label) for low, high, label in kind.labels)
    ranges = [each for each in ranges if each[0] <= each[1]]
    values = np.array([each[:2] for each in ranges], np.int64 if signed else np.uint64).reshape(-1, 2)
    table = None
    if size_bits <= 16:
        table = np.zeros(1 << (8 if size_bits <= 8 else 16), np.intp)
        for number, (low, high, _) in enumerate(ranges, 1):
            table[np.arange(low, high + 1) % len(table)] = number
    complete = table is not None and int(np.count_nonzero(table)) == 1 << size_bits
    # Where every value has a label, texts need not be as wide as what stands for none.
    labels = _copied_fast(np.array(["" if complete else "UNKNOWN", *(label for _, _, label in ranges)]))
    by_octet = labels[table] if table is not None and size_bits <= 8 else None
    unknown = np.zeros(0, np.bool_) if table is None else table == 0
    lows, highs = values[:, 0].copy(), values[:, 1].copy()
    return ToLabels(lows, highs, labels, table, by_octet, unknown, complete, labels.dtype)
