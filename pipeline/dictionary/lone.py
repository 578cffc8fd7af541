"""A packet alone: when a batch holds one, the calls to NumPy are the cost, not the bytes.

All fields that are native numbers but for the order of their bytes are put in order by one `take`, sorted by dtype,
and become columns by a view for each dtype.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dictionary.operations import Numbers, Operation
from pipeline.dictionary.rows import Chunk
from pipeline.dictionary.steps import Slot


@dataclass(frozen=True, slots=True)
class Lone:
    """`places`: where in the packet each byte comes from. `parts`: (dtype, first byte, last byte + 1)."""

    places: NDArray[np.intp]
    parts: tuple[tuple[np.dtype[Any], int, int], ...]
    slots: tuple[Slot, ...]
    others: tuple[Operation, ...]
    """What is not read this way."""

    def columns(self, chunk: Chunk) -> list[NDArray[Any]]:
        """One array of one value for each slot."""
        octets = chunk.buffer[chunk.offset :].take(self.places)
        found: list[NDArray[Any]] = []
        for dtype, first, stop in self.parts:
            found += list(octets[first:stop].view(dtype).reshape(-1, 1))
        return found


def compile_lone(operations: Sequence[Operation]) -> Lone | None:
    """None where there is nothing to win."""
    plain = [each for each in operations if isinstance(each, Numbers) and _is_plain(each)]
    if len(plain) < 2:
        return None
    plain.sort(key=lambda each: -each.dtype.itemsize)
    places: list[int] = []
    parts: list[tuple[np.dtype[Any], int, int]] = []
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
        parts.append((each.dtype, first, len(places)))
        slots += each.slots
    others = tuple(each for each in operations if each not in plain)
    return Lone(np.array(places, np.intp), tuple(parts), tuple(slots), others)


def _is_plain(numbers: Numbers) -> bool:
    return numbers.conversion is None and all(load.plain for load in numbers.run.loads)
