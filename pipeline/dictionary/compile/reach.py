"""Containers that no packet can reach, since a sibling before them takes every packet that could be theirs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ...model.errors import Problem
from ..model.definitions import Dictionary
from ..model.notices import Notice, located
from ..run.criteria import Combines, Criterion
from .plan_nodes import Node

MAX_PARTS = 6
"""Criteria of which every selection is looked for; of more only all together."""
Parts = frozenset[Criterion]


def unreachable(top: Node, dictionary: Dictionary) -> tuple[Notice, ...]:
    """A notice for each container without children that is never reached."""
    found: dict[str, Notice] = {}
    _leaves(top, dictionary, found)
    return tuple(found.values())


def _leaves(node: Node, dictionary: Dictionary, found: dict[str, Notice]) -> list[tuple[Parts, Node]]:
    """The leaves below, and what must hold below this node for each. Those that are never reached go to `found`."""
    leaves: list[tuple[Parts, Node]] = []
    taken: dict[Parts, Node] = {}
    for branch in node.branches:
        own, below = _parts(branch.test), branch.node
        inside = _leaves(below, dictionary, found) if below.branches else [(Parts(), below)]
        here = [(own | parts, leaf) for parts, leaf in inside if not leaf.abstract]
        for parts, leaf in here:
            before = next((taken[some] for some in _selections(parts) if some in taken), None)
            if before is not None:
                found.setdefault(leaf.key, _notice(leaf, before, dictionary))
        for parts, leaf in here:
            taken.setdefault(parts, leaf)
        leaves += here
    return leaves


def _selections(parts: Parts) -> Iterator[Parts]:
    """What a sibling's leaf may want that takes all packets in which these parts hold."""
    yield parts
    if 1 < len(parts) <= MAX_PARTS:
        for n in range(1, len(parts)):
            yield from map(Parts, combinations(parts, n))


def _notice(leaf: Node, before: Node, dictionary: Dictionary) -> Notice:
    line = dictionary.containers[leaf.key].line
    (place,) = located([Problem("", dictionary.file, line)], dictionary.files)
    text = f'can never be reached: wherever its criteria hold, those of "{before.key}" before it do'
    return Notice(text, place.file, place.line, f'SequenceContainer "{leaf.key}"')


def _parts(test: Criterion | None) -> Parts:
    """The tests of which all must hold."""
    if test is None:
        return Parts()
    if isinstance(test, Combines) and test.every and not test.negated:
        return Parts().union(*(_parts(part) for part in test.parts))
    return Parts({test})
