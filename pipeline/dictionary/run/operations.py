"""The work on one block of fixed fields: which runs of numbers, packs of bits and pieces of bytes it is read as.

An operation allocates its arrays for all rows, fills them chunk by chunk, converts each chunk while it is in the
cache, and in the end gives a raw and a calibrated column to each of its slots. Neighbours of one encoding and
one conversion are one operation: its cost is a few NumPy calls, whatever number of parameters it serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...model.categorical import Categorical
from ...model.reused_memory import Empty
from ..model.encodings import NumberEncoding
from ..model.parameter_types import BytesType
from .conversions import TRUTH, Conversion, ToBoolean, conversion_of
from .labels import ToLabels
from .numbers import Run, compile_run, dtype_of
from .rows import Chunk
from .steps import Field, LeafType, Slot

Array = NDArray[Any]
MAX_PACK_BITS = 32
"""Bit fields are shifted out of one window together while it is no wider."""

BYTE: np.dtype[Any] = np.dtype(np.uint8)


@dataclass(slots=True)
class Work:
    """The arrays of one operation while it runs. Axes: [fields, rows] or, for arrays, [rows, elements...]."""

    raw: Array
    calibrated: Array
    unknown: NDArray[np.bool_] | None = None


Delivery = tuple[list[Array], list[Array | Categorical]]
"""Raw and calibrated columns, in the order of the operation's slots."""


class Operation(Protocol):
    """One piece of the work on a block."""

    @property
    def slots(self) -> tuple[Slot, ...]: ...
    @property
    def conversion(self) -> Conversion | None: ...
    def allocate(self, n: int, empty: Empty = np.empty) -> Work: ...
    def fill(self, work: Work, chunk: Chunk) -> None: ...
    def deliver(self, work: Work) -> Delivery: ...


def _new_work(shape: tuple[int, ...], raw: np.dtype[Any], conversion: Conversion | None, empty: Empty) -> Work:
    values = empty(shape, raw)
    if conversion is None:
        return Work(values, values)
    shared = _shared(values, conversion)
    if shared is not None:
        return Work(values, shared)
    return Work(
        values, empty(shape, conversion.code_dtype if isinstance(conversion, ToLabels) else conversion.dtype)
    )


def _shared(raw: Array, conversion: Conversion) -> Array | None:
    """The array of calibrated values where it is the raw one itself, its bytes being codes or truth values already."""
    if isinstance(conversion, ToLabels) and conversion.by_value is not None:
        return raw if raw.dtype == BYTE else raw.view(BYTE)
    return raw.view(TRUTH) if isinstance(conversion, ToBoolean) and conversion.is_one_bit else None


def _convert(work: Work, conversion: Conversion, raw: Array, out: Array, chunk: Chunk, rows_axis: int) -> None:
    """Convert one chunk of values with two axes, one of which is that of the rows."""
    flags = conversion.fill(raw, out)
    if flags is not None:
        if work.unknown is None:
            work.unknown = np.zeros(work.raw.shape[rows_axis], np.bool_)
        work.unknown[chunk.low : chunk.high] = flags.any(axis=1 - rows_axis)


def _delivered(work: Work, conversion: Conversion | None) -> Array | Categorical:
    """The calibrated values, those of an enumeration as a column of codes."""
    if isinstance(conversion, ToLabels):
        return conversion.column(work.raw, work.calibrated, has_unknown=work.unknown is not None)
    return work.calibrated


def _columns_of(array: Array, chunk: Chunk) -> Array:
    """The part of [fields, rows] that the chunk fills."""
    whole = chunk.low == 0 and chunk.high == array.shape[1]
    return array if whole else array[:, chunk.low : chunk.high]


