"""Which definitions the packets of a telemetry stream need: what is wrong in others is no obstacle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..model.definitions import Container, ContainerEntry, IndirectEntry, Parameter, ParameterEntry
from ..model.document import Node
from ..model.indirect import meant_by
from .scope import Definition

Pair = tuple[Definition, Definition]


def needed_by(
    containers: Mapping[str, Container],
    parameters: Mapping[str, Parameter],
    roots: Sequence[str],
    definitions: Mapping[str, Pair],
    owners: Mapping[str, Definition],
) -> set[Definition | Node]:
    """Definitions of the containers that `roots` lead to (all, without roots), of their parameters and their types, and
    the DimensionList of arrays whose entries have none.

    `definitions`: of parameter and type by the parameter's key; `owners`: of containers by key.
    """
    found: set[Definition | Node] = set()
    for key in _reached(containers, roots):
        found.add(owners[key])
        for entry in containers[key].entries:
            if isinstance(entry, IndirectEntry):
                entries = [key for key, _ in meant_by(entry, parameters) if key in definitions]
            else:
                entries = [entry.parameter] if isinstance(entry, ParameterEntry) else []
            for parameter in entries:
                whole = _whole(parameter, definitions)
                if whole is not None:
                    types = list(_types(whole[1]))
                    found.update([whole[0], *types])
                    own = isinstance(entry, ParameterEntry) and entry.dimensions is not None
                    found.update(each.dimensions for each in types[own:] if each.dimensions is not None)
    return found


def _whole(key: str, definitions: Mapping[str, Pair]) -> Pair | None:
    """The parameter's definitions, or those of the aggregate of which it is a member."""
    while key and key not in definitions:
        key = key.rpartition(".")[0]
    return definitions.get(key)


def _types(definition: Definition) -> Iterator[Definition]:
    """The type, its base type, and those of its elements and members."""
    waiting, seen = [definition], {definition}
    while waiting:
        here = waiting.pop()
        yield here
        for found in here.uses:
            if found not in seen:
                seen.add(found)
                waiting.append(found)


def _reached(containers: Mapping[str, Container], roots: Sequence[str]) -> set[str]:
    if not roots:
        return set(containers)
    children: dict[str, list[str]] = {}
    for container in containers.values():
        if container.base is not None:
            children.setdefault(container.base, []).append(container.key)
    reached: set[str] = set()
    ends = tuple(f"/{name.strip('/')}" for name in roots)
    waiting = [key for key, each in containers.items() if key in roots or each.path.endswith(ends)]
    while waiting:
        key = waiting.pop()
        if key in reached or key not in containers:
            continue
        reached.add(key)
        waiting += children.get(key, [])
        waiting += [entry.container for entry in containers[key].entries if isinstance(entry, ContainerEntry)]
        base = containers[key].base
        waiting += [base] if base is not None and base not in reached and key in roots else []
    return reached
