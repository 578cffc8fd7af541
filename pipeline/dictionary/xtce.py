"""XTCE bytes in, a Dictionary out, or a ConfigError with every problem of the file. Nothing is ignored.

Read are the telemetry definitions of all nested space systems. Elements that only describe are read past by a
known list; commands, which no telemetry packet refers to, are too. All else that is not implemented is a
problem that names the element and its line. Source: XTCE 1.1, 1.2 (CCSDS 660.0-B-2) and 1.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.dictionary.conditions import Condition
from pipeline.dictionary.definitions import Container, ContainerEntry, Dictionary, Parameter
from pipeline.dictionary.document import Node, Reading, parse
from pipeline.dictionary.parameter_types import AggregateType, ArrayType
from pipeline.dictionary.scope import CONTAINERS, PARAMETERS, TYPES, Context, System, name_keys
from pipeline.dictionary.xtce_bases import merge_base_types
from pipeline.dictionary.xtce_conditions import read_criteria
from pipeline.dictionary.xtce_containers import read_container
from pipeline.dictionary.xtce_types import TypeReader

SETS = ((TYPES, "ParameterTypeSet"), (PARAMETERS, "ParameterSet"), (CONTAINERS, "ContainerSet"))
NOT_TELEMETRY = ("CommandMetaData", "ServiceSet")


def read_xtce(document: bytes, file: str = "telemetry.xml") -> Dictionary:
    """Read a mission's XTCE file; `file` names it in problems. Raises ConfigError with all of them."""
    reading = Reading(file)
    dictionary = read_document(document, reading)
    reading.check()
    assert dictionary is not None
    return dictionary


def read_document(document: bytes, reading: Reading) -> Dictionary | None:
    """The same with the problems left in `reading`; None where there is nothing to read."""
    root_node = parse(document, reading)
    if root_node is None:
        return None
    if root_node.tag != "SpaceSystem":
        reading.problem(root_node, f"the root element is {root_node.tag}, not SpaceSystem")
        return None
    root = System(reading.required(root_node, "name"))
    _collect(root_node, root, reading)
    name_keys(root)
    merge_base_types(root, reading)
    parameters = _read_parameters(root, reading)
    containers = _read_containers(root, reading, parameters)
    for node, reference, key in reading.members:
        if key not in parameters:
            reading.problem(node, f'parameterRef="{reference}": there is no such parameter or member')
    if not containers:
        reading.problem(root_node, "describes no container")
    return Dictionary(root.name, parameters, containers, reading.file)


def _collect(node: Node, system: System, reading: Reading) -> None:
    """Put every definition of the system and those inside it under its name."""
    reading.past(node, "Header", *NOT_TELEMETRY)
    reading.read_past(node, "operationalStatus")
    for telemetry in reading.children(node, "TelemetryMetaData"):
        for kind, holder in (
            (TYPES, "ParameterTypeSet"),
            (PARAMETERS, "ParameterSet"),
            (CONTAINERS, "ContainerSet"),
        ):
            for each in reading.children(telemetry, holder):
                for child in each.children:
                    _define(child, kind, system, reading)
        reading.finish(telemetry)
    for child in reading.children(node, "SpaceSystem"):
        name = reading.required(child, "name")
        if name in system.children:
            reading.problem(child, f'a second SpaceSystem "{name}"')
            continue
        system.children[name] = System(name, system)
        _collect(child, system.children[name], reading)
    reading.finish(node)


def _define(node: Node, kind: str, system: System, reading: Reading) -> None:
    wanted = {PARAMETERS: "Parameter", CONTAINERS: "SequenceContainer"}.get(kind)
    if kind == TYPES and not node.tag.endswith("ParameterType"):
        reading.problem(node, f"element {node.tag} in ParameterTypeSet is not implemented")
    elif wanted and node.tag != wanted:
        reading.problem(node, f"element {node.tag} in the set of {wanted} is not implemented")
    else:
        system.define(kind, node, reading)


def _read_parameters(root: System, reading: Reading) -> dict[str, Parameter]:
    types = TypeReader()
    parameters: dict[str, Parameter] = {}
    for system in root.walk():
        context = Context(reading, system)
        for definition in system.names[TYPES].values():
            types.read(definition, context)
        for definition in system.names[PARAMETERS].values():
            node = definition.node
            found = context.resolve(TYPES, node, "parameterTypeRef")
            reading.read_past(node, "initialValue")
            validity = _read_properties(node, context)
            reading.finish(node)
            if found is not None:
                kind = types.read(found, context)
                parameters.update(
                    _with_members(Parameter(definition.key, definition.name, kind, node.line, validity))
                )
    return parameters


def _with_members(parameter: Parameter) -> Iterator[tuple[str, Parameter]]:
    """The parameter and, of an aggregate, its members, which are columns and can be referred to."""
    yield parameter.key, parameter
    kind = parameter.type
    while isinstance(kind, ArrayType):
        kind = kind.element
    if isinstance(kind, AggregateType):
        for name, member in kind.members:
            key, plain = f"{parameter.key}.{name}", f"{parameter.name}.{name}"
            yield from _with_members(Parameter(key, plain, member, parameter.line, parameter.validity))


def _read_properties(node: Node, context: Context) -> Condition | None:
    """ParameterProperties: of all that they say, only when the parameter is valid means something here."""
    reading = context.reading
    properties = reading.child(node, "ParameterProperties")
    if properties is None:
        return None
    reading.read_past(properties, "dataSource", "readOnly", "persistence")
    reading.past(properties, "SystemName", "PhysicalAddressSet")
    validity = reading.child(properties, "ValidityCondition")
    condition = read_criteria(validity, context) if validity is not None else None
    if validity is not None:
        reading.finish(validity)
    reading.finish(properties)
    return condition


def _read_containers(root: System, reading: Reading, parameters: dict[str, Parameter]) -> dict[str, Container]:
    containers: dict[str, Container] = {}
    for system in root.walk():
        context = Context(reading, system)
        for definition in system.names[CONTAINERS].values():
            containers[definition.key] = read_container(definition, context, parameters)
    for container in containers.values():
        _check_bases(container, containers, reading)
        _check_inside(container, containers, reading)
    return containers


def _check_bases(container: Container, containers: dict[str, Container], reading: Reading) -> None:
    seen, key = {container.key}, container.base
    while key is not None and key in containers and key not in seen:
        seen.add(key)
        key = containers[key].base
    if key == container.key:
        here = Node("SequenceContainer", {"name": container.key}, container.line)
        reading.problem(here, "is its own base, directly or through others")


def _check_inside(container: Container, containers: dict[str, Container], reading: Reading) -> None:
    seen: set[str] = set()
    waiting = [container.key]
    while waiting:
        for entry in containers[waiting.pop()].entries:
            if not isinstance(entry, ContainerEntry) or entry.container not in containers:
                continue
            if entry.container == container.key:
                here = Node("ContainerRefEntry", {}, entry.place.line)
                reading.problem(here, f'container "{container.key}" is inside itself')
                return
            if entry.container not in seen:
                seen.add(entry.container)
                waiting.append(entry.container)
