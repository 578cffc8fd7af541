"""A dictionary compiled once: for each container a program, and by which values a packet finds its container.

A packet enters at the roots and looks for a leaf: a container that is not abstract, has no children, and whose criteria
and those of all its bases hold. Children are tried in the order of the file, and the next sibling where nothing below
the first holds (`sorting`). Where no leaf is found, a packet stays in a container with children that is not abstract.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.errors import ConfigError, Problem
from ...system.allocator import collector_paused
from ..model.conditions import Comparison, Condition
from ..model.definitions import Container, Dictionary, ParameterEntry
from ..model.encodings import NumberEncoding
from ..model.notices import Notice, Notices, located
from ..model.parameter_types import AggregateType, EnumeratedType
from ..model.roots import left_out, roots_of
from ..run.comparisons import compile_condition, is_number
from ..run.criteria import values_wanted
from ..run.integrity import integrity_of
from ..run.operations import Conversions
from ..run.rows import MIN_ROW_BYTES
from ..run.sizes import compile_size
from ..run.steps import Block, Field, Group, Loop, Repeat, Slot, Step, has_loop, has_text, slots_of
from .checks import (
    check_contexts,
    check_known,
    check_order,
    check_single,
    check_sized,
    checks_in,
    keys_of,
    needs_of,
)
from .contexts import contextual_slots
from .field_counts import check_field_counts
from .layout import lay_out
from .limits import checks_of
from .others import Origin, has_origin, in_order, origin_of
from .packet_lengths import apids_by_length, header_keys, is_sized_by_length
from .plan_nodes import Branch, Node, Switch, Wanted
from .program import Program, compile_program
from .reach import unreachable

MAX_HEAD_BYTES = 32
"""Half a cache line: what is read with the bits that decide should cost nothing where it is not wanted."""
MAX_DEPTH = 100
"""Bases of bases: far more than any mission has, far less than Python's stack."""


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
    """What `Decoder` runs. `root`: where packets enter; above several roots an abstract one without a name or a column.
    `file`: where the dictionary came from, for messages. `notices`: what in it was passed over.
    """

    root: Node
    file: str = ""
    signature: Signature | None = None
    """None: the bits that decide have no fixed place, or stand too far apart."""
    notices: tuple[Notice, ...] = ()
    origins: tuple[Origin, ...] = ()
    """Parameters whose values packets take from other packets."""
    order: tuple[str, ...] = ()
    """Containers, those first whose values others ask for; where none does, nothing."""
    is_sorted_by_others: bool = False
    """Whether such values tell containers apart."""
    apids_by_length: frozenset[int] = frozenset()
    """APIDs whose packets are sized by their own length field, so that their segments are described one by one."""

    def walk(self) -> Iterator[Node]:
        """Every container, in the order of the dictionary."""
        return (node for node in self.root.walk() if node.key)

    def asked(self) -> dict[str, frozenset[str]]:
        """By container the parameters of other packets that decide something in its packets, or that they are its."""
        found: dict[str, frozenset[str]] = {}

        def descend(node: Node, told_by: frozenset[str]) -> None:
            found[node.key] = node.others | told_by
            own = _asked(node) - node.others
            for branch in node.branches:
                descend(branch.node, told_by | own if branch.needs_others else told_by)

        descend(self.root, frozenset())
        return found

    @property
    def roots(self) -> tuple[Node, ...]:
        return (self.root,) if self.root.key else tuple(branch.node for branch in self.root.branches)


def compile_plan(dictionary: Dictionary, root: str | Sequence[str] | None = None, file: str = "") -> Plan:
    """Compile the containers below `root`: a container's name, several, or None for all that have no base and do not
    stand only inside others. Raises ConfigError with every problem found.
    """
    with collector_paused():
        return _compile_plan(dictionary, root, file)


