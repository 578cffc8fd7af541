"""Kaitai Struct definitions (.ksy), as SatNOGS has them, into the neutral definition.

In: one .ksy file. Out: a container for what stands in every packet, and one below it for each case of a switch that
comes last. A field is called by its path (a_b_c), or by the name that SatNOGS' `:field name: a.b.c` gives it; its path
is an alias. What no dictionary can say (processing, repetition until something, positions, values of several fields)
is lost. Source: the user guide of Kaitai Struct 0.10.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ..dictionary.model.conditions import AnyOf, Condition, Dynamic, Reference, Remainder, Size
from ..dictionary.model.definitions import (
    Container,
    ContainerEntry,
    Dictionary,
    Entry,
    FixedEntry,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
)
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding
from ..dictionary.model.parameter_types import (
    ArrayType,
    BinaryType,
    EnumeratedType,
    NumberType,
    ParameterType,
)
from ..model.errors import ConfigError, Problem
from . import expressions
from .expressions import Known
from .kaitai_types import Kinds, Order, bits_of, labels_of, order_of
from .losses import Converted, Losses, Source
from .names import Names, clean
from .places import fixed_bits
from .yaml_lines import List, Mapping, read_yaml

NAMED = re.compile(r":field\s+(\w+)\s*:\s*([\w.]+)")
MAX_UNROLLED = 64
MAX_DEPTH = 40
MAX_ENTRIES = 20_000
NAME_SPACE = "kaitai"
KNOWN = frozenset(
    {
        "id", "type", "size", "size-eos", "repeat", "repeat-expr", "repeat-until", "if", "contents", "enum", "encoding",
        "terminator", "consume", "include", "eos-error", "pad-right", "process", "valid", "doc", "doc-ref", "-orig-id",
        "-webide-representation", "value",
    }
)  # fmt: skip


class _StopError(Exception):
    """Nothing behind this field has a known place."""


@dataclass(slots=True)
class _Scope:
    """One use of a type: where its fields stand among all, and the type's own definitions."""

    path: tuple[str, ...]
    spec: Mapping
    parent: _Scope | None
    order: Order
    instances: dict[str, ast.expr] = field(default_factory=dict)


@dataclass(slots=True)
class _Cursor:
    """Where the next field stands. `bits`: of a byte that bit fields have begun; `gap`: to leave out before it."""

    entries: list[Entry]
    bits: int = 0
    gap: int = 0
    name: str = ""


def read_kaitai(sources: Sequence[Source]) -> Converted:
    """The definition. Raises ConfigError where a file is no .ksy."""
    if len(sources) != 1:
        raise ConfigError("convert one .ksy file at a time")
    (source,) = sources
    spec = read_yaml(source)
    if not isinstance(spec, Mapping) or not isinstance(spec.get("seq"), list):
        raise ConfigError([Problem("is no Kaitai definition: it has no seq", source.file)])
    losses = Losses(source.file)
    maker = _Maker(spec, losses)
    return Converted(maker.dictionary(source.file), tuple(losses))


