"""Whether packets are as they were sent: the check words that a dictionary declares, of all packets at once.

A container's check word stands inside the packet and covers all bytes before it. A field that is nothing but a check
word covers the packet up to itself; a field with a check word inside protects itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Ragged
from ...model.errors import ConfigError, Problem
from ..model.definitions import Container, Dictionary, bases_of
from ..model.encodings import CheckDigit, ErrorCheck, NumberEncoding, Parity, StringEncoding
from ..model.parameter_types import BytesType, SpelledType, StringType
from .checksums import CheckValues
from .digits import DigitsCheck
from .ragged import any_in_rows
from .steps import Block, Group, LeafType, Loop, Repeat, Slot, Step, Variable, fields_of, size_of
from .texts import text_of
from .values import Values

Octets = NDArray[np.uint8]
Positions = NDArray[np.int64]
Rows = NDArray[np.bool_]
PATTERNED = frozenset({"unsigned", "twosComplement"})
"""Encodings whose bits can be had back from the value."""


@dataclass(frozen=True, slots=True, eq=False)
class SpanCheck:
    """The check word inside of spans of bytes."""

    check: ErrorCheck
    values: CheckValues = field(repr=False)

    def failed(self, data: Octets, start: Positions, length: Positions) -> Rows:
        """bool[n]: spans that are not what their check word says, or too short to have one."""
        algorithm = self.check.algorithm
        if isinstance(algorithm, Parity):
            odd = self.values.of(data, start, length) == 1
            return np.asarray(odd != algorithm.odd)
        n_bytes, distance = algorithm.width_bits // 8, (self.check.bits or 0) // 8
        covered = length - distance - n_bytes if self.check.from_end else np.full(len(length), distance)
        wrong = (covered < 0) | (covered + n_bytes > length)
        rows = np.flatnonzero(~wrong)
        expected = word_at(data, start[rows] + covered[rows], n_bytes)
        wrong[rows] = self.values.of(data, start[rows], covered[rows]) != expected
        return np.asarray(wrong)


@dataclass(frozen=True, slots=True, eq=False)
class PacketCheck:
    """The check word of whole packets. `name`: for messages."""

    name: str
    span: SpanCheck

    def failed(self, _: Values, data: Octets, start: Positions, length: Positions) -> Rows:
        return self.span.failed(data, start, length)


@dataclass(frozen=True, slots=True, eq=False)
class WordCheck:
    """A field that is the check word of the packet before it."""

    name: str
    slot: Slot
    values: CheckValues = field(repr=False)

    def failed(self, found: Values, data: Octets, start: Positions, _: Positions) -> Rows:
        place, column = found.places[self.slot], found.raw[self.slot]
        assert isinstance(column, np.ndarray)
        words = column if column.ndim == 1 else _folded(column)
        return np.asarray((self.values.of(data, start, place >> 3) != words) | ((place & 7) != 0))


@dataclass(frozen=True, slots=True, eq=False)
class ContentCheck:
    """A field of bytes with its check word inside; where it is empty it is not there."""

    name: str
    slot: Slot
    span: SpanCheck

    def failed(self, found: Values, _: Octets, start: Positions, __: Positions) -> Rows:
        column = found.raw[self.slot]
        if not isinstance(column, Ragged):
            n, width = column.shape
            begin = np.arange(n, dtype=np.int64) * width
            return self.span.failed(np.ascontiguousarray(column).reshape(-1), begin, np.full(n, width, np.int64))
        wrong = np.zeros(len(start), np.bool_)
        rows = np.flatnonzero(column.length)
        wrong[rows] = self.span.failed(column.values, column.start[rows], column.length[rows])
        return wrong


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """Numbers with a parity bit of their own."""

    name: str
    slot: Slot
    size_bits: int
    odd: bool

    def failed(self, found: Values, _: Octets, __: Positions, ___: Positions) -> Rows:
        column = found.raw[self.slot]
        if isinstance(column, Ragged):
            return any_in_rows(self._wrong(column.values), column.start, column.length)
        return self._wrong(np.asarray(column))

    def _wrong(self, values: NDArray[Any]) -> Rows:
        bits = values.view(f"u{values.dtype.itemsize}")
        bits = bits & bits.dtype.type((1 << self.size_bits) - 1)
        wrong = ((np.bitwise_count(bits) & 1) == 1) != self.odd
        return np.asarray(wrong.reshape(len(wrong), -1).any(axis=1))


Integrity = PacketCheck | WordCheck | ContentCheck | ParityCheck | DigitsCheck


def word_at(data: Octets, begin: Positions, n_bytes: int) -> NDArray[np.uint64]:
    """The unsigned number, most significant byte first, at each position."""
    total = np.zeros(len(begin), np.uint64)
    for i in range(n_bytes):
        total = (total << np.uint64(8)) | data[begin + i]
    return total


def _folded(column: Octets) -> NDArray[np.uint64]:
    flat = np.ascontiguousarray(column)
    begin = np.arange(len(flat), dtype=np.int64) * flat.shape[1]
    return word_at(flat.reshape(-1), begin, flat.shape[1])


def check_of(kind: LeafType) -> ErrorCheck | None:
    """The check that the type's encoding declares."""
    return kind.encoding.check


