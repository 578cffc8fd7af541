"""Convert the plain fields of a Kaitai Struct definition to parameters and entries.

Expressions of other fields (`size`, `if`, `repeat-expr`, `instances`) become references to their parameters if they are
linear in one field; others are not converted, and listed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..dictionary.model.conditions import Condition, Dynamic, Reference, Remainder, Size
from ..dictionary.model.definitions import (
    Container,
    ContainerEntry,
    Entry,
    FixedEntry,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
    Repetition,
)
from ..dictionary.model.parameter_types import ArrayType, BinaryType, EnumeratedType, NumberType, ParameterType
from . import expressions
from .expressions import Known
from .kaitai_scopes import Cursor, Scope, StopError
from .kaitai_types import Kinds, bits_of, labels_of
from .losses import Losses
from .names import Names
from .places import fixed_bits
from .yaml_lines import Mapping

NAMED = re.compile(r":field\s+(\w+)\s*:\s*([\w.]+)")
NAME_SPACE = "kaitai"
Path = tuple[str, ...]


class FieldMaker:
    """Makes parameters and containers; `by_path`: the parameter of the field of each path."""

    def __init__(self, spec: Mapping, losses: Losses) -> None:
        self.spec = spec
        self.losses = losses
        self.kinds = Kinds(losses)
        self.parameters: dict[str, Parameter] = {}
        self.containers: dict[str, Container] = {}
        self.by_path: dict[Path, Known] = {}
        self.instances: dict[Path, ast.expr] = {}
        """Expressions of instances, with names as paths from the root."""
        self.names = Names()
        self.system = ""
        """Prefix of the keys of parameters of one case: other cases may have the same names."""
        self.container_names = Names()
        self.n_entries = 0
        fields = NAMED.findall(str(spec.get("doc", "")))
        self.named = {tuple(path.split(".")): name for name, path in fields}

    def condition_of(self, spec: Mapping, scope: Scope) -> Condition | None:
        if "if" not in spec:
            return None
        parsed = self.parsed(spec["if"], scope)
        condition = self.reader(scope).condition(parsed) if parsed is not None else None
        if condition is None:
            self.losses.add("if", scope.dotted(spec), f'"{spec["if"]}" is not converted', spec.lines["if"])
            raise StopError
        return condition

    def plain(self, spec: Mapping, scope: Scope, cursor: Cursor, condition: Condition | None) -> None:
        name = scope.dotted(spec)
        if "contents" in spec:
            octets = _contents(spec["contents"])
            self.put(FixedEntry(octets, len(octets) * 8), cursor, len(octets) * 8, condition, 0)
            return
        if "process" in spec:
            text = f"{spec['process']} is not run: its bytes are given as they are sent"
            self.losses.add("process", name, text, spec.lines["process"])
        size = self.size_of(spec, scope, cursor)
        kind = self.kinds.of(spec, scope.order, size, name, self._labels(spec, scope))
        if kind is None:
            raise StopError
        whole = self._repeated(spec, scope, kind, cursor)
        if whole is None:
            raise StopError
        key = self.parameter(spec, scope, whole)
        self.put(ParameterEntry(key), cursor, fixed_bits(whole), condition, bits_of(kind))
        if isinstance(whole, ArrayType | BinaryType):
            return
        self.by_path[*scope.path, str(spec.get("id", ""))] = Known.of(key, kind)

    def parameter(self, spec: Mapping, scope: Scope, kind: ParameterType) -> str:
        path = (*scope.path, str(spec.get("id", f"unnamed_{self.n_entries}")))
        name = self.names.take(self.named.get(path, "_".join(path)))
        key = f"{self.system}.{name}" if self.system else name
        doc = " ".join(str(spec.get("doc", "")).split())
        alias = ((NAME_SPACE, ".".join(path)),)
        self.parameters[key] = Parameter(key, name, kind, spec.line, description=doc, aliases=alias)
        return key

    def put(
        self, entry: ParameterEntry | FixedEntry | ContainerEntry, cursor: Cursor, size: int | None,
        condition: Condition | None, bits: int, repetition: Repetition | None = None,
    ) -> None:  # fmt: skip
        """Append an entry; a field of whole bytes is aligned. `bits`: size of a bit field, else 0."""
        if not bits:
            cursor.align()
        location = Location(cursor.gap) if cursor.gap else None
        cursor.is_loose = cursor.is_loose or (bits % 8 != 0 and condition is not None)
        line = self.parameters[entry.parameter].line if isinstance(entry, ParameterEntry) else 0
        cursor.entries.append(replace(entry, place=Placement(location, repetition, condition, line)))
        cursor.gap = 0
        cursor.bits = (cursor.bits + (size or 0)) % 8 if bits else 0

    def _repeated(self, spec: Mapping, scope: Scope, kind: ParameterType, cursor: Cursor) -> ParameterType | None:
        """The type, or an array of it if it is repeated; None, and a loss, if that is not converted."""
        how = spec.get("repeat")
        if how is None:
            return kind
        name = scope.dotted(spec)
        count: Size | None = None
        if how == "eos":
            count = _divided(self.rest(cursor), fixed_bits(kind))
        elif how == "expr":
            count = self.number_of(spec.get("repeat-expr"), scope)
        if count is None:
            text = f"{how} {spec.get('repeat-expr', spec.get('repeat-until', ''))} is not converted"
            self.losses.add("repeat", name, text, spec.lines["repeat"])
            return None
        return ArrayType("", kind, (count,))

    def rest(self, cursor: Cursor) -> Size | None:
        """Bits to the end of the stream of the fields; None if unknown."""
        stream = cursor.stream
        if stream is None:
            return Remainder()
        taken = self.extent(cursor.entries[stream.n_before :], stream.gap) if stream.n_before >= 0 else None
        if taken is None:
            return None
        return _less(stream.size, taken + cursor.gap + -cursor.bits % 8)

    def extent(self, entries: Sequence[Entry], gap: int) -> int | None:
        """Bits from the start of the first entry to the end of the last one; None if they vary."""
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

    def size_of(self, spec: Mapping, scope: Scope, cursor: Cursor) -> Size | None:
        """Size of a field in bits by `size` or `size-eos`; None without. Raises StopError if it is not converted."""
        if spec.get("size-eos"):
            rest = self.rest(cursor)
            if rest is None:
                self.losses.add("size-eos", scope.dotted(spec), "where its stream ends is not known", spec.line)
                raise StopError
            return rest
        if "size" not in spec:
            return None
        count = self.number_of(spec["size"], scope)
        if count is None:
            self.losses.add("size", scope.dotted(spec), f'"{spec["size"]}" is not converted', spec.lines["size"])
            raise StopError
        if isinstance(count, Dynamic):
            return Dynamic(count.of, count.slope * 8, count.intercept * 8)
        return count * 8 if isinstance(count, int) else count

    def number_of(self, value: Any, scope: Scope) -> Size | None:
        parsed = self.parsed(value, scope)
        line = self.reader(scope).linear(parsed) if parsed is not None else None
        if line is None:
            return None
        known, slope, intercept = line
        if known is None:
            return int(intercept)
        return Dynamic(Reference(known.key, calibrated=False), slope, intercept)

    def parsed(self, value: Any, scope: Scope) -> ast.expr | None:
        return expressions.parse(str(value), scope.enum_value)

    def _labels(self, spec: Mapping, scope: Scope) -> tuple[tuple[int, int, str], ...]:
        if "enum" not in spec:
            return ()
        found = scope.enum_named(str(spec["enum"]))
        if found is None:
            text = f"there is no enum {spec['enum']} in the file"
            self.losses.add("enum", scope.dotted(spec), text, spec.lines["enum"])
            return ()
        return labels_of(found)

    def reader(self, scope: Scope) -> expressions.Reader:
        return expressions.Reader(lambda path: self._resolve(path, scope))

    def _from_root(self, path: Path, scope: Scope) -> Path:
        """The absolute path of a path in `scope`."""
        here, rest = scope, list(path)
        while rest and rest[0] in {"_root", "_parent"}:
            if rest.pop(0) == "_parent":
                here = here.parent or here
            else:
                while here.parent is not None:
                    here = here.parent
        return (*here.path, *rest)

    def _resolve(self, path: Path, scope: Scope) -> Known | ast.expr | None:
        whole = self._from_root(path, scope)
        if whole and whole[-1] == "to_i":
            whole = whole[:-1]
        return self.by_path.get(whole) or self.instances.get(whole)

    def instances_of(self, scope: Scope) -> None:
        """Note the instances of a type, to which expressions refer."""
        for name, spec in (scope.spec.get("instances") or {}).items():
            if isinstance(spec, Mapping) and "value" in spec:
                parsed = self.parsed(spec["value"], scope)
                if parsed is not None:
                    self.instances[(*scope.path, str(name))] = expressions.renamed(
                        parsed, lambda path: ("_root", *self._from_root(path, scope))
                    )

    def pass_in(self, inside: Scope, word: str) -> None:
        """Note the arguments of a type as the values of its parameters."""
        parsed = self.parsed(word.replace("::", "_"), inside) if "(" in word else None
        parameters = inside.spec.get("params") or []
        if isinstance(parsed, ast.Call) and inside.parent is not None and len(parsed.args) == len(parameters):
            around = inside.parent
            for each, argument in zip(parameters, parsed.args, strict=True):
                self.instances[(*inside.path, str(each.get("id")))] = expressions.renamed(
                    argument, lambda path: ("_root", *self._from_root(path, around))
                )

    def forget(self, path: Path) -> None:
        """Forget the fields of a repeated structure, to which fields outside cannot refer."""
        for known in (self.by_path, self.instances):
            for each in [each for each in known if each[: len(path)] == path]:
                del known[each]

    def values(self, scope: Scope, cursor: Cursor) -> None:
        """Add instances that are a calibration of one field as parameters over it; others are not converted."""
        instances = scope.spec.get("instances")
        for name, spec in (instances or {}).items():
            where = ".".join((*scope.path, str(name)))
            line = instances.lines[name] if isinstance(instances, Mapping) else 0
            parsed = self.instances.get((*scope.path, str(name)))
            known = self.reader(scope).only(parsed) if parsed is not None else None
            formula = self.reader(scope).formula(parsed) if parsed is not None else None
            text = str(spec.get("value", "")) if isinstance(spec, Mapping) else ""
            key = known.key if known else ""
            own = [entry for entry in cursor.entries if getattr(entry, "parameter", None) == key]
            if known is None or formula is None or not own or "enum" in spec or "if" in spec:
                why = (
                    f'"{text}" is not a function of one field'
                    if text
                    else "a field at a position of its own is not converted"
                )
                self.losses.add("instance", where, why, line)
                continue
            self._overlay(name, spec, scope, cursor, (own[0], known, formula))

    def _overlay(
        self, name: str, spec: Mapping, scope: Scope, cursor: Cursor, what: tuple[Any, Known, Any]
    ) -> None:
        entry, known, formula = what
        kind = self.parameters[known.key].type
        size = fixed_bits(kind)
        encoding = kind.encoding if isinstance(kind, NumberType | EnumeratedType) else None
        if size is None or encoding is None:
            self.losses.add("instance", ".".join((*scope.path, name)), "its field is not a number", spec.line)
            return
        named = Mapping()
        named.update(spec)
        named["id"], named.line = name, spec.line
        key = self.parameter(named, scope, NumberType("", replace(encoding, calibrator=formula), real=True))
        place = Placement(Location(-size), None, entry.place.condition, spec.line)
        at = cursor.entries.index(entry) + 1
        cursor.entries.insert(at, ParameterEntry(key, place))


def _less(size: Size, taken: int) -> Size | None:
    if isinstance(size, int):
        return max(size - taken, 0)
    if isinstance(size, Dynamic):
        return replace(size, intercept=size.intercept - taken)
    return None


def _divided(size: Size | None, by: int | None) -> Size | None:
    """The number of elements of `by` bits in a size; None if unknown."""
    if isinstance(size, Remainder):
        return size
    if isinstance(size, int) and by:
        return size // by
    if isinstance(size, Dynamic) and by:
        return replace(size, slope=size.slope / by, intercept=size.intercept / by)
    return None


def _contents(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    parts = value if isinstance(value, list) else [value]
    return b"".join(each.encode() if isinstance(each, str) else bytes([int(each) & 0xFF]) for each in parts)
