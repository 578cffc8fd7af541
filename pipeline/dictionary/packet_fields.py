"""One packet, field by field: where each stands, its raw and calibrated value, and the rule between the two.

In: the bytes of one space packet and a plan. Out: fields in the order of their bits, what no entry describes included.
It runs the decoder's own programs and notes where they read, so it shows what is published. For people who look at
single packets; the hot path does not use it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Column, PacketBatch, Ragged
from .compile.others import OtherValues
from .compile.plan import Plan
from .compile.plan_nodes import Node
from .compile.sorting import Sorter
from .field_rules import rule_of, rule_of_variable
from .run.blocks import BlockProgram
from .run.records import FIRST, UNSEGMENTED
from .run.runs import Run
from .run.step_programs import LoopProgram, RepeatProgram, StepProgram
from .run.steps import Slot
from .run.values import Values
from .run.variables import VariableProgram, product_of

MAX_FIELDS = 4096
"""Of one packet: further ones are counted."""
MAX_ELEMENTS = 64
"""Of an array whose elements are fields of their own; one of more, without gaps, is a single field."""
MAX_LISTED = 8
"""Elements of a value that are written out, and bytes of a blob."""
HEADER_BYTES = 6
PADDING_BYTES = 1 << 16
"""Behind a first segment, in place of the others."""
NOT_DESCRIBED = "not described"


@dataclass(frozen=True, slots=True)
class PacketField:
    """`begin_bits`, `size_bits`: where it stands in the packet. Values are text; `rule`: how the raw value is read and
    calibrated. `name` is NOT_DESCRIBED for bits of which the dictionary says nothing.
    """

    name: str
    begin_bits: int
    size_bits: int
    raw: str = ""
    calibrated: str = ""
    unit: str = ""
    rule: str = ""

    @property
    def bits(self) -> str:
        """Its bits as `byte.bit`, counted from 0, and how many."""
        byte, bit = divmod(self.begin_bits, 8)
        return f"{byte}.{bit} +{self.size_bits}" if bit or self.size_bits % 8 else f"{byte} +{self.size_bits}"


@dataclass(frozen=True, slots=True)
class PacketFields:
    """A packet's container (empty: none) and its fields; `why`: what is not shown, and for what reason."""

    container: str
    fields: tuple[PacketField, ...]
    why: str = ""


class FieldReader:
    """Reads single packets by the plan of a mission. `joins`: whether segments are joined before they are decoded."""

    def __init__(self, plan: Plan, *, joins: bool = True) -> None:
        self._plan, self._joins = plan, joins
        self._others = frozenset(one.key for one in plan.origins if not one.is_constant)

    def read(self, octets: bytes) -> PacketFields:
        """The fields of a packet with its header; of any bytes."""
        if len(octets) < HEADER_BYTES:
            return PacketFields("", (), f"a packet has a header of {HEADER_BYTES} bytes")
        packets = _batch(octets)
        flags = int(packets.seq_flags[0])
        if not self._joins or int(packets.apid[0]) in self._plan.apids_by_length or flags == UNSEGMENTED:
            return self._read(packets)
        if flags != FIRST:
            return PacketFields("", (), "a later segment of a record, which is decoded once it is whole")
        return _cut(self._read(_batch(octets + bytes(PADDING_BYTES))), len(octets) * 8)

    def _read(self, packets: PacketBatch) -> PacketFields:
        given = self._given(packets)
        set_aside = Counter[str]()
        groups = Sorter(self._plan, set_aside).groups(packets.data, packets, given)
        if not groups:
            return PacketFields("", (), next(iter(set_aside), "no container of the dictionary matches"))
        return _read(groups[0].node, packets, given, self._others)

    def _given(self, packets: PacketBatch) -> Callable[[NDArray[np.intp]], Values] | None:
        """Values of other packets, of which none has come: the initial ones."""
        if not self._plan.origins:
            return None
        others = OtherValues(self._plan.origins, 0)
        others.begin(packets.received_ns)
        return others.given


