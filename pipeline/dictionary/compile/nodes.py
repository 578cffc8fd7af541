"""Containers compiled to nodes: the program of each, what decides between its children, and its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...model.errors import ConfigError, Problem
from ..model.conditions import Comparison, Condition
from ..model.definitions import Container, Dictionary, ParameterEntry
from ..model.notices import Notice, Notices
from ..model.parameter_types import AggregateType, EnumeratedType
from ..run.comparisons import compile_condition, is_number
from ..run.criteria import values_wanted
from ..run.integrity import integrity_of
from ..run.operation_plans import Conversions
from ..run.sizes import compile_size
from ..run.steps import Block, Group, Loop, Repeat, Slot, Step, fields_of, has_loop, has_text, slots_of
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
from .layout import Layouts
from .limits import ChecksOf
from .others import has_origin
from .packet_lengths import is_sized_by_length
from .plan_nodes import Branch, Node, Switch
from .program import compile_program

MAX_DEPTH = 100
"""Bases of bases: far more than any mission has, far less than Python's stack."""


class NodeCompiler:
    """Compiles containers and what is below them; `problems`: what is wrong, `notices`: what is passed over."""

    def __init__(self, dictionary: Dictionary, children: dict[str, list[Container]]) -> None:
        self.dictionary = dictionary
        self.children = children
        self.problems: dict[Problem, None] = {}
        """Each once, in the order in which they were found."""
        self.notices = Notices()
        self.holders = _holders(dictionary)
        self.conversions = Conversions()
        self.layouts = Layouts(dictionary)
        self.checks = ChecksOf(dictionary, self.notices)

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
        steps = self.layouts.of(container)
        slots = tuple(slots_of(steps))
        nodes = [(child, node) for child, node in below if node is not None]
        tests = [compile_condition(child.criteria, dictionary) if child.criteria else None for child, _ in nodes]
        asked = [test.needs() if test is not None else frozenset[str]() for test in tests]
        known = frozenset(slot.key for slot in slots)
        for child, _ in nodes:
            self._note_numbers(child)
        provided = frozenset[str]().union(
            *(
                check_known(keys - known, container, dictionary, partial(self._elsewhere, child))
                for (child, _), keys in zip(nodes, asked, strict=True)
            )
        )
        wanted = frozenset[str]().union(*asked) - provided
        branches = tuple(
            Branch(node, test, tuple(values_wanted(test)) if test else (), bool(keys & provided))
            for (_, node), test, keys in zip(nodes, tests, asked, strict=True)
        )
        needs = frozenset().union(wanted, *(needs_of(step, dictionary) for step in steps))
        contextual = contextual_slots(steps, dictionary)
        check_single(steps, container, dictionary, needs.union(*(each.needs() for each in contextual)))
        others = check_order(steps, container, dictionary, self.elsewhere)
        others |= check_contexts(contextual, steps, container, dictionary, self.elsewhere)
        columns = _columns(slots, dictionary)
        program = compile_program(steps, dictionary, self.conversions, contextual)
        checks, alarmed_by = checks_in(
            self.checks.columns(columns), steps, container, dictionary, self.elsewhere, self.notices
        )
        integrity = integrity_of(container, steps, dictionary)
        size = None if container.size is None else compile_size(container.size, dictionary)
        if size is not None:
            check_sized(size.needs(), steps, container, dictionary)
        # Values that select containers further down are read here too, where that needs no further step.
        later = frozenset(key for _, node in below if node is not None for key in node.probe_keys)
        probe = compile_program(_only(steps, wanted, later, dictionary), dictionary, self.conversions)
        parameters = [(name, dictionary.parameters[key]) for key, name in columns]
        return Node(
            container.key,
            container.abstract,
            program,
            probe,
            wanted,
            branches,
            _switch(branches),
            columns,
            slots,
            {name: parameter.type.unit for name, parameter in parameters if parameter.type.unit},
            _constants(steps),
            checks,
            integrity,
            size,
            any(has_loop(step) for step in steps),
            any(has_text(step) for step in steps),
            {name: parameter.description for name, parameter in parameters if parameter.description},
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
    if not wanted:
        return ()
    last = max((i for i, step in enumerate(steps) if wanted.intersection(keys_of(step))), default=-1)
    kept = steps[: last + 1]
    needed = (wanted | later).union(*(needs_of(step, dictionary) for step in kept))
    return tuple(
        Block(step.from_start, tuple(each for each in step.fields if each.slot.key in needed), step.end_bits)
        if isinstance(step, Block)
        else step
        for step in kept
    )


def _constants(steps: Sequence[Step]) -> tuple[tuple[Slot, NDArray[np.uint8]], ...]:
    found: list[tuple[Slot, NDArray[np.uint8]]] = []
    for step in steps:
        if isinstance(step, Group | Loop):
            found += _constants(step.steps)
        elif isinstance(step, Block | Repeat):
            found += [
                (each.slot, np.frombuffer(each.expected, np.uint8)) for each in fields_of(step) if each.expected
            ]
    return tuple(found)


def _columns(slots: Sequence[Slot], dictionary: Dictionary) -> tuple[tuple[str, str], ...]:
    """A column has the parameter's plain name, or its key where two of the packet's parameters share that."""
    keys = list(dict.fromkeys(slot.key for slot in slots if not slot.key.startswith("#")))
    names = [dictionary.parameters[key].name for key in keys]
    if len(set(names)) == len(names):
        return tuple(zip(keys, names, strict=True))
    uses = Counter(names)
    return tuple((key, name if uses[name] == 1 else key) for key, name in zip(keys, names, strict=True))
