"""baseType: a type that takes over from another what it does not say itself, before any type is read."""

from __future__ import annotations

from ..model.definitions import MAX_NESTING
from ..model.document import Node, Reading
from .scope import TYPES, Context, Definition, System


def merge_base_types(root: System, reading: Reading) -> None:
    """Complete every type that has a baseType with its base's attributes and children."""
    done: set[Definition] = set()
    for system in root.walk():
        for definition in system.names[TYPES].values():
            _complete(definition, reading, done, ())
    reading.owner = None


def _complete(
    definition: Definition, reading: Reading, done: set[Definition], path: tuple[Definition, ...]
) -> None:
    node = definition.node
    reading.owner = definition
    if definition in path:
        reading.problem(node, "is its own base type, directly or through others")
        return
    if len(path) >= MAX_NESTING:
        reading.problem(node, f"has base types nested deeper than {MAX_NESTING}")
        done.add(definition)
        return
    if definition in done or "baseType" not in node.attributes:
        return
    base = Context(reading, definition.system).resolve(TYPES, node, "baseType")
    if base is not None:
        definition.uses.append(base)
        _complete(base, reading, done, (*path, definition))
        reading.owner = definition
        if base.node.tag != node.tag:
            reading.problem(node, f"is a {node.tag} and its base type a {base.node.tag}")
        else:
            _take_over(node, base.node)
    done.add(definition)


def _take_over(node: Node, base: Node) -> None:
    for name, value in base.attributes.items():
        if name != "baseType":
            node.attributes.setdefault(name, value)
    own_tags = {child.tag for child in node.children}
    encodes = any(tag.endswith("DataEncoding") for tag in own_tags)
    for child in base.children:
        if child.tag not in own_tags and not (encodes and child.tag.endswith("DataEncoding")):
            node.children.append(copy_of(child))


def copy_of(node: Node) -> Node:
    """The element and all inside it once more."""
    copy = Node(node.tag, dict(node.attributes), node.line)
    copy.text = node.text
    copy.children = [copy_of(child) for child in node.children]
    return copy
