"""Containers that no packet can reach: a sibling before them takes every packet that could be theirs, or their criteria
want two values of one parameter, or one that its bits cannot hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from ...model.errors import Problem
from ..model.definitions import Dictionary
from ..model.encodings import NumberEncoding
from ..model.notices import Notice, located
from ..run.criteria import Combines, Criterion, Ranges, ranges_wanted
from .plan_nodes import Node

MAX_PARTS = 6
"""Criteria of which every selection is looked for; of more only all together."""
Parts = frozenset[Criterion]
Spans = dict[str, Ranges]
MAX_VALUE = 1 << 64


def unreachable(top: Node, dictionary: Dictionary) -> tuple[Notice, ...]:
    """A notice for each container without children that is never reached."""
    found: dict[str, Notice] = {}
    _leaves(top, dictionary, found)
    _contradictions(top, dictionary, {}, found)
    return tuple(found.values())


def _contradictions(node: Node, dictionary: Dictionary, above: Spans, found: dict[str, Notice]) -> None:
    """Note what is below branches whose criteria cannot hold with those above; `above`: values that these want."""
    for branch in node.branches:
        below, spans = branch.node, dict(above)
        uses = Counter(slot.key for slot in below.slots)
        impossible = ""
        for key, ranges in ranges_wanted(branch.test) if branch.test is not None else ():
            if uses[key] == 1:
                spans[key] = _common(spans.get(key, _bounds(key, dictionary)), ranges)
                impossible = impossible or ("" if spans[key] else key)
        if impossible:
            text = f'can never be reached: "{impossible}" never has the value that its criteria want'
            for leaf in (below, *below.walk()):
                if leaf.key and not leaf.abstract:
                    found.setdefault(leaf.key, _notice(leaf, text, dictionary))
        else:
            _contradictions(below, dictionary, spans, found)


def _common(one: Ranges, other: Ranges) -> Ranges:
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return tuple((low, high) for low, high in pairs if low <= high)


def _bounds(key: str, dictionary: Dictionary) -> Ranges:
    """What the bits of an integer can hold."""
    encoding = getattr(dictionary.parameters[key].type, "encoding", None)
    if not isinstance(encoding, NumberEncoding) or encoding.is_float:
        return ((-MAX_VALUE, MAX_VALUE),)
    size = encoding.size_bits
    return (
        ((0, (1 << size) - 1),)
        if encoding.form in {"unsigned", "BCD"}
        else ((-(1 << size - 1), (1 << size - 1) - 1),)
    )


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
                text = f'can never be reached: wherever its criteria hold, those of "{before.key}" before it do'
                found.setdefault(leaf.key, _notice(leaf, text, dictionary))
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


def _notice(leaf: Node, text: str, dictionary: Dictionary) -> Notice:
    line = dictionary.containers[leaf.key].line
    (place,) = located([Problem("", dictionary.file, line)], dictionary.files)
    return Notice(text, place.file, place.line, f'SequenceContainer "{leaf.key}"')


def _parts(test: Criterion | None) -> Parts:
    """The tests of which all must hold."""
    if test is None:
        return Parts()
    if isinstance(test, Combines) and test.every and not test.negated:
        return Parts().union(*(_parts(part) for part in test.parts))
    return Parts({test})
