"""Sequence containers: their entries, their base, and when a packet is one of them."""

from __future__ import annotations

from ..model.conditions import Condition
from ..model.definitions import (
    MAX_CONTAINER_BITS,
    Container,
    ContainerEntry,
    Entry,
    FixedEntry,
    IndirectEntry,
    Location,
    MissingEntry,
    Parameter,
    ParameterEntry,
    Placement,
    Repetition,
)
from ..model.document import Node
from ..model.encodings import Tagged
from ..model.parameter_types import UnencodedType
from .conditions import read_criteria_in, read_dimensions, read_reference, read_size
from .encodings import read_binary_encoding
from .scope import CONTAINERS, Context, Definition
from .types import MAX_ARRAY_ELEMENTS

Parameters = dict[str, Parameter]


def read_container(definition: Definition, context: Context, parameters: Parameters) -> Container:
    """One SequenceContainer; its references are resolved, its entries not yet laid out."""
    reading, node = context.reading, definition.node
    abstract = reading.flag(node, "abstract", default=False)
    reading.read_past(node, "idlePattern")
    reading.past(node, "DefaultRateInStream", "RateInStreamSet")
    encoding = reading.child(node, "BinaryEncoding")
    whole = read_binary_encoding(encoding, context) if encoding is not None else None
    if whole is not None and isinstance(whole.size, Tagged):
        reading.problem(node, "a size before the container's own bytes is not implemented")
        whole = None
    base, criteria = _read_base(node, context)
    entries: list[Entry] = []
    listed = reading.child(node, "EntryList")
    for child in listed.children if listed is not None else []:
        entry = _read_entry(child, context, parameters)
        entries.extend([entry] if entry else [])
    reading.finish(node)
    check = whole.check if whole is not None else None
    size = whole.size if whole is not None and not isinstance(whole.size, Tagged) else None
    path = f"{definition.system.full_path()}/{definition.name}"
    return Container(definition.key, tuple(entries), abstract, base, criteria, size, check, node.line, path)


def _read_base(node: Node, context: Context) -> tuple[str | None, Condition | None]:
    reading = context.reading
    base_node = reading.child(node, "BaseContainer")
    if base_node is None:
        return None, None
    base = context.resolve(CONTAINERS, base_node, "containerRef")
    criteria = read_criteria_in(base_node, "RestrictionCriteria", context)
    reading.finish(base_node)
    return base.key if base else None, criteria


def _read_entry(node: Node, context: Context, parameters: Parameters) -> Entry | None:
    reading = context.reading
    if node.tag == "ContainerRefEntry":
        inside = context.resolve(CONTAINERS, node, "containerRef")
        place = _read_placement(node, context)
        reading.finish(node)
        return ContainerEntry(inside.key, place) if inside else None
    if node.tag == "FixedValueEntry":
        return _read_fixed_value(node, context)
    if node.tag == "IndirectParameterRefEntry":
        return _read_indirect(node, context)
    if node.tag not in {"ParameterRefEntry", "ArrayParameterRefEntry"}:
        reading.problem(node, f"element {node.tag} is not implemented")
        return None
    if _is_missing(node, context):
        return _read_missing(node, context)
    key = context.parameter_key(node)
    if key in parameters and isinstance(parameters[key].type, UnencodedType):
        reading.problem(node, f'parameter "{key}" has no data encoding: its size in the packet is not known')
    place = _read_placement(node, context)
    dimensions = None
    if node.tag == "ArrayParameterRefEntry":
        listed = reading.child(node, "DimensionList")
        dimensions = read_dimensions(listed, context, MAX_ARRAY_ELEMENTS) if listed is not None else None
    reading.finish(node)
    return ParameterEntry(key, place, dimensions)


def _is_missing(node: Node, context: Context) -> bool:
    """Whether an entry that only some packets have refers to a parameter of a file that is not there."""
    conditional = any(child.tag == "IncludeCondition" for child in node.children)
    return conditional and not context.reading.strict and not context.knows_parameter(node)


def _read_missing(node: Node, context: Context) -> Entry:
    reading = context.reading
    kind = "refers to a parameter that is not there: packets that have it are set aside"
    reading.notice(node, kind)
    reference = reading.required(node, "parameterRef")
    place = _read_placement(node, context)
    reading.past(node, "DimensionList")
    reading.finish(node)
    return MissingEntry(reference, place)


def _read_indirect(node: Node, context: Context) -> Entry | None:
    """IndirectParameterRefEntry: its ParameterInstance has the name or alias of the parameter as its value."""
    reading = context.reading
    name_space = reading.attribute(node, "aliasNameSpace")
    instance = reading.child(node, "ParameterInstance")
    place = _read_placement(node, context)
    reading.finish(node)
    if instance is None:
        reading.problem(node, "ParameterInstance is missing")
        return None
    reference = read_reference(instance, context)
    reading.finish(instance)
    return IndirectEntry(reference, name_space, place) if reference.parameter else None


def _read_fixed_value(node: Node, context: Context) -> Entry:
    """FixedValueEntry: constant bits, right-aligned in `binaryValue`."""
    reading = context.reading
    text, size_bits = reading.required(node, "binaryValue"), reading.integer(node, "sizeInBits", 8, 1, 1 << 16)
    try:
        value = int(text or "0", 16)
    except ValueError:
        reading.problem(node, f'binaryValue="{text}" is not hexadecimal')
        value = 0
    octets = (value & ((1 << size_bits) - 1)).to_bytes((size_bits + 7) // 8, "big")
    place = _read_placement(node, context)
    reading.finish(node)
    return FixedEntry(octets, size_bits, place)


def _read_placement(node: Node, context: Context) -> Placement:
    reading = context.reading
    for each in reading.children(node, "TimeAssociation"):
        kind = "element TimeAssociation is not implemented, and passed over"
        reading.notice(each, kind, f"element TimeAssociation in {node.key} is not implemented")
    location = _read_location(node, context)
    repetition = None
    repeat = reading.child(node, "RepeatEntry")
    if repeat is not None:
        count_node, gap_node = reading.child(repeat, "Count"), reading.child(repeat, "Offset")
        reading.finish(repeat)
        if count_node is None:
            reading.problem(repeat, "Count is missing")
        else:
            gap = read_size(gap_node, context, 0, MAX_CONTAINER_BITS) if gap_node is not None else 0
            reading.finish(gap_node)
            repetition = Repetition(read_size(count_node, context, 0, MAX_ARRAY_ELEMENTS), gap)
            reading.finish(count_node)
    return Placement(location, repetition, read_criteria_in(node, "IncludeCondition", context), node.line)


def _read_location(node: Node, context: Context) -> Location | None:
    reading = context.reading
    found = reading.child(node, "LocationInContainerInBits")
    if found is None:
        return None
    places = ("previousEntry", "containerStart", "containerEnd", "nextEntry")
    place = reading.choice(found, "referenceLocation", "previousEntry", places)
    backwards = place in {"containerEnd", "nextEntry"}
    bits = read_size(found, context, 0 if backwards else -MAX_CONTAINER_BITS, MAX_CONTAINER_BITS)
    if backwards and not isinstance(bits, int):
        reading.problem(found, f"a distance from {place} that the packet tells is not implemented")
        bits = 0
    reading.finish(found)
    return Location(bits, place == "containerStart", place == "containerEnd", place == "nextEntry")
