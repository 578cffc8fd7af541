"""The work on one block of fixed fields: runs of numbers, packs of bits and pieces of bytes.

An operation allocates its arrays for all rows, fills them chunk by chunk, converts each chunk while it is in the
cache, and in the end gives a raw and a calibrated column to each of its slots. Neighbours of one encoding and
one conversion are one operation: its cost is a few NumPy calls, whatever number of parameters it serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...model.categorical import Categorical
from ...model.reused_memory import Empty
from .conversions import TRUTH, Conversion, ToBoolean
from .labels import ToLabels
from .numbers import Run, dtype_of
from .rows import Chunk
from .steps import Slot

Array = NDArray[Any]
BYTE: np.dtype[Any] = np.dtype(np.uint8)
Arrays = tuple[Array, Array]
"""Raw and calibrated values of one operation, perhaps the same array. Axes: [fields, rows] or, for arrays, [rows,
elements...].
"""
Flags = NDArray[np.bool_]
Delivery = tuple[Sequence[Array], Sequence[Array | Categorical]]
"""Raw and calibrated columns, in the order of the operation's slots."""


class Operation(Protocol):
    """One piece of the work on a block."""

    @property
    def slots(self) -> tuple[Slot, ...]: ...
    @property
    def conversion(self) -> Conversion | None: ...
    @property
    def rows_axis(self) -> int:
        """The axis of its arrays along which packets lie."""
        ...

    def allocate(self, n: int, empty: Empty = np.empty) -> Arrays:
        """Memory for `n` rows."""
        ...

    def fill(self, arrays: Arrays, chunk: Chunk) -> Flags | None:
        """Read and convert a chunk; flag its rows with a value that has no meaning. None: there are none."""
        ...

    def deliver(self, arrays: Arrays, *, has_unknown: bool) -> Delivery:
        """The columns. `has_unknown`: rows were flagged."""
        ...


def _calibrated(raw: Array, conversion: Conversion, empty: Empty) -> Array:
    """Memory for calibrated values: the raw array itself where its bytes are codes or truth values already."""
    if isinstance(conversion, ToLabels):
        if conversion.by_value is not None:
            return raw if raw.dtype == BYTE else raw.view(BYTE)
        return empty(raw.shape, conversion.code_dtype)
    if isinstance(conversion, ToBoolean) and conversion.is_one_bit:
        return raw.view(TRUTH)
    return empty(raw.shape, conversion.dtype)


def _delivered(arrays: Arrays, conversion: Conversion, *, has_unknown: bool) -> Array | Categorical:
    """The calibrated values, those of an enumeration as a column of codes."""
    if isinstance(conversion, ToLabels):
        return conversion.column(*arrays, has_unknown=has_unknown)
    return arrays[1]


class Reads(Protocol):
    """What reads the raw values of several parameters: `Run` or `BitPack`."""

    def fill(self, out: Array, chunk: Chunk) -> None:
        """Write them into `out: [parameters, rows of the chunk]`."""
        ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """Parameters of one dtype and conversion that are read together."""

    slots: tuple[Slot, ...]
    run: Reads
    dtype: np.dtype[Any]
    conversion: Conversion | None

    @property
    def rows_axis(self) -> int:
        return 1

    def allocate(self, n: int, empty: Empty = np.empty) -> Arrays:
        raw = empty((len(self.slots), n), self.dtype)
        return raw, raw if self.conversion is None else _calibrated(raw, self.conversion, empty)

    def fill(self, arrays: Arrays, chunk: Chunk) -> Flags | None:
        raw, calibrated = arrays
        low, high = chunk.low, chunk.high
        if high - low < raw.shape[1]:
            raw, calibrated = raw[:, low:high], calibrated[:, low:high]
        self.run.fill(raw, chunk)
        flags = None if self.conversion is None else self.conversion.fill(raw, calibrated)
        return None if flags is None else np.asarray(flags.any(axis=0))

    def deliver(self, arrays: Arrays, *, has_unknown: bool) -> Delivery:
        """Each row of the arrays as a column of its own."""
        raw = list(arrays[0])
        if self.conversion is None:
            return raw, raw
        if isinstance(self.conversion, ToLabels):
            found = self.conversion.column(*arrays, has_unknown=has_unknown)
            return raw, [Categorical(codes, found.categories) for codes in found.codes]
        return raw, list(arrays[1])


