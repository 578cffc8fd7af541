"""The place in a packet at which the next entry stands, and the blocks and steps that lie before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from ...model.errors import ConfigError, Problem
from ..model.definitions import MAX_CONTAINER_BITS, Dictionary, Location
from ..model.encodings import NumberEncoding
from ..run.steps import Block, Field, Move, Slot, Step
from .field_counts import MAX_FIELDS


@dataclass(slots=True)
class Count:
    """What the walks through one container and its parts count together."""

    entries: int = 0
    marks: int = 0
    nesting: int = 0
    times: dict[str, int] = field(default_factory=dict)
    chain: tuple[str, ...] = ()
    """The packet's container and its bases."""
    inside: list[str] = field(default_factory=list)
    """Containers inside others that are being laid out."""
    depends_on_chain: bool = False
    """Whether the steps so far are different below another chain: a container inside has children."""

    def like(self) -> Count:
        """Return an empty count for a walk that only measures."""
        return Count(chain=self.chain, inside=list(self.inside))

    def below(self, chain: tuple[str, ...]) -> Count:
        """Return a copy for a container further down: `chain` is its own."""
        return replace(self, times=dict(self.times), inside=list(self.inside), chain=chain)

    def slot(self, key: str) -> Slot:
        times = self.times.get(key, 0)
        self.times[key] = times + 1
        return Slot(key, times)


@dataclass(slots=True)
class Start:
    """Where a container inside another begins: so many bits from the block at hand, or, behind what varies, a mark."""

    offset_bits: int | None
    mark: int | None = None


class Cursor:
    """The place at which the next entry stands, and the steps made so far; a part of a container has its own cursor.

    `starts`: of the containers inside others, the innermost last. `is_trial`: only to find out what varies.
    """

    def __init__(
        self, dictionary: Dictionary, count: Count, *, from_start: bool, starts: Sequence[Start] = ()
    ) -> None:
        self.dictionary = dictionary
        self.count = count
        self.steps: list[Step] = []
        self.fields: list[Field] = []
        self.from_start = from_start
        self.offset_bits = 0
        self.starts = list(starts)
        self.is_trial = False
        self.is_whole = from_start
        """Whether the end of the container at hand is the end of the packet."""
        self.is_at_end = False

    def finish(self) -> tuple[Step, ...]:
        self._close()
        return tuple(self.steps)

    def _fail(self, text: str, line: int) -> ConfigError:
        return ConfigError([Problem(text, self.dictionary.file, line)])

    def _note(self, line: int) -> None:
        self.count.entries += 1
        if self.count.entries > MAX_FIELDS:
            raise self._fail(f"a packet of more than {MAX_FIELDS} fields", line)

    def _open(self, *, from_start: bool = False) -> None:
        self.from_start, self.offset_bits = from_start, 0
        for start in self.starts:
            start.offset_bits = None

    def _close(self) -> None:
        if self.fields or self.offset_bits or self.from_start:
            self.steps.append(Block(self.from_start, tuple(_in_structures(self.fields)), self.offset_bits))
        self.fields = []

    def _step(self, step: Step) -> None:
        self._close()
        self.steps.append(step)
        self._open()

    def _locate(self, location: Location | None, line: int) -> None:
        if location is None:
            return
        start = self.starts[-1] if self.starts and location.from_start else None
        if start is not None and (start.offset_bits is None or not isinstance(location.bits, int)):
            self._step(Move(location.bits, "mark", start.mark or 0))
            return
        if not isinstance(location.bits, int):
            self._step(Move(location.bits, "start" if location.from_start else "here"))
            return
        if start is not None:
            self.offset_bits = (start.offset_bits or 0) + location.bits
        elif location.from_start:
            if not self.from_start:
                self._close()
                self._open(from_start=True)
            self.offset_bits = location.bits
        else:
            self.offset_bits += location.bits
        if self.from_start and self.offset_bits < 0:
            raise self._fail("an entry lies before the start of the packet", line)

    def return_to_front(self) -> None:
        """Go on where the entries before those at the end left off."""
        if self.is_at_end:
            self._step(Move(0, "front"))
            self.is_at_end = False

    def _advance(self, bits: int, line: int) -> None:
        self.offset_bits += bits
        if self.offset_bits > MAX_CONTAINER_BITS:
            raise self._fail(f"the packet would be longer than {MAX_CONTAINER_BITS} bits", line)

    def _part(self, starts: Sequence[Start] = ()) -> Self:
        """A walk through a part of the entries, whose places count from where it begins."""
        part = type(self)(self.dictionary, self.count, from_start=False, starts=starts)
        part.is_trial = self.is_trial
        return part

    def _starts_from_here(self) -> list[Start]:
        return [
            Start(None if start.offset_bits is None else start.offset_bits - self.offset_bits, start.mark)
            for start in self.starts
        ]


def _in_structures(fields: Sequence[Field]) -> Iterator[Field]:
    """The fields, of which one in little-endian order that goes on within a byte from a bit field of that order is
    one of the same structure, and read by the same rule, though it is whole bytes wide.
    """
    ends: set[int] = set()
    for each in fields:
        encoding = each.type.encoding
        found = each
        if isinstance(encoding, NumberEncoding) and not each.shape:
            if encoding.little_endian and each.offset_bits % 8 and each.offset_bits in ends:
                encoding = replace(encoding, little_endian=False, lsb_first=True)
                found = replace(each, type=replace(each.type, encoding=encoding))  # type: ignore[arg-type]
            if encoding.lsb_first:
                ends.add(each.end_bits)
        yield found