def _compile_plan(dictionary: Dictionary, root: str | Sequence[str] | None, file: str) -> Plan:
    file = file or dictionary.file
    roots = roots_of(dictionary, root)
    children: dict[str, list[Container]] = {}
    for each in dictionary.containers.values():
        if each.base is not None:
            children.setdefault(each.base, []).append(each)
    check_field_counts(dictionary, roots)
    compiler = _Compiler(dictionary, children)
    nodes = [compiler.node(container) for container in roots]
    found = [node for node in nodes if node is not None]
    if compiler.problems:
        raise ConfigError(located([*compiler.problems], dictionary.files))
    top = found[0] if len(found) == 1 else _above(found)
    entered = [(node, lay_out(each, dictionary)) for node, each in zip(found, roots, strict=True)]
    apids = frozenset[int]().union(*(apids_by_length(node, header_keys(steps)[0]) for node, steps in entered))
    for each in left_out(dictionary, roots) if root is None else ():
        text = "has no base and nothing extends it: no packet is taken for it unless it is named as a root"
        compiler.notices.add(Notice(text, file, each.line, f'SequenceContainer "{each.key}"'))
    notices = (*dictionary.notices, *compiler.notices.told(dictionary.files), *unreachable(top, dictionary))
    origins, order = _origins(top, dictionary), _order(top, dictionary)
    return Plan(top, file, _signature(entered), notices, origins, *order, apids)


def _above(nodes: Sequence[Node]) -> Node:
    """The one node above several roots."""
    nothing, branches = Program((), 0), tuple(Branch(node, None) for node in nodes)
    wanted = Wanted((), (), (), ())
    return Node(
        "", True, nothing, nothing, frozenset(), branches, None, (), wanted, {}, (), (), (), None, False, False
    )


def _asked(node: Node) -> frozenset[str]:
    """Parameters of other packets that this container's packets, or its children's criteria, ask for."""
    tests = [branch.test for branch in node.branches if branch.needs_others and branch.test is not None]
    own = {key for key, _ in node.columns}
    return node.others | frozenset(key for test in tests for key in test.needs() if key not in own)


def _origins(top: Node, dictionary: Dictionary) -> tuple[Origin, ...]:
    keys = frozenset[str]().union(*(_asked(node) for node in top.walk()))
    return tuple(origin_of(key, dictionary) for key in sorted(keys))


def _order(top: Node, dictionary: Dictionary) -> tuple[tuple[str, ...], bool]:
    """Containers in the order in which they are decoded, and whether values of others tell them apart."""
    nodes = {node.key: node for node in top.walk() if node.key}
    if not any(_asked(node) for node in nodes.values()):
        return (), False
    provides = {key: frozenset(each for each, _ in node.columns) for key, node in nodes.items()}
    try:
        order = in_order({key: node.others for key, node in nodes.items()}, provides)
    except ValueError as error:
        text = f"containers ask for values of each other: {error}"
        raise ConfigError([Problem(text, dictionary.file)]) from error
    return tuple(order), any(branch.needs_others for node in nodes.values() for branch in node.branches)


def _signature(roots: Sequence[tuple[Node, Sequence[Step]]]) -> Signature | None:
    """Where all containers below every root are told apart by values at fixed places of it, and near to each other."""
    spans: list[tuple[int, int]] = []
    for root, steps in roots:
        found = _fixed_spans(root, steps)
        if found is None:
            return None
        spans += found
    if not spans:
        return None
    byte, width = min(low for low, _ in spans) // 8, (max(high for _, high in spans) + 7) // 8
    size = next((each for each in (1, 2, 4, 8) if each >= width - byte), 0)
    if not size:
        return None
    mask = 0
    for low, high in spans:
        mask |= ((1 << (high - low)) - 1) << (byte + size) * 8 - high
    least = max(_head_bytes(root, byte + size) for root, _ in roots)
    return Signature(byte, np.dtype(f">u{size}"), np.dtype(f"u{size}").type(mask), least)