@dataclass(frozen=True, slots=True)
class NumberArray:
    """The elements of one array parameter: runs, each with the places of its elements."""

    slots: tuple[Slot, ...]
    runs: tuple[tuple[slice, Run], ...]
    shape: tuple[int, ...]
    conversion: Conversion | None

    @property
    def rows_axis(self) -> int:
        return 0

    def allocate(self, n: int, empty: Empty = np.empty) -> Arrays:
        raw = empty((n, prod(self.shape)), dtype_of(self.runs[0][1].encoding))
        return raw, raw if self.conversion is None else _calibrated(raw, self.conversion, empty)

    def fill(self, arrays: Arrays, chunk: Chunk) -> Flags | None:
        raw = arrays[0][chunk.low : chunk.high]
        for places, run in self.runs:
            run.fill(raw[:, places].T, chunk)
        if self.conversion is None:
            return None
        flags = self.conversion.fill(raw, arrays[1][chunk.low : chunk.high])
        return None if flags is None else np.asarray(flags.any(axis=1))

    def deliver(self, arrays: Arrays, *, has_unknown: bool) -> Delivery:
        shape = (len(arrays[0]), *self.shape)
        raw = [arrays[0].reshape(shape)]
        if self.conversion is None:
            return raw, [*raw]
        return raw, [_delivered(arrays, self.conversion, has_unknown=has_unknown).reshape(shape)]


@dataclass(frozen=True, slots=True)
class Bytes:
    """Blobs and strings of fixed size: uint8[n, shape..., bytes]. What is no whole bytes ends with the last one: zeros
    come first.
    """

    slots: tuple[Slot, ...]
    offsets_bits: tuple[int, ...]
    size_bits: int
    shape: tuple[int, ...]
    conversion: Conversion | None

    @property
    def rows_axis(self) -> int:
        return 0

    def allocate(self, n: int, empty: Empty = np.empty) -> Arrays:
        count, width = prod(self.shape), (self.size_bits + 7) // 8
        raw = empty((n, count, width), BYTE)
        return raw, raw if self.conversion is None else empty((n, count), self.conversion.dtype)

    def fill(self, arrays: Arrays, chunk: Chunk) -> Flags | None:
        raw = arrays[0][chunk.low : chunk.high]
        for i, offset_bits in enumerate(self.offsets_bits):
            self._fill_one(raw[:, i], chunk, offset_bits)
        if self.conversion is None:
            return None
        flags = self.conversion.fill(raw, arrays[1][chunk.low : chunk.high])
        return None if flags is None else np.asarray(flags.any(axis=1))

    def _fill_one(self, out: Array, chunk: Chunk, offset_bits: int) -> None:
        byte, phase = divmod(offset_bits, 8)
        n_rows, width = out.shape
        strides = (chunk.stride_bytes, 1)
        out[...] = np.ndarray((n_rows, width), np.uint8, chunk.buffer, chunk.offset + byte, strides)
        if phase:
            out <<= np.uint8(phase)
            n_behind = (phase + self.size_bits + 7) // 8 - 1
            behind = np.ndarray((n_rows, n_behind), np.uint8, chunk.buffer, chunk.offset + byte + 1, strides)
            out[:, :n_behind] |= behind >> np.uint8(8 - phase)
        spare = np.uint8(-self.size_bits % 8)
        if spare:
            carried = out[:, :-1] << (np.uint8(8) - spare)
            out >>= spare
            out[:, 1:] |= carried

    def deliver(self, arrays: Arrays, *, has_unknown: bool) -> Delivery:  # noqa: ARG002 - as the others
        octets = arrays[0]
        raw = [octets.reshape(len(octets), *self.shape, octets.shape[-1])]
        return raw, [*raw] if self.conversion is None else [arrays[1].reshape(len(octets), *self.shape)]