def _cut(found: PacketFields, end_bits: int) -> PacketFields:
    """Of a record, what its first segment holds whole."""
    fields = [one for one in found.fields if one.begin_bits + one.size_bits <= end_bits and one.rule]
    why = "the first segment of a record: the other fields stand in the next ones"
    return PacketFields(found.container, tuple(_with_gaps(fields, end_bits)), why)


def _batch(octets: bytes) -> PacketBatch:
    word, sequence = int.from_bytes(octets[:2]), int.from_bytes(octets[2:4])
    return PacketBatch.single(np.frombuffer(octets, np.uint8), word & 0x7FF, sequence & 0x3FFF, sequence >> 14)


def _read(
    node: Node,
    packets: PacketBatch,
    given: Callable[[NDArray[np.intp]], Values] | None,
    others: frozenset[str],
) -> PacketFields:
    """`others`: parameters that stand in other packets."""
    rows = np.zeros(1, np.intp)
    values = Values(1) if given is None else Values(1, given(rows), rows)
    begin, end = np.zeros(1, np.int64), np.full(1, len(packets.data) * 8, np.int64)
    trace = Trace()
    run = _TracedRun(packets.data, begin, end, begin, values)
    run.trace = trace
    result = run.run(node.program.steps)
    why = [] if result.short is None else [f"too short for {node.key}"]
    for each in node.program.contextual:
        if each.slot in result.values.raw:
            each.apply(result.values)
    why += [f"{trace.n_left_out:,} more fields"] if trace.n_left_out else []
    why += ["values of other packets are taken as before any came"] if node.others & others else []
    fields = sorted(_fields(node, trace, result.values), key=lambda one: (one.begin_bits, -one.size_bits))
    return PacketFields(node.key, tuple(_with_gaps(fields, int(end[0]))), "; ".join(why))


class Place(NamedTuple):
    """Where one value was read."""

    begin_bits: int
    size_bits: int
    rule: str


class Trace:
    """Places by slot, in the order in which they were read."""

    def __init__(self) -> None:
        self.places: dict[Slot, list[Place]] = {}
        self.n_of = Counter[Slot]()
        """Places of each slot, those left out too."""
        self.n = self.n_left_out = 0
        self.looked_ahead: set[int] = set()
        """Steps that only find where the times of a loop begin, by identity."""

    def add(self, slot: Slot, place: Place) -> None:
        """Note a place; one of no bits is none."""
        if not place.size_bits:
            return
        self.n_of[slot] += 1
        if self.n >= MAX_FIELDS:
            self.n_left_out += 1
            return
        self.n += 1
        self.places.setdefault(slot, []).append(place)


