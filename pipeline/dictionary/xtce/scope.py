"""The space systems of documents: which names stand where, and what a reference means from there.

A reference is an absolute path (/A/B/NAME) or a relative one (NAME, B/NAME, ../NAME), which is looked for in the
system that holds it, then in each system around it, and at last from the root, by the root's own name (A/B/NAME, as
the schema's own text has it). A key is the plain name, or, where two systems use one name, the path below the root
with dots; the header that several files repeat has the plain name in the first file. Names may hold any character,
though XTCE has no . / : [ ] or blank in them; a name with a slash is found where the longest beginning of a path that
is a system's name is followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..model.document import Node, Reading

TYPES, PARAMETERS, CONTAINERS = "parameter type", "parameter", "container"
_DESCRIPTIONS = frozenset({"shortDescription", "ShortDescription", "LongDescription"})
KINDS = (TYPES, PARAMETERS, CONTAINERS)


@dataclass(slots=True, eq=False)
class Definition:
    """One named element of one system."""

    node: Node
    system: System
    name: str
    key: str = ""
    initial: str = ""
    """Of a type: its initialValue."""
    uses: list[Definition] = field(default_factory=list)
    """Of a type: its base type, and the types of its elements or members."""
    dimensions: Node | None = None
    """Of an array type: its DimensionList, whose problems matter where no entry has one of its own."""


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

    def full_path(self) -> str:
        """The path from the root's name on; the root above several files has none."""
        around = self.parent.full_path() if self.parent else ""
        return f"{around}/{self.name}" if self.name else around

    def child(self, name: str) -> System:
        """The system of that name inside this one, which may be there already, from another file."""
        return self.children.setdefault(name, System(name, self))

    def define(self, kind: str, node: Node, reading: Reading) -> None:
        name = reading.required(node, "name")
        if not name:
            return
        if any(character in name for character in "./:[] "):
            what = "a character that references use (. / : [ ] or blank)"
            reading.notice(node, f"a name with {what} is taken as it is", f'name "{name}" has {what}')
        first = self.names[kind].get(name)
        if first is not None and _meaning(first.node) == _meaning(node):
            what = "defined again in the same way: the first definition is used"
            reading.notice(node, what, f'{kind} "{name}" is {what}')
            return
        if first is not None:
            where = reading.where(first.node.line)
            reading.problem(node, f'a second {kind} "{name}"; the first stands in {where}')
            return
        self.names[kind][name] = Definition(node, self, name)

    def find(self, kind: str, reference: str) -> Definition | None:
        """What the reference means here, or None."""
        if reference.startswith("/"):
            return self.root().find_absolute(kind, reference)
        system: System | None = self
        while system is not None:
            found = system.find_below(kind, reference)
            if found is not None:
                return found
            system = system.parent
        return self.root().find_absolute(kind, reference)

    def root(self) -> System:
        return self.parent.root() if self.parent else self

    def find_absolute(self, kind: str, reference: str) -> Definition | None:
        """The path starts at this system, the root."""
        # The path begins with the root's own name, but files that leave it out are common. The root of several
        # files has no name; a file of them may be written as if it were alone.
        path = reference.strip("/")
        if self.name and path.startswith(f"{self.name}/"):
            found = self.find_below(kind, path[len(self.name) + 1 :])
            if found is not None:
                return found
        found = self.find_below(kind, path)
        if found is None and not self.name:
            below = [one for child in self.children.values() if (one := child.find_below(kind, path))]
            return below[0] if len(below) == 1 else None
        return found

    def find_below(self, kind: str, path: str) -> Definition | None:
        """The path starts inside this system."""
        known = self.names[kind].get(path)
        if known is not None:
            return known
        for i, character in enumerate(path):
            system = self._step(path[:i]) if character == "/" else None
            found = system.find_below(kind, path[i + 1 :]) if system is not None else None
            if found is not None:
                return found
        return None

    def _step(self, name: str) -> System | None:
        if name == "..":
            return self.parent
        return self if name in {".", ""} else self.children.get(name)


def name_keys(root: System) -> None:
    """Give every definition its key."""
    for kind in KINDS:
        definitions = [definition for system in root.walk() for definition in system.names[kind].values()]
        uses = Counter(definition.name for definition in definitions)
        for definition in definitions:
            path = definition.system.path() if uses[definition.name] > 1 else ()
            definition.key = ".".join((*path, definition.name))
    for header in _repeated_headers(root):
        header.key = header.name


def _repeated_headers(root: System) -> Iterator[Definition]:
    """Of each header that several files have under one name and with the same entries the first that is not abstract:
    a packet of which none of them says more is no packet of this one file.
    """
    alike: dict[tuple[str, tuple[str, ...]], list[Definition]] = {}
    for system in root.children.values() if not root.name else ():
        named = system.names[CONTAINERS]
        bases = {reference.rpartition("/")[2] for each in named.values() for reference in _bases(each)}
        for name in sorted(bases & named.keys()):
            if not _bases(named[name]):
                alike.setdefault((name, _entries(named[name])), []).append(named[name])
    names: set[str] = set()
    for (name, _), headers in alike.items():
        whole = [each for each in headers if each.node.attributes.get("abstract") not in {"true", "1"}]
        if len(headers) > 1 and whole and name not in names:
            names.add(name)
            yield whole[0]


def _bases(definition: Definition) -> list[str]:
    children = (child for child in definition.node.children if child.tag == "BaseContainer")
    return [child.attributes.get("containerRef", "") for child in children]


def _entries(definition: Definition) -> tuple[str, ...]:
    lists = (child for child in definition.node.children if child.tag == "EntryList")
    return tuple(
        text for each in lists for entry in each.children for text in (entry.tag, *entry.attributes.values())
    )


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

    def knows_parameter(self, node: Node) -> bool:
        """Whether the element refers to a parameter that is there, or to a member of one."""
        reference = node.attributes.get("parameterRef", "")
        return any(whole and self.system.find(PARAMETERS, whole) for whole, _ in _members(reference))

    def parameter_key(self, node: Node) -> str:
        """The key of the parameter, or of the member of an aggregate (P.member, or P/member as many files have it)."""
        reference = node.attributes.get("parameterRef", "")
        for whole, member in _members(reference):
            found = self.system.find(PARAMETERS, whole) if whole else None
            if found is not None:
                del node.attributes["parameterRef"]
                key = f"{found.key}.{member}" if member else found.key
                if member:
                    self.reading.members.append((node, reference, key, self.reading.owner))
                return key
        self.resolve(PARAMETERS, node, "parameterRef")
        return ""


def _members(reference: str) -> Iterator[tuple[str, str]]:
    """What may be the parameter, and what the path to a member in it: the longest parameter first."""
    yield reference, ""
    for i in reversed(range(1, len(reference))):
        if reference[i] in "./" and reference[i - 1] not in "./" and reference[i + 1 : i + 2] not in {"", ".", "/"}:
            yield reference[:i], reference[i + 1 :].replace("/", ".")


def _meaning(node: Node) -> tuple[object, ...]:
    """The element without descriptions, for comparison."""
    attributes = {key: value for key, value in node.attributes.items() if key not in _DESCRIPTIONS}
    children = [_meaning(child) for child in node.children if child.tag not in _DESCRIPTIONS]
    return node.tag, attributes, node.text.strip(), children