def _fixed_spans(root: Node, steps: Sequence[Step]) -> list[tuple[int, int]] | None:
    """First and last bit of the values that tell containers apart; None where one has no fixed place."""
    if any(branch.needs_others for node in root.walk() for branch in node.branches):
        return None
    wanted = frozenset(key for node in root.walk() for key in node.probe_keys)
    fixed = [step for step in steps if isinstance(step, Block) and step.from_start]
    fields = {field.slot.key: field for step in fixed for field in step.fields}
    if not wanted <= fields.keys() or any(fields[key].shape or fields[key].slot.times for key in wanted):
        return None
    return [_span(fields[key]) for key in wanted]


def _span(field: Field) -> tuple[int, int]:
    encoding = field.type.encoding
    if isinstance(encoding, NumberEncoding) and encoding.lsb_first:
        return field.offset_bits // 8 * 8, -(-field.end_bits // 8) * 8
    return field.offset_bits, field.end_bits


def _head_bytes(root: Node, least: int) -> int:
    """The first bytes that containers of varying size want, and no fewer than `least`."""
    wanted = [node.program.head_bytes for node in root.walk() if not node.abstract]
    few = [each for each in wanted if 0 < each <= MAX_HEAD_BYTES]
    return max(*few, least, MIN_ROW_BYTES) if few and least <= MAX_HEAD_BYTES else 0


class _Compiler:
    """Compiles containers and what is below them; `problems`: what is wrong, `notices`: what is passed over."""

    def __init__(self, dictionary: Dictionary, children: dict[str, list[Container]]) -> None:
        self.dictionary = dictionary
        self.children = children
        self.problems: dict[Problem, None] = {}
        """Each once, in the order in which they were found."""
        self.notices = Notices()
        self.holders = _holders(dictionary)
        self.conversions = Conversions()

    def node(self, container: Container, depth: int = 0) -> Node | None:
        if depth > MAX_DEPTH:
            text = f"bases nested deeper than {MAX_DEPTH}"
            self.problems[Problem(text, self.dictionary.file, container.line)] = None
            return None
        children = self.children.get(container.key, [])
        below = [(child, self.node(child, depth + 1)) for child in children]
        try:
            return self._node(container, below)
        except ConfigError as error:
            self.problems.update(dict.fromkeys(error.problems))
            return None

    def _node(self, container: Container, below: Sequence[tuple[Container, Node | None]]) -> Node:
        dictionary = self.dictionary
        steps = lay_out(container, dictionary)
        nodes = [(child, node) for child, node in below if node is not None]
        tests = [compile_condition(child.criteria, dictionary) if child.criteria else None for child, _ in nodes]
        asked = [test.needs() if test is not None else frozenset[str]() for test in tests]
        known = frozenset(key for step in steps for key in keys_of(step)) if nodes else frozenset[str]()
        for child, _ in nodes:
            self._note_numbers(child)
        told_by = frozenset[str]().union(
            *(
                check_known(keys - known, container, dictionary, partial(self._elsewhere, child))
                for (child, _), keys in zip(nodes, asked, strict=True)
            )
        )
        wanted = frozenset[str]().union(*asked) - told_by
        branches = tuple(
            Branch(node, test, tuple(values_wanted(test)) if test else (), bool(keys & told_by))
            for (_, node), test, keys in zip(nodes, tests, asked, strict=True)
        )
        needs = frozenset().union(wanted, *(needs_of(step, dictionary) for step in steps))
        contextual = contextual_slots(steps, dictionary)
        check_single(steps, container, dictionary, needs.union(*(each.needs() for each in contextual)))
        others = check_order(steps, container, dictionary, self.elsewhere)
        others |= check_contexts(contextual, steps, container, dictionary, self.elsewhere)
        columns, units = _columns(steps, dictionary)
        program = compile_program(steps, dictionary, self.conversions, contextual)
        checks, alarmed_by = checks_in(
            checks_of(columns, dictionary, self.notices),
            steps,
            container,
            dictionary,
            self.elsewhere,
            self.notices,
        )
        integrity = integrity_of(container, steps, dictionary)
        size = None if container.size is None else compile_size(container.size, dictionary)
        if size is not None:
            check_sized(size.needs(), steps, container, dictionary)
        # What containers further down are told apart by is read on the way, where it costs no step more.
        later = frozenset(key for _, node in below if node is not None for key in node.probe_keys)
        probe = compile_program(_only(steps, wanted, later, dictionary), dictionary, self.conversions)
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
            {name: text for key, name in columns if (text := dictionary.parameters[key].description)},
            others | alarmed_by,
            is_sized_by_length(steps),
        )

    def _note_numbers(self, child: Container) -> None:
        """Criteria that compare a label with a number that is none."""
        for each in _comparisons(child.criteria):
            parameter = self.dictionary.parameters.get(each.left.parameter)
            kind, literal = parameter.type if parameter is not None else None, each.right
            if not isinstance(kind, EnumeratedType) or not each.left.calibrated or not isinstance(literal, str):
                continue
            if is_number(literal) and all(label != literal for _, _, label in kind.labels):
                text = "a number that is no label is compared with the raw value"
                self.notices.add(Notice(text, self.dictionary.file, each.line, "Comparison"))

    def elsewhere(self, key: str) -> bool:
        """Whether a value of the parameter can come from another packet, or from the dictionary."""
        return bool(self.holders.get(key)) or has_origin(key, self.dictionary)

    def _elsewhere(self, container: Container, key: str) -> bool:
        """The same of what tells whether a packet is this container: what only it holds itself comes too late."""
        holders: set[str] = self.holders.get(key, set())
        return has_origin(key, self.dictionary) or any(not self._is_below(each, container.key) for each in holders)

    def _is_below(self, key: str | None, base: str) -> bool:
        seen = 0
        while key is not None and seen <= MAX_DEPTH:
            if key == base:
                return True
            key, seen = self.dictionary.containers[key].base, seen + 1
        return False


