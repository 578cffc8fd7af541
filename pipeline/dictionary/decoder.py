"""Packets in, columns out: one batch of columns for each container that is present, rows in packet order.

Packets that match no container, or are too short for theirs, are set aside and counted by reason. Longer ones
are decoded and flagged. Any bytes give flags and counts, never an exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import NO_TIME, Column, ColumnBatch, Event, PacketBatch, Quality, Ragged
from pipeline.dictionary.layout import Slot
from pipeline.dictionary.limits import MAX_EVENTS, LimitWatch, event_of
from pipeline.dictionary.plan import Branch, Node, Plan, Signature
from pipeline.dictionary.program import Program, Result
from pipeline.dictionary.ragged import flat_starts
from pipeline.dictionary.rows import even_stride
from pipeline.dictionary.values import Values
from pipeline.errors import ConfigError, Problem

Rows = NDArray[np.intp]
MAX_KNOWN = 4096
"""Kinds of packets remembered; noise could make up any number."""


@dataclass(frozen=True, slots=True)
class TimeTerm:
    """One part of the onboard time: nanoseconds for each count of a parameter."""

    parameter: str
    unit_ns: float


class _Group(NamedTuple):
    """Packets of one container: `rows` of the batch."""

    node: Node
    rows: Rows


class Decoder:
    """Decodes batches by one plan. `set_aside` counts packets that were not decoded, by reason."""

    def __init__(self, plan: Plan, time_terms: Sequence[TimeTerm] = (), *, raw: bool = False) -> None:
        self.set_aside: Counter[str] = Counter()
        self._plan = plan
        self._raw = raw
        self._n_seen = 0
        self._watch = LimitWatch()
        self._events: list[Event] = []
        nodes = list(plan.root.walk())
        self._known: dict[int, Node] = {}
        self._order = [node.key for node in nodes]
        self._times = {node.key: _terms_of(node, time_terms) for node in nodes}
        names = {name for node in nodes for _, name in node.columns}
        missing = [term.parameter for term in time_terms if term.parameter not in names]
        if missing:
            raise ConfigError(
                [Problem("the dictionary has no such parameter", plan.file, 0, key) for key in missing]
            )

    def decode(self, packets: PacketBatch) -> list[ColumnBatch]:
        """The columns of each container that the batch holds, in the order of the dictionary."""
        n = len(packets)
        if n == 0:
            return []
        first, self._n_seen = self._n_seen, self._n_seen + n
        flat = np.ascontiguousarray(packets.data)
        batches = []
        for group in self._groups(flat, packets):
            batch = self._decode_group(flat, packets, group, first)
            if batch is not None:
                batches.append(batch)
        return batches

    def _groups(self, flat: NDArray[np.uint8], packets: PacketBatch) -> list[_Group]:
        """The packets by container, in the order of the dictionary."""
        rows = np.arange(len(packets))
        sorter = _Sorter(flat, packets, self.set_aside)
        codes = None if self._plan.signature is None else _codes(self._plan.signature, flat, packets)
        if codes is None:
            return sorter.sort(self._plan.root, rows)
        if len(rows) == 1:
            node = self._known.get(int(codes[0]))
            return [_Group(node, rows)] if node else self._remember(int(codes[0]), sorter, rows)
        found: dict[str, list[_Group]] = {}
        for code, some in _alike(codes, rows):
            groups = (
                [_Group(self._known[code], some)] if code in self._known else self._remember(code, sorter, some)
            )
            for group in groups:
                found.setdefault(group.node.key, []).append(group)
        order = [key for key in self._order if key in found] if len(found) > 1 else list(found)
        return [_Group(found[key][0].node, _merged([group.rows for group in found[key]])) for key in order]

    def _remember(self, code: int, sorter: _Sorter, rows: Rows) -> list[_Group]:
        groups = sorter.sort(self._plan.root, rows)
        if len(groups) == 1 and len(groups[0].rows) == len(rows) and len(self._known) < MAX_KNOWN:
            self._known[code] = groups[0].node
        return groups

    def _decode_group(
        self, flat: NDArray[np.uint8], packets: PacketBatch, group: _Group, first: int
    ) -> ColumnBatch | None:
        node = group.node
        rows, result = run_program(node.program, flat, packets, group.rows)
        self._count_short(node, len(group.rows) - len(rows))
        if not len(rows):
            return None
        every = len(rows) == len(packets)
        quality = packets.quality.copy() if every else packets.quality[rows]
        quality = _quality(quality, packets.length if every else packets.length[rows], result, node)
        time_ns = self._time(node, result.values)
        received_ns = packets.received_ns if every else packets.received_ns[rows]
        self._check(node, result.values, quality, received_ns, time_ns)
        columns = _columns(node.slots, result.values.calibrated)
        raw = _columns(node.slots, result.values.raw) if self._raw else {}
        return ColumnBatch(
            node.key,
            time_ns,
            columns,
            raw,
            node.units,
            packets.apid if every else packets.apid[rows],
            packets.seq_count if every else packets.seq_count[rows],
            received_ns,
            np.arange(first, first + len(rows)) if every else rows + first,
            quality,
        )

    def drain_events(self) -> tuple[Event, ...]:
        """Limits passed since the last call, oldest first within a container."""
        drained, self._events = tuple(self._events), []
        return drained

    def _check(
        self,
        node: Node,
        values: Values,
        quality: NDArray[np.uint32],
        received_ns: NDArray[np.int64],
        time_ns: NDArray[np.int64],
    ) -> None:
        """Flag rows outside of their valid range, and note where alarm levels change."""
        for check in node.checks:
            wrong = check.out_of_range(values)
            if wrong is not None and wrong.any():
                quality |= wrong * np.uint32(Quality.OUT_OF_RANGE)
            level = check.levels(values)
            if level is None:
                continue
            for row, before, now in islice(self._watch.changes(check, level), MAX_EVENTS):
                value = _value_at(values.calibrated[Slot(check.key)], row)
                times = int(received_ns[row]), int(time_ns[row])
                self._events.append(event_of(node.key, check, before, now, value, *times))

    def _count_short(self, node: Node, n: int) -> None:
        if n:
            self.set_aside[f"too short for {node.key}"] += n

    def _time(self, node: Node, values: Values) -> NDArray[np.int64]:
        terms = self._times[node.key]
        if not terms:
            untimed = np.empty(values.n, np.int64)
            untimed.fill(NO_TIME)
            return untimed
        total = np.zeros(values.n, np.int64)
        for key, unit_ns in terms:
            counts = values.of(key, calibrated=False)
            if unit_ns.is_integer() and counts.dtype.kind in "iu":
                total += counts.astype(np.int64) * int(unit_ns)
            else:
                nanoseconds = np.rint(counts.astype(np.float64) * unit_ns)
                total += np.nan_to_num(np.clip(nanoseconds, -(2.0**62), 2.0**62)).astype(np.int64)
        return total


def _terms_of(node: Node, time_terms: Sequence[TimeTerm]) -> tuple[tuple[str, float], ...]:
    """Parameter keys and units, or nothing where the container lacks one of the terms."""
    keys = {name: key for key, name in node.columns}
    if not all(term.parameter in keys for term in time_terms):
        return ()
    return tuple((keys[term.parameter], float(term.unit_ns)) for term in time_terms)


def run_program(program: Program, flat: NDArray[np.uint8], packets: PacketBatch, rows: Rows) -> tuple[Rows, Result]:
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
    result = program.run(flat, start, length)
    if result.short is not None:
        kept = np.flatnonzero(~result.short)
        rows, result = rows[kept], result.subset(kept)
    return rows, result


def _columns(wanted: Sequence[tuple[str, tuple[Slot, ...]]], found: Mapping[Slot, Column]) -> dict[str, Column]:
    """By name, in packet order. A parameter that comes more than once has its values along the second axis."""
    return {
        name: found[slots[0]] if len(slots) == 1 else _joined([found[slot] for slot in slots])
        for name, slots in wanted
    }


def _joined(times: Sequence[Column]) -> Column:
    """Arrays of one shape side by side; where a value may be absent, those that are there as ragged rows."""
    arrays = [each for each in times if not isinstance(each, Ragged)]
    if len(arrays) == len(times) and len({each.shape for each in arrays}) == 1:
        return np.stack(arrays, axis=1)
    ragged = [each if isinstance(each, Ragged) else _as_ragged(each) for each in times]
    if len({each.values.shape[1:] for each in ragged}) > 1:
        ragged = [_flattened(each) for each in ragged]
    total = np.asarray(np.sum([each.length for each in ragged], axis=0, dtype=np.int64))
    start = flat_starts(total)
    values = np.empty((int(total.sum()), *ragged[0].values.shape[1:]), np.result_type(*(r.values for r in ragged)))
    place = start.copy()
    for each in ragged:
        source, target = _flat_index(each.start, each.length), _flat_index(place, each.length)
        values[target] = each.values[source]
        place += each.length
    return Ragged(values, start, total)


def _as_ragged(column: NDArray[Any]) -> Ragged:
    n = len(column)
    return Ragged(column, np.arange(n, dtype=np.int64), np.ones(n, np.int64))


def _flattened(column: Ragged) -> Ragged:
    """Rows of arrays as rows of numbers."""
    width = prod(column.values.shape[1:])
    return Ragged(column.values.reshape(-1), column.start * width, column.length * width)


def _flat_index(start: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    index = np.repeat(start - flat_starts(length), length)
    index += np.arange(len(index))
    return index


def _quality(
    quality: NDArray[np.uint32], length: NDArray[np.int64], result: Result, node: Node
) -> NDArray[np.uint32]:
    described = (result.described_bits + 7) >> 3
    if not isinstance(described, int) or most(length) > described:
        quality |= (length > described) * np.uint32(Quality.UNDESCRIBED)
    if result.values.unknown is not None:
        quality |= result.values.unknown * np.uint32(Quality.UNKNOWN_VALUE)
    for slot, expected in node.constants:
        quality |= _differs(result.values.raw[slot], expected) * np.uint32(Quality.OUT_OF_RANGE)
    return quality


def _differs(column: Column, expected: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows in which a fixed value is not what it should be."""
    if not isinstance(column, Ragged):
        wrong = column != expected
        return np.asarray(wrong.any(axis=tuple(range(1, wrong.ndim))))
    wrong = (column.values != expected).any(axis=tuple(range(1, column.values.ndim)))
    rows = np.repeat(np.arange(len(column)), column.length)
    hits = rows[wrong[_flat_index(column.start, column.length)]]
    return np.asarray(np.bincount(hits, minlength=len(column)) > 0)


