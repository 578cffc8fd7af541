"""Kaitai Struct definitions (.ksy), as SatNOGS has them, into the neutral definition.

In: one .ksy file. Out: a container for what stands in every packet, and one below it for each case of a switch that
comes last. A field is called by its path (a_b_c), or by the name that SatNOGS' `:field name: a.b.c` gives it; its path
is an alias. What no dictionary can say (processing, repetition until something, positions, values of several fields)
is lost. Source: the user guide of Kaitai Struct 0.10.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from ..dictionary.model.conditions import AnyOf, Condition, Size
from ..dictionary.model.definitions import (
    Container,
    ContainerEntry,
    Dictionary,
    Entry,
    FixedEntry,
    ParameterEntry,
    Placement,
)
from ..dictionary.model.encodings import BinaryEncoding
from ..dictionary.model.parameter_types import BinaryType
from ..model.errors import ConfigError, Problem
from .kaitai_fields import FieldMaker
from .kaitai_scopes import Cursor, Scope, StopError
from .kaitai_types import Order, order_of
from .losses import Converted, Losses, Source
from .names import clean
from .places import fixed_bits
from .yaml_lines import List, Mapping, read_yaml

MAX_UNROLLED = 64
MAX_DEPTH = 40
MAX_ENTRIES = 20_000
KNOWN = frozenset(
    {
        "id", "type", "size", "size-eos", "repeat", "repeat-expr", "repeat-until", "if", "contents", "enum", "encoding",
        "terminator", "consume", "include", "eos-error", "pad-right", "process", "valid", "doc", "doc-ref", "-orig-id",
        "-webide-representation", "value",
    }
)  # fmt: skip


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


class _Maker(FieldMaker):
    """Containers of the file: nested types, switches, and what stands last."""

    def dictionary(self, file: str) -> Dictionary:
        meta = self.spec.get("meta") or Mapping()
        for word in ("imports", "params"):
            if meta.get(word) or self.spec.get(word):
                self.losses.add(
                    word, "", "what stands in other files or is passed in is not carried", self.spec.line
                )
        name = self.container_names.take(str(meta.get("id", "packet")))
        root = Scope((), self.spec, None, order_of(self.spec, Order()))
        self.container(name, None, None, root, Cursor([]))
        return Dictionary(clean(str(meta.get("id", "kaitai"))), self.parameters, self.containers, file)

    def container(
        self, name: str, base: str | None, criteria: Condition | None, scope: Scope, cursor: Cursor
    ) -> None:
        """A container of a type that stands last, and those of its cases below it."""
        cursor.name = name
        self.containers[name] = Container(name, (), base=base, criteria=criteria, line=scope.spec.line)
        with suppress(StopError):  # what is behind has been listed
            self.sequence(scope, cursor, last=True)
        own = self.containers[name]
        self.containers[name] = replace(own, entries=tuple(cursor.entries))

    def sequence(self, scope: Scope, cursor: Cursor, *, last: bool) -> None:
        self.instances_of(scope)
        fields = [each for each in scope.spec.get("seq") or [] if isinstance(each, Mapping)]
        for i, each in enumerate(fields):
            try:
                self.field(each, scope, cursor, last=last and i == len(fields) - 1)
            except StopError:
                for behind in fields[i + 1 :]:
                    why = f"stands behind {each.get('id', '')}, whose size is not known"
                    self.losses.add("field", scope.dotted(behind), why, behind.line)
                raise
        self.values(scope, cursor)

    def field(self, spec: Mapping, scope: Scope, cursor: Cursor, *, last: bool) -> None:
        name = scope.dotted(spec)
        self.n_entries += 1
        if self.n_entries > MAX_ENTRIES or len(scope.path) > MAX_DEPTH:
            raise ConfigError([Problem("describes too many fields", self.losses.file, spec.line, name)])
        for word in spec:
            if word not in KNOWN:
                self.losses.add(str(word), name, "is not carried", spec.lines[word])
        condition = self.condition_of(spec, scope)
        kind = spec.get("type")
        if isinstance(kind, Mapping):
            self._switch(spec, kind, scope, cursor, last=last and condition is None)
        elif isinstance(kind, str) and scope.type_named(kind) is not None and "process" not in spec:
            self._nested(spec, kind, scope, cursor, condition, last=last)
        else:
            self.plain(spec, scope, cursor, condition)

    def _inside(self, spec: Mapping, name: str, scope: Scope) -> Scope | None:
        kind = scope.type_named(name)
        if kind is None:
            return None
        if scope.depth > MAX_DEPTH:
            raise ConfigError([Problem("types are nested in themselves", self.losses.file, spec.line, name)])
        return Scope((*scope.path, str(spec.get("id", name))), kind, scope, order_of(kind, scope.order))

    def _nested(
        self, spec: Mapping, name: str, scope: Scope, cursor: Cursor, condition: Condition | None, *, last: bool
    ) -> None:
        """The fields of another type, in place."""
        size = self.size_of(spec, scope)
        inside = self._inside(spec, name, scope)
        assert inside is not None
        if "repeat" in spec:
            self._unrolled(spec, inside, scope, cursor, size)
            return
        if size is not None and not isinstance(size, int) and not last:
            text = "the fields inside of a size that the packet tells are not carried: its bytes are"
            self.losses.add("size", scope.dotted(spec), text, spec.line)
            key = self.parameter(spec, scope, BinaryType("", BinaryEncoding(size)))
            self.put(ParameterEntry(key), cursor, None, condition, 0)
            return
        own = Cursor([], name=cursor.name) if condition is not None else cursor
        n_before, gap = len(own.entries), own.gap
        self._sized(inside, own, size, last=last and condition is None, n_before=n_before, gap=gap)
        if condition is not None:
            key = self.container_names.take("_".join(inside.path))
            self.containers[key] = Container(key, tuple(own.entries), abstract=True, line=spec.line)
            self.put(ContainerEntry(key), cursor, None, condition, 0)

    def _sized(
        self, inside: Scope, cursor: Cursor, size: Size | None, *, last: bool, n_before: int, gap: int
    ) -> None:
        """The fields, and what a fixed size leaves behind them."""
        try:
            self.sequence(inside, cursor, last=last)
        except StopError:
            if not isinstance(size, int):
                raise
        if isinstance(size, int) and not last:
            taken = self.extent(cursor.entries[n_before:], gap)
            if taken is None:
                self.losses.add(
                    "size", ".".join(inside.path), "what is behind it has no known place", inside.spec.line
                )
                raise StopError
            cursor.gap, cursor.bits = size - taken, 0

    def extent(self, entries: Sequence[Entry], gap: int) -> int | None:
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

    def _unrolled(self, spec: Mapping, inside: Scope, scope: Scope, cursor: Cursor, size: Size | None) -> None:
        """Each time of a structure that comes a fixed number of times has fields of its own."""
        count = self.number_of(spec.get("repeat-expr"), scope) if spec["repeat"] == "expr" else None
        if not isinstance(count, int) or not 0 <= count <= MAX_UNROLLED:
            text = f"a structure repeated {spec['repeat']} {spec.get('repeat-expr', '')} is not carried"
            self.losses.add("repeat", scope.dotted(spec), text, spec.lines["repeat"])
            raise StopError
        for i in range(count):
            path = (*inside.path[:-1], f"{inside.path[-1]}_{i}")
            own = Scope(path, inside.spec, scope, inside.order)
            self._sized(own, cursor, size, last=False, n_before=len(cursor.entries), gap=cursor.gap)

    # switches

    def _switch(self, spec: Mapping, kind: Mapping, scope: Scope, cursor: Cursor, *, last: bool) -> None:
        name = scope.dotted(spec)
        if "repeat" in spec or not isinstance(kind.get("cases"), Mapping):
            self.losses.add(
                "switch-on", name, "a switch that is repeated, or without cases, is not carried", spec.line
            )
            raise StopError
        if not last:
            self._inline(spec, kind, scope, cursor)
            return
        base = cursor.name
        for condition, case, line in self._cases(kind, scope, name):
            inside = self._inside(spec, case, scope)
            if inside is None:
                fields = Mapping()
                fields["seq"] = List([_with_type(spec, case)])
                inside = Scope(scope.path, fields, scope, scope.order)
                inside.spec.line = line
            if condition is None:  # every packet is one of the cases
                self.containers[base] = replace(self.containers[base], abstract=True)
            below = self.container_names.take(case if scope.type_named(case) is not None else f"{base}_{case}")
            own = Cursor([], cursor.bits, cursor.gap)
            around = self.names, self.system
            self.names, self.system = self.names.copy(), below
            self.container(below, base, condition, inside, own)
            self.names, self.system = around

    def _inline(self, spec: Mapping, kind: Mapping, scope: Scope, cursor: Cursor) -> None:
        """A switch with fields behind it: each case is there under its condition."""
        name = scope.dotted(spec)
        cursor.gap, cursor.bits = cursor.gap + -cursor.bits % 8, 0
        for condition, case, line in self._cases(kind, scope, name):
            inside = self._inside(spec, case, scope)
            if condition is None or inside is None:
                why = f"the case of {case} with fields behind it is not carried"
                self.losses.add("switch-on", name, why, line)
                raise StopError
            own = Cursor([], 0, cursor.gap, cursor.name)
            self.sequence(inside, own, last=False)
            key = self.container_names.take("_".join((*inside.path, case)))
            self.containers[key] = Container(key, tuple(own.entries), abstract=True, line=line)
            entry = ContainerEntry(key, Placement(None, None, condition, line))
            cursor.entries.append(entry)
        cursor.gap = 0

    def _cases(self, kind: Mapping, scope: Scope, name: str) -> Iterator[tuple[Condition | None, str, int]]:
        """(condition, type, line) of each type of the cases; the default last, without a condition."""
        cases: Mapping = kind["cases"]
        on = self.parsed(kind.get("switch-on"), scope)
        default: list[tuple[Condition | None, str, int]] = []
        found: dict[str, tuple[list[Condition], int]] = {}
        for value, case in cases.items():
            line = cases.lines[value]
            if str(value) == "_":
                default.append((None, str(case), line))
                continue
            literal = self.parsed(value, scope)
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


def _with_type(spec: Mapping, name: str) -> Mapping:
    """The field with one case as its type."""
    found = Mapping()
    found.update(spec)
    found["type"], found.line, found.lines = name, spec.line, dict(spec.lines)
    return found