def _comparisons(condition: Condition | None) -> Iterator[Comparison]:
    if isinstance(condition, Comparison):
        yield condition
    elif condition is not None:
        for part in condition.parts:
            yield from _comparisons(part)


def _holders(dictionary: Dictionary) -> dict[str, set[str]]:
    """By parameter the containers whose entries name it, or the aggregate that it is a member of."""
    found: dict[str, set[str]] = {}
    for container in dictionary.containers.values():
        for entry in container.entries:
            if isinstance(entry, ParameterEntry):
                for key in _with_members(entry.parameter, dictionary):
                    found.setdefault(key, set()).add(container.key)
    return found


def _with_members(key: str, dictionary: Dictionary) -> Iterator[str]:
    yield key
    parameter = dictionary.parameters.get(key)
    if parameter is not None and isinstance(parameter.type, AggregateType):
        for name, _ in parameter.type.members:
            yield from _with_members(f"{key}.{name}", dictionary)


def _switch(branches: Sequence[Branch]) -> Switch | None:
    """By the parameter that most branches want a value of; of equals the one of more values, then the first."""
    values: dict[str, list[int]] = {}
    for branch in branches:
        for name, value in dict(branch.switch).items():
            values.setdefault(name, []).append(value)
    key = max(values, key=lambda name: (len(values[name]), len(set(values[name]))), default="")
    if not key or len(values[key]) < 2:
        return None
    placed: dict[int | None, list[tuple[int, Branch]]] = {}
    for place, branch in enumerate(branches):
        placed.setdefault(dict(branch.switch).get(key), []).append((place, branch))
    others = tuple(placed.pop(None, ()))
    return Switch(key, {value: tuple(some) for value, some in placed.items() if value is not None}, others)


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
