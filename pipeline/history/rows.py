"""Read the rows of one kind from its files, which may have been made with several versions of its dictionary.

Files of one schema are read together. Where a parameter changed its unit or type, rows of an older form are in a
column of their own (`forms`), independent of the range of the query. Damaged files are skipped and listed in
`problems`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import ArrowException, parquet

from .forms import Naming, concat
from .names import REPLACED, ROWS, Part
from .passes import all_passes
from .storage import Storage
from .tables import axis_ns

_NS = pa.timestamp("ns", tz="UTC")
_RETRIES = 4
MAX_NAMES_KEPT = 4096


@dataclass(slots=True)
class Group:
    """Files of one schema; `names`: the column name in queries by the column name in the files."""

    schema: pa.Schema
    parts: list[Part]
    replaced: bool = False
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Rows from `start` up to `end` (excluded), ns since 1970 UTC, None: no bound; by time, or by receive time for rows
    without a time.

    `by_reception`: by receive time for all rows.
    """

    start: int | None = None
    end: int | None = None
    by_reception: bool = False

    def may_have(self, part: Part) -> bool:
        """Whether a file may have rows of the span."""
        return self.by_reception or part.overlaps(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Choice:
    """Selection of rows by streams, passes, and a version, which may have been replaced; empty: all."""

    streams: Sequence[str] = ()
    passes: Sequence[str] = ()
    version: str | None = None


class RowReader:
    """Reads the rows of a storage. `root`: `rows` or `raw`."""

    def __init__(self, storage: Storage, root: str = ROWS) -> None:
        self.storage, self.root = storage, root
        self.problems: dict[str, str] = {}
        """Reasons by the path of each file that was skipped."""
        self._schemas: dict[tuple[str, str], pa.Schema] = {}
        self._names: dict[tuple[tuple[str, str, bool], ...], list[dict[str, str]]] = {}
        """Column names of the schemas of a kind, in order."""

    def parts(self, folder: str, choice: Choice = Choice()) -> list[Part]:
        """All files of a kind that may have rows of a choice. `folder`: the encoded name of the kind."""
        found, foreign = self.storage.parts(f"{self.root}/kind={folder}")
        if choice.version is not None:
            old, more = self.storage.parts(f"{REPLACED}/{choice.version}/{self.root}/kind={folder}")
            found, foreign = [*old, *found], [*foreign, *more]
        for path in foreign:
            self.problems[path] = "not a file of the history"
        return found

    def naming(self, parts: Sequence[Part]) -> Naming:
        """Names of the columns of a kind; `parts`: all of its files."""
        return Naming([one.schema for one in reversed(self._by_schema(parts))])

    def groups(self, parts: Sequence[Part], span: Span = Span()) -> list[Group]:
        """Files that may have rows of a span, by schema, those with the newest rows last; `parts`: all of the kind.

        Column names do not depend on the span.
        """
        groups = self._by_schema(parts)
        for group, names in zip(groups, self._names_of(groups), strict=True):
            group.names = names
            group.parts = [one for one in group.parts if span.may_have(one)]
        return [one for one in groups if one.parts]

    def _names_of(self, groups: Sequence[Group]) -> list[dict[str, str]]:
        key = tuple((one.parts[0].kind_folder, one.parts[0].schema, one.replaced) for one in groups)
        if key not in self._names:
            naming = Naming([one.schema for one in reversed(groups)])
            self._names[key] = [naming.names(one.schema) for one in groups]
            while len(self._names) > MAX_NAMES_KEPT:
                self._names.pop(next(iter(self._names)), None)
        return self._names[key]

    def _by_schema(self, parts: Sequence[Part]) -> list[Group]:
        """Files by schema, in order of their newest row; those of a replaced version last."""
        by_schema: dict[tuple[str, str, bool], list[Part]] = defaultdict(list)
        for part in parts:
            by_schema[part.kind_folder, part.schema, part.path.startswith(f"{REPLACED}/")].append(part)
        groups = []
        for (folder, digest, replaced), some in by_schema.items():
            schema = self._schema((folder, digest), some)
            if schema is not None:
                groups.append(Group(schema, some, replaced))
        return sorted(groups, key=lambda one: (one.replaced, max(part.last for part in one.parts)))

    def _schema(self, key: tuple[str, str], parts: Sequence[Part]) -> pa.Schema | None:
        if key not in self._schemas:
            for part in parts:
                found = self._open(part)
                if found is not None:
                    self._schemas[key] = found
                    break
        return self._schemas.get(key)

    def _open(self, part: Part) -> pa.Schema | None:
        try:
            return parquet.read_schema(self.storage.full(part.path), filesystem=self.storage.filesystem)
        except FileNotFoundError:
            return None
        except (ArrowException, OSError) as error:
            self.problems[part.path] = f"cannot be read: {str(error).splitlines()[0]}"
            return None

    def read(
        self, folder: str, columns: Sequence[str] | None, span: Span = Span(), choice: Choice = Choice()
    ) -> pa.Table:
        """Rows sorted by time, or else receive time. `columns`: names as in queries; None: all.

        Retried if a commit removes a file meanwhile.
        """
        for attempt in range(_RETRIES):
            try:
                return self._read(self.groups(self.parts(folder, choice), span), columns, span, choice)
            except FileNotFoundError:
                if attempt == _RETRIES - 1:
                    raise
        raise AssertionError

    def count(self, part: Part, stream: str, pass_name: str) -> int:
        """Number of rows of a pass in a file; 0 for one that cannot be read."""
        try:
            table = read_part_table(self.storage, part, ["stream", "pass"])
        except (ArrowException, OSError):
            return 0
        return pc.sum(pc.and_(pc.equal(table["stream"], stream), pc.equal(table["pass"], pass_name))).as_py() or 0

    def read_parts(
        self,
        parts: Sequence[Part],
        every: Sequence[Part],
        columns: Sequence[str] | None = None,
        span: Span = Span(),
    ) -> pa.Table:
        """Rows of some files; `every`: all files of the kind."""
        wanted = {one.path for one in parts}
        groups = self.groups(every)
        for group in groups:
            group.parts = [one for one in group.parts if one.path in wanted]
        return self._read([one for one in groups if one.parts], columns, span, Choice())

    def _read(self, groups: Sequence[Group], columns: Sequence[str] | None, span: Span, choice: Choice) -> pa.Table:
        tables = [self._read_group(one, columns, span, choice) for one in groups]
        tables = [one for one in tables if one is not None]
        if not tables:
            return pa.table({})
        table = tables[0] if len(tables) == 1 else concat(tables)
        return sorted_rows(table, by_reception=span.by_reception)

    def _read_group(
        self, group: Group, columns: Sequence[str] | None, span: Span, choice: Choice
    ) -> pa.Table | None:
        wanted = {
            out: name
            for name, out in group.names.items()
            if columns is None or out in columns or name in {"time", "received"}
        }
        condition = row_condition(
            span, {part.times for part in group.parts}, _filter_of(self.storage, choice, replaced=group.replaced)
        )
        projected = {out: ds.field(name) for out, name in wanted.items()}
        table = self._table(group, projected, condition)
        return None if table is None else table.cast(_described(table.schema, group.schema, wanted))

    def _table(self, group: Group, projected: Mapping[str, Any], condition: Any) -> pa.Table | None:
        try:
            return self._dataset(group).to_table(columns=dict(projected), filter=condition)
        except FileNotFoundError:
            raise
        except (ArrowException, OSError):
            whole = [one for one in group.parts if self._open(one) is not None]
            if len(whole) == len(group.parts):
                raise
            group.parts = whole
            return self._dataset(group).to_table(columns=dict(projected), filter=condition) if whole else None

    def _dataset(self, group: Group, schema: pa.Schema | None = None) -> ds.Dataset:
        paths = [self.storage.full(part.path) for part in group.parts]
        return ds.dataset(
            paths, schema=schema or group.schema, format="parquet", filesystem=self.storage.filesystem
        )

    def dataset_of(self, group: Group, schema: pa.Schema | None = None) -> ds.Dataset:
        """The readable files of a group as a dataset; `schema`: of its rows, by default the group's."""
        group.parts = [one for one in group.parts if self._open(one) is not None]
        return self._dataset(group, schema)


def read_part_table(storage: Storage, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a file."""
    return parquet.read_table(
        storage.full(part.path),
        filesystem=storage.filesystem,
        columns=list(columns) if columns else None,
        partitioning=None,
    )


def _described(found: pa.Schema, schema: pa.Schema, wanted: Mapping[str, str]) -> pa.Schema:
    """The schema of a result, with units and descriptions of the files."""
    fields = [one.with_metadata(schema.field(wanted[one.name]).metadata) for one in found]
    return pa.schema(fields, metadata=schema.metadata)


def sorted_rows(table: pa.Table, *, by_reception: bool = False) -> pa.Table:
    """Rows in order of time, or else receive time."""
    axis = (
        np.asarray(pc.fill_null(table["received"].cast(pa.int64()), 0).to_numpy())
        if by_reception
        else axis_ns(table)
    )
    if not np.any(axis[1:] < axis[:-1]):
        return table
    return table.take(pa.array(np.argsort(axis, kind="stable")))


def _filter_of(storage: Storage, choice: Choice, *, replaced: bool) -> Any:
    """The Arrow filter of a choice; None for all rows. `replaced`: the files have only rows of the chosen version."""
    condition = None
    stream, name = (ds.field(one).cast(pa.string()) for one in ("stream", "pass"))
    if choice.streams:
        condition = stream.isin(list(choice.streams))
    if choice.passes:
        condition = _both(condition, name.isin(list(choice.passes)))
    if choice.version is not None and not replaced:
        for one in all_passes(storage):
            if one.version != choice.version:
                condition = _both(condition, ~((stream == one.stream) & (name == one.name)))
    return condition


def _both(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one & other


def row_condition(span: Span, times: set[str], more: Any = None) -> Any:
    """The Arrow filter of a span and `more`. `times`: the letters of the files (`t`, `n`, `m`)."""
    if span.start is None and span.end is None:
        return more
    if span.by_reception:
        return _both(_between("received", span), more)
    if times == {"t"}:
        return _both(_between("time", span), more)
    if times == {"n"}:
        return _both(_between("received", span), more)
    without = ds.field("time").is_null() & _between("received", span)
    return _both(_between("time", span) | without, more)


def _between(name: str, span: Span) -> Any:
    condition = None
    if span.start is not None:
        condition = ds.field(name) >= pa.scalar(span.start, _NS)
    if span.end is not None:
        condition = _both(condition, ds.field(name) < pa.scalar(span.end, _NS))
    return condition
