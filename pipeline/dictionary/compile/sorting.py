"""Which packets belong to which container.

Where a few bits of a packet decide (`signature`), packets are grouped by that number, and its container is
remembered.
Else they go down the tree of containers together, each branch taking those for which its criteria hold.

At each fork siblings are tried in the order of the file, until one leads to a leaf by criteria of its own or below it.
What is found otherwise counts only if no later sibling leads further: a container with children none of which applies,
reached by criteria, goes before one without any criteria; of equals the first in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.batches import PacketBatch
from ...model.reductions import count_equal, smallest
from ..run.rows import even_stride, gather
from ..run.runs import Result
from ..run.values import Places, Values
from .plan import Plan
from .plan_nodes import Branch, Node
from .program import Program
from .signature import Signature

Rows = NDArray[np.intp]
Heads = NDArray[np.uint8]
Given = Callable[[Rows], Values]
"""For packets of a batch, values of other packets."""
MAX_KNOWN = 4096
"""Kinds of packets remembered; noise could make up any number."""
MAX_NEW = 64
"""Kinds of packets that are searched for one by one in a batch, to remember them; the others are searched together."""


class Group(NamedTuple):
    """Packets of one container: `rows` of the batch. `heads`: the first bytes of all packets of the batch, where it
    took them to tell containers apart.
    """

    node: Node
    rows: Rows
    heads: Heads | None = None


class Sorter:
    """Finds the container of each packet. Those that fit none are counted in `set_aside`, by reason."""

    def __init__(self, plan: Plan, set_aside: Counter[str]) -> None:
        self._plan = plan
        self._set_aside = set_aside
        self._known: dict[int, Node | None] = {}
        """By the bits of the signature. None: the container depends on more than these bits."""
        self._places: dict[str, int] = {}
        for node in plan.root.walk():
            self._places.setdefault(node.key, len(self._places))
        self._every = np.arange(0)

    def groups(
        self, flat: NDArray[np.uint8], packets: PacketBatch, given: Given | None = None, *, trial: bool = False
    ) -> list[Group]:
        """The packets by container, in the order of the dictionary.

        `given`: values of other packets, on which some containers depend. `trial`: without counting what is set aside.
        """
        rows = self._all_rows(len(packets.start))
        if given is not None:
            set_aside = Counter[str]() if trial else self._set_aside
            return self._in_order(_Descent(flat, packets, set_aside, given).sort(self._plan.root, rows))
        codes, heads = (None, None) if self._plan.signature is None else _codes(self._plan.signature, flat, packets)
        if codes is None:
            return self._in_order(_Descent(flat, packets, self._set_aside).sort(self._plan.root, rows))
        found: list[Group] = []
        untold: list[Rows] = []
        n_new = min(MAX_NEW, MAX_KNOWN - len(self._known))
        for code, some in _alike(codes, rows):
            node = self._known.get(code)
            if node is not None:
                found.append(Group(node, some, heads))
            elif n_new > 0 and code not in self._known:
                n_new -= 1
                found += self._look_up(code, flat, packets, some)
            else:
                untold.append(some)
        if untold:
            descent = _Descent(flat, packets, self._set_aside)
            found += descent.sort(self._plan.root, _merged(untold))
        return self._in_order(found, heads)

    def _all_rows(self, n: int) -> Rows:
        """0 to n - 1, which nobody may change."""
        if len(self._every) < n:
            self._every = np.arange(n)
            self._every.flags.writeable = False
        return self._every[:n]

    def _look_up(self, code: int, flat: NDArray[np.uint8], packets: PacketBatch, rows: Rows) -> list[Group]:
        """Find the container of packets whose bits are seen for the first time."""
        descent = _Descent(flat, packets, self._set_aside)
        groups = descent.sort(self._plan.root, rows)
        assert self._plan.signature is not None
        if sum(len(group.rows) for group in groups) == len(rows):
            is_decided = len(groups) == 1 and descent.is_decided_by(self._plan.signature)
            self._known[code] = groups[0].node if is_decided else None
        return groups

    def _in_order(self, found: list[Group], heads: Heads | None = None) -> list[Group]:
        """The groups in the order of the dictionary, one for each container."""
        if len(found) < 2:
            return found
        together: dict[str, list[Group]] = {}
        for group in found:
            together.setdefault(group.node.key, []).append(group)
        return [
            Group(together[key][0].node, _merged([group.rows for group in together[key]]), heads)
            for key in sorted(together, key=self._places.__getitem__)
        ]


def run_program(
    program: Program,
    flat: NDArray[np.uint8],
    packets: PacketBatch,
    rows: Rows,
    heads: Heads | None = None,
    given: Given | None = None,
    stay: Places | None = None,
) -> tuple[Rows, Result]:
    """Run on some packets; the rows that come back are those that were long enough. `given`: values of others. `stay`:
    memory for what is read at fixed places.
    """
    if len(rows) == len(packets.start):
        start, length = packets.start, packets.length
    else:
        start, length = packets.start[rows], packets.length[rows]
    if program.fixed_bits is not None:
        n_bytes = (program.fixed_bits + 7) // 8
        if smallest(length) < n_bytes:
            long_enough = length >= n_bytes
            rows, start, length = rows[long_enough], start[long_enough], length[long_enough]
            if not len(rows):
                return rows, Result(Values(0))
    elif heads is not None and len(rows) < len(packets):
        heads = heads[rows]
    result = program.run(flat, start, length, heads, given(rows) if given is not None else None, stay)
    if result.short is not None:
        kept = np.flatnonzero(~result.short)
        rows, result = rows[kept], result.subset(kept)
    return rows, result


def _codes(
    signature: Signature, flat: NDArray[np.uint8], packets: PacketBatch
) -> tuple[NDArray[Any] | None, Heads | None]:
    """The bits that decide, of each packet, and what was read with them; None: a packet is too short to hold them."""
    if smallest(packets.length) < signature.least_bytes:
        return None, None
    start, heads = packets.start, None
    buffer, first, stride = flat, 0, even_stride(start)
    if stride:
        first = int(start[0])
    elif signature.head_bytes or len(signature.windows) > 1:
        # To come to a packet at all takes most of the time: what is wanted next is taken along.
        end = max(window.end for window in signature.windows)
        buffer, stride = gather(flat, start, signature.head_bytes or end), signature.head_bytes or end
        heads = buffer if signature.head_bytes else None
    total: NDArray[Any] | None = None
    for window in signature.windows:
        if stride:
            found = np.ndarray((len(start),), window.stored, buffer, first + window.byte, (stride,))
        else:
            found = np.ndarray((len(flat) - window.stored.itemsize + 1,), window.stored, flat, 0, (1,))
            found = found[start + window.byte]
        bits = found.astype(window.mask.dtype)
        bits &= window.mask
        if window.shift:
            bits = bits << np.uint64(window.shift) if window.shift > 0 else bits >> np.uint64(-window.shift)
        total = bits if total is None else total | bits
    return total, heads


def _alike(codes: NDArray[Any], rows: Rows) -> Iterator[tuple[int, Rows]]:
    """The rows of each code."""
    first = codes.item(0)
    if count_equal(codes, first) == len(codes):
        yield first, rows
        return
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    ends = (np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist()
    for low, high in zip([0, *ends], [*ends, len(order)], strict=True):
        yield int(ordered[low]), order[low:high]


NOWHERE, ANYTHING, INNER, LEAF = 0, 1, 2, 3
"""How a container was found at a fork: not at all, without criteria, by criteria but not a leaf, a leaf by criteria."""


class _Finding(NamedTuple):
    """Packets that found `node`: `rows` of the batch, their `places` among those that were looked for. `by_criteria`:
    whether criteria held on the way, `is_leaf`: whether it is one.
    """

    node: Node
    rows: Rows
    places: Rows
    by_criteria: bool
    is_leaf: bool

    @property
    def rank(self) -> int:
        if not self.by_criteria:
            return ANYTHING
        return LEAF if self.is_leaf else INNER


class _Descent:
    """The way of one batch down the tree."""

    def __init__(
        self, flat: NDArray[np.uint8], packets: PacketBatch, set_aside: Counter[str], given: Given | None = None
    ) -> None:
        self.flat = flat
        self.packets = packets
        self.set_aside = set_aside
        self.given = given
        self._asked: set[str] = set()
        self._probed: set[str] = set()
        self.short: dict[int, str] = {}
        """Packets that were too short for a container on the way, and its name."""

    def sort(self, root: Node, rows: Rows) -> list[Group]:
        """The packets by container."""
        found = self._find(root, rows, None)
        together: dict[str, list[Rows]] = {}
        nodes = {each.node.key: each.node for each in found}
        for each in found:
            together.setdefault(each.node.key, []).append(each.rows)
        self._count_lost(rows, found)
        return [Group(nodes[key], _merged(some)) for key, some in together.items()]

    def is_decided_by(self, signature: Signature) -> bool:
        """Whether nothing but the signature's bits was looked at on the way."""
        return self._asked <= signature.keys and self._probed <= signature.nodes

    def _find(self, node: Node, rows: Rows, known: Values | None) -> list[_Finding]:
        """What becomes of packets that are this container. Packets that find no place in it are in no finding."""
        every = np.arange(len(rows))
        if not node.branches:
            return [] if node.abstract else [_Finding(node, rows, every, False, True)]
        if known is None or not all(known.knows(key) for key in node.probe_keys):
            self._probed.add(node.key)
            kept, result = run_program(node.probe, self.flat, self.packets, rows, None, self.given)
            if len(kept) < len(rows):
                every = np.flatnonzero(np.isin(rows, kept))
                self._note_short(node, np.setdiff1d(rows, kept))
                rows = kept
            known = result.values
            if not len(rows):
                return []
        found: list[_Finding] = []
        if node.switch is not None:
            self._asked.add(node.switch.key)
        for candidates, here in node.candidates(known):
            some, places = (rows, every) if here is None else (rows[here], every[here])
            values = known if here is None else known.subset(here)
            found += self._fork(node, candidates, some, places, values)
        return found

    def _fork(
        self, node: Node, candidates: Sequence[Branch], rows: Rows, places: Rows, values: Values
    ) -> Iterator[_Finding]:
        """The best of what the siblings find."""
        rest = np.arange(len(rows))
        best: _Best | None = None
        for branch in candidates:
            if branch.test is not None:
                self._asked |= branch.test.needs()
            hits = None if branch.test is None else branch.test.holds(values)
            if hits is not None and not hits.any():
                continue
            inside = None if hits is None or hits.all() else np.flatnonzero(hits)
            here = rest if inside is None else rest[inside]
            found = self._find(branch.node, rows[here], values if inside is None else values.subset(inside))
            done = np.zeros(len(rest), np.bool_)
            for each in found:
                by_criteria = each.by_criteria or branch.test is not None
                finding = each._replace(places=here[each.places], by_criteria=by_criteria)
                if finding.rank == LEAF:
                    at = each.places if inside is None else inside[each.places]
                    done[at] = True
                    best = best and best.without(finding.places)
                    yield finding._replace(places=places[finding.places])
                else:
                    best = (best or _Best(len(rows))).with_finding(finding)
            if done.all():
                rest = rest[:0]
                break
            if done.any():
                left = np.flatnonzero(~done)
                rest, values = rest[left], values.subset(left)
        yield from self._stay(node, rows, places, rest, best)

    def _stay(self, node: Node, rows: Rows, places: Rows, rest: Rows, best: _Best | None) -> Iterator[_Finding]:
        """Packets for which there was no leaf by criteria."""
        if best is not None:
            for each, some in best.findings():
                yield each._replace(rows=rows[some], places=places[some])
            rest = rest[~best.has(rest)]
        if len(rest) and not node.abstract:
            yield _Finding(node, rows[rest], places[rest], False, False)

    def _note_short(self, node: Node, rows: Rows) -> None:
        for row in rows.tolist():
            self.short.setdefault(row, node.key)

    def _count_lost(self, rows: Rows, found: Sequence[_Finding]) -> None:
        """Count packets without a container by what was wrong: too short to tell, or none is for them."""
        n_found = sum(len(each.rows) for each in found)
        if n_found == len(rows):
            return
        lost = np.setdiff1d(rows, np.concatenate([rows[:0], *(each.rows for each in found)]))
        short = np.isin(lost, list(self.short)) if self.short else np.zeros(len(lost), np.bool_)
        for row in lost[short].tolist():
            self.set_aside[f"too short for {self.short[row]}"] += 1
        apids, counts = np.unique(self.packets.apid[lost[~short]], return_counts=True)
        for apid, n in zip(apids.tolist(), counts.tolist(), strict=True):
            self.set_aside[f"no container for APID {apid}"] += n


class _Best:
    """For each packet at a fork the best finding so far that is no leaf by criteria."""

    def __init__(self, n: int) -> None:
        self._rank = np.zeros(n, np.int8)
        self._which = np.zeros(n, np.intp)
        self._findings: list[_Finding] = []

    def with_finding(self, finding: _Finding) -> _Best:
        better = finding.places[self._rank[finding.places] < finding.rank]
        self._rank[better], self._which[better] = finding.rank, len(self._findings)
        self._findings.append(finding)
        return self

    def without(self, places: Rows) -> _Best:
        self._rank[places] = NOWHERE
        return self

    def has(self, places: Rows) -> NDArray[np.bool_]:
        return np.asarray(self._rank[places] > NOWHERE)

    def findings(self) -> Iterator[tuple[_Finding, Rows]]:
        """Each finding that is the best for some packets, and their places."""
        for i, finding in enumerate(self._findings):
            some = np.flatnonzero((self._rank > NOWHERE) & (self._which == i))
            if len(some):
                yield finding, some


def _merged(pieces: Sequence[Rows]) -> Rows:
    return pieces[0] if len(pieces) == 1 else np.sort(np.concatenate(pieces))
