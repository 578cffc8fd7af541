"""Write a dictionary as an XTCE 1.2 file (CCSDS 660.0-B-2).

In: a Dictionary. Out: the document, and the losses. Parameters whose keys have a prefix are in a space system of that
name, so that two packets may each have a TEMPERATURE; references are absolute paths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent, register_namespace

from ..dictionary.model.conditions import Dynamic, Reference, Remainder, Size
from ..dictionary.model.definitions import (
    Container,
    ContainerEntry,
    Dictionary,
    Entry,
    FixedEntry,
    IndirectEntry,
    Parameter,
    ParameterEntry,
    Placement,
)
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding
from ..dictionary.model.parameter_types import AggregateType, ArrayType, BinaryType, ParameterType, StringType
from .losses import Losses
from .names import clean, system_of
from .places import LENGTH, Placed, placed_in, standing_at
from .xtce_elements import Pieces
from .xtce_types_writer import TypeWriter

NAMESPACE = "http://www.omg.org/spec/XTCE/20180204"
HEADER_BYTES = 6
System = tuple[str, ...]


def write_xtce(dictionary: Dictionary, losses: Losses) -> bytes:
    """The XTCE document. Elements that XTCE cannot express are added to `losses`."""
    return _Writer(dictionary, losses).document()


@dataclass(slots=True)
class _Sets:
    """The elements of one space system that take definitions."""

    telemetry: Element
    types: TypeWriter
    parameters: Element
    containers: Element


class _Writer:
    def __init__(self, dictionary: Dictionary, losses: Losses) -> None:
        self.dictionary = dictionary
        self.losses = losses
        self.root_name = clean(dictionary.name or "telemetry")
        self.at = ""
        self.pieces = Pieces(self._paths(), lambda why: losses.add("parameter", self.at, why))
        self.systems: dict[System, Element] = {}
        self.sets: dict[System, _Sets] = {}
        self.types = _resized(dictionary, losses)

    def document(self) -> bytes:
        register_namespace("", NAMESPACE)
        root = Element("SpaceSystem", {"name": self.root_name, "xmlns": NAMESPACE})
        self.systems[()] = root
        members = _members(self.dictionary)
        standing = [each for key, each in self.dictionary.parameters.items() if key not in members]
        for parameter in standing:
            self._parameter(parameter)
        for container in self.dictionary.containers.values():
            self._container(container)
        for sets in self.sets.values():
            for each in (sets.types.parent, sets.parameters, sets.containers):
                if len(each):
                    sets.telemetry.append(each)
        indent(root)
        out = BytesIO()
        ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)
        return out.getvalue() + b"\n"

    def _paths(self) -> dict[str, str]:
        paths = {}
        for key, parameter in self.dictionary.parameters.items():
            parts = (self.root_name, *system_of(key, parameter.name), parameter.name)
            paths[key] = "/" + "/".join(parts)
        return paths

    def _sets(self, system: System) -> _Sets:
        if system not in self.sets:
            telemetry = Element("TelemetryMetaData")
            node = self._system(system)
            node.insert(0, telemetry)
            types = TypeWriter(Element("ParameterTypeSet"), self.pieces)
            self.sets[system] = _Sets(telemetry, types, Element("ParameterSet"), Element("ContainerSet"))
        return self.sets[system]

    def _system(self, system: System) -> Element:
        if system not in self.systems:
            self.systems[system] = SubElement(self._system(system[:-1]), "SpaceSystem", {"name": system[-1]})
        return self.systems[system]

    def _parameter(self, parameter: Parameter) -> None:
        kind = self.types[parameter.key]
        self.at = parameter.key
        sets = self._sets(system_of(parameter.key, parameter.name))
        node = SubElement(sets.parameters, "Parameter", {"name": parameter.name})
        node.set("parameterTypeRef", sets.types.name_of(kind, clean(parameter.name)))
        if parameter.initial:
            node.set("initialValue", parameter.initial)
        if parameter.description:
            node.set("shortDescription", parameter.description)
        if parameter.aliases:
            listed = SubElement(node, "AliasSet")
            for space, alias in parameter.aliases:
                SubElement(listed, "Alias", {"nameSpace": space, "alias": alias})
        if parameter.validity is not None:
            properties = SubElement(node, "ParameterProperties")
            self.pieces.criteria(SubElement(properties, "ValidityCondition"), parameter.validity)

    # containers

    def _container_system(self, container: Container) -> System:
        parts = tuple(part for part in container.path.split("/") if part)
        return parts[1:-1] if self.dictionary.name else parts[:-1]  # files of several systems have no common root

    def _container_path(self, key: str) -> str:
        container = self.dictionary.containers[key]
        return "/" + "/".join((self.root_name, *self._container_system(container), _own_name(container)))

    def _container(self, container: Container) -> None:
        self.at = container.key
        if container.check is not None:
            self.losses.add("container", container.key, "its check word is not written", container.line)
        parent = self._sets(self._container_system(container)).containers
        node = SubElement(parent, "SequenceContainer", {"name": _own_name(container)})
        if container.abstract:
            node.set("abstract", "true")
        if container.size is not None and not isinstance(container.size, Remainder):
            self.pieces.size(SubElement(SubElement(node, "BinaryEncoding"), "SizeInBits"), container.size)
        listed = SubElement(node, "EntryList")
        for entry in container.entries:
            self._entry(listed, entry)
        if container.base is not None:
            base = SubElement(node, "BaseContainer", {"containerRef": self._container_path(container.base)})
            if container.criteria is not None:
                self.pieces.criteria(SubElement(base, "RestrictionCriteria"), container.criteria)

    def _entry(self, parent: Element, entry: Entry) -> None:
        if isinstance(entry, ContainerEntry):
            node = SubElement(parent, "ContainerRefEntry", {"containerRef": self._container_path(entry.container)})
        elif isinstance(entry, FixedEntry):
            value = int.from_bytes(entry.value, "big")
            digits = f"{value:0{(entry.size_bits + 7) // 8 * 2}X}"
            node = SubElement(
                parent, "FixedValueEntry", {"binaryValue": digits, "sizeInBits": str(entry.size_bits)}
            )
        elif isinstance(entry, ParameterEntry):
            array = entry.dimensions is not None
            tag = "ArrayParameterRefEntry" if array else "ParameterRefEntry"
            node = SubElement(parent, tag, {"parameterRef": self.pieces.paths[entry.parameter]})
        else:
            name = entry.of.parameter if isinstance(entry, IndirectEntry) else entry.reference
            self.losses.add("entry", name, "an entry that names no parameter of its own is not written")
            return
        self._placement(node, entry.place)
        if isinstance(entry, ParameterEntry) and entry.dimensions is not None:
            known = self.dictionary.parameters[entry.parameter]
            self._sets(system_of(known.key, known.name)).types.dimensions(node, entry.dimensions)

    def _placement(self, node: Element, place: Placement) -> None:
        location = place.location
        if location is not None:
            words = ((location.from_start, "containerStart"), (location.from_end, "containerEnd"))
            word = next((text for here, text in words if here), "previousEntry")
            word = "nextEntry" if location.before_next else word
            self.pieces.size(
                SubElement(node, "LocationInContainerInBits", {"referenceLocation": word}), location.bits
            )
        if place.repetition is not None:
            repeat = SubElement(node, "RepeatEntry")
            self.pieces.size(SubElement(repeat, "Count"), place.repetition.count)
            if place.repetition.gap != 0:
                self.pieces.size(SubElement(repeat, "Offset"), place.repetition.gap)
        if place.condition is not None:
            self.pieces.criteria(SubElement(node, "IncludeCondition"), place.condition)


def _own_name(container: Container) -> str:
    return container.path.rpartition("/")[2] or container.key


def _members(dictionary: Dictionary) -> set[str]:
    """Keys of members of aggregates, which are part of their types."""
    found: set[str] = set()
    for key, parameter in dictionary.parameters.items():
        kind = parameter.type
        while isinstance(kind, ArrayType):
            kind = kind.element
        if isinstance(kind, AggregateType):
            found |= {f"{key}.{name}" for name, _ in kind.members}
    return found


# sizes to the packet's end


def _resized(dictionary: Dictionary, losses: Losses) -> dict[str, ParameterType]:
    """The type of each parameter; sizes up to the end of the packet are expressed by the packet length if possible."""
    types = {key: each.type for key, each in dictionary.parameters.items()}
    open_ended = {key for key, kind in types.items() if _is_open(kind)}
    for container in dictionary.containers.values() if open_ended else ():
        placed = placed_in(dictionary, container)
        length = standing_at(placed, LENGTH)
        for each in placed:
            if each.key in open_ended and each.key in types:
                types[each.key] = _closed(each, length, dictionary.parameters[each.key], losses)
    return types


def _is_open(kind: ParameterType) -> bool:
    if isinstance(kind, ArrayType):
        return any(isinstance(size, Remainder) for size in kind.dimensions or ())
    return isinstance(getattr(getattr(kind, "encoding", None), "size", None), Remainder)


def _closed(each: Placed, length: Placed | None, parameter: Parameter, losses: Losses) -> ParameterType:
    kind = each.type
    if length is not None and each.start is not None:
        start = each.start

        def closed_size(rest: Size, unit_bits: int) -> Size:
            if not isinstance(rest, Remainder):
                return rest
            bits = HEADER_BYTES * 8 + 8 - start - rest.behind_bits
            return Dynamic(Reference(length.key, calibrated=False), 8 / unit_bits, bits / unit_bits)

        if isinstance(kind, ArrayType):
            unit = _element_bits(kind)
            sizes = tuple(closed_size(size, unit) for size in kind.dimensions or ()) if unit else kind.dimensions
            return replace(kind, dimensions=sizes)
        if isinstance(kind, BinaryType) and not isinstance(kind.encoding.size, int):
            return replace(kind, encoding=replace(kind.encoding, size=closed_size(kind.encoding.size, 1)))  # type: ignore[arg-type]
        if isinstance(kind, StringType):
            return replace(kind, encoding=replace(kind.encoding, size=closed_size(kind.encoding.size, 1)))  # type: ignore[arg-type]
    if isinstance(kind, BinaryType | StringType) or (isinstance(kind, ArrayType) and _element_bits(kind)):
        return kind
    why = "it extends to the packet's end, which XTCE allows only for text, bytes and lists of numbers: given as bytes"
    losses.add("parameter", each.name, why, parameter.line)
    return BinaryType("", BinaryEncoding(Remainder()), kind.unit)


def _element_bits(kind: ArrayType) -> int:
    encoding = getattr(kind.element, "encoding", None)
    if isinstance(encoding, NumberEncoding):
        return encoding.size_bits
    if isinstance(encoding, StringEncoding | BinaryEncoding) and isinstance(encoding.size, int):
        return encoding.size
    return 0