def _value_at(column: Column, row: int) -> Any:
    """As plain Python, for an event."""
    if isinstance(column, Ragged):
        return column.values[column.start[row] : column.start[row] + column.length[row]].tolist()
    return column[row].tolist()


def least(values: NDArray[np.int64]) -> int:
    """The smallest; a lone value needs no reduction, which costs more than all the rest of it."""
    return int(values[0]) if len(values) == 1 else int(values.min())


def most(values: NDArray[np.int64]) -> int:
    """The largest."""
    return int(values[0]) if len(values) == 1 else int(values.max())


def _codes(signature: Signature, flat: NDArray[np.uint8], packets: PacketBatch) -> NDArray[Any] | None:
    """The bits that decide, of each packet; None: a packet is too short to hold them."""
    width = signature.window.itemsize
    if least(packets.length) < signature.byte + width:
        return None
    start = packets.start
    stride = even_stride(start)
    if stride:
        first = int(start[0]) + signature.byte
        found = np.ndarray((len(start),), signature.window, flat, first, (stride,))
    else:
        windows = np.ndarray((len(flat) - width + 1,), signature.window, flat, 0, (1,))
        found = windows[start + signature.byte]
    native = found.astype(signature.window.newbyteorder("="))
    native &= native.dtype.type(signature.mask)
    return native


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


