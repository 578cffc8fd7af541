"""Read Kaitai Struct definitions (.ksy), such as those of SatNOGS.

In: one .ksy file. Out: a container for the fields of every packet, and a container that extends it for each case of a
switch at its end. The name of a field is its path (a_b_c), or that of `:field name: a.b.c` (SatNOGS); its path is an
alias. Elements without an equivalent (processing, repetition until a condition, positions, values of several fields)
are not converted. Source: the user guide of Kaitai Struct 0.10.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..dictionary.model.conditions import AnyOf, Condition, NoneOf, Remainder, Size
from ..dictionary.model.definitions import Container, ContainerEntry, Dictionary, Location, Placement, Repetition
from ..model.errors import ConfigError, Problem
from .kaitai_fields import FieldMaker
from .kaitai_scopes import Cursor, Scope, StopError, Stream
from .kaitai_types import Order, order_of
from .losses import Converted, Losses, Source
from .names import clean
from .yaml_lines import List, Mapping, read_yaml

MAX_UNROLLED = 64
MAX_DEPTH = 40
MAX_ENTRIES = 20_000
UNKNOWN = -1
"""Begin of a stream that is unknown."""
KNOWN = frozenset(
    {
        "id", "type", "size", "size-eos", "repeat", "repeat-expr", "repeat-until", "if", "contents", "enum", "encoding",
        "terminator", "consume", "include", "eos-error", "pad-right", "process", "valid", "doc", "doc-ref", "-orig-id",
        "-webide-representation", "value",
    }
)  # fmt: skip


def read_kaitai(sources: Sequence[Source]) -> Converted:
    """Read a definition. Raises ConfigError if the file is no .ksy."""
    if len(sources) != 1:
        raise ConfigError("convert one .ksy file at a time")
    (source,) = sources
    spec = read_yaml(source)
    if not isinstance(spec, Mapping) or not isinstance(spec.get("seq"), list):
        raise ConfigError([Problem("is no Kaitai definition: it has no seq", source.file)])
    losses = Losses(source.file)
    maker = _Maker(spec, losses)
    try:
        return Converted(maker.dictionary(source.file), tuple(losses))
    except RecursionError as error:
        raise ConfigError([Problem("instances refer to each other in a circle", source.file)]) from error


class _Maker(FieldMaker):
    """Makes the containers of a file: nested types and switches."""

    def dictionary(self, file: str) -> Dictionary:
        meta = self.spec.get("meta") or Mapping()
        for word in ("imports", "params"):
            if meta.get(word) or self.spec.get(word):
                self.losses.add(
                    word, "", "definitions of other files and parameters are not converted", self.spec.line
                )
        name = self.container_names.take(str(meta.get("id", "packet")))
        root = Scope((), self.spec, None, order_of(self.spec, Order()))
        self.container(name, None, None, root, Cursor([]))
        return Dictionary(clean(str(meta.get("id", "kaitai"))), self.parameters, self.containers, file)

    def container(
        self, name: str, base: str | None, criteria: Condition | None, scope: Scope, cursor: Cursor
    ) -> None:
        """Make a container of a type at the end of packets, and containers of its cases that extend it."""
        cursor.name = name
        self.containers[name] = Container(name, (), base=base, criteria=criteria, line=scope.spec.line)
        with suppress(StopError):  # the fields after it have been listed
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
                if cursor.is_loose:
                    why = "comes after bits that are not in every packet"
                    self.losses.add("field", scope.dotted(each), why, each.line)
                for behind in fields[i + 1 :]:
                    why = f"comes after {each.get('id', '')}, whose size is not known"
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
                self.losses.add(str(word), name, "is not converted", spec.lines[word])
        condition = self.condition_of(spec, scope)
        kind = spec.get("type")
        if isinstance(kind, Mapping):
            self._switch(spec, kind, scope, cursor, condition, last=last)
        elif isinstance(kind, str) and scope.type_named(_type_name(kind)) is not None and "process" not in spec:
            self._nested(spec, kind, scope, cursor, condition, last=last)
        else:
            self.plain(spec, scope, cursor, condition)

    def _inside(self, spec: Mapping, name: str, scope: Scope) -> Scope | None:
        """The scope of a use of a type; None if it is not defined. `name`: with its arguments."""
        kind = scope.type_named(_type_name(name))
        if kind is None:
            return None
        if scope.depth > MAX_DEPTH:
            raise ConfigError([Problem("types are nested in themselves", self.losses.file, spec.line, name)])
        inside = Scope((*scope.path, str(spec.get("id", name))), kind, scope, order_of(kind, scope.order))
        self.pass_in(inside, name)
        return inside

    def _nested(
        self, spec: Mapping, name: str, scope: Scope, cursor: Cursor, condition: Condition | None, *, last: bool
    ) -> None:
        """Add the fields of another type, in place, or as a container if they have a condition or size."""
        size = self.size_of(spec, scope, cursor)
        inside = self._inside(spec, name, scope)
        assert inside is not None
        if size is not None:
            cursor.align()
        if condition is None and "repeat" not in spec and (size is None or last):
            around = cursor.stream
            cursor.stream = _stream(size, cursor) or around
            self.sequence(inside, cursor, last=last)
            cursor.stream = around
        elif condition is None and "repeat" in spec:
            self._many(spec, inside, scope, cursor, size)
        else:
            own = Cursor([], stream=_part(cursor, size if "repeat" not in spec else None))
            with self._boxed(own, cursor, inside, condition, size if "repeat" not in spec else None):
                if "repeat" in spec:
                    self._many(spec, inside, scope, own, size)
                else:
                    self.sequence(inside, own, last=False)

    @contextmanager
    def _boxed(
        self, own: Cursor, cursor: Cursor, inside: Scope, condition: Condition | None, size: Size | None,
        repetition: Repetition | None = None,
    ) -> Iterator[None]:  # fmt: skip
        """Add the fields put into `own` at `cursor`: directly if their size is fixed, else as a container."""
        stopped = None
        try:
            yield
        except StopError as error:
            stopped = error
        taken = self.extent(own.entries, 0)
        if isinstance(size, int) and taken is not None and condition is None and repetition is None:
            _append(own, cursor)
            cursor.gap += size - taken - own.gap
            cursor.bits = 0
            return
        if size is None and repetition is not None and (own.bits or own.gap):
            why = "a structure that ends within a byte, or with a gap, is not repeated"
            self.losses.add("repeat", ".".join(inside.path), why, inside.spec.line)
            stopped = StopError()
        if stopped is None or size is not None or repetition is None:
            key = self.container_names.take("_".join(inside.path))
            self.containers[key] = Container(
                key, tuple(own.entries), abstract=True, size=_own_size(size), line=inside.spec.line
            )
            self.put(ContainerEntry(key), cursor, None, condition, 0, repetition)
        if stopped is not None and size is None:
            raise stopped

    def _many(self, spec: Mapping, inside: Scope, scope: Scope, cursor: Cursor, size: Size | None) -> None:
        """Add a repeated structure: few repetitions with fields of their own, many as arrays of each field."""
        count = self.number_of(spec.get("repeat-expr"), scope) if spec["repeat"] == "expr" else None
        if count is None or (isinstance(count, int) and count < 0):
            text = f"a structure repeated {spec['repeat']} {spec.get('repeat-expr', '')} is not converted"
            self.losses.add("repeat", scope.dotted(spec), text, spec.lines["repeat"])
            raise StopError
        if isinstance(count, int) and count <= MAX_UNROLLED:
            for i in range(count):
                path = (*inside.path[:-1], f"{inside.path[-1]}_{i}")
                self._time(Scope(path, inside.spec, scope, inside.order), cursor, size)
            return
        own = Cursor([], stream=_part(cursor, size))
        with self._boxed(own, cursor, inside, None, size, Repetition(count)):
            self.sequence(inside, own, last=False)
        self.forget(inside.path)

    def _time(self, inside: Scope, cursor: Cursor, size: Size | None) -> None:
        """Add one repetition of a structure."""
        if size is None:
            self.sequence(inside, cursor, last=False)
            return
        own = Cursor([], stream=_part(cursor, size))
        with self._boxed(own, cursor, inside, None, size):
            self.sequence(inside, own, last=False)

    # switches

    def _switch(
        self, spec: Mapping, kind: Mapping, scope: Scope, cursor: Cursor, condition: Condition | None, *, last: bool
    ) -> None:
        name = scope.dotted(spec)
        if "repeat" in spec or not isinstance(kind.get("cases"), Mapping):
            self.losses.add(
                "switch-on", name, "a switch that is repeated, or without cases, is not converted", spec.line
            )
            raise StopError
        size = self.size_of(spec, scope, cursor)
        if size is not None:
            cursor.align()
        if last and condition is None:
            self._below(spec, kind, scope, cursor, size)
            return
        if size is None and condition is None:
            self._inline(spec, kind, scope, cursor)
            return
        own = Cursor([], stream=_part(cursor, size))
        inside = Scope((*scope.path, str(spec.get("id", "switch"))), spec, scope, scope.order)
        with self._boxed(own, cursor, inside, condition, size):
            self._inline(spec, kind, scope, own)

    def _below(self, spec: Mapping, kind: Mapping, scope: Scope, cursor: Cursor, size: Size | None) -> None:
        """Add a switch at the end: each case is a container that extends the present one."""
        base = cursor.name
        stream = _stream(size, cursor) or _part(cursor, self.rest(cursor))
        if stream is not None:
            stream = replace(stream, n_before=min(stream.n_before, 0), gap=cursor.gap)
        for condition, case, line in self._cases(kind, scope, scope.dotted(spec)):
            inside = self._inside(spec, case, scope) or _only(spec, case, scope, line)
            if condition is None:  # every packet is one of the cases
                self.containers[base] = replace(self.containers[base], abstract=True)
            below = self.container_names.take(case if scope.type_named(case) is not None else f"{base}_{case}")
            own = Cursor([], cursor.bits, cursor.gap, stream=stream)
            around = self.names, self.system
            self.names, self.system = self.names.copy(), below
            self.container(below, base, condition, inside, own)
            self.names, self.system = around

    def _inline(self, spec: Mapping, kind: Mapping, scope: Scope, cursor: Cursor) -> None:
        """Add a switch with fields after it: each case is a container with a condition."""
        cursor.align()
        stream = _part(cursor, self.rest(cursor))
        others: list[Condition] = []
        gap, cursor.gap = cursor.gap, 0
        for condition, case, line in self._cases(kind, scope, scope.dotted(spec)):
            inside = self._inside(spec, case, scope) or _only(spec, case, scope, line)
            own = Cursor([], 0, gap, stream=replace(stream, gap=gap) if stream is not None else None)
            self.sequence(inside, own, last=False)
            key = self.container_names.take("_".join((*inside.path, case)))
            self.containers[key] = Container(key, tuple(own.entries), abstract=True, line=line)
            where = condition if condition is not None else NoneOf(tuple(others))
            others.append(where)
            cursor.entries.append(ContainerEntry(key, Placement(None, None, where, line)))

    def _cases(self, kind: Mapping, scope: Scope, name: str) -> Iterator[tuple[Condition | None, str, int]]:
        """Yield (condition, type, line) of each case; the default last, without a condition."""
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
                text = f'"{kind.get("switch-on")}" being {value} is not converted'
                self.losses.add("switch-on", name, text, line)
            else:
                found.setdefault(str(case), ([], line))[0].append(condition)
        for case, (conditions, line) in found.items():
            yield AnyOf(tuple(conditions)) if len(conditions) > 1 else conditions[0], case, line
        yield from default


def _type_name(word: str) -> str:
    return word.partition("(")[0]


def _only(spec: Mapping, case: str, scope: Scope, line: int) -> Scope:
    """The scope of a case that is no type of the file: the field with that built-in type."""
    field = Mapping()
    field.update({word: value for word, value in spec.items() if word != "if"})
    field["type"], field.line, field.lines = case, spec.line, dict(spec.lines)
    fields = Mapping()
    fields["seq"], fields.line = List([field]), line
    return Scope(scope.path, fields, scope.parent, scope.order)


def _stream(size: Size | None, cursor: Cursor) -> Stream | None:
    """The stream that begins at the cursor; None: the present one continues."""
    if size is None or isinstance(size, Remainder):
        return None
    return Stream(size, len(cursor.entries), cursor.gap)


def _part(cursor: Cursor, size: Size | None) -> Stream | None:
    """The stream of fields with a cursor of their own."""
    if size is not None and not isinstance(size, Remainder):
        return Stream(size, 0, 0)
    return Stream(0, UNKNOWN, 0) if cursor.stream is not None and size is None else None


def _own_size(size: Size | None) -> Size | None:
    return None if isinstance(size, Remainder) else size


def _append(own: Cursor, cursor: Cursor) -> None:
    """Append the entries of one cursor to those of another."""
    if own.entries:
        first = own.entries[0]
        location = first.place.location
        inner = location.bits if location is not None and isinstance(location.bits, int) else 0
        gap = cursor.gap + inner
        place = replace(first.place, location=Location(gap) if gap else None)
        cursor.entries += [replace(first, place=place), *own.entries[1:]]
        cursor.gap = 0
    cursor.gap += own.gap
    cursor.bits = own.bits
