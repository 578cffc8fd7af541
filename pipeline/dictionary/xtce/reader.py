"""XTCE bytes in, a Dictionary out, or a ConfigError with every problem of the files.

Read are the telemetry definitions of all nested space systems. Elements that only describe are read past by a
known list; commands, which no telemetry packet refers to, are too. All else that is not implemented is named with
its line: as a notice where no bit of the telemetry depends on it, else as a problem. Source: XTCE 1.1, 1.2 (CCSDS
660.0-B-2) and 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...system.allocator import collector_paused
from ..model.conditions import Condition
from ..model.definitions import Container, ContainerEntry, Dictionary, Parameter
from ..model.document import Node, Reading, parse
from ..model.parameter_types import AggregateType, ArrayType
from .bases import merge_base_types
from .conditions import read_criteria_in
from .containers import read_container
from .descriptions import aliases_of, description_of
from .needed import needed_by
from .scope import CONTAINERS, PARAMETERS, TYPES, Context, Definition, System, name_keys
from .types import TypeReader

SETS = ((TYPES, "ParameterTypeSet"), (PARAMETERS, "ParameterSet"), (CONTAINERS, "ContainerSet"))
NOT_TELEMETRY = ("CommandMetaData", "ServiceSet")


INCLUDE = "{http://www.w3.org/2001/XInclude}include"
MAX_INCLUDED = 1000
MAX_MEMBERS_IN_ALL = 200_000
"""Parameters of a dictionary, of aggregates each member."""
Load = Callable[[str, str], tuple[str, bytes] | None]


@dataclass(frozen=True, slots=True)
class Source:
    """One XTCE document. `below`: the place, among the sources, of the one whose root system it stands in. `load`:
    gives the name and content of a file that another one includes (XInclude), by that file and the reference in it.
    """

    document: bytes
    file: str = "telemetry.xml"
    below: int | None = None
    load: Load | None = None


def read_xtce(document: bytes, file: str = "telemetry.xml", *, strict: bool = False) -> Dictionary:
    """Read a mission's XTCE file; `file` names it in problems. Raises ConfigError with all of them.

    What changes no bit of the telemetry is passed over with a notice (`Dictionary.notices`); `strict`: it is a problem.
    """
    return read_sources([Source(document, file)], strict=strict)


def read_sources(
    sources: Sequence[Source],
    *,
    strict: bool = False,
    roots: Sequence[str] = (),
    leading_size_in_bits: bool = False,
) -> Dictionary:
    """The same of several files in one name space, whose order does not matter. `roots`: where packets enter; what is
    wrong in containers that none of them leads to is a notice. `leading_size_in_bits`: as `Reading`.
    """
    files = (source.file for source in sources)
    reading = Reading(*files, strict=strict, leading_size_in_bits=leading_size_in_bits)
    with collector_paused():
        dictionary = read_documents(sources, reading, roots)
    reading.check()
    assert dictionary is not None
    return dictionary


def read_documents(sources: Sequence[Source], reading: Reading, roots: Sequence[str] = ()) -> Dictionary | None:
    """The same with the problems left in `reading`; None where there is nothing to read."""
    nodes = parse_sources(sources, reading)
    for node in nodes:
        if node is not None and node.tag != "SpaceSystem":
            reading.problem(node, f"the root element is {node.tag}, not SpaceSystem")
    found = [node for node in nodes if node is not None and node.tag == "SpaceSystem"]
    if len(found) < len(sources) or not found:
        return None
    root = _collect_all(found, [source.below for source in sources], reading)
    name_keys(root)
    merge_base_types(root, reading)
    parameters, types = _read_parameters(root, reading)
    containers, owners = _read_containers(root, reading, parameters)
    for node, reference, key, owner in reading.members:
        if key not in parameters:
            reading.owner = owner
            reading.problem(node, f'parameterRef="{reference}": there is no such parameter or member')
    reading.owner = None
    reading.forgive(needed_by(containers, parameters, roots, types, owners))
    if not containers:
        reading.notice(found[0], "describes no container")
    notices = reading.notices.collected(reading.files)
    return Dictionary(root.name, parameters, containers, reading.file, reading.files, notices)


def parse_sources(sources: Sequence[Source], reading: Reading) -> list[Node | None]:
    """The root of each source, with what it includes in its place."""
    nodes = [parse(source.document, reading, index) for index, source in enumerate(sources)]
    for source, node in zip(sources, nodes, strict=True):
        if node is not None:
            _include(node, source, reading)
    return nodes


def _include(root: Node, source: Source, reading: Reading) -> None:
    waiting, n_included = [(root, source.file)], 0
    while waiting:
        node, file = waiting.pop()
        for place, child in enumerate(node.children):
            if child.tag != INCLUDE:
                waiting.append((child, file))
                continue
            reference = child.attributes.get("href", "")
            found = source.load(file, reference) if source.load and n_included < MAX_INCLUDED else None
            n_included += 1
            inside = None
            if found is None:
                reading.problem(child, f'"{reference}" cannot be included', "include")
            else:
                inside = parse(found[1], reading, reading.add_file(found[0]))
            if inside is not None:
                node.children[place] = inside
                waiting.append((inside, reading.files[-1]))


def _collect_all(nodes: Sequence[Node], below: Sequence[int | None], reading: Reading) -> System:
    """The root system: that of the only file, or a nameless one around those of all files."""
    if len(nodes) == 1:
        root = System(reading.required(nodes[0], "name"))
        _collect(nodes[0], root, reading)
        return root
    root = System("")
    systems: list[System] = []
    for node, place in zip(nodes, below, strict=True):
        around = root if place is None else systems[place]
        systems.append(around.child(reading.required(node, "name")))
        _collect(node, systems[-1], reading)
    return root


def _collect(node: Node, system: System, reading: Reading) -> None:
    """Put every definition of the system and those inside it under its name."""
    reading.past(node, "Header", *NOT_TELEMETRY)
    reading.read_past(node, "operationalStatus")
    for telemetry in reading.children(node, "TelemetryMetaData"):
        for kind, holder in SETS:
            for each in reading.children(telemetry, holder):
                for child in each.children:
                    _define(child, kind, system, reading)
        reading.finish(telemetry)
    names: set[str] = set()
    for child in reading.children(node, "SpaceSystem"):
        name = reading.required(child, "name")
        if name in names:
            reading.problem(child, f'a second SpaceSystem "{name}"')
            continue
        names.add(name)
        _collect(child, system.child(name), reading)
    reading.finish(node)


def _define(node: Node, kind: str, system: System, reading: Reading) -> None:
    wanted = {PARAMETERS: "Parameter", CONTAINERS: "SequenceContainer"}.get(kind)
    holder = "ParameterTypeSet" if wanted is None else f"the set of {wanted}"
    if (wanted is None and not node.tag.endswith("ParameterType")) or (wanted and node.tag != wanted):
        text = f"element {node.tag} in {holder} is not implemented"
        reading.notice(node, f"{text}, and passed over", text)
    else:
        system.define(kind, node, reading)


def _read_parameters(
    root: System, reading: Reading
) -> tuple[dict[str, Parameter], dict[str, tuple[Definition, Definition]]]:
    """Parameters by key; and the definitions of each parameter and of its type."""
    types = TypeReader()
    parameters: dict[str, Parameter] = {}
    definitions: dict[str, tuple[Definition, Definition]] = {}
    n_members = 0
    for system in root.walk():
        context = Context(reading, system)
        for definition in system.names[TYPES].values():
            types.read(definition, context)
        for definition in system.names[PARAMETERS].values():
            reading.owner = definition
            node = definition.node
            description = description_of(node)
            found = context.resolve(TYPES, node, "parameterTypeRef")
            initial = reading.attribute(node, "initialValue")
            validity = _read_properties(node, context)
            aliases = aliases_of(node)
            reading.finish(node)
            if found is not None:
                kind = types.read(found, context)
                first = initial or found.initial
                whole = Parameter(
                    definition.key, definition.name, kind, node.line, validity, first, description, aliases
                )
                n_members += types.n_members(kind)
                if n_members > MAX_MEMBERS_IN_ALL:
                    reading.problem(node, f"is beyond {MAX_MEMBERS_IN_ALL} parameters, members counted")
                    reading.check()
                parameters.update(_with_members(whole))
                definitions[definition.key] = definition, found
            reading.owner = None
    return parameters, definitions


def _with_members(parameter: Parameter) -> Iterator[tuple[str, Parameter]]:
    """The parameter and, of an aggregate, its members, which are columns and can be referred to."""
    yield parameter.key, parameter
    kind = parameter.type
    while isinstance(kind, ArrayType):
        kind = kind.element
    if isinstance(kind, AggregateType):
        for name, member in kind.members:
            key, plain = f"{parameter.key}.{name}", f"{parameter.name}.{name}"
            inside = replace(parameter, key=key, name=plain, type=member, initial="", aliases=())
            yield from _with_members(inside)


def _read_properties(node: Node, context: Context) -> Condition | None:
    """ParameterProperties: of all that they say, only when the parameter is valid means something here."""
    reading = context.reading
    properties = reading.child(node, "ParameterProperties")
    if properties is None:
        return None
    reading.read_past(properties, "dataSource", "readOnly", "persistence")
    reading.past(properties, "SystemName", "PhysicalAddressSet")
    condition = read_criteria_in(properties, "ValidityCondition", context)
    reading.finish(properties)
    return condition


def _read_containers(
    root: System, reading: Reading, parameters: dict[str, Parameter]
) -> tuple[dict[str, Container], dict[str, Definition]]:
    containers: dict[str, Container] = {}
    owners: dict[str, Definition] = {}
    for system in root.walk():
        context = Context(reading, system)
        for definition in system.names[CONTAINERS].values():
            reading.owner = owners[definition.key] = definition
            containers[definition.key] = read_container(definition, context, parameters)
    reading.owner = None
    for container in containers.values():
        _check_bases(container, containers, reading)
        _check_inside(container, containers, reading)
    return containers, owners


def _check_bases(container: Container, containers: dict[str, Container], reading: Reading) -> None:
    seen, key = {container.key}, container.base
    while key is not None and key in containers and key not in seen:
        seen.add(key)
        key = containers[key].base
    if key == container.key:
        here = Node("SequenceContainer", {"name": container.key}, container.line)
        itself = "is its own base" if container.base == container.key else "is its own base, through others"
        advice = "take its BaseContainer out if packets enter there, or name the container that it extends"
        reading.problem(here, f"{itself}: {advice}")


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
