"""The plain fields of a Kaitai Struct definition as parameters and entries: sizes, conditions, repetition, values.

What refers to other fields (`size`, `if`, `repeat-expr`, `instances`) becomes references to the parameters that they
became, where one linear expression of one field says it; all else is lost, and listed.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import Any

from ..dictionary.model.conditions import Condition, Dynamic, Reference, Remainder, Size
from ..dictionary.model.definitions import (
    Container,
    ContainerEntry,
    FixedEntry,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
)
from ..dictionary.model.encodings import NumberEncoding
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


class FieldMaker:
    """Parameters and containers as they are made; `by_path`: what became of the field of each path."""

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

    def condition_of(self, spec: Mapping, scope: Scope) -> Condition | None:
        if "if" not in spec:
            return None
        parsed = self.parsed(spec["if"], scope)
        condition = self.reader(scope).condition(parsed) if parsed is not None else None
        if condition is None:
            self.losses.add("if", scope.dotted(spec), f'"{spec["if"]}" is not carried', spec.lines["if"])
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
        size = self.size_of(spec, scope)
        kind = self.kinds.of(spec, scope.order, size, name, self._labels(spec, scope))
        if kind is None:
            raise StopError
        whole = self._repeated(spec, scope, kind)
        if whole is None:
            raise StopError
        key = self.parameter(spec, scope, whole)
        self.put(ParameterEntry(key), cursor, fixed_bits(whole), condition, bits_of(kind))
        if isinstance(whole, ArrayType | BinaryType):
            return
        self._know(spec, scope, key, kind)

    def _know(self, spec: Mapping, scope: Scope, key: str, kind: ParameterType) -> None:
        encoding = getattr(kind, "encoding", None)
        path = (*scope.path, str(spec.get("id", "")))
        if isinstance(encoding, NumberEncoding) and not encoding.is_float:
            half = 1 << (encoding.size_bits - 1)
            signed = encoding.form != "unsigned"
            self.by_path[path] = Known(key, -half if signed else 0, half - 1 if signed else 2 * half - 1)
        else:
            self.by_path[path] = Known(key)

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
        condition: Condition | None, bits: int,
    ) -> None:  # fmt: skip
        """The entry behind the last one; a field of whole bytes begins with a byte."""
        gap = cursor.gap if bits else cursor.gap + -cursor.bits % 8
        location = Location(gap) if gap else None
        line = self.parameters[entry.parameter].line if isinstance(entry, ParameterEntry) else 0
        cursor.entries.append(replace(entry, place=Placement(location, None, condition, line)))
        cursor.gap = 0
        cursor.bits = (cursor.bits + (size or 0)) % 8 if bits else 0

    def _repeated(self, spec: Mapping, scope: Scope, kind: ParameterType) -> ParameterType | None:
        """The type, or an array of it."""
        how = spec.get("repeat")
        if how is None:
            return kind
        name = scope.dotted(spec)
        if how == "eos":
            return ArrayType("", kind, (Remainder(),))
        count = self.number_of(spec.get("repeat-expr"), scope) if how == "expr" else None
        if count is None:
            text = f"{how} {spec.get('repeat-expr', spec.get('repeat-until', ''))} is not carried"
            self.losses.add("repeat", name, text, spec.lines["repeat"])
            return None
        if bits_of(kind) and fixed_bits(kind) is None:
            return None
        return ArrayType("", kind, (count,))

    def size_of(self, spec: Mapping, scope: Scope) -> Size | None:
        """Bits of `size`, or all the rest; None where the field does not say."""
        if spec.get("size-eos"):
            return Remainder()
        if "size" not in spec:
            return None
        count = self.number_of(spec["size"], scope)
        if count is None:
            self.losses.add("size", scope.dotted(spec), f'"{spec["size"]}" is not carried', spec.lines["size"])
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

    def _resolve(self, path: tuple[str, ...], scope: Scope) -> Known | ast.expr | None:
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

    def instances_of(self, scope: Scope) -> None:
        """Values that others refer to."""
        for name, spec in (scope.spec.get("instances") or {}).items():
            parsed = (
                self.parsed(spec.get("value"), scope) if isinstance(spec, Mapping) and "value" in spec else None
            )
            if parsed is not None and name not in {
                each.id for each in ast.walk(parsed) if isinstance(each, ast.Name)
            }:
                scope.instances[name] = parsed

    def values(self, scope: Scope, cursor: Cursor) -> None:
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
        self, name: str, spec: Mapping, scope: Scope, cursor: Cursor, what: tuple[Any, Known, Any]
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
        key = self.parameter(named, scope, NumberType("", replace(encoding, calibrator=formula), real=True))
        place = Placement(Location(-size), None, entry.place.condition, spec.line)
        at = cursor.entries.index(entry) + 1
        cursor.entries.insert(at, ParameterEntry(key, place))
        self.by_path.setdefault((*scope.path, name), Known(key))


def _contents(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    parts = value if isinstance(value, list) else [value]
    return b"".join(each.encode() if isinstance(each, str) else bytes([int(each) & 0xFF]) for each in parts)