class _TracedRun(Run):
    """A run of the decoder that notes the place of each value."""

    trace: Trace

    def _part(self, steps: Sequence[StepProgram]) -> Callable[..., Run]:
        if id(steps) in self.trace.looked_ahead:
            return Run

        def made(*arguments: Any) -> Run:
            run = _TracedRun(*arguments)
            run.trace = self.trace
            return run

        return made

    def _step(self, step: StepProgram) -> bool:
        before = self.position.copy()
        if isinstance(step, LoopProgram):
            self.trace.looked_ahead.add(id(step.walk))
        goes_on = super()._step(step)
        for row in np.flatnonzero(self.alive).tolist():
            if isinstance(step, BlockProgram):
                low = int((self.begin if step.from_start else before)[row]) + step.first_bits
                self._note_block(step, low)
            elif isinstance(step, RepeatProgram):
                self._note_repeat(step, row, int(before[row]))
            elif isinstance(step, VariableProgram):
                self._note_variable(step, int(before[row]), int(self.position[row]))
        return goes_on

    def _note_block(self, block: BlockProgram, low: int) -> None:
        for each in block.fields:
            self._note_array(each.slot, low + each.offset_bits, each.shape, each.strides_bits, each.size_bits,
                             rule_of(each.type))  # fmt: skip

    def _note_array(
        self, slot: Slot, low: int, shape: tuple[int, ...], strides: tuple[int, ...], size_bits: int, rule: str
    ) -> None:
        """The elements of an array (of one value without a shape), or the whole array."""
        n = prod(shape)
        reach = sum((k - 1) * stride for k, stride in zip(shape, strides, strict=True)) + size_bits
        if n > MAX_ELEMENTS and reach == n * size_bits:
            self.trace.add(slot, Place(low, reach, f"{n:,} times: {rule}"))
            return
        for index in product(*map(range, shape)):
            self.trace.add(slot, Place(low + sum(map(int.__mul__, index, strides)), size_bits, rule))

    def _note_repeat(self, repeat: RepeatProgram, row: int, low: int) -> None:
        values, block = self.result.values, repeat.block
        count = int(product_of(repeat.counts, values)[row])
        stride = block.end_bits + int(repeat.gap.of(values)[row])
        for each in block.fields:
            self._note_array(each.slot, low + each.offset_bits, (count, *each.shape), (stride, *each.strides_bits),
                             each.size_bits, rule_of(each.type))  # fmt: skip

    def _note_variable(self, variable: VariableProgram, low: int, high: int) -> None:
        rule = rule_of_variable(variable)
        if variable.encoding is None:
            self.trace.add(variable.slot, Place(low, high - low, rule))
            return
        size = variable.encoding.size_bits
        self._note_array(variable.slot, low, ((high - low) // size,), (size,), size, rule)


def _fields(node: Node, trace: Trace, values: Values) -> Iterator[PacketField]:
    names = dict(node.columns)
    for slot, places in trace.places.items():
        if slot not in values.raw:
            continue
        raw, calibrated = (_of_first(column[slot]) for column in (values.raw, values.calibrated))
        key = names.get(slot.key, slot.key)
        name = "fixed value" if slot.key.startswith("#") else key
        unit = "" if node.units.get(key) == "1" else node.units.get(key, "")
        n = trace.n_of[slot]
        for k, (place, one, other) in enumerate(zip(places, _parted(raw, n), _parted(calibrated, n), strict=False)):
            number = f"[{k}]" if len(places) > 1 else ""
            text, meant = _raw_text(one, place), _calibrated_text(other, place)
            same = one is other or text == meant
            yield PacketField(f"{name}{number}", place.begin_bits, place.size_bits, text,
                              "" if same and not unit else meant, unit, place.rule)  # fmt: skip


def _of_first(column: Column) -> NDArray[Any]:
    """The values of the only packet, along the first axis."""
    if isinstance(column, Ragged):
        first = int(column.start[0])
        return np.asarray(column.values[first : first + int(column.length[0])])
    return np.asarray(column[:1])


def _parted(values: NDArray[Any], n: int) -> list[NDArray[Any]]:
    """The values of `n` places; where their places are not distinguished, all values at each."""
    if n and values.size % n == 0 and values.size:
        return list(values.reshape(n, -1))
    return [values.ravel()] * n


def _is_octets(values: NDArray[Any], place: Place) -> bool:
    return values.dtype == np.uint8 and values.size > 1 and values.size == (place.size_bits + 7) // 8


def _calibrated_text(values: NDArray[Any], place: Place) -> str:
    """Of bytes the text that they are, if they are one."""
    if not _is_octets(values, place):
        return _text(values)
    text = values.tobytes().decode("ascii", "replace")
    return text if text.isascii() and text.isprintable() else ""


def _raw_text(values: NDArray[Any], place: Place) -> str:
    if _is_octets(values, place):
        octets = values.tobytes()
        return octets[: 2 * MAX_LISTED].hex(" ") + (" ..." if len(octets) > 2 * MAX_LISTED else "")
    return _text(values)


def _text(values: NDArray[Any]) -> str:
    listed = [_one_text(one) for one in values.ravel()[:MAX_LISTED].tolist()]
    return ", ".join(listed) + (f", ... ({values.size:,})" if values.size > MAX_LISTED else "")


def _one_text(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _with_gaps(fields: Sequence[PacketField], end_bits: int) -> Iterator[PacketField]:
    """The fields, and between them what no entry describes."""
    place = 0
    for one in fields:
        if one.begin_bits > place:
            yield PacketField(NOT_DESCRIBED, place, one.begin_bits - place)
        yield one
        place = max(place, one.begin_bits + one.size_bits)
    if place < end_bits:
        yield PacketField(NOT_DESCRIBED, place, end_bits - place)
