"""XML bytes in, a tree of nodes with line numbers out; document types, and with them entity bombs, are refused.

expat reads: it knows the line of every element and fetches nothing. Bounded are the document's size, its depth
and its number of elements. A reader takes from a node what it understands; what is left over at the end is
what nobody understood, and `Reading.finish` reports it: as a notice where no bit of a packet depends on it, else as a
problem.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from xml.parsers import expat

from ...model.errors import ConfigError, Problem
from .notices import MAX_LINE_BITS, Notice, Notices, located

MAX_DOCUMENT_BYTES = 64 << 20
MAX_DEPTH = 200
MAX_ELEMENTS = 2_000_000
MAX_PROBLEMS = 500
"""A file of another kind altogether should not fill the screen for ever."""

NAMESPACES = frozenset(
    {
        "",
        "http://www.omg.org/space/xtce",  # 1.0, 1.1
        "http://www.omg.org/spec/XTCE/20061101",
        "http://www.omg.org/spec/XTCE/20180204",  # 1.2
        "http://www.omg.org/spec/XTCE/20250214",  # 1.3
    }
)
FOREIGN_ATTRIBUTES = ("http://www.w3.org/2001/XMLSchema-instance ", "http://www.w3.org/XML/1998/namespace ")
DESCRIPTIVE = frozenset({"LongDescription", "AliasSet", "AncillaryDataSet"})
"""Children that any element may have and that say nothing about bits."""
CODES_BITS = frozenset(
    [
        "BinaryDataEncoding",
        "BinaryEncoding",
        "ByteOrderList",
        "Checksum",
        "CRC",
        "Dimension",
        "DimensionList",
        "DiscreteLookup",
        "DiscreteLookupList",
        "DynamicValue",
        "EntryList",
        "ErrorDetectCorrect",
        "Fixed",
        "FloatDataEncoding",
        "FromBinaryTransformAlgorithm",
        "IncludeCondition",
        "IntegerDataEncoding",
        "LeadingSize",
        "LinearAdjustment",
        "LocationInContainerInBits",
        "MemberList",
        "Parity",
        "RepeatEntry",
        "RestrictionCriteria",
        "SequenceContainer",
        "SizeInBits",
        "StringDataEncoding",
        "TerminationChar",
        "Variable",
        "ContainerRefEntry",
        "ParameterRefEntry",
        "ArrayParameterRefEntry",
        "FixedValueEntry",
        "IndirectParameterRefEntry",
        "BaseContainer",
        "ComparisonList",
        "BooleanExpression",
        "Condition",
        "ANDedConditions",
        "ORedConditions",
        "Encoding",
        "DefaultCalibrator",
        "ContextCalibratorList",
        "ContextCalibrator",
        "Calibrator",
        "PolynomialCalibrator",
        "SplineCalibrator",
        "MathOperationCalibrator",
    ]
)
"""Elements in which an unknown child may change which bits are read, or the value they mean."""


class Node:
    """An element, its attributes and children; taking one removes it. `line`: as `notices.located` reads it."""

    __slots__ = ("attributes", "children", "line", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []
        self.line = line
        self.text = ""

    @property
    def key(self) -> str:
        """The element as a person would look for it."""
        name = self.attributes.get("name")
        return f'{self.tag} "{name}"' if name else self.tag


class Reading:
    """Documents being read: takes attributes and children, and collects every problem and notice on the way.

    `strict`: a notice is a problem. `owner`: the definition that is being read; its problems are notices in the end
    if no packet needs it. `leading_size_in_bits`: a LeadingSize counts bits, not bytes.
    """

    def __init__(self, *files: str, strict: bool = False, leading_size_in_bits: bool = False) -> None:
        self.files = files
        self.strict = strict
        self.leading_size_in_bits = leading_size_in_bits
        self.notices = Notices()
        self.owner: object = None
        self._problems: list[tuple[Problem, object]] = []
        self._marks: dict[tuple[int, str], tuple[str, object]] = {}
        self._passed: dict[tuple[int, str], str] = {}
        self.members: list[tuple[Node, str, str, object]] = []
        """References to members of aggregates (element, reference, key, owner), checked when all types are read."""

    @property
    def file(self) -> str:
        """The first file."""
        return self.files[0] if self.files else ""

    def add_file(self, file: str) -> int:
        """The place of one file more."""
        self.files = (*self.files, file)
        return len(self.files) - 1

    @property
    def n_problems(self) -> int:
        return len(self._problems)

    @property
    def problems(self) -> list[Problem]:
        return located([problem for problem, _ in self._problems], self.files)

    def problem(self, node: Node | None, text: str, key: str = "") -> None:
        line = node.line if node is not None else 0
        found = Problem(text, self.file, line, key or (node.key if node is not None else "")), self.owner
        if found not in self._problems[-20:]:
            self._problems.append(found)
            if node is not None:
                self._marks.setdefault((node.line, node.tag), (text, self.owner))

    def notice(self, node: Node, kind: str, problem: str = "") -> None:
        """Note what is passed over, or read as it is meant; each kind is listed once. `problem`: its text if strict."""
        if self.strict:
            self.problem(node, problem or kind)
        else:
            self.notices.add(Notice(kind, self.file, node.line, node.key))
            self._passed.setdefault((node.line, node.tag), problem or kind)

    def forgive(self, needed: Container[object]) -> None:
        """Problems of definitions that no packet needs become notices."""
        if self.strict:
            return
        kept = [(problem, owner) for problem, owner in self._problems if owner is None or owner in needed]
        forgiven: dict[object, Problem] = {}
        for problem, owner in self._problems:
            if owner is not None and owner not in needed:
                forgiven.setdefault(owner, problem)
        self._problems = kept
        for problem in forgiven.values():
            kind = problem.key.split(' "')[0]
            text = "is passed over, with what is wrong in it: no packet of the telemetry uses it"
            key = f"{kind} and the like" if not kind else problem.key
            self.notices.add(Notice(text, self.file, problem.line, f"{key} ({problem.text})"))

    def marks(self) -> dict[tuple[int, str], tuple[str, bool]]:
        """Notices and problems of elements, by line and tag, and whether each is a problem."""
        kept = {id(owner) for _, owner in self._problems}
        found = {place: (text, False) for place, text in self._passed.items()}
        for place, (text, owner) in self._marks.items():
            found[place] = text, id(owner) in kept
        return found

    def where(self, line: int) -> str:
        """A line for the text of a problem."""
        (found,) = located([Problem("", self.file, line)], self.files)
        return f"line {found.line}" if len(self.files) == 1 else f"{found.file}, line {found.line}"

    def check(self) -> None:
        """Raise ConfigError if anything was wrong, all of it, in the order of the files."""
        if self._problems:
            ordered = sorted((problem for problem, _ in self._problems), key=lambda problem: problem.line)
            more = len(ordered) - MAX_PROBLEMS
            rest = [Problem(f"and {more} more", self.file)] if more > 0 else []
            raise ConfigError([*located(ordered[:MAX_PROBLEMS], self.files), *rest])

    # attributes

    def required(self, node: Node, name: str) -> str:
        value = node.attributes.get(name)
        if not value:
            self.problem(node, f"attribute {name} is {'missing' if value is None else 'empty'}")
            node.attributes.pop(name, None)
            return ""
        return self._take(node, name)

    def attribute(self, node: Node, name: str, default: str = "") -> str:
        return self._take(node, name) if name in node.attributes else default

    def integer(self, node: Node, name: str, default: int, low: int, high: int) -> int:
        text = self.attribute(node, name, str(default))
        return self.number_in(node, text, name, low, high, default)

    def real(self, node: Node, name: str, default: float | None = None) -> float:
        text = self.attribute(node, name, "") if default is not None else self.required(node, name)
        if not text and default is not None:
            return default
        return self.real_of(node, text, name)

    def flag(self, node: Node, name: str, *, default: bool) -> bool:
        text = self.attribute(node, name, "true" if default else "false").strip()
        if text not in {"true", "false", "1", "0"}:
            self.problem(node, f'{name}="{text}" is neither true nor false')
        return text in {"true", "1"}

    def choice(self, node: Node, name: str, default: str, implemented: Iterable[str]) -> str:
        text = self.attribute(node, name, default)
        if text not in implemented:
            self.problem(node, f'{name}="{text}" is not implemented')
            return default
        return text

    def read_past(self, node: Node, *names: str) -> None:
        """Attributes that describe and do not change what the bits mean."""
        for name in names:
            node.attributes.pop(name, None)

    # text

    def text(self, node: Node) -> str:
        taken, node.text = node.text.strip(), ""
        return taken

    def number_in(self, node: Node, text: str, what: str, low: int, high: int, default: int = 0) -> int:
        try:
            value = integer_of(text)
        except ValueError:
            self.problem(node, f'{what} "{text}" is not a whole number')
            return default
        if not low <= value <= high:
            self.problem(node, f"{what} {value} is not within {low} to {high}")
            return default
        return value

    def real_of(self, node: Node, text: str, what: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.problem(node, f'{what} "{text}" is not a finite number')
            return 0.0
        return value

    # children

    def child(self, node: Node, *tags: str) -> Node | None:
        """The only child with one of the tags, or None; a second one is a problem."""
        found = self.children(node, *tags)
        for extra in found[1:]:
            self.problem(extra, f"a second {extra.tag} in {node.key}")
        return found[0] if found else None

    def children(self, node: Node, *tags: str) -> list[Node]:
        found = [child for child in node.children if child.tag in tags]
        if found:
            node.children = [child for child in node.children if child.tag not in tags]
        return found

    def listed(self, node: Node, tag: str, *items: str) -> list[Node]:
        """The children `items` of the only child with the tag, in which nothing else is expected; empty without it."""
        holder = self.child(node, tag)
        found = self.children(holder, *items) if holder is not None else []
        self.finish(holder)
        return found

    def past(self, node: Node, *tags: str) -> None:
        self.children(node, *tags)

    def finish(self, node: Node | None) -> None:
        """Report what was not taken: the element or attribute is not implemented, or does not belong here."""
        if node is None:
            return
        for child in node.children:
            if child.tag in DESCRIPTIVE:
                continue
            if (
                child.tag == "ShortDescription" and node.tag == "Parameter"
            ):  # of no version of XTCE, and of many files
                kind = "element ShortDescription in Parameter is read as its attribute shortDescription"
                self.notice(child, kind, f"element ShortDescription in {node.key} is an attribute in XTCE")
            elif node.tag in CODES_BITS and child.tag != "ShortDescription":
                self.problem(child, f"element {child.tag} in {node.key} is not implemented")
            else:
                kind = f"element {child.tag} in {node.tag} is not implemented, and passed over"
                self.notice(child, kind, f"element {child.tag} in {node.key} is not implemented")
        for name, value in node.attributes.items():
            if name not in {"name", "shortDescription"} and not name.startswith(FOREIGN_ATTRIBUTES):
                kind = f"attribute {name} of {node.tag} is not implemented, and passed over"
                self.notice(node, kind, f'attribute {name}="{value}" is not implemented')
        if node.text.strip():
            self.problem(node, f'text "{node.text.strip()[:40]}" does not belong here')

    def _take(self, node: Node, name: str) -> str:
        # A name stays: the node is known by it in later problems.
        return node.attributes[name] if name == "name" else node.attributes.pop(name)


def integer_of(text: str) -> int:
    """A whole number as XTCE writes it: decimal, or hexadecimal, octal and binary with 0x, 0o, 0b."""
    text = text.strip()
    prefix = text.lstrip("+-")[:2].lower()
    return int(text, 0) if prefix in {"0x", "0o", "0b"} else int(text, 10)


def parse(document: bytes, reading: Reading, index: int = 0) -> Node | None:
    """The root node, or None with the problem in `reading`. `index`: of the file among those of the reading."""
    before = index << MAX_LINE_BITS
    if len(document) > MAX_DOCUMENT_BYTES:
        reading.problem(Node("", {}, before), f"is larger than {MAX_DOCUMENT_BYTES} bytes", "document")
        return None
    builder = _Builder(reading, before)
    try:
        builder.parser.Parse(document, True)
    except expat.ExpatError as error:
        reasons = expat.errors.messages
        reading.problem(
            Node("", {}, before + error.lineno), f"XML is not well-formed: {reasons.get(error.code, error)}", "XML"
        )
        return None
    except (_RefusedError, LookupError, ValueError) as error:
        reading.problem(Node("", {}, before + builder.parser.CurrentLineNumber), str(error), "XML")
        return None
    return builder.root


class _RefusedError(Exception):
    """The document asks for what is never granted."""


class _Builder:
    def __init__(self, reading: Reading, before: int) -> None:
        self.reading = reading
        self.before = before
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.n_elements = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse

    def refuse(self, *_: object) -> None:
        raise _RefusedError("a document type declaration (DTD, entities) is refused")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.n_elements += 1
        if self.n_elements > MAX_ELEMENTS or len(self.stack) >= MAX_DEPTH:
            raise _RefusedError(f"more than {MAX_ELEMENTS} elements, or nested deeper than {MAX_DEPTH}")
        namespace, _, tag = name.rpartition(" ")
        node = Node(tag, attributes, self.before + self.parser.CurrentLineNumber)
        self._check_namespace(namespace, node)
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.root = node
        self.stack.append(node)

    def _check_namespace(self, namespace: str, node: Node) -> None:
        """No namespace, one of XTCE, or one that is meant for it: many files have a prefix on the root only."""
        if namespace in NAMESPACES:
            return
        if "xtce" in namespace.lower():
            self.reading.notice(node, f'namespace "{namespace}" is none of XTCE, and read as one')
        elif not self.stack:
            self.reading.problem(node, f'namespace "{namespace}" is not one of XTCE 1.1, 1.2 or 1.3')
        else:
            node.tag = f"{{{namespace}}}{node.tag}"

    def end(self, _: str) -> None:
        self.stack.pop()

    def characters(self, text: str) -> None:
        self.stack[-1].text += text
