"""A dictionary compiled once: for each container a program, and by which values a packet finds its container.

A packet enters at the root and goes on to the first child, in the order of the file, whose restriction criteria
hold; where none holds it stays. It may end in a container that is not abstract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.dictionary.checks import (
    check_alarms,
    check_contexts,
    check_known,
    check_order,
    check_single,
    check_sized,
    keys_of,
    needs_of,
)
from pipeline.dictionary.conditions import Condition
from pipeline.dictionary.contexts import contextual_slots
from pipeline.dictionary.definitions import Container, Dictionary
from pipeline.dictionary.integrity import Integrity, integrity_of
from pipeline.dictionary.layout import lay_out
from pipeline.dictionary.limits import Check, checks_of
from pipeline.dictionary.program import Program, compile_program
from pipeline.dictionary.rows import MIN_ROW_BYTES
from pipeline.dictionary.steps import Block, Group, Loop, Repeat, Slot, Step, has_loop, has_text, slots_of
from pipeline.dictionary.values import (
    Combines,
    Compares,
    Criterion,
    SizeProgram,
    Values,
    compile_condition,
    compile_size,
)
from pipeline.errors import ConfigError, Problem

Rows = NDArray[np.intp]
MAX_HEAD_BYTES = 32
"""Half a cache line: what is read with the bits that decide should cost nothing where it is not wanted."""
MAX_DEPTH = 100
"""Bases of bases: far more than any mission has, far less than Python's stack."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A child and when a packet is one; None: always. `switch`: a raw value that it wants, by parameter."""

    node: Node
    test: Criterion | None
    switch: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Switch:
    """The parameter whose raw value tells most branches apart, and the branches left for each value."""

    key: str
    cases: dict[int, tuple[Branch, ...]]
    others: tuple[Branch, ...]

    def split(self, known: Values) -> Iterator[tuple[tuple[Branch, ...], Rows | None]]:
        column = known.of(self.key, calibrated=False)
        first = column[0]
        if len(column) == 1 or bool((column == first).all()):
            yield self.cases.get(int(first), self.others), None
            return
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        ends = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
        for low, high in zip([0, *ends.tolist()], [*ends.tolist(), len(order)], strict=True):
            yield self.cases.get(int(ordered[low]), self.others), order[low:high]


