"""Parts of containers: some of their columns alone, without what is checked in them.

A Dataset that decodes where it is looked at reads one column at a time, and before that only what tells its rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..run.blocks import BlockProgram
from ..run.labels import ToLabels
from ..run.step_programs import filled_by
from .plan_nodes import Node


def varying_columns(node: Node) -> frozenset[str]:
    """Names of the columns whose type or shape depends on the packets: what is not fixed, and enumerations in which a
    value may have no label.
    """
    keys: set[str] = set()
    for step in node.program.steps:
        if not isinstance(step, BlockProgram):
            keys |= filled_by([step])
            continue
        for field in step.fields:
            conversion = step.conversions.of(field.type)
            if isinstance(conversion, ToLabels) and not conversion.is_complete:
                keys.add(field.slot.key)
    return frozenset(name for key, name in node.columns if key in keys)


def columns_of(node: Node, names: Collection[str], *, to_end: bool = False) -> Node:
    """The container with these columns alone. `to_end`: packets that are too short for it are still found."""
    keys = frozenset(key for key, name in node.columns if name in names)
    needed = keys if node.size is None or not to_end else keys | node.size.needs()
    return replace(
        node,
        program=node.program.only(needed, to_end=to_end),
        columns=tuple(each for each in node.columns if each[0] in keys),
        slots=tuple(slot for slot in node.slots if slot.key in keys),
        units={name: unit for name, unit in node.units.items() if name in names},
        constants=(),
        checks=(),
        integrity=(),
        size=node.size if to_end else None,
        _wanted=[],
    )