class _Maker:
    def __init__(self, spec: Mapping, losses: Losses) -> None:
        self.spec = spec
        self.losses = losses
        self.kinds = Kinds(losses)
        self.parameters: dict[str, Parameter] = {}
        self.containers: dict[str, Container] = {}
        self.by_path: dict[tuple[str, ...], Known] = {}
        self.names = Names()
        self.system = ""
        """Before the keys of parameters of one case only: another case may have the same names."""
        self.container_names = Names()
        self.n_entries = 0
        fields = NAMED.findall(str(spec.get("doc", "")))
        self.named = {tuple(path.split(".")): name for name, path in fields}

    def dictionary(self, file: str) -> Dictionary:
        meta = self.spec.get("meta") or Mapping()
        for word in ("imports", "params"):
            if meta.get(word) or self.spec.get(word):
                self.losses.add(
                    word, "", "what stands in other files or is passed in is not carried", self.spec.line
                )
        name = self.container_names.take(str(meta.get("id", "packet")))
        root = _Scope((), self.spec, None, order_of(self.spec, Order()))
        self.container(name, None, None, root, _Cursor([]))
        return Dictionary(clean(str(meta.get("id", "kaitai"))), self.parameters, self.containers, file)

    def container(
        self, name: str, base: str | None, criteria: Condition | None, scope: _Scope, cursor: _Cursor
    ) -> None:
        """A container of a type that stands last, and those of its cases below it."""
        cursor.name = name
        self.containers[name] = Container(name, (), base=base, criteria=criteria, line=scope.spec.line)
        with suppress(_StopError):  # what is behind has been listed
            self.sequence(scope, cursor, last=True)
        own = self.containers[name]
        self.containers[name] = replace(own, entries=tuple(cursor.entries))

    def sequence(self, scope: _Scope, cursor: _Cursor, *, last: bool) -> None:
        self._instances(scope)
        fields = [each for each in scope.spec.get("seq") or [] if isinstance(each, Mapping)]
        for i, each in enumerate(fields):
            try:
                self.field(each, scope, cursor, last=last and i == len(fields) - 1)
            except _StopError:
                for behind in fields[i + 1 :]:
                    why = f"stands behind {each.get('id', '')}, whose size is not known"
                    self.losses.add("field", _dotted(scope, behind), why, behind.line)
                raise
        self.values(scope, cursor)

    # fields

    def field(self, spec: Mapping, scope: _Scope, cursor: _Cursor, *, last: bool) -> None:
        name = _dotted(scope, spec)
        self.n_entries += 1
        if self.n_entries > MAX_ENTRIES or len(scope.path) > MAX_DEPTH:
            raise ConfigError([Problem("describes too many fields", self.losses.file, spec.line, name)])
        for word in spec:
            if word not in KNOWN:
                self.losses.add(str(word), name, "is not carried", spec.lines[word])
        condition = self._condition(spec, scope)
        kind = spec.get("type")
        if isinstance(kind, Mapping):
            self._switch(spec, kind, scope, cursor, last=last and condition is None)
        elif isinstance(kind, str) and self._type(kind, scope) is not None and "process" not in spec:
            self._nested(spec, kind, scope, cursor, condition, last=last)
        else:
            self._plain(spec, scope, cursor, condition)

    def _condition(self, spec: Mapping, scope: _Scope) -> Condition | None:
        if "if" not in spec:
            return None
        parsed = self._parsed(spec["if"], scope)
        condition = self.reader(scope).condition(parsed) if parsed is not None else None
        if condition is None:
            self.losses.add("if", _dotted(scope, spec), f'"{spec["if"]}" is not carried', spec.lines["if"])
            raise _StopError
        return condition

    def _plain(self, spec: Mapping, scope: _Scope, cursor: _Cursor, condition: Condition | None) -> None:
        name = _dotted(scope, spec)
        if "contents" in spec:
            octets = _contents(spec["contents"])
            self._put(FixedEntry(octets, len(octets) * 8), cursor, len(octets) * 8, condition, 0)
            return
        if "process" in spec:
            text = f"{spec['process']} is not run: its bytes are given as they are sent"
            self.losses.add("process", name, text, spec.lines["process"])
        size = self._size(spec, scope)
        kind = self.kinds.of(spec, scope.order, size, name, self._labels(spec, scope))
        if kind is None:
            raise _StopError
        whole = self._repeated(spec, scope, kind)
        if whole is None:
            raise _StopError
        key = self._parameter(spec, scope, whole)
        self._put(ParameterEntry(key), cursor, fixed_bits(whole), condition, bits_of(kind))
        if isinstance(whole, ArrayType | BinaryType):
            return
        self._know(spec, scope, key, kind)

    def _know(self, spec: Mapping, scope: _Scope, key: str, kind: ParameterType) -> None:
        encoding = getattr(kind, "encoding", None)
        path = (*scope.path, str(spec.get("id", "")))
        if isinstance(encoding, NumberEncoding) and not encoding.is_float:
            half = 1 << (encoding.size_bits - 1)
            signed = encoding.form != "unsigned"
            self.by_path[path] = Known(key, -half if signed else 0, half - 1 if signed else 2 * half - 1)
        else:
            self.by_path[path] = Known(key)

    def _parameter(self, spec: Mapping, scope: _Scope, kind: ParameterType) -> str:
        path = (*scope.path, str(spec.get("id", f"unnamed_{self.n_entries}")))
        name = self.names.take(self.named.get(path, "_".join(path)))
        key = f"{self.system}.{name}" if self.system else name
        doc = " ".join(str(spec.get("doc", "")).split())
        alias = ((NAME_SPACE, ".".join(path)),)
        self.parameters[key] = Parameter(key, name, kind, spec.line, description=doc, aliases=alias)
        return key

    def _put(
        self, entry: ParameterEntry | FixedEntry | ContainerEntry, cursor: _Cursor, size: int | None,
        condition: Condition | None, bits: int,
    ) -> None:  # fmt: skip
        """The entry behind the last one; a field of whole bytes begins with a byte."""
        gap = cursor.gap if bits else cursor.gap + -cursor.bits % 8
        location = Location(gap) if gap else None
        line = self.parameters[entry.parameter].line if isinstance(entry, ParameterEntry) else 0
        cursor.entries.append(replace(entry, place=Placement(location, None, condition, line)))
        cursor.gap = 0
        cursor.bits = (cursor.bits + (size or 0)) % 8 if bits else 0

    def _repeated(self, spec: Mapping, scope: _Scope, kind: ParameterType) -> ParameterType | None:
        """The type, or an array of it."""
        how = spec.get("repeat")
        if how is None:
            return kind
        name = _dotted(scope, spec)
        if how == "eos":
            return ArrayType("", kind, (Remainder(),))
        count = self._number(spec.get("repeat-expr"), scope) if how == "expr" else None
        if count is None:
            text = f"{how} {spec.get('repeat-expr', spec.get('repeat-until', ''))} is not carried"
            self.losses.add("repeat", name, text, spec.lines["repeat"])
            return None
        if bits_of(kind) and fixed_bits(kind) is None:
            return None
        return ArrayType("", kind, (count,))

    def _size(self, spec: Mapping, scope: _Scope) -> Size | None:
        """Bits of `size`, or all the rest; None where the field does not say."""
        if spec.get("size-eos"):
            return Remainder()
        if "size" not in spec:
            return None
        count = self._number(spec["size"], scope)
        if count is None:
            self.losses.add("size", _dotted(scope, spec), f'"{spec["size"]}" is not carried', spec.lines["size"])
            raise _StopError
        if isinstance(count, Dynamic):
            return Dynamic(count.of, count.slope * 8, count.intercept * 8)
        return count * 8 if isinstance(count, int) else count

    def _number(self, value: Any, scope: _Scope) -> Size | None:
        parsed = self._parsed(value, scope)
        line = self.reader(scope).linear(parsed) if parsed is not None else None
        if line is None:
            return None
        known, slope, intercept = line
        if known is None:
            return int(intercept)
        return Dynamic(Reference(known.key, calibrated=False), slope, intercept)

    # types

    def _type(self, name: str, scope: _Scope) -> Mapping | None:
        """A type of the file: of this type, of those around it, or of the root."""
        here: _Scope | None = scope
        while here is not None:
            found: Any = here.spec
            for part in name.split("::"):
                found = (found.get("types") or {}).get(part) if isinstance(found, Mapping) else None
            if isinstance(found, Mapping):
                return found
            here = here.parent
        return None

    def _inside(self, spec: Mapping, name: str, scope: _Scope) -> _Scope | None:
        kind = self._type(name, scope)
        if kind is None:
            return None
        depth, here = 0, scope
        while here.parent is not None:
            depth, here = depth + 1, here.parent
        if depth > MAX_DEPTH:
            raise ConfigError([Problem("types are nested in themselves", self.losses.file, spec.line, name)])
        return _Scope((*scope.path, str(spec.get("id", name))), kind, scope, order_of(kind, scope.order))

    def _nested(
        self, spec: Mapping, name: str, scope: _Scope, cursor: _Cursor, condition: Condition | None, *, last: bool
    ) -> None:
        """The fields of another type, in place."""
        size = self._size(spec, scope)
        inside = self._inside(spec, name, scope)
        assert inside is not None
        if "repeat" in spec:
            self._unrolled(spec, inside, scope, cursor, size)
            return
        if size is not None and not isinstance(size, int) and not last:
            text = "the fields inside of a size that the packet tells are not carried: its bytes are"
            self.losses.add("size", _dotted(scope, spec), text, spec.line)
            key = self._parameter(spec, scope, BinaryType("", BinaryEncoding(size)))
            self._put(ParameterEntry(key), cursor, None, condition, 0)
            return
        own = _Cursor([], name=cursor.name) if condition is not None else cursor
        n_before, gap = len(own.entries), own.gap
        self._sized(inside, own, size, last=last and condition is None, n_before=n_before, gap=gap)
        if condition is not None:
            key = self.container_names.take("_".join(inside.path))
            self.containers[key] = Container(key, tuple(own.entries), abstract=True, line=spec.line)
            self._put(ContainerEntry(key), cursor, None, condition, 0)

    def _sized(
        self, inside: _Scope, cursor: _Cursor, size: Size | None, *, last: bool, n_before: int, gap: int
    ) -> None:
        """The fields, and what a fixed size leaves behind them."""
        try:
            self.sequence(inside, cursor, last=last)
        except _StopError:
            if not isinstance(size, int):
                raise
        if isinstance(size, int) and not last:
            taken = self._extent(cursor.entries[n_before:], gap)
            if taken is None:
                self.losses.add(
                    "size", ".".join(inside.path), "what is behind it has no known place", inside.spec.line
                )
                raise _StopError
            cursor.gap, cursor.bits = size - taken, 0

    def _extent(self, entries: Sequence[Entry], gap: int) -> int | None:
        """Bits from the first entry's start to the last one's end, where all is fixed."""
        total = -gap
        for entry in entries:
            if isinstance(entry, ParameterEntry):
                size = fixed_bits(self.parameters[entry.parameter].type)
            else:
                size = entry.size_bits if isinstance(entry, FixedEntry) else None
            if size is None or entry.place.condition is not None:
                return None
            location = entry.place.location
            total += size + (location.bits if location is not None and isinstance(location.bits, int) else 0)
        return total

    def _unrolled(self, spec: Mapping, inside: _Scope, scope: _Scope, cursor: _Cursor, size: Size | None) -> None:
        """Each time of a structure that comes a fixed number of times has fields of its own."""
        count = self._number(spec.get("repeat-expr"), scope) if spec["repeat"] == "expr" else None
        if not isinstance(count, int) or not 0 <= count <= MAX_UNROLLED:
            text = f"a structure repeated {spec['repeat']} {spec.get('repeat-expr', '')} is not carried"
            self.losses.add("repeat", _dotted(scope, spec), text, spec.lines["repeat"])
            raise _StopError
        for i in range(count):
            path = (*inside.path[:-1], f"{inside.path[-1]}_{i}")
            own = _Scope(path, inside.spec, scope, inside.order)
            self._sized(own, cursor, size, last=False, n_before=len(cursor.entries), gap=cursor.gap)

    # switches

    def _switch(self, spec: Mapping, kind: Mapping, scope: _Scope, cursor: _Cursor, *, last: bool) -> None:
        name = _dotted(scope, spec)
        if "repeat" in spec or not isinstance(kind.get("cases"), Mapping):
            self.losses.add(
                "switch-on", name, "a switch that is repeated, or without cases, is not carried", spec.line
            )
            raise _StopError
        if not last:
            self._inline(spec, kind, scope, cursor)
            return
        base = cursor.name
        for condition, case, line in self._cases(kind, scope, name):
            inside = self._inside(spec, case, scope)
            if inside is None:
                fields = Mapping()
                fields["seq"] = List([_with_type(spec, case)])
                inside = _Scope(scope.path, fields, scope, scope.order)
                inside.spec.line = line
            if condition is None:  # every packet is one of the cases
                self.containers[base] = replace(self.containers[base], abstract=True)
            below = self.container_names.take(case if self._type(case, scope) is not None else f"{base}_{case}")
            own = _Cursor([], cursor.bits, cursor.gap)
            around = self.names, self.system
            self.names, self.system = self.names.copy(), below
            self.container(below, base, condition, inside, own)
            self.names, self.system = around

    def _inline(self, spec: Mapping, kind: Mapping, scope: _Scope, cursor: _Cursor) -> None:
        """A switch with fields behind it: each case is there under its condition."""
        name = _dotted(scope, spec)
        cursor.gap, cursor.bits = cursor.gap + -cursor.bits % 8, 0
        for condition, case, line in self._cases(kind, scope, name):
            inside = self._inside(spec, case, scope)
            if condition is None or inside is None:
                why = f"the case of {case} with fields behind it is not carried"
                self.losses.add("switch-on", name, why, line)
                raise _StopError
            own = _Cursor([], 0, cursor.gap, cursor.name)
            self.sequence(inside, own, last=False)
            key = self.container_names.take("_".join((*inside.path, case)))
            self.containers[key] = Container(key, tuple(own.entries), abstract=True, line=line)
            entry = ContainerEntry(key, Placement(None, None, condition, line))
            cursor.entries.append(entry)
        cursor.gap = 0

    def _cases(self, kind: Mapping, scope: _Scope, name: str) -> Iterator[tuple[Condition | None, str, int]]:
        """(condition, type, line) of each type of the cases; the default last, without a condition."""
        cases: Mapping = kind["cases"]
        on = self._parsed(kind.get("switch-on"), scope)
        default: list[tuple[Condition | None, str, int]] = []
        found: dict[str, tuple[list[Condition], int]] = {}
        for value, case in cases.items():
            line = cases.lines[value]
            if str(value) == "_":
                default.append((None, str(case), line))
                continue
            literal = self._parsed(value, scope)
            condition = None
            if on is not None and literal is not None:
                compare = ast.Compare(on, [ast.Eq()], [literal])
                condition = self.reader(scope).condition(compare)
            if condition is None:
                text = f'"{kind.get("switch-on")}" being {value} is not carried'
                self.losses.add("switch-on", name, text, line)
            else:
                found.setdefault(str(case), ([], line))[0].append(condition)
        for case, (conditions, line) in found.items():
            yield AnyOf(tuple(conditions)) if len(conditions) > 1 else conditions[0], case, line
        yield from default

    # expressions

    def _parsed(self, value: Any, scope: _Scope) -> ast.expr | None:
        return expressions.parse(str(value), lambda word: self._enum_value(word, scope))

    def _labels(self, spec: Mapping, scope: _Scope) -> tuple[tuple[int, int, str], ...]:
        if "enum" not in spec:
            return ()
        found = self._enum(str(spec["enum"]), scope)
        if found is None:
            text = f"there is no enum {spec['enum']} in the file"
            self.losses.add("enum", _dotted(scope, spec), text, spec.lines["enum"])
            return ()
        return labels_of(found)

    def _enum(self, name: str, scope: _Scope) -> Mapping | None:
        *types, last = name.split("::")
        here: _Scope | None = scope
        while here is not None:
            holder: Any = here.spec
            for part in types:
                holder = (holder.get("types") or {}).get(part) if isinstance(holder, Mapping) else None
            found = (holder.get("enums") or {}).get(last) if isinstance(holder, Mapping) else None
            if isinstance(found, Mapping):
                return found
            here = here.parent
        return None

    def _enum_value(self, word: str, scope: _Scope) -> int | None:
        name, _, label = word.rpartition("::")
        found = self._enum(name, scope)
        return (
            next((low for low, _, text in labels_of(found) if text == label), None) if found is not None else None
        )

    def reader(self, scope: _Scope) -> expressions.Reader:
        return expressions.Reader(lambda path: self._resolve(path, scope))

    def _resolve(self, path: tuple[str, ...], scope: _Scope) -> Known | ast.expr | None:
        here, rest = scope, list(path)
        while rest and rest[0] in {"_root", "_parent"}:
            if rest.pop(0) == "_parent":
                here = here.parent or here
            else:
                while here.parent is not None:
                    here = here.parent
        if rest and rest[-1] == "to_i":
            rest.pop()
        found = self.by_path.get((*here.path, *rest))
        if found is None and len(rest) == 1 and rest[0] in here.instances:
            return here.instances[rest[0]]
        return found

    # instances

    def _instances(self, scope: _Scope) -> None:
        """Values that others refer to."""
        for name, spec in (scope.spec.get("instances") or {}).items():
            parsed = (
                self._parsed(spec.get("value"), scope) if isinstance(spec, Mapping) and "value" in spec else None
            )
            if parsed is not None and name not in {
                each.id for each in ast.walk(parsed) if isinstance(each, ast.Name)
            }:
                scope.instances[name] = parsed

    def values(self, scope: _Scope, cursor: _Cursor) -> None:
        """Instances that are a calibration of one field stand over it once more; all others are lost."""
        instances = scope.spec.get("instances")
        for name, spec in (instances or {}).items():
            where = ".".join((*scope.path, str(name)))
            line = instances.lines[name] if isinstance(instances, Mapping) else 0
            parsed = scope.instances.get(name)
            known = self.reader(scope).only(parsed) if parsed is not None else None
            formula = self.reader(scope).formula(parsed) if parsed is not None else None
            text = str(spec.get("value", "")) if isinstance(spec, Mapping) else ""
            own = [
                entry
                for entry in cursor.entries
                if getattr(entry, "parameter", None) == (known.key if known else "")
            ]
            if known is None or formula is None or not own or "enum" in spec or "if" in spec:
                why = (
                    f'"{text}" is no value of one field' if text else "a field at a place of its own is not carried"
                )
                self.losses.add("instance", where, why, line)
                continue
            self._overlay(name, spec, scope, cursor, (own[0], known, formula))

    def _overlay(
        self, name: str, spec: Mapping, scope: _Scope, cursor: _Cursor, what: tuple[Any, Known, Any]
    ) -> None:
        entry, known, formula = what
        kind = self.parameters[known.key].type
        size = fixed_bits(kind)
        encoding = kind.encoding if isinstance(kind, NumberType | EnumeratedType) else None
        if size is None or encoding is None:
            self.losses.add("instance", ".".join((*scope.path, name)), "its field is no number", spec.line)
            return
        named = Mapping()
        named.update(spec)
        named["id"], named.line = name, spec.line
        key = self._parameter(named, scope, NumberType("", replace(encoding, calibrator=formula), real=True))
        place = Placement(Location(-size), None, entry.place.condition, spec.line)
        at = cursor.entries.index(entry) + 1
        cursor.entries.insert(at, ParameterEntry(key, place))
        self.by_path.setdefault((*scope.path, name), Known(key))


def _dotted(scope: _Scope, spec: Mapping) -> str:
    return ".".join((*scope.path, str(spec.get("id", ""))))


def _with_type(spec: Mapping, name: str) -> Mapping:
    """The field with one case as its type."""
    found = Mapping()
    found.update(spec)
    found["type"], found.line, found.lines = name, spec.line, dict(spec.lines)
    return found


def _contents(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    parts = value if isinstance(value, list) else [value]
    return b"".join(each.encode() if isinstance(each, str) else bytes([int(each) & 0xFF]) for each in parts)
