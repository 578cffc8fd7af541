"""Raw columns to calibrated ones, a chunk at a time: polynomials, labels, booleans, text.

A conversion knows the dtype of what it makes and fills it from raw values of the same shape (text: one axis of
bytes more). It returns which values it could not convert, or None where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..model.calibrators import compile_calibrator
from ..model.encodings import BinaryEncoding
from ..model.parameter_types import (
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    NumberType,
    SpelledType,
    StringType,
    TimeType,
)
from ..model.timecodes import ToCodedTime
from .labels import LONGEST_UNKNOWN, ToLabels
from .numbers import SIGNED_FORMS
from .scaled_times import ToTime
from .spelled import ToSpelled, ToTruth
from .steps import LeafType
from .texts import text_of

Array = NDArray[Any]
REAL: np.dtype[Any] = np.dtype(np.float64)
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
    """Not zero is true. `is_one_bit`: raw values are bytes that are 0 or 1, and so truth values as they are."""

    is_one_bit: bool = False
    dtype: np.dtype[Any] = TRUTH

    def fill(self, raw: Array, out: Array) -> Flags | None:
        if not self.is_one_bit:
            np.not_equal(raw, 0, out=out)
        return None


def conversion_of(kind: LeafType) -> Conversion | None:
    """How values of the type are calibrated; None: raw and calibrated are the same, or contexts decide later."""
    if isinstance(kind, NumberType):
        if kind.encoding.is_contextual:
            return None
        if kind.encoding.calibrator is not None:
            return _tabled(compile_calibrator(kind.encoding.calibrator), kind)
        return ToReal() if kind.real and not kind.encoding.is_float else None
    makers: dict[type, Callable[[Any], Conversion]] = {
        EnumeratedType: ToLabels,
        BooleanType: _truth,
        TimeType: lambda time: ToTime(time.unit_ns, time.offset_ns),
        StringType: lambda text: text_of(text.encoding),
        CodedTimeType: lambda time: ToCodedTime(time.codes, time.epoch_ns, time.absolute),
        SpelledType: _spelled,
    }
    maker = makers.get(type(kind))
    return None if maker is None else maker(kind)


def _truth(kind: BooleanType) -> ToBoolean:
    return ToBoolean(kind.encoding.size_bits == 1 and kind.encoding.form == "unsigned")


def _spelled(kind: SpelledType) -> ToSpelled | ToTruth:
    """From text, or from bytes that are true or not."""
    if isinstance(kind.encoding, BinaryEncoding):
        return ToTruth()
    value, signed = kind.value, kind.value.encoding.form in SIGNED_FORMS
    if isinstance(value, EnumeratedType):
        labels = ToLabels(value)
        dtype = np.promote_types(labels.dtype, LONGEST_UNKNOWN)
        return ToSpelled(text_of(kind.encoding), None, labels, signed, dtype)
    if isinstance(value, BooleanType):
        dtype = TRUTH
    else:
        dtype = REAL if value.real else np.dtype(np.int64 if signed else np.uint64)
    return ToSpelled(text_of(kind.encoding), value, None, signed, dtype)


def _tabled(calibrator: Conversion, kind: NumberType) -> Conversion:
    """The same as a table, where the counts are few, and all of them places in it."""
    if kind.encoding.form != "unsigned" or kind.encoding.size_bits > MAX_TABLE_BITS:
        return calibrator
    counts = np.arange(1 << kind.encoding.size_bits)
    table = np.empty(len(counts), np.float64)
    calibrator.fill(counts, table)
    return ToTable(table)
