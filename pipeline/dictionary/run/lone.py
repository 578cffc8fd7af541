"""A packet alone: when a batch holds one, the calls to NumPy are the cost, not the bytes.

All fields that are native numbers but for the order of their bytes are put in order by one `take`, sorted by dtype,
and become columns by a view for each dtype. So do the windows of bit fields, which are shifted and masked together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .operations import BitPack, Numbers, Operation
from .steps import Slot


@dataclass(frozen=True, slots=True)
class Lone:
    """`places`: where in the packet each byte comes from. `parts`: (dtype, first byte, (fields, 1)). `windows`: where
    those of bit fields begin; `bits`: (dtype, first field, last field + 1). `shifts`, `masks`: uint64[fields, 1].
    """

    places: NDArray[np.intp]
    parts: tuple[tuple[np.dtype[Any], int, tuple[int, int]], ...]
    windows: int
    shifts: NDArray[np.uint64]
    masks: NDArray[np.uint64]
    bits: tuple[tuple[np.dtype[Any], int, int], ...]
    slots: tuple[Slot, ...]
    others: tuple[Operation, ...]
    """What is not read this way."""

    def columns(self, row: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """One array of one value for each slot. `row: uint8[m]`, from where the block's rows begin."""
        octets = row.take(self.places)
        found: list[NDArray[Any]] = []
        for dtype, first, shape in self.parts:
            found.extend(np.ndarray(shape, dtype, octets, first))
        for fields in self._bit_fields(octets):
            found.extend(fields)
        return found

    def octets(self, row: NDArray[np.uint8]) -> bytes:
        """The bytes of these arrays, one after the other."""
        octets = row.take(self.places)
        bits = [fields.tobytes() for fields in self._bit_fields(octets)]
        return b"".join([octets[: self.windows].tobytes(), *bits])

    def _bit_fields(self, octets: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Those of each dtype: [fields, 1]."""
        if not self.bits:
            return []
        windows: NDArray[np.uint64] = np.ndarray(self.shifts.shape, np.uint64, octets, self.windows)
        numbers = windows >> self.shifts
        numbers &= self.masks
        return [numbers[first:stop].astype(dtype) for dtype, first, stop in self.bits]


def compile_lone(operations: Sequence[Operation]) -> Lone | None:
    """None where there is nothing to win."""
    plain = [each for each in operations if isinstance(each, Numbers) and _is_plain(each)]
    if len(plain) < 2:
        return None
    plain.sort(key=lambda each: -each.dtype.itemsize)
    places: list[int] = []
    parts: list[tuple[np.dtype[Any], int, tuple[int, int]]] = []
    slots: list[Slot] = []
    for each in plain:
        first, width = len(places), each.dtype.itemsize
        for i in range(each.run.count):
            byte = (each.run.offset_bits + i * each.run.stride_bits) // 8
            order = range(byte, byte + width)
            native = each.run.encoding.little_endian == (sys.byteorder == "little")
            places += order if native else reversed(order)
        if parts and parts[-1][0] == each.dtype:
            first = parts.pop()[1]
        parts.append((each.dtype, first, ((len(places) - first) // width, 1)))
        slots += each.slots
    packs = sorted(
        (each for each in operations if isinstance(each, BitPack) and each.conversion is None),
        key=lambda each: -each.dtype.itemsize,
    )
    windows = len(places)
    for pack in packs:
        places += _window(pack) * len(pack.slots)
        slots += pack.slots
    shifts, masks = (
        np.concatenate([np.zeros((0, 1), np.uint64), *(getattr(pack, name).astype(np.uint64) for pack in packs)])
        for name in ("shifts", "masks")
    )
    others = tuple(each for each in operations if each not in plain and each not in packs)
    spans = tuple(_spans(packs))
    return Lone(np.array(places, np.intp), tuple(parts), windows, shifts, masks, spans, tuple(slots), others)


def _window(pack: BitPack) -> list[int]:
    """The bytes of a pack's window as those of a native number of eight; above it stands what its masks take away."""
    width = pack.window.itemsize
    order = [pack.byte + width - 1 - i for i in range(width)]
    order += [pack.byte] * (8 - width)
    return order if sys.byteorder == "little" else order[::-1]


def _spans(packs: Sequence[BitPack]) -> Iterator[tuple[np.dtype[Any], int, int]]:
    """The fields of each dtype."""
    first = 0
    for dtype, some in groupby(packs, key=lambda each: each.dtype):
        stop = first + sum(len(pack.slots) for pack in some)
        yield dtype, first, stop
        first = stop


def _is_plain(numbers: Numbers) -> bool:
    return numbers.conversion is None and all(load.plain for load in numbers.run.loads)