def _deliver_rows(work: Work, conversion: Conversion | None) -> Delivery:
    """Each row of the work is a column of its own."""
    raw = list(work.raw)
    if conversion is None:
        return raw, [*raw]
    found = _delivered(work, conversion)
    if isinstance(found, Categorical):
        return raw, [Categorical(codes, found.categories) for codes in found.codes]
    return raw, [*found]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Parameters of one encoding at even distances."""

    slots: tuple[Slot, ...]
    run: Run
    dtype: np.dtype[Any]
    conversion: Conversion | None

    def allocate(self, n: int, empty: Empty = np.empty) -> Work:
        return _new_work((len(self.slots), n), self.dtype, self.conversion, empty)

    def fill(self, work: Work, chunk: Chunk) -> None:
        raw = _columns_of(work.raw, chunk)
        self.run.fill(raw, chunk)
        if self.conversion is not None:
            _convert(work, self.conversion, raw, _columns_of(work.calibrated, chunk), chunk, 1)

    def deliver(self, work: Work) -> Delivery:
        return _deliver_rows(work, self.conversion)


@dataclass(frozen=True, slots=True)
class NumberArray:
    """The elements of one array parameter: runs, each with the places of its elements."""

    slots: tuple[Slot, ...]
    runs: tuple[tuple[slice, Run], ...]
    shape: tuple[int, ...]
    conversion: Conversion | None

    def allocate(self, n: int, empty: Empty = np.empty) -> Work:
        return _new_work((n, prod(self.shape)), dtype_of(self.runs[0][1].encoding), self.conversion, empty)

    def fill(self, work: Work, chunk: Chunk) -> None:
        raw = work.raw[chunk.low : chunk.high]
        for places, run in self.runs:
            run.fill(raw[:, places].T, chunk)
        if self.conversion is not None:
            _convert(work, self.conversion, raw, work.calibrated[chunk.low : chunk.high], chunk, 0)

    def deliver(self, work: Work) -> Delivery:
        shape = (len(work.raw), *self.shape)
        raw = [work.raw.reshape(shape)]
        return raw, [*raw] if self.conversion is None else [_delivered(work, self.conversion).reshape(shape)]


@dataclass(frozen=True, slots=True, eq=False)
class BitPack:
    """Unsigned bit fields of one dtype and conversion that stand in one window."""

    slots: tuple[Slot, ...]
    byte: int
    window: np.dtype[Any]
    shifts: Array
    masks: Array
    dtype: np.dtype[Any]
    conversion: Conversion | None

    def allocate(self, n: int, empty: Empty = np.empty) -> Work:
        return _new_work((len(self.slots), n), self.dtype, self.conversion, empty)

    def fill(self, work: Work, chunk: Chunk) -> None:
        raw = _columns_of(work.raw, chunk)
        # What is cut off when the shifted window becomes narrower, the mask would have taken away.
        raw[...] = chunk.window(self.byte, self.window) >> self.shifts
        raw &= self.masks
        if self.conversion is not None:
            _convert(work, self.conversion, raw, _columns_of(work.calibrated, chunk), chunk, 1)

    def deliver(self, work: Work) -> Delivery:
        return _deliver_rows(work, self.conversion)


@dataclass(frozen=True, slots=True)
class Bytes:
    """Blobs and strings of fixed size: uint8[n, shape..., bytes]. A last part of a byte is filled with zeros."""

    slots: tuple[Slot, ...]
    offsets_bits: tuple[int, ...]
    size_bits: int
    shape: tuple[int, ...]
    conversion: Conversion | None

    def allocate(self, n: int, empty: Empty = np.empty) -> Work:
        count, width = prod(self.shape), (self.size_bits + 7) // 8
        raw = empty((n, count, width), BYTE)
        return Work(raw, raw if self.conversion is None else empty((n, count), self.conversion.dtype))

    def fill(self, work: Work, chunk: Chunk) -> None:
        raw = work.raw[chunk.low : chunk.high]
        for i, offset_bits in enumerate(self.offsets_bits):
            self._fill_one(raw[:, i], chunk, offset_bits)
        if self.conversion is not None:
            _convert(work, self.conversion, raw, work.calibrated[chunk.low : chunk.high], chunk, 0)

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
        if self.size_bits % 8:
            out[:, -1] &= np.uint8(0xFF << (8 - self.size_bits % 8) & 0xFF)

    def deliver(self, work: Work) -> Delivery:
        n = len(work.raw)
        raw = [work.raw.reshape(n, *self.shape, work.raw.shape[-1])]
        return raw, [*raw] if self.conversion is None else [work.calibrated.reshape(n, *self.shape)]


class Conversions:
    """How values of each type are converted, and which types are alike: found out once for each type."""

    def __init__(self) -> None:
        # By identity, since types can be large; they are kept, so that no other takes the place of one.
        self._found: dict[int, tuple[LeafType, Conversion | None, Any]] = {}

    def of(self, kind: LeafType) -> Conversion | None:
        """None: raw and calibrated are the same."""
        return self._of(kind)[1]

    def likeness(self, kind: LeafType) -> Any:
        """Equal for types whose values can be read and converted together."""
        return self._of(kind)[2]

    def _of(self, kind: LeafType) -> tuple[LeafType, Conversion | None, Any]:
        found = self._found.get(id(kind))
        if found is None:
            conversion = conversion_of(kind)
            alike = kind if conversion is not None or isinstance(kind, BytesType) else _plain(kind.encoding)
            found = self._found[id(kind)] = kind, conversion, alike
        return found


def _plain(encoding: NumberEncoding) -> NumberEncoding:
    return replace(encoding, calibrator=None, contexts=(), check=None)


def compile_operations(fields: Sequence[Field], row_bytes: int, conversions: Conversions) -> tuple[Operation, ...]:
    """The operations that read the fields from rows of `row_bytes`."""
    operations: list[Operation] = []
    singles: list[Field] = []
    for field in fields:
        kind = field.type
        if isinstance(kind, BytesType):
            conversion = conversions.of(kind)
            operations.append(Bytes((field.slot,), _offsets(field), field.size_bits, field.shape, conversion))
        elif field.shape:
            grid = tuple(_compile_array(field, row_bytes))
            operations.append(NumberArray((field.slot,), grid, field.shape, conversions.of(kind)))
        else:
            singles.append(field)
    packs, runs = _sort_out(singles, conversions)
    operations += [each for pack in packs for each in _compile_pack(pack, row_bytes, conversions)]
    operations += [_compile_neighbours(run, row_bytes, conversions) for run in runs]
    return tuple(operations)


def _offsets(field: Field) -> tuple[int, ...]:
    """Where each element begins."""
    offsets = np.full(field.shape, field.offset_bits, np.int64)
    for axis, stride in enumerate(field.strides_bits):
        shape = [1] * len(field.shape)
        shape[axis] = field.shape[axis]
        offsets += (np.arange(field.shape[axis]) * stride).reshape(shape)
    return tuple(offsets.ravel().tolist())


def _compile_array(field: Field, row_bytes: int) -> Iterator[tuple[slice, Run]]:
    """One run where all elements are at even distances, else one for each row along the longest axis."""
    encoding, total = _encoding_of(field.type), prod(field.shape)
    offsets = _offsets(field)
    stride = field.strides_bits[-1]
    if not total or all(after - before == stride for before, after in pairwise(offsets)):
        run = compile_run(encoding, field.offset_bits, total, stride, row_bytes)
        yield slice(0, total), run
        return
    # A grid of two axes: what lies along the others is even with one of the two or goes in pieces.
    inner = field.shape[-1]
    if prod(field.shape[:-1]) > inner and len(field.shape) == 2:
        for k in range(inner):
            run = compile_run(encoding, offsets[k], field.shape[0], field.strides_bits[0], row_bytes)
            yield slice(k, total, inner), run
        return
    for k in range(0, total, inner):
        yield slice(k, k + inner), compile_run(encoding, offsets[k], inner, stride, row_bytes)


def _sort_out(fields: Sequence[Field], conversions: Conversions) -> tuple[list[list[Field]], list[list[Field]]]:
    """Packs of bit fields that share a window, and runs of fields at even distances."""
    packs: list[list[Field]] = []
    runs: list[list[Field]] = []
    last: dict[Any, list[Field]] = {}
    for field in fields:
        if _is_bit_field(field):
            if packs and _fits(packs[-1], field):
                packs[-1].append(field)
            else:
                packs.append([field])
            continue
        likeness = conversions.likeness(field.type)
        run = last.get(likeness)
        if run is not None and _continues(run, field):
            run.append(field)
        else:
            runs.append([field])
            last[likeness] = runs[-1]
    runs += [pack for pack in packs if len(pack) == 1]
    return [pack for pack in packs if len(pack) > 1], runs


def _encoding_of(kind: LeafType) -> NumberEncoding:
    assert not isinstance(kind, BytesType)
    return kind.encoding


def _is_bit_field(field: Field) -> bool:
    encoding = _encoding_of(field.type)
    whole = encoding.size_bits in {8, 16, 32, 64} and field.offset_bits % 8 == 0
    straight = encoding.form == "unsigned" and not encoding.little_endian and not encoding.mirrored
    straight = straight and not encoding.lsb_first and not encoding.places
    return straight and not whole


def _fits(pack: list[Field], field: Field) -> bool:
    begin = pack[0].offset_bits // 8 * 8
    return field.offset_bits >= begin and max(pack[-1].end_bits, field.end_bits) - begin <= MAX_PACK_BITS


def _continues(run: list[Field], field: Field) -> bool:
    distance = field.offset_bits - run[-1].offset_bits
    if len(run) == 1:
        return distance >= field.size_bits
    return distance == run[1].offset_bits - run[0].offset_bits


def _compile_neighbours(run: list[Field], row_bytes: int, conversions: Conversions) -> Operation:
    first = run[0]
    stride_bits = run[1].offset_bits - first.offset_bits if len(run) > 1 else first.size_bits
    encoding = _encoding_of(first.type)
    slots = tuple(field.slot for field in run)
    compiled = compile_run(encoding, first.offset_bits, len(run), stride_bits, row_bytes)
    return Numbers(slots, compiled, dtype_of(encoding), conversions.of(first.type))


def _compile_pack(pack: list[Field], row_bytes: int, conversions: Conversions) -> Iterator[Operation]:
    """Fields of one dtype and conversion are one operation on the window."""
    byte, end = pack[0].offset_bits // 8, (max(field.end_bits for field in pack) + 7) // 8
    width = next(each for each in (1, 2, 4, 8) if each >= end - byte)
    byte -= max(0, byte + width - row_bytes)
    native = np.dtype(f"u{width}")
    groups: dict[Any, list[Field]] = {}
    for field in pack:
        kind = field.type if conversions.of(field.type) is not None else None
        groups.setdefault((dtype_of(_encoding_of(field.type)), kind), []).append(field)
    for (dtype, _), fields in groups.items():
        shifts = [(byte + width) * 8 - field.end_bits for field in fields]
        masks = [(1 << field.size_bits) - 1 for field in fields]
        yield BitPack(
            tuple(field.slot for field in fields),
            byte,
            native.newbyteorder(">"),
            np.array(shifts, native)[:, None],
            np.array(masks, dtype)[:, None],
            dtype,
            conversions.of(fields[0].type),
        )
