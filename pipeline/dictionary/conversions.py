"""Raw columns to calibrated ones, a chunk at a time: polynomials, labels, booleans, text.

A conversion knows the dtype of what it makes and fills it from raw values of the same shape (text: one axis of
bytes more). It returns which values it could not convert, or None where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.dictionary.calibrators import compile_calibrator
from pipeline.dictionary.encodings import StringEncoding
from pipeline.dictionary.layout import LeafType
from pipeline.dictionary.numbers import SIGNED_FORMS
from pipeline.dictionary.parameter_types import (
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    NumberType,
    StringType,
    TimeType,
)
from pipeline.dictionary.timecodes import ToCodedTime

Array = NDArray[Any]
REAL: np.dtype[Any] = np.dtype(np.float64)
NANOSECONDS: np.dtype[Any] = np.dtype(np.int64)
TRUTH: np.dtype[Any] = np.dtype(np.bool_)
MAX_TABLE_BITS = 12
"""32 kB of values: the first-level cache."""
Flags = NDArray[np.bool_]


class Conversion(Protocol):
    """How raw values become calibrated ones."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the calibrated values."""
        ...

    def fill(self, raw: Array, out: Array) -> Flags | None:
        """Write the calibrated values into `out`; flag those without a meaning."""
        ...


@dataclass(frozen=True, slots=True)
class ToReal:
    """An integer in the packet whose value is a float."""

    dtype: np.dtype[Any] = REAL

    def fill(self, raw: Array, out: Array) -> Flags | None:
        out[...] = raw
        return None


@dataclass(frozen=True, slots=True, eq=False)
class ToTable:
    """Calibrated values of few counts, worked out once: the table stays in the cache."""

    table: Array
    dtype: np.dtype[Any] = REAL

    def fill(self, raw: Array, out: Array) -> Flags | None:
        self.table.take(raw, out=out, mode="clip")
        return None


@dataclass(frozen=True, slots=True)
class ToBoolean:
    """Not zero is true."""

    dtype: np.dtype[Any] = TRUTH

    def fill(self, raw: Array, out: Array) -> Flags | None:
        np.not_equal(raw, 0, out=out)
        return None


