"""The space systems of a document: which names stand where, and what a reference means from there.

A reference is an absolute path (/A/B/NAME) or a relative one (NAME, B/NAME, ../NAME), which is looked for in the
system that holds it, then in each system around it. A key is the plain name, or, where two systems use one
name, the path below the root with dots, which no XTCE name may contain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.dictionary.document import Node, Reading

TYPES, PARAMETERS, CONTAINERS = "parameter type", "parameter", "container"
KINDS = (TYPES, PARAMETERS, CONTAINERS)


@dataclass(slots=True, eq=False)
class Definition:
    """One named element of one system."""

    node: Node
    system: System
    name: str
    key: str = ""


@dataclass(slots=True, eq=False)
class System:
    """One SpaceSystem: its definitions by kind and name, its parent and its children."""

    name: str
    parent: System | None = None
    children: dict[str, System] = field(default_factory=dict)
    names: dict[str, dict[str, Definition]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def walk(self) -> Iterator[System]:
        yield self
        for child in self.children.values():
            yield from child.walk()

    def path(self) -> tuple[str, ...]:
        """Names of the systems from below the root down to this one."""
        return (*self.parent.path(), self.name) if self.parent else ()

    def define(self, kind: str, node: Node, reading: Reading) -> None:
        name = reading.required(node, "name")
        if not name:
            return
        if any(character in name for character in "./:[] "):
            reading.problem(node, f'name "{name}" has a character that references use (. / : [ ] or blank)')
        first = self.names[kind].get(name)
        if first is not None:
            reading.problem(node, f'a second {kind} "{name}"; the first stands in line {first.node.line}')
            return
        self.names[kind][name] = Definition(node, self, name)

    def find(self, kind: str, reference: str) -> Definition | None:
        """What the reference means here, or None."""
        if reference.startswith("/"):
            return self.root().find_absolute(kind, reference)
        system: System | None = self
        while system is not None:
            found = system.find_below(kind, reference.split("/"))
            if found is not None:
                return found
            system = system.parent
        return None

    def root(self) -> System:
        return self.parent.root() if self.parent else self

    def find_absolute(self, kind: str, reference: str) -> Definition | None:
        """The path starts at this system."""
        # The path begins with the root's own name, but files that leave it out are common.
        steps = reference.strip("/").split("/")
        found = self.find_below(kind, steps[1:]) if steps[0] == self.name else None
        return found or self.find_below(kind, steps)

    def find_below(self, kind: str, steps: list[str]) -> Definition | None:
        """The path starts inside this system."""
        system: System | None = self
        for step in steps[:-1]:
            if system is None:
                return None
            if step == "..":
                system = system.parent
            elif step not in {".", ""}:
                system = system.children.get(step)
        return system.names[kind].get(steps[-1]) if system is not None and steps else None


def name_keys(root: System) -> None:
    """Give every definition its key."""
    for kind in KINDS:
        definitions = [definition for system in root.walk() for definition in system.names[kind].values()]
        uses = Counter(definition.name for definition in definitions)
        for definition in definitions:
            path = definition.system.path() if uses[definition.name] > 1 else ()
            definition.key = ".".join((*path, definition.name))


@dataclass(frozen=True, slots=True)
class Context:
    """Where something is read: the problems go to `reading`, references start from `system`."""

    reading: Reading
    system: System

    def resolve(self, kind: str, node: Node, attribute: str) -> Definition | None:
        """The definition that the attribute refers to; a problem and None where there is none."""
        reference = self.reading.required(node, attribute)
        found = self.system.find(kind, reference)
        if found is None and reference:
            self.reading.problem(node, f'{attribute}="{reference}": there is no such {kind}')
        return found

    def parameter_key(self, node: Node) -> str:
        """The key of the parameter, or of the member of an aggregate (P.member, or P/member as many files have it)."""
        reference = node.attributes.get("parameterRef", "")
        for whole, member in _members(reference):
            found = self.system.find(PARAMETERS, whole) if whole else None
            if found is not None:
                del node.attributes["parameterRef"]
                key = f"{found.key}.{member}" if member else found.key
                if member:
                    self.reading.members.append((node, reference, key))
                return key
        self.resolve(PARAMETERS, node, "parameterRef")
        return ""


def _members(reference: str) -> Iterator[tuple[str, str]]:
    """What may be the parameter, and what the path to a member in it: the longest parameter first."""
    yield reference, ""
    for i in reversed(range(1, len(reference))):
        if reference[i] in "./" and reference[i - 1] not in "./" and reference[i + 1 : i + 2] not in {"", ".", "/"}:
            yield reference[:i], reference[i + 1 :].replace("/", ".")
