"""What a plan is made of: containers with their programs, and the branches from each to its children."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..run.criteria import Criterion
from ..run.integrity import Integrity
from ..run.sizes import SizeProgram
from ..run.steps import Slot
from ..run.values import Values
from .limits import Check
from .program import Program

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Branch:
    """A child and when a packet is one; None: always. `switch`: a raw value that it wants, by parameter."""

    node: Node
    test: Criterion | None
    switch: tuple[tuple[str, int], ...] = ()
    needs_others: bool = False
    """Whether its test looks at values of other packets."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The parameter whose raw value tells most branches apart, and by its value the branches that want it. `others`:
    those that want none. Both with the place of each branch in the file.
    """

    key: str
    cases: dict[int, tuple[tuple[int, Branch], ...]]
    others: tuple[tuple[int, Branch], ...]

    def branches(self, value: int) -> tuple[Branch, ...]:
        """What is left for packets of this value, in the order of the file."""
        placed = heapq.merge(self.cases.get(value, ()), self.others, key=itemgetter(0))
        return tuple(branch for _, branch in placed)

    def split(self, known: Values) -> Iterator[tuple[tuple[Branch, ...], Rows | None]]:
        column = known.of(self.key, calibrated=False)
        first = column[0]
        if len(column) == 1 or bool((column == first).all()):
            yield self.branches(int(first)), None
            return
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        ends = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        for low, high in zip([0, *ends.tolist()], [*ends.tolist(), len(order)], strict=True):
            yield self.branches(int(ordered[low])), order[low:high]


class Wanted(NamedTuple):
    """Columns by name, and the `slots` of their values; `firsts`: the first of each; `several`: who has more."""

    slots: tuple[tuple[str, tuple[Slot, ...]], ...]
    names: tuple[str, ...]
    firsts: tuple[Slot, ...]
    several: tuple[tuple[str, tuple[Slot, ...]], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One container. `program` reads it; `probe` reads only what decides between the branches.

    `columns`: (parameter key, column name) in the order of the packet; `slots`: all values, in that order.
    `units` and `descriptions`: by column name. `constants`: slots of fixed values, and what should stand there.
    """

    key: str
    abstract: bool
    program: Program
    probe: Program
    probe_keys: frozenset[str]
    branches: tuple[Branch, ...]
    switch: Switch | None
    columns: tuple[tuple[str, str], ...]
    slots: tuple[Slot, ...]
    units: dict[str, str]
    constants: tuple[tuple[Slot, NDArray[np.uint8]], ...]
    checks: tuple[Check, ...]
    integrity: tuple[Integrity, ...]
    size: SizeProgram | None
    """Bits of a whole packet, where the container says so itself."""
    has_sizes: bool
    """Whether something may have several sizes in one packet."""
    has_texts: bool
    """Whether there are texts as long as a packet tells."""
    descriptions: dict[str, str] = field(default_factory=dict)

    others: frozenset[str] = frozenset()
    """Parameters of other packets that decide something in these."""
    sized_by_length: bool = False
    """Whether something in it is as long as the length field of the packet says."""

    _wanted: list[Wanted] = field(default_factory=list, repr=False, compare=False)

    @property
    def wanted(self) -> Wanted:
        """Where each column's values are: found out when the first packet comes."""
        if not self._wanted:
            self._wanted.append(_wanted(self.slots, self.columns))
        return self._wanted[0]

    def candidates(self, known: Values) -> Iterator[tuple[tuple[Branch, ...], Rows | None]]:
        """Which branches are worth trying for which packets; None: for all of them."""
        if self.switch is None:
            yield self.branches, None
        else:
            yield from self.switch.split(known)

    def walk(self) -> Iterator[Node]:
        yield self
        for branch in self.branches:
            yield from branch.node.walk()


def _wanted(slots: Sequence[Slot], columns: Sequence[tuple[str, str]]) -> Wanted:
    by_key: dict[str, list[Slot]] = {}
    for slot in slots:
        by_key.setdefault(slot.key, []).append(slot)
    found = tuple((name, tuple(by_key[key])) for key, name in columns)
    names, firsts = tuple(name for name, _ in found), tuple(some[0] for _, some in found)
    return Wanted(found, names, firsts, tuple(one for one in found if len(one[1]) > 1))