class Wanted(NamedTuple):
    """Columns by name, and the `slots` of their values; `firsts`: the first of each; `several`: who has more."""

    slots: tuple[tuple[str, tuple[Slot, ...]], ...]
    names: tuple[str, ...]
    firsts: tuple[Slot, ...]
    several: tuple[tuple[str, tuple[Slot, ...]], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One container. `program` reads it; `probe` reads only what decides between the branches.

    `columns`: (parameter key, column name) in the order of the packet; `wanted`: where each column's values are.
    `units`: by column name. `constants`:
    slots of fixed values, and what should stand there.
    """

    key: str
    abstract: bool
    program: Program
    probe: Program
    probe_keys: frozenset[str]
    branches: tuple[Branch, ...]
    switch: Switch | None
    columns: tuple[tuple[str, str], ...]
    wanted: Wanted
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


class Signature(NamedTuple):
    """The bits that alone decide to which container a packet belongs: those of `mask` in a window of bytes.

    `head_bytes`: so much of a packet's front is read together with it, for the containers that go on from there;
    0: none does.
    """

    byte: int
    window: np.dtype[Any]
    mask: np.unsignedinteger[Any]
    head_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What `Decoder` runs. `file`: where the dictionary came from, for messages."""

    root: Node
    file: str = ""
    signature: Signature | None = None
    """None: the bits that decide have no fixed place, or stand too far apart."""


def compile_plan(dictionary: Dictionary, root: str | None = None, file: str = "") -> Plan:
    """Compile the containers below `root`: a container's name, or None for the one that has no base.

    Where several have no base, those that stand only inside others do not count, then those that nothing extends.
    Raises ConfigError with every problem found.
    """
    file = file or dictionary.file
    container = _root_of(dictionary, root, file)
    children: dict[str, list[Container]] = {}
    for each in dictionary.containers.values():
        if each.base is not None:
            children.setdefault(each.base, []).append(each)
    problems: list[Problem] = []
    node = _compile_node(container, dictionary, children, problems)
    if node is None or problems:
        raise ConfigError(problems)
    return Plan(node, file, _signature(node, lay_out(container, dictionary)))


def _signature(root: Node, steps: Sequence[Step]) -> Signature | None:
    """Where every container below is told apart by values at fixed places of the root, and near to each other."""
    wanted = frozenset(key for node in root.walk() for key in node.probe_keys)
    fixed = [step for step in steps if isinstance(step, Block) and step.from_start]
    fields = {field.slot.key: field for step in fixed for field in step.fields}
    if not wanted or not wanted <= fields.keys():
        return None
    found = [fields[key] for key in wanted]
    byte = min(field.offset_bits for field in found) // 8
    width = (max(field.end_bits for field in found) + 7) // 8 - byte
    if width > 8 or any(field.shape or field.slot.times for field in found):
        return None
    size = next(each for each in (1, 2, 4, 8) if each >= width)
    mask = 0
    for field in found:
        mask |= ((1 << field.size_bits) - 1) << (byte + size) * 8 - field.end_bits
    return Signature(byte, np.dtype(f">u{size}"), np.dtype(f"u{size}").type(mask), _head_bytes(root, byte + size))


def _head_bytes(root: Node, least: int) -> int:
    """The first bytes that containers of varying size want, and no fewer than `least`."""
    wanted = [node.program.head_bytes for node in root.walk() if not node.abstract]
    few = [each for each in wanted if 0 < each <= MAX_HEAD_BYTES]
    return max(*few, least, MIN_ROW_BYTES) if few and least <= MAX_HEAD_BYTES else 0


def _root_of(dictionary: Dictionary, root: str | None, file: str) -> Container:
    containers = dictionary.containers
    if root is not None:
        if root not in containers:
            names = ", ".join(list(containers)[:20])
            raise ConfigError(
                [Problem(f"there is no such container; there are {names}", file, 0, f'root "{root}"')]
            )
        return containers[root]
    inside = {
        entry.container for each in containers.values() for entry in each.entries if hasattr(entry, "container")
    }
    extended = {each.base for each in containers.values()}
    free = [each for each in containers.values() if each.base is None and each.key not in inside]
    found = free if len(free) == 1 else [each for each in free if each.key in extended]
    if len(found) != 1:
        names = ", ".join(each.key for each in found or free)
        raise ConfigError([Problem(f"several containers have no base, name one as root: {names}", file)])
    return found[0]


def _compile_node(
    container: Container,
    dictionary: Dictionary,
    children: dict[str, list[Container]],
    problems: list[Problem],
    depth: int = 0,
) -> Node | None:
    if depth > MAX_DEPTH:
        problems.append(Problem(f"bases nested deeper than {MAX_DEPTH}", dictionary.file, container.line))
        return None
    below = [
        (child, _compile_node(child, dictionary, children, problems, depth + 1))
        for child in children.get(container.key, [])
    ]
    try:
        steps = lay_out(container, dictionary)
        branches = tuple(
            _compile_branch(child.criteria, node, dictionary) for child, node in below if node is not None
        )
        wanted = frozenset(key for branch in branches if branch.test for key in branch.test.needs())
        check_known(wanted, steps, container, dictionary)
        needs = frozenset().union(wanted, *(needs_of(step, dictionary) for step in steps))
        contextual = frozenset().union(*(each.needs() for each in contextual_slots(steps, dictionary)))
        check_single(steps, container, dictionary, needs | contextual)
        check_order(steps, dictionary)
        check_contexts(steps, container, dictionary)
        columns, units = _columns(steps, dictionary)
        program = compile_program(steps, dictionary)
        checks = checks_of(columns, dictionary)
        check_alarms(checks, steps, container, dictionary)
        integrity = integrity_of(container, steps, dictionary)
        size = None if container.size is None else compile_size(container.size, dictionary)
        if size is not None:
            check_sized(size.needs(), steps, container, dictionary)
        # What containers further down are told apart by is read on the way, where it costs no step more.
        later = frozenset(key for _, below_it in below if below_it is not None for key in below_it.probe_keys)
        probe = compile_program(_only(steps, wanted, later, dictionary), dictionary, calibrate=False)
    except ConfigError as error:
        problems.extend(problem for problem in error.problems if problem not in problems)
        return None
    return Node(
        container.key,
        container.abstract,
        program,
        probe,
        wanted,
        branches,
        _switch(branches),
        columns,
        _wanted(steps, columns),
        units,
        _constants(steps),
        checks,
        integrity,
        size,
        any(has_loop(step) for step in steps),
        any(has_text(step) for step in steps),
    )


def _compile_branch(criteria: Condition | None, node: Node, dictionary: Dictionary) -> Branch:
    if criteria is None:
        return Branch(node, None)
    test = compile_condition(criteria, dictionary)
    return Branch(node, test, tuple(_switches(test)))


def _switches(test: Criterion) -> Iterator[tuple[str, int]]:
    """Raw values that a test cannot hold without."""
    if isinstance(test, Compares) and test.operator == "==" and isinstance(test.literal, int):
        yield test.key, int(test.literal)
    elif isinstance(test, Combines) and test.every:
        for part in test.parts:
            yield from _switches(part)


def _switch(branches: Sequence[Branch]) -> Switch | None:
    counts = Counter(key for branch in branches for key in {key for key, _ in branch.switch})
    if not counts or counts.most_common(1)[0][1] < 2:
        return None
    key = counts.most_common(1)[0][0]
    wanted = [dict(branch.switch).get(key) for branch in branches]
    cases = {
        value: tuple(branch for branch, wants in zip(branches, wanted, strict=True) if wants in {None, value})
        for value in wanted
        if value is not None
    }
    others = tuple(branch for branch, wants in zip(branches, wanted, strict=True) if wants is None)
    return Switch(key, cases, others)


def _only(
    steps: Sequence[Step], wanted: frozenset[str], later: frozenset[str], dictionary: Dictionary
) -> tuple[Step, ...]:
    """The least of the steps that still reads the wanted parameters, and of the later ones what they hold."""
    last = max((i for i, step in enumerate(steps) if wanted.intersection(keys_of(step))), default=-1)
    kept = steps[: last + 1]
    needed = (wanted | later).union(*(needs_of(step, dictionary) for step in kept))
    return tuple(
        Block(step.from_start, tuple(each for each in step.fields if each.slot.key in needed), step.end_bits)
        if isinstance(step, Block)
        else step
        for step in kept
    )


def _wanted(steps: Sequence[Step], columns: Sequence[tuple[str, str]]) -> Wanted:
    by_key: dict[str, list[Slot]] = {}
    for slot in slots_of(steps):
        by_key.setdefault(slot.key, []).append(slot)
    slots = tuple((name, tuple(by_key[key])) for key, name in columns)
    names, firsts = tuple(name for name, _ in slots), tuple(some[0] for _, some in slots)
    return Wanted(slots, names, firsts, tuple(one for one in slots if len(one[1]) > 1))


def _constants(steps: Sequence[Step]) -> tuple[tuple[Slot, NDArray[np.uint8]], ...]:
    found: list[tuple[Slot, NDArray[np.uint8]]] = []
    for step in steps:
        if isinstance(step, Group | Loop):
            found += _constants(step.steps)
        elif isinstance(step, Block | Repeat):
            block = step if isinstance(step, Block) else step.block
            found += [(each.slot, np.frombuffer(each.expected, np.uint8)) for each in block.fields if each.expected]
    return tuple(found)


def _columns(steps: Sequence[Step], dictionary: Dictionary) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    """A column has the parameter's plain name, or its key where two of the packet's parameters share that."""
    keys = list(dict.fromkeys(slot.key for slot in slots_of(steps) if not slot.key.startswith("#")))
    parameters = [dictionary.parameters[key] for key in keys]
    uses = Counter(parameter.name for parameter in parameters)
    columns = tuple(
        (parameter.key, parameter.name if uses[parameter.name] == 1 else parameter.key) for parameter in parameters
    )
    units = {name: dictionary.parameters[key].type.unit for key, name in columns}
    return columns, {name: unit for name, unit in units.items() if unit}
