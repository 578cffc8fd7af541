"""Which operations read the fields of a block: neighbours of one encoding and one conversion are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ..model.encodings import NumberEncoding
from ..model.parameter_types import BytesType
from .conversions import Conversion, conversion_of
from .numbers import BitPack, Run, compile_run, dtype_of
from .operations import Bytes, NumberArray, Numbers, Operation
from .steps import Field, LeafType

MAX_PACK_BITS = 32
"""Bit fields are shifted out of one window together while it is no wider."""


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
        read = BitPack(
            byte, native.newbyteorder(">"), np.array(shifts, native)[:, None], np.array(masks, dtype)[:, None]
        )
        yield Numbers(tuple(field.slot for field in fields), read, dtype, conversions.of(fields[0].type))