class _Sorter:
    """Finds the container of each packet of one batch."""

    def __init__(self, flat: NDArray[np.uint8], packets: PacketBatch, set_aside: Counter[str]) -> None:
        self.flat = flat
        self.packets = packets
        self.set_aside = set_aside

    def sort(self, root: Node, rows: Rows) -> list[_Group]:
        """Groups in the order of the dictionary."""
        found = list(self._sort(root, rows, None))
        together: dict[str, list[Rows]] = {}
        nodes = {group.node.key: group.node for group in found}
        for group in found:
            together.setdefault(group.node.key, []).append(group.rows)
        order = [node.key for node in root.walk() if node.key in together]
        return [_Group(nodes[key], _merged(together[key])) for key in order]

    def _sort(self, node: Node, rows: Rows, known: Values | None) -> Iterator[_Group]:
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

    def _branch(self, node: Node, candidates: Sequence[Branch], rows: Rows, values: Values) -> Iterator[_Group]:
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

    def _stay(self, node: Node, rows: Rows) -> Iterator[_Group]:
        if not node.abstract:
            yield _Group(node, rows)
            return
        apids = self.packets.apid[rows]
        for apid in np.unique(apids):
            self.set_aside[f"no container for APID {apid}"] += int((apids == apid).sum())


def _merged(pieces: Sequence[Rows]) -> Rows:
    return pieces[0] if len(pieces) == 1 else np.sort(np.concatenate(pieces))
