"""The query interface of a history: find parameters, get their values or samples, SQL, Arrow datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import parquet

from ..model.errors import ConfigError
from .arguments import AXES, VALUES, check_names, check_one_of, check_points, check_version, checked_columns, shown
from .forms import common_schema
from .kind_rows import KindRows, Range, spans_of
from .names import FIXED, RAW, ROWS, decoded, earlier, encoded, ends_of
from .parameter import Parameter, parameter_of
from .passes import PassRecord, all_passes
from .result_tables import in_order, readings, renamed, share, some_of, with_absent
from .rows import Choice, Group, RowReader, Span
from .samples import flattened, samples
from .storage import Storage
from .streams import stream_rows
from .summaries import summary_name
from .times import Time, to_ns

if TYPE_CHECKING:
    import xarray

MAX_VALUES = 200_000_000
"""Most values of one query, about 1.6 GB."""
Values = Literal["calibrated", "raw"]
T = TypeVar("T")


class History:
    """Rows of products of all times. Each query lists the files again, so new rows are seen at once.

    `url`: a folder, or `s3://BUCKET/PREFIX`; ConfigError if there is no history.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._storage = Storage(url)
        self._readers = {"calibrated": RowReader(self._storage, ROWS), "raw": RowReader(self._storage, RAW)}
        self._kinds: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"open_history({self.url!r})"

    @property
    def storage(self) -> Storage:
        """The folder. ConfigError if the history is queried over the network."""
        return self._storage

    def reader(self, values: Values = "calibrated") -> RowReader:
        """The reader of the files of rows. ConfigError if the history is queried over the network."""
        check_one_of("values", values, VALUES)
        return self._readers[values]

    @property
    def problems(self) -> dict[str, str]:
        """Files that were skipped so far, and the reason: damaged ones, foreign ones."""
        return {path: why for one in self._readers.values() for path, why in one.problems.items()}

    def kinds(self, values: Values = "calibrated") -> dict[str, str]:
        """Kinds that have rows or summaries, with the names of their folders, sorted."""
        root = self.reader(values).root
        folders = {*self.storage.folders(root)} | ({*self.storage.folders("days")} if root == ROWS else set())
        names = sorted(one.removeprefix("kind=") for one in folders if one.startswith("kind="))
        return {self._kind(name, values): name for name in names}

    def _kind(self, folder: str, values: Values) -> str:
        """The kind of a folder; from the metadata of its files if the folder's name was cut."""
        if "~" not in folder or encoded(decoded(folder)) == folder:
            return decoded(folder)
        if folder not in self._kinds:
            self._kinds[folder] = self._metadata(folder, "kind", values) or decoded(folder)
        return self._kinds[folder]

    def _metadata(self, folder: str, key: str, values: Values = "calibrated") -> str:
        """An entry of the metadata of the newest files of a kind; empty if there is none."""
        groups = self.reader(values).groups(self.reader(values).parts(folder))
        return str((groups[-1].schema.metadata or {}).get(key.encode(), b"").decode()) if groups else ""

    def missions(self) -> dict[str, str]:
        """The mission of each kind with rows, by the name of its folder; empty if the files do not have it."""
        return {folder: self._metadata(folder, "mission") for folder in self.kinds().values()}

    def parameters(self, kind: str, values: Values = "calibrated") -> list[Parameter]:
        """Parameters of a kind, in their order; ConfigError if there is no such kind."""
        return self._parameters(kind, self.folder_of(kind, values), values)

    def folder_of(self, kind: str, values: Values = "calibrated") -> str:
        """The name of the folder of a kind. ConfigError if there is no such kind."""
        folder, root = encoded(kind), self.reader(values).root
        roots = (root, "days") if root == ROWS else (root,)
        if any(self.storage.exists(f"{one}/kind={folder}") for one in roots):
            return folder
        known = self.kinds(values)
        if kind not in known:
            raise ConfigError(f"the history has no {shown(kind)}: it has {some_of(known)}")
        return known[kind]

    def _parameters(self, kind: str, folder: str, values: Values) -> list[Parameter]:
        reader = self.reader(values)
        groups = reader.groups(reader.parts(folder))
        found: dict[str, Parameter] = {}
        for group in groups:
            first, last = ends_of(group.parts)
            for field in group.schema:
                name = group.names[field.name]
                if field.name in FIXED:
                    continue
                before = found.get(name)
                span = (earlier(first, before.first), max(last, before.last)) if before else (first, last)
                found[name] = parameter_of(kind, name, field, *span)
        return list(found.values()) or self._pruned(kind, folder)

    def _pruned(self, kind: str, folder: str) -> list[Parameter]:
        """Parameters whose rows were pruned: those of the newest file of day summaries."""
        years = self.storage.folders(f"days/kind={folder}")
        if not years:
            return []
        path = self.storage.full(f"days/kind={folder}/{years[-1]}/summary.parquet")
        schema = parquet.read_schema(path, filesystem=self.storage.filesystem)
        naming = self.reader().naming(self.reader().parts(folder))
        return [
            parameter_of(kind, summary_name(one, naming), one, 0, 0)
            for one in schema
            if pa.types.is_struct(one.type)
        ]

    def find(self, pattern: str = "*", values: Values = "calibrated") -> list[Parameter]:
        """Parameters whose name `KIND.PARAMETER`, or whose parameter, matches a pattern with `*` and `?`, in any case.

        A pattern without `*`, `?` or `[` is searched as a substring of names and descriptions.
        """
        wanted = pattern.lower()
        is_pattern = any(one in wanted for one in "*?[")
        found = []
        for kind, folder in self.kinds(values).items():
            for one in self._parameters(kind, folder, values):
                texts = (one.name.lower(), one.parameter.lower())
                if is_pattern:
                    hit = any(fnmatchcase(text, wanted) for text in texts)
                else:
                    hit = any(wanted in text for text in (*texts, one.description.lower()))
                if hit:
                    found.append(one)
        return found

    def resolve(self, name: str, values: Values = "calibrated") -> Parameter:
        """The parameter of a name; ConfigError with names like it where there is none, or more than one."""
        return self._resolve(name, self.kinds(values), values)

    def _resolve(self, name: str, known: Mapping[str, str], values: Values) -> Parameter:
        """As `resolve`; `known`: the kinds with their folders."""
        found: list[Parameter] = []
        for kind, rest in readings(name, known):
            found += _named(rest, self._parameters(kind, known[kind], values))
        if not found and values == "calibrated":
            found = [
                one for kind, rest in readings(name, known) for one in _named(rest, self._pruned(kind, known[kind]))
            ]
        if not found:
            for kind, folder in known.items():
                found += _named(name, self._parameters(kind, folder, values))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f'"{one.kind}".{one.parameter}' for one in found)
            raise ConfigError(f"{shown(name)} is in several kinds: name {names}")
        near = self.find(name.rpartition(".")[2], values)
        more = f": there is {some_of(one.name for one in near)}" if near else ": downlink history find lists them"
        raise ConfigError(f"the history has no parameter {shown(name)}{more}")

    def table(
        self,
        *names: str,
        start: Time = None,
        end: Time = None,
        points: int | None = None,
        values: Values = "calibrated",
        by: Literal["time", "received"] = "time",
        stream: str | Sequence[str] = (),
        passes: str | Sequence[str] = (),
        version: str | None = None,
        columns: Sequence[str] = (),
        max_values: int = MAX_VALUES,
    ) -> pa.Table:
        """Values of parameters as an Arrow table: `time`, `quality`, a column for each name; arguments as `get`."""
        check_names(names)
        check_one_of("by", by, AXES)
        columns = checked_columns(columns, points)
        span = Span(to_ns(start), to_ns(end, is_end=True), by_reception=by == "received")
        choice = Choice(_texts(stream), _texts(passes), version)
        check_version(self.storage, version)
        folders = self.kinds(values)
        wanted = [self._resolve(name, folders, values) for name in names]
        kinds: dict[str, dict[str, str]] = {}
        for name, one in zip(names, wanted, strict=True):
            kinds.setdefault(one.kind, {})[one.column] = name
        reader = self.reader(values)
        if points is not None:
            check_points(points, names)
            found = [
                flattened(samples(reader, folders[kind], list(of_kind), span, points, choice), of_kind)
                for kind, of_kind in kinds.items()
            ]
            return with_absent(in_order([one for one in found if len(one)]), names, wanted)
        size = sum(
            self.size(folders[kind], [*of_kind, *columns], span, choice, values) for kind, of_kind in kinds.items()
        )
        if size > max_values:
            raise ConfigError(
                f"that is {size:,} values, and {max_values:,} are the most: narrow start and end, or ask for points="
            )
        extra = ["time", "quality", *(["received"] if by == "received" else []), *columns]
        found = []
        for kind, of_kind in kinds.items():
            rows = reader.read(folders[kind], [*of_kind, *extra], span, choice)
            if rows.num_columns:
                found.append(renamed(rows, of_kind, extra))
        return with_absent(in_order(found, by="received" if by == "received" else "time"), names, wanted)

    def size(self, folder: str, columns: Sequence[str], span: Span, choice: Choice, values: Values) -> int:
        """Estimate of the number of values of a query: from the names of files; for lists, from their footers."""
        reader = self.reader(values)
        total = 0
        for group in reader.groups(reader.parts(folder, choice), span):
            inner = [name for name, out in group.names.items() if out in columns]
            lists = [name for name in inner if pa.types.is_list(group.schema.field(name).type)]
            for part in group.parts:
                total += round(part.n_rows * share(part, span)) * (len(inner) - len(lists))
                total += round(self._in_lists(part, lists) * share(part, span)) if lists else 0
        return total

    def _in_lists(self, part: Any, names: Sequence[str]) -> int:
        try:
            footer = parquet.read_metadata(self.storage.full(part.path), filesystem=self.storage.filesystem)
        except (pa.ArrowException, OSError):
            return 0
        return sum(
            footer.row_group(g).column(c).num_values
            for g in range(footer.num_row_groups)
            for c in range(footer.num_columns)
            if footer.row_group(g).column(c).path_in_schema.startswith(tuple(f"{name}.list." for name in names))
        )

    def get(self, *names: str, **how: Any) -> xarray.Dataset:
        """Values of parameters as a Dataset along `time`, sorted, with units; names as `find` lists them.

        `start`, `end` (excluded): ISO 8601 text in UTC, datetime, or ns since 1970; a date as `end` includes that day.
        `points`: at most so many samples: the mean under the name, and `NAME.min`, `NAME.max`, `NAME.last`, `NAME.n`.
        `values`: "calibrated" or "raw". `by="received"`: by receive time; rows without onboard time always are.
        `stream`, `passes`: only rows of these; `version`: rows of that version, also replaced ones until pruned.
        `columns`: additional fixed columns, such as "pass", "apid", "received". Coordinates: `quality` and these.

        Rows of several kinds are merged by time; a parameter that a row does not have is NaN, or None. Values of
        several elements have more axes; rows of different lengths are padded, their lengths in `NAME.length`.
        Raises ConfigError for an unknown name, and for more than `max_values` values, with their number.
        """
        from .datasets import to_dataset  # noqa: PLC0415 - xarray is heavy

        table = self.table(*names, **how)
        of = [self.resolve(name, how.get("values", "calibrated")) for name in names]
        return to_dataset(table, dict(zip(names, of, strict=True)), str(how.get("by", "time")))

    def last(self, *names: str, end: Time = None, values: Values = "calibrated") -> pa.Table:
        """Result of `newest` as an Arrow table; values are text if the parameters have no common type."""
        found = self.newest(*names, end=end, values=values)
        try:
            return pa.Table.from_pylist(found)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.Table.from_pylist([row | {"value": str(row["value"])} for row in found])

    def newest(self, *names: str, end: Time = None, values: Values = "calibrated") -> list[dict[str, Any]]:
        """The newest row of each parameter that has a value: name, unit, time, received, value, quality, stream, pass.

        `end`: the newest row before that time.
        """
        span = Span(end=to_ns(end, is_end=True))
        found, known = [], self.kinds(values)
        for name in names:
            one = self._resolve(name, known, values)
            folder = known[one.kind]
            newest = self._try_again(lambda: self._newest(folder, one.column, values, span))  # noqa: B023 - called at once
            if newest is not None:
                found.append({"name": one.name, "unit": one.unit, **newest})
        return found

    @staticmethod
    def _try_again(call: Callable[[], T]) -> T:
        """Result of a call, retried if a writer merged the files that it was about to read."""
        for _ in range(3):
            with suppress(FileNotFoundError):
                return call()
        return call()

    def _newest(self, folder: str, column: str, values: Values, span: Span) -> dict[str, Any] | None:
        reader = self.reader(values)
        every = reader.parts(folder)
        with_it = [part for one in reader.groups(every, span) if column in one.names.values() for part in one.parts]
        parts = sorted(with_it, key=lambda one: one.last, reverse=True)
        for i, part in enumerate(parts):
            near = [one for one in parts[: i + 8] if one.last >= part.first]
            table = reader.read_parts(near, every, [column, "time", "received", "quality", "stream", "pass"], span)
            if column in table.schema.names:
                table = table.filter(pc.is_valid(table[column]))
            if len(table):
                row = table.slice(len(table) - 1).to_pylist()[0]
                return {"time": row["time"], "received": row["received"], "value": row[column],
                        "quality": row["quality"], "stream": row["stream"], "pass": row["pass"]}  # fmt: skip
        return None

    def scan(self, kind: str, *, start: Time = None, end: Time = None, values: Values = "calibrated") -> ds.Dataset:
        """The files of a kind that have rows of a range as an Arrow dataset.

        ConfigError if a parameter changed its unit or type: a dataset would mix its values, which `get` and
        `batches` separate.
        """
        groups = self.groups(kind, Span(to_ns(start), to_ns(end, is_end=True)), values)
        reader = self.reader(values)
        changed = sorted({out for one in groups for name, out in one.names.items() if out != name})
        if changed:
            raise ConfigError(
                f"{kind} has values of another unit or form, {some_of(changed)}: ask get, batches or sql"
            )
        schema = common_schema([one.schema for one in groups])
        children = [reader.dataset_of(one, schema) for one in groups]
        return children[0] if len(children) == 1 else ds.dataset(children)

    def batches(
        self,
        kind: str,
        *,
        columns: Sequence[str] | None = None,
        start: Time = None,
        end: Time = None,
        values: Values = "calibrated",
    ) -> pa.RecordBatchReader:
        """Stream the rows of a kind as Arrow batches, one file at a time, in constant memory.

        `columns`: by default all; values in older units are in `NAME [unit]`. ConfigError for an unknown column.
        """
        span = Span(to_ns(start), to_ns(end, is_end=True))
        return stream_rows(self.reader(values), self.groups(kind, span, values), columns, span)

    def groups(self, kind: str, span: Span, values: Values = "calibrated") -> list[Group]:
        """Files of a kind that may have rows of a span, by schema. ConfigError if there are none."""
        reader = self.reader(values)
        groups = reader.groups(reader.parts(self.folder_of(kind, values)), span)
        if not groups:
            raise ConfigError(f"the history has no rows of {kind} there")
        return groups

    def sql(self, query: str, *, max_rows: int = 1_000_000) -> pa.Table:
        """Run one SELECT (DuckDB) over the history: a table for each kind, `passes`, `parameters`, and as
        schemas `minutes`, `hours` and `days` with summaries.

        `show tables` lists them, `describe KIND` the columns of one. No access to files, network, extensions or
        settings. Raises ConfigError for a statement that is no query or fails, and for more than `max_rows` rows.
        """
        from .sql import run_sql  # noqa: PLC0415 - DuckDB is an optional extra

        return run_sql(self, query, max_rows)

    def passes(self, *, brief: bool = False) -> list[PassRecord]:
        """The record of each pass. `brief`: without reports and events."""
        found = list(all_passes(self.storage))
        return [replace(one, report={}, events=[]) for one in found] if brief else found

    def rows_of(self, kind: str) -> KindRows:
        """Queries of all parameters of a kind, for displays. ConfigError if there is no such kind."""
        return KindRows(self, kind)

    def spans(self) -> dict[str, Range]:
        """Times of the first and last row of each kind, ns since 1970 UTC; kinds without times are left out."""
        return spans_of(self)


def _named(name: str, parameters: Iterable[Parameter]) -> list[Parameter]:
    return [one for one in parameters if name in {one.parameter, one.column}]


def _texts(one: str | Sequence[str]) -> Sequence[str]:
    return [one] if isinstance(one, str) else list(one)
