"""Which packets belong to which container.

Where one masked window of a packet decides, packets are told apart by that number, and what it means is remembered.
Else they go down the tree of containers together, each branch taking those for which its criteria hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import PacketBatch
from pipeline.dictionary.plan import Branch, Node, Plan, Signature
from pipeline.dictionary.program import Program
from pipeline.dictionary.rows import even_stride, gather
from pipeline.dictionary.runs import Result
from pipeline.dictionary.values import Values
from pipeline.reductions import least

Rows = NDArray[np.intp]
Heads = NDArray[np.uint8]
MAX_KNOWN = 4096
"""Kinds of packets remembered; noise could make up any number."""


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
        self._known: dict[int, Node] = {}
        self._order = [node.key for node in plan.root.walk()]
        self._every = np.arange(0)

    def groups(self, flat: NDArray[np.uint8], packets: PacketBatch) -> list[Group]:
        """The packets by container, in the order of the dictionary."""
        rows = self._all_rows(len(packets))
        codes, heads = (None, None) if self._plan.signature is None else _codes(self._plan.signature, flat, packets)
        if codes is None:
            return self._sort_all(flat, packets, rows)
        if len(rows) == 1:
            node = self._known.get(int(codes[0]))
            return [Group(node, rows)] if node else self._remember(int(codes[0]), flat, packets, rows)
        found: dict[str, list[Group]] = {}
        for code, some in _alike(codes, rows):
            groups = (
                [Group(self._known[code], some)]
                if code in self._known
                else self._remember(code, flat, packets, some)
            )
            for group in groups:
                found.setdefault(group.node.key, []).append(group)
        order = [key for key in self._order if key in found] if len(found) > 1 else list(found)
        return [Group(found[key][0].node, _merged([group.rows for group in found[key]]), heads) for key in order]

    def known(self, packet: NDArray[np.uint8]) -> Node | None:
        """The container of a packet whose kind was seen before; None where that does not tell."""
        signature = self._plan.signature
        if signature is None:
            return None
        window = packet[signature.byte : signature.byte + signature.window.itemsize].tobytes()
        order: Literal["little", "big"] = "little" if signature.window.str[0] == "<" else "big"
        return self._known.get(int.from_bytes(window, order) & int(signature.mask))

    def _all_rows(self, n: int) -> Rows:
        """0 to n - 1, which nobody may change."""
        if len(self._every) < n:
            self._every = np.arange(n)
            self._every.flags.writeable = False
        return self._every[:n]

    def _remember(self, code: int, flat: NDArray[np.uint8], packets: PacketBatch, rows: Rows) -> list[Group]:
        groups = self._sort_all(flat, packets, rows)
        if len(groups) == 1 and len(groups[0].rows) == len(rows) and len(self._known) < MAX_KNOWN:
            self._known[code] = groups[0].node
        return groups

    def _sort_all(self, flat: NDArray[np.uint8], packets: PacketBatch, rows: Rows) -> list[Group]:
        return _Descent(flat, packets, self._set_aside).sort(self._plan.root, rows)


def run_program(
    program: Program, flat: NDArray[np.uint8], packets: PacketBatch, rows: Rows, heads: Heads | None = None
) -> tuple[Rows, Result]:
    """Run on the given packets; the rows that come back are those that were long enough."""
    if len(rows) == len(packets):
        start, length = packets.start, packets.length
    else:
        start, length = packets.start[rows], packets.length[rows]
    if program.fixed_bits is not None:
        n_bytes = (program.fixed_bits + 7) // 8
        if least(length) < n_bytes:
            long_enough = length >= n_bytes
            rows, start, length = rows[long_enough], start[long_enough], length[long_enough]
            if not len(rows):
                return rows, Result(Values(0))
    elif heads is not None and len(rows) < len(packets):
        heads = heads[rows]
    result = program.run(flat, start, length, heads)
    if result.short is not None:
        kept = np.flatnonzero(~result.short)
        rows, result = rows[kept], result.subset(kept)
    return rows, result


def _codes(
    signature: Signature, flat: NDArray[np.uint8], packets: PacketBatch
) -> tuple[NDArray[Any] | None, Heads | None]:
    """The bits that decide, of each packet, and what was read with them; None: a packet is too short to hold them."""
    width, heads = signature.window.itemsize, None
    if least(packets.length) < signature.byte + width:
        return None, None
    start = packets.start
    stride = even_stride(start)
    if stride:
        first = int(start[0]) + signature.byte
        found = np.ndarray((len(start),), signature.window, flat, first, (stride,))
    elif signature.head_bytes:
        # To come to a packet at all takes most of the time: what is wanted next is taken along.
        heads = gather(flat, start, signature.head_bytes)
        found = np.ndarray((len(start),), signature.window, heads, signature.byte, (signature.head_bytes,))
    else:
        windows = np.ndarray((len(flat) - width + 1,), signature.window, flat, 0, (1,))
        found = windows[start + signature.byte]
    native = found.astype(signature.mask.dtype)
    native &= signature.mask
    return native, heads


def _alike(codes: NDArray[Any], rows: Rows) -> Iterator[tuple[int, Rows]]:
    """The rows of each code."""
    if len(codes) == 1 or bool((codes == codes[0]).all()):
        yield int(codes[0]), rows
        return
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    ends = (np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist()
    for low, high in zip([0, *ends], [*ends, len(order)], strict=True):
        yield int(ordered[low]), order[low:high]


class _Descent:
    """The way of one batch down the tree."""

    def __init__(self, flat: NDArray[np.uint8], packets: PacketBatch, set_aside: Counter[str]) -> None:
        self.flat = flat
        self.packets = packets
        self.set_aside = set_aside

    def sort(self, root: Node, rows: Rows) -> list[Group]:
        """Groups in the order of the dictionary."""
        found = list(self._sort(root, rows, None))
        together: dict[str, list[Rows]] = {}
        nodes = {group.node.key: group.node for group in found}
        for group in found:
            together.setdefault(group.node.key, []).append(group.rows)
        order = [node.key for node in root.walk() if node.key in together]
        return [Group(nodes[key], _merged(together[key])) for key in order]

    def _sort(self, node: Node, rows: Rows, known: Values | None) -> Iterator[Group]:
        if not node.branches:
            yield from self._stay(node, rows)
            return
        if known is None or not all(known.knows(key) for key in node.probe_keys):
            n = len(rows)
            rows, result = run_program(node.probe, self.flat, self.packets, rows)
            known = result.values
            if n > len(rows):
                self.set_aside[f"too short for {node.key}"] += n - len(rows)
            if not len(rows):
                return
        for candidates, here in node.candidates(known):
            some = rows if here is None else rows[here]
            values = known if here is None else known.subset(here)
            yield from self._branch(node, candidates, some, values)

    def _branch(self, node: Node, candidates: Sequence[Branch], rows: Rows, values: Values) -> Iterator[Group]:
        for branch in candidates:
            hits = None if branch.test is None else branch.test.holds(values)
            if hits is None or hits.all():
                yield from self._sort(branch.node, rows, values)
                return
            if hits.any():
                inside, outside = np.flatnonzero(hits), np.flatnonzero(~hits)
                yield from self._sort(branch.node, rows[inside], values.subset(inside))
                rows, values = rows[outside], values.subset(outside)
        yield from self._stay(node, rows)

    def _stay(self, node: Node, rows: Rows) -> Iterator[Group]:
        if not node.abstract:
            yield Group(node, rows)
            return
        apids = self.packets.apid[rows]
        for apid in np.unique(apids):
            self.set_aside[f"no container for APID {apid}"] += int((apids == apid).sum())


def _merged(pieces: Sequence[Rows]) -> Rows:
    return pieces[0] if len(pieces) == 1 else np.sort(np.concatenate(pieces))