@dataclass(frozen=True, slots=True)
class ToTime:
    """Counts to nanoseconds, exactly where they are integers."""

    unit_ns: Fraction
    offset_ns: Fraction
    dtype: np.dtype[Any] = NANOSECONDS

    def fill(self, raw: Array, out: Array) -> Flags | None:
        top, bottom = self.unit_ns.numerator, self.unit_ns.denominator
        if raw.dtype.kind == "f" or abs(top) * bottom >= 1 << 62:
            real = raw.astype(np.float64) * float(self.unit_ns) + float(self.offset_ns)
            np.nan_to_num(real, copy=False, nan=0.0)
            out[...] = np.rint(np.clip(real, -(2.0**62), 2.0**62)).astype(np.int64)
            return None
        # Unsigned counts of 64 bits are divided before a sign takes their highest one.
        wide = raw.astype(np.uint64 if raw.dtype == np.uint64 else np.int64, copy=False)
        whole, rest = (part.astype(np.int64) for part in np.divmod(wide, wide.dtype.type(bottom)))
        out[...] = whole * top + (rest * top + bottom // 2) // bottom + round(self.offset_ns)
        return None


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


@dataclass(frozen=True, slots=True)
class ToText:
    """Bytes uint8[..., k] to unicode: up to the terminator, without trailing NULs. Bytes that are no text in
    the charset become U+FFFD.
    """

    charset: str
    terminator: bytes
    tag_bytes: int
    dtype: np.dtype[Any]

    def fill(self, raw: Array, out: Array) -> Flags | None:
        out[...] = self.decode(raw)
        return None

    def decode(self, raw: Array) -> Array:
        """uint8[..., k] to unicode[...]."""
        if self.tag_bytes:
            raw = _untagged(raw, self.tag_bytes)
        return decode_text(raw, self.charset, self.terminator)


def decode_text(raw: Array, charset: str, terminator: bytes) -> Array:
    """uint8[..., k] to unicode[...]."""
    if terminator:
        raw = _cut(raw, terminator)
    if charset in {"ascii", "utf-8", "latin-1"} and (charset == "latin-1" or not (raw & 0x80).any()):
        wide = np.ascontiguousarray(raw.astype(np.uint32))
        return wide.view(f"U{raw.shape[-1]}")[..., 0]
    rows = raw.reshape(-1, raw.shape[-1])
    texts = [row.tobytes().decode(charset, "replace").rstrip("\0") for row in rows]
    return np.array(texts, dtype=f"U{max(map(len, texts), default=1) or 1}").reshape(raw.shape[:-1])


def _untagged(raw: Array, tag_bytes: int) -> Array:
    """The text behind the tag that tells its bits; zeros behind the text."""
    n_bits = np.zeros(raw.shape[:-1], np.uint64)
    for i in range(min(tag_bytes, raw.shape[-1])):
        n_bits = (n_bits << np.uint64(8)) | raw[..., i]
    text = raw[..., tag_bytes:]
    if not text.shape[-1]:
        return np.zeros((*raw.shape[:-1], 1), np.uint8)
    inside = np.arange(text.shape[-1], dtype=np.uint64) < (n_bits >> np.uint64(3))[..., None]
    return np.where(inside, text, np.uint8(0))


def _cut(raw: Array, terminator: bytes) -> Array:
    """Zeros from the first terminator on, which stands at a whole number of its own widths."""
    width, k = len(terminator), raw.shape[-1] // len(terminator) * len(terminator)
    units = raw[..., :k].reshape(*raw.shape[:-1], -1, width)
    over = np.logical_or.accumulate((units == np.frombuffer(terminator, np.uint8)).all(axis=-1), axis=-1)
    cut = raw.copy()
    cut[..., :k][np.repeat(over, width, axis=-1)] = 0
    cut[..., k:][over[..., -1:].any(axis=-1)] = 0
    return cut


def conversion_of(kind: LeafType) -> Conversion | None:
    """How values of the type are calibrated; None: raw and calibrated are the same, or contexts decide later."""
    if isinstance(kind, NumberType):
        if kind.encoding.is_contextual:
            return None
        if kind.encoding.calibrator is not None:
            return _tabled(compile_calibrator(kind.encoding.calibrator), kind)
        return ToReal() if kind.real and not kind.encoding.is_float else None
    makers: dict[type, Callable[[Any], Conversion]] = {
        EnumeratedType: labels_of,
        BooleanType: lambda _: ToBoolean(),
        TimeType: lambda time: ToTime(time.unit_ns, time.offset_ns),
        StringType: lambda text: text_of(text.encoding),
        CodedTimeType: lambda time: ToCodedTime(time.codes, time.epoch_ns, time.absolute),
    }
    maker = makers.get(type(kind))
    return None if maker is None else maker(kind)


def _tabled(calibrator: Conversion, kind: NumberType) -> Conversion:
    """The same as a table, where the counts are few, and all of them places in it."""
    if kind.encoding.form != "unsigned" or kind.encoding.size_bits > MAX_TABLE_BITS:
        return calibrator
    counts = np.arange(1 << kind.encoding.size_bits)
    table = np.empty(len(counts), np.float64)
    calibrator.fill(counts, table)
    return ToTable(table)


def text_of(encoding: StringEncoding) -> ToText:
    """`dtype` is as wide as the buffer, or 1 where a packet tells its size."""
    n_bytes = encoding.size // 8 if isinstance(encoding.size, int) else 1
    per_character = {"utf-16-be": 2, "utf-16-le": 2, "utf-32-be": 4, "utf-32-le": 4}.get(encoding.charset, 1)
    width = np.dtype(f"U{max(n_bytes // per_character, 1)}")
    return ToText(encoding.charset, encoding.terminator, encoding.tag_bits // 8, width)


def labels_of(kind: EnumeratedType) -> ToLabels:
    """The labels of an enumeration, ready to be looked up."""
    size_bits, signed = kind.encoding.size_bits, kind.encoding.form in SIGNED_FORMS
    least, most = (-(1 << (size_bits - 1)), (1 << (size_bits - 1)) - 1) if signed else (0, (1 << size_bits) - 1)
    # A label for a value that the encoding cannot hold names nothing.
    ranges = sorted((max(low, least), min(high, most), label) for low, high, label in kind.labels)
    ranges = [each for each in ranges if each[0] <= each[1]]
    values = np.array([each[:2] for each in ranges], np.int64 if signed else np.uint64).reshape(-1, 2)
    labels = np.array(["UNKNOWN", *(label for _, _, label in ranges)])
    table = None
    if size_bits <= 16:
        table = np.zeros(1 << (8 if size_bits <= 8 else 16), np.intp)
        for number, (low, high, _) in enumerate(ranges, 1):
            table[np.arange(low, high + 1) % len(table)] = number
    n_labelled = sum(last - first + 1 for first, last, _ in ranges)
    by_octet = labels[table] if table is not None and size_bits <= 8 else None
    unknown = np.zeros(0, np.bool_) if table is None else table == 0
    lows, highs = values[:, 0].copy(), values[:, 1].copy()
    return ToLabels(lows, highs, labels, table, by_octet, unknown, n_labelled == 1 << size_bits, labels.dtype)