def is_word(kind: LeafType) -> bool:
    """Whether the field is nothing but a check word."""
    check = check_of(kind)
    return (
        check is not None
        and size_of(kind) == check.algorithm.width_bits
        and not isinstance(check.algorithm, Parity | CheckDigit)
    )


def integrity_of(container: Container, steps: Sequence[Step], dictionary: Dictionary) -> tuple[Integrity, ...]:
    """All checks of a packet of the container, its bases' included. Raises ConfigError where one is beyond us."""
    found: list[Integrity] = []
    declared = next((each for each in bases_of(container, dictionary) if each.check or each.size is not None), None)
    if declared is not None and declared.check is not None:
        check = declared.check
        _check_place(check, declared.key, dictionary)
        found.append(PacketCheck(f"{check.algorithm.name} of {container.key}", _span(check)))
    for slot, kind, single in _checked(steps):
        own = check_of(kind)
        if own is not None:
            found.append(_field_check(slot, kind, own, dictionary, single=single))
    return tuple(found)


def _span(check: ErrorCheck) -> SpanCheck:
    return SpanCheck(check, CheckValues(check.algorithm))


def _checked(steps: Sequence[Step], *, certain: bool = True) -> Iterator[tuple[Slot, LeafType, bool]]:
    """Slots with a check, and whether there is one value, at a place that is known, in every packet."""
    for step in steps:
        if isinstance(step, Block | Repeat):
            for each in fields_of(step):
                yield each.slot, each.type, certain and isinstance(step, Block) and not each.shape
        elif isinstance(step, Variable):
            yield step.slot, step.type, certain and not step.is_array
        elif isinstance(step, Group | Loop):
            yield from _checked(step.steps, certain=False)


def _problem(text: str, check: ErrorCheck, dictionary: Dictionary) -> ConfigError:
    return ConfigError([Problem(text, dictionary.file, check.line, "ErrorDetectCorrect")])


def _check_place(check: ErrorCheck, name: str, dictionary: Dictionary) -> None:
    if isinstance(check.algorithm, Parity):
        return
    if isinstance(check.algorithm, CheckDigit):
        text = (
            f'{check.algorithm.name} of "{name}" is not implemented: only text and BCD numbers have decimal digits'
        )
        raise _problem(text, check, dictionary)
    if check.bits is None:
        raise _problem(f'bitsFromReference is missing: where in "{name}" is the check word?', check, dictionary)
    if check.bits % 8 or check.algorithm.width_bits % 8:
        raise _problem("a check word that is no whole bytes is not implemented", check, dictionary)


def _field_check(
    slot: Slot, kind: LeafType, check: ErrorCheck, dictionary: Dictionary, *, single: bool
) -> Integrity:
    name = f"{check.algorithm.name} in {slot.key}"
    if isinstance(check.algorithm, CheckDigit):
        return _digits_check(name, slot, kind, check, dictionary, single=single)
    if is_word(kind):
        signed = not isinstance(kind, BytesType) and kind.encoding.form != "unsigned"
        if not single or check.bits or signed:
            text = (
                f'"{slot.key}": a check word that is repeated, included by condition, or signed is not implemented'
            )
            raise _problem(text, check, dictionary)
        return WordCheck(name, slot, CheckValues(check.algorithm))
    if isinstance(kind, BytesType):
        _check_place(check, slot.key, dictionary)
        size = size_of(kind)
        if isinstance(size, int) and (size % 8 or not single):
            text = f'"{slot.key}": a check inside of what is repeated, or no whole bytes, is not implemented'
            raise _problem(text, check, dictionary)
        return ContentCheck(name, slot, _span(check))
    encoding = kind.encoding
    if not isinstance(check.algorithm, Parity) or encoding.form not in PATTERNED:
        raise _problem(
            f'"{slot.key}": {check.algorithm.name} inside of such a number is not implemented', check, dictionary
        )
    return ParityCheck(name, slot, encoding.size_bits, check.algorithm.odd)


def _digits_check(
    name: str, slot: Slot, kind: LeafType, check: ErrorCheck, dictionary: Dictionary, *, single: bool
) -> DigitsCheck:
    if check.bits or (check.bits is not None and not check.from_end) or not single:
        text = f'"{slot.key}": a check digit that is not the last one, or of what is repeated, is not implemented'
        raise _problem(text, check, dictionary)
    if isinstance(kind, StringType | SpelledType) and isinstance(kind.encoding, StringEncoding):
        return DigitsCheck(name, slot, check.algorithm.name, text_of(kind.encoding))
    if isinstance(kind, BytesType) or kind.encoding.form != "BCD":
        _check_place(check, slot.key, dictionary)
    assert isinstance(kind.encoding, NumberEncoding)
    return DigitsCheck(name, slot, check.algorithm.name, None, kind.encoding.size_bits // 4)
