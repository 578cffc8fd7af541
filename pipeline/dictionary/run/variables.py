"""Fields whose size a packet tells: blobs, strings, arrays of numbers, of all packets at once.

Each packet has its own position and size. Values come as `Ragged`: one flat array with starts and lengths;
strings as a unicode column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from ..model.conditions import Remainder
from ..model.definitions import Dictionary
from ..model.encodings import BinaryEncoding, NumberEncoding, Tagged, Terminated
from .conversions import Conversion, conversion_of
from .labels import ToLabels
from .numbers import compile_run, dtype_of
from .ragged import byte_matrix, flat_starts, ragged_gather
from .rows import MIN_ROW_BYTES, bit_chunks
from .sizes import SizeProgram, compile_size
from .spelled import ToSpelled, ToTruth
from .steps import LeafType, Slot, Variable
from .texts import ToText, texts_of
from .values import Values

Positions = NDArray[np.int64]
Array = NDArray[Any]
Flags = NDArray[np.bool_]
MAX_FACTOR = 1 << 30
"""No field is so long; two such numbers can be multiplied."""
BEYOND = 1 << 60
"""No byte is so far."""


@dataclass(frozen=True, slots=True)
class VariableProgram:
    """One variable field. `encoding`: of an array's elements, else None and the field is bytes."""

    slot: Slot
    size: SizeProgram | Terminated | Tagged | Remainder
    dimensions: tuple[SizeProgram, ...]
    encoding: NumberEncoding | None
    conversion: Conversion | None
    hidden_bits: int = 0
    """Of a tag before the bytes, which is no part of the value."""
    is_read: bool = True
    """False: only its size is wanted."""

    def size_bits(self, values: Values, found: Terminators, position: Positions, end: Positions) -> Positions:
        """int64[n]: bits that the field takes; negative where the packet asks for nonsense."""
        if isinstance(self.size, Terminated):
            return terminated_bits(found, position, end, self.size)
        if isinstance(self.size, Tagged):
            return tagged_bits(found.data, position, end, self.size)
        if isinstance(self.size, Remainder):
            rest = end - position - self.size.behind_bits
            unit = self.encoding.size_bits if self.encoding is not None else 8
            return np.where(rest < 0, -1, rest // unit * unit)
        return product_of((self.size, *self.dimensions), values)

    def read(
        self, data: NDArray[np.uint8], position: Positions, size_bits: Positions
    ) -> tuple[Column, Column, Flags | None]:
        """Raw and calibrated columns of the fields `size_bits` long from `position` (bits) on, and which of them mean
        nothing.
        """
        if self.encoding is not None:
            raw = read_numbers(data, position, size_bits // self.encoding.size_bits, self.encoding)
            return raw, *self._calibrate(raw)
        if self.hidden_bits:
            tag_bits = np.minimum(size_bits, self.hidden_bits)
            position, size_bits = position + tag_bits, size_bits - tag_bits
        raw = read_bytes(data, position, size_bits, is_text=isinstance(self.conversion, ToText | ToSpelled))
        if isinstance(self.conversion, ToText):
            return raw, texts_of(raw, self.size, self.conversion), self._overflows(raw, self.conversion)
        if isinstance(self.conversion, ToSpelled | ToTruth):
            return raw, *self.conversion.column(raw)
        return raw, raw, None

    def _overflows(self, raw: Ragged, conversion: ToText) -> Flags | None:
        if not conversion.tag_bytes or isinstance(self.size, Tagged):
            return None
        tags = byte_matrix(Ragged(raw.values, raw.start, np.minimum(raw.length, conversion.tag_bytes)))
        return conversion.overflows(tags, raw.length)

    def _calibrate(self, raw: Ragged) -> tuple[Ragged, Flags | None]:
        """Calibrated values, and which rows have some that could not be converted."""
        if self.conversion is None:
            return raw, None
        numbers = np.asarray(raw.values)
        if isinstance(self.conversion, ToLabels):
            by_value = self.conversion.by_value is not None
            out = numbers.view(np.uint8) if by_value else np.empty(numbers.shape, self.conversion.code_dtype)
            flags = self.conversion.fill(numbers, out)
            labels = self.conversion.column(numbers, out, has_unknown=flags is not None)
            return Ragged(labels, raw.start, raw.length), _rows_of(flags, raw)
        values = np.empty(numbers.shape, self.conversion.dtype)
        flags = self.conversion.fill(numbers, values)
        return Ragged(values, raw.start, raw.length), _rows_of(flags, raw)


def _rows_of(flags: Flags | None, column: Ragged) -> Flags | None:
    """Which rows have a value that is flagged; the values of all rows stand one behind the other."""
    if flags is None:
        return None
    rows = np.repeat(np.arange(len(column)), column.length)
    return np.asarray(np.bincount(rows[flags], minlength=len(column)) > 0)


def product_of(sizes: Sequence[SizeProgram], values: Values) -> Positions:
    """int64[n]: the product of the sizes, cut far beyond any packet; negative where one of them is."""
    total = sizes[0].of(values)
    for size in sizes[1:]:
        factor = size.of(values)
        product = np.minimum(total, MAX_FACTOR) * np.minimum(factor, MAX_FACTOR)
        total = np.where((total < 0) | (factor < 0), -1, product)
    return np.minimum(total, MAX_FACTOR, out=total)


def tagged_bits(data: NDArray[np.uint8], position: Positions, end: Positions, size: Tagged) -> Positions:
    """Bits of the tag and of what it announces; -1 where there is no tag, or more than there may be."""
    there = position + size.tag_bits <= end
    tag = NumberEncoding(size.tag_bits)
    n_bits = read_numbers(data, position, there.astype(np.int64), tag)
    total = np.full(len(position), -1, np.int64)
    most = MAX_FACTOR // size.unit_bits
    announced_bits = np.minimum(n_bits.values.astype(np.uint64), np.uint64(most)).astype(np.int64) * size.unit_bits
    total[there] = np.where(announced_bits <= size.max_bits, announced_bits + size.tag_bits, -1)
    return total


class Terminators:
    """Where in the data each terminator stands; it is looked for once."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.data = data
        self._places: dict[tuple[bytes, int], NDArray[np.intp]] = {}

    def places(self, terminator: bytes, residue: int) -> NDArray[np.intp]:
        """Those a whole number of its own widths from a residue, in ascending order, and one beyond all."""
        key = terminator, residue
        if key not in self._places:
            found, width = self._search(terminator), len(terminator)
            aligned = found if width == 1 else found[found % width == residue]
            self._places[key] = np.append(aligned, BEYOND)
        return self._places[key]

    def _search(self, terminator: bytes) -> NDArray[np.intp]:
        n = len(self.data) - len(terminator) + 1
        if n <= 0:
            return np.zeros(0, np.intp)
        found = self.data[:n] == terminator[0]
        for k, octet in enumerate(terminator[1:], 1):
            found &= self.data[k : n + k] == octet
        return np.flatnonzero(found)


def terminated_bits(terminators: Terminators, position: Positions, end: Positions, size: Terminated) -> Positions:
    """Bits up to and with the terminator; without one up to the packet's end. -1 where there is none within the largest
    size: nobody knows where the next field begins.
    """
    longest: Positions = np.maximum(np.minimum(end - position, size.max_bits) & ~7, 0)
    beyond = end - position > size.max_bits
    if (position & 7).any():
        moved = read_bytes(terminators.data, position, longest, is_text=True)
        terminators, begin = Terminators(moved.values), moved.start
    else:
        begin = position >> 3
    width, found = len(size.terminator), longest.copy()
    for residue in range(width):
        # A terminator of several bytes stands at a whole number of its own widths from the string's start.
        rows = np.flatnonzero(begin % width == residue)
        aligned = terminators.places(size.terminator, residue)
        stop = aligned[np.searchsorted(aligned, begin[rows])]
        size_bits = (stop - begin[rows] + width) * 8
        found[rows] = np.minimum(longest[rows], size_bits)
        found[rows[beyond[rows] & (size_bits > longest[rows])]] = -1
    return found


def compile_variable(step: Variable, dictionary: Dictionary) -> VariableProgram:
    """Raises ConfigError where the size refers to what is no number."""
    return VariableProgram(
        step.slot,
        step.size
        if isinstance(step.size, Terminated | Tagged | Remainder)
        else compile_size(step.size, dictionary),
        tuple(compile_size(each, dictionary) for each in step.dimensions),
        _element_encoding(step.type) if step.is_array else None,
        conversion_of(step.type),
        step.size.tag_bits
        if isinstance(step.type.encoding, BinaryEncoding) and isinstance(step.size, Tagged)
        else 0,
    )


def _element_encoding(kind: LeafType) -> NumberEncoding:
    encoding = kind.encoding
    assert isinstance(encoding, NumberEncoding)
    return encoding


def read_bytes(data: NDArray[np.uint8], position: Positions, size_bits: Positions, *, is_text: bool) -> Ragged:
    """Blobs; what is no whole bytes has zeros before it, in a text behind it. Whole bytes stay where they are: a view
    of the data.
    """
    if not int(np.bitwise_or.reduce(position | size_bits)) & 7:
        return Ragged(data, position >> 3, size_bits >> 3)
    spare, length = -size_bits & 7, (size_bits + 7) >> 3
    if not is_text:
        position = position - spare
    begin, phase, start = position >> 3, position & 7, flat_starts(length)
    index = np.repeat(begin - start, length) + np.arange(int(length.sum()))
    shift = np.repeat(phase, length).astype(np.uint8)
    behind = data[np.minimum(index + 1, len(data) - 1)]
    values = (data[index] << shift) | (behind >> (np.uint8(8) - shift))
    partial = np.flatnonzero(spare)
    if is_text:
        values[start[partial] + length[partial] - 1] &= (0xFF << spare[partial]).astype(np.uint8)
    else:
        values[start[partial]] &= (0xFF >> spare[partial]).astype(np.uint8)
    return Ragged(values, start, length)


def read_numbers(
    data: NDArray[np.uint8], position: Positions, count: Positions, encoding: NumberEncoding
) -> Ragged:
    """`count` numbers from each position on."""
    start, dtype = flat_starts(count), dtype_of(encoding)
    if encoding.is_plain and not (position & 7).any():
        flat = ragged_gather(data, position >> 3, count * (encoding.size_bits // 8))
        stored = dtype.newbyteorder("<" if encoding.little_endian else ">")
        return Ragged(flat.view(stored).astype(dtype, copy=False), start, count)
    begin = np.repeat(position - start * encoding.size_bits, count)
    begin += np.arange(len(begin)) * encoding.size_bits
    if encoding.lsb_first:
        return Ragged(_read_lsb_first(data, begin, encoding), start, count)
    row_bytes = max((encoding.size_bits + 7) // 8, MIN_ROW_BYTES)
    run = compile_run(encoding, 0, 1, encoding.size_bits, row_bytes)
    values = np.empty((1, len(begin)), dtype)
    for chunk in bit_chunks(data, begin, encoding.size_bits):
        run.fill(values[:, chunk.low : chunk.high], chunk)
    return Ragged(values[0], start, count)


def _read_lsb_first(data: NDArray[np.uint8], begin: Positions, encoding: NumberEncoding) -> Array:
    """Bit fields of a little-endian structure at any bits: those that begin at one place in their byte together."""
    found = np.empty(len(begin), dtype_of(encoding))
    for phase in range(8):
        rows = np.flatnonzero((begin & 7) == phase)
        width_bits = phase + encoding.size_bits
        values = np.empty((1, len(rows)), found.dtype)
        run = compile_run(encoding, phase, 1, encoding.size_bits, max((width_bits + 7) // 8, MIN_ROW_BYTES))
        for chunk in bit_chunks(data, begin[rows] - phase, width_bits):
            run.fill(values[:, chunk.low : chunk.high], chunk)
        found[rows] = values[0]
    return found
