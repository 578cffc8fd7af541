"""A history as one asks it: find parameters, get their values or samples, SQL, Arrow datasets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
"""Values that one query may give, some 1.6 GB."""
Values = Literal["calibrated", "raw"]
T = TypeVar("T")


class History:
    """Rows of products of all times. What is asked is looked for anew each time, so rows that come are seen at once."""

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        self._storage = Storage(url)
        self._readers = {"calibrated": RowReader(self._storage, ROWS), "raw": RowReader(self._storage, RAW)}
        self._kinds: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"open_history({self.url!r})"

    @property
    def storage(self) -> Storage:
        """The folder. ConfigError where the history is asked over the network."""
        return self._storage

    def reader(self, values: Values = "calibrated") -> RowReader:
        """What reads the files of rows. ConfigError where the history is asked over the network."""
        check_one_of("values", values, VALUES)
        return self._readers[values]

    @property
    def problems(self) -> dict[str, str]:
        """Files that were left aside so far, and why: torn ones, foreign ones."""
        return {path: why for one in self._readers.values() for path, why in one.problems.items()}

    def kinds(self, values: Values = "calibrated") -> dict[str, str]:
        """Kinds that have rows or summaries, and the names of their folders."""
        root = self.reader(values).root
        folders = {*self.storage.folders(root)} | ({*self.storage.folders("days")} if root == ROWS else set())
        names = sorted(one.removeprefix("kind=") for one in folders if one.startswith("kind="))
        return {self._kind(name, values): name for name in names}

    def _kind(self, folder: str, values: Values) -> str:
        """The kind of a folder; of a name that was cut, as its files say."""
        if "~" not in folder or encoded(decoded(folder)) == folder:
            return decoded(folder)
        if folder not in self._kinds:
            groups = self.reader(values).groups(self.reader(values).parts(folder))
            told = (groups[-1].schema.metadata or {}).get(b"kind") if groups else None
            self._kinds[folder] = told.decode() if told else decoded(folder)
        return self._kinds[folder]

    def parameters(self, kind: str, values: Values = "calibrated") -> list[Parameter]:
        """Parameters of a kind, in their order; ConfigError where there is no such kind."""
        known = self.kinds(values)
        if kind not in known:
            raise ConfigError(f"the history has no {shown(kind)}: it has {some_of(known)}")
        return self._parameters(kind, known[kind], values)

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
        """Parameters of which only summaries are left, or were: those that the newest file of days has."""
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
        """Parameters by their name, `KIND.PARAMETER`, or their parameter alone; `*` and `?` stand for any, in any case.

        A pattern without `*` or `?` is looked for anywhere in names and descriptions.
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
        known = self.kinds(values)
        found: list[Parameter] = []
        for kind, rest in readings(name, known):
            found += [
                one for one in self._parameters(kind, known[kind], values) if rest in {one.parameter, one.column}
            ]
        if not found and values == "calibrated":
            found = [
                one
                for kind, rest in readings(name, known)
                for one in self._pruned(kind, known[kind])
                if rest in {one.parameter, one.column}
            ]
        if not found:
            every = (one for kind, folder in known.items() for one in self._parameters(kind, folder, values))
            found = [one for one in every if name in {one.parameter, one.column}]
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
        """As `get`, as an Arrow table: `time`, `quality`, a column for each name; rows of several kinds by time."""
        check_names(names)
        check_one_of("by", by, AXES)
        columns = checked_columns(columns, points)
        span = Span(to_ns(start), to_ns(end, is_end=True), by_reception=by == "received")
        choice = Choice(_texts(stream), _texts(passes), version)
        check_version(self.storage, version)
        wanted = [self.resolve(name, values) for name in names]
        kinds: dict[str, dict[str, str]] = {}
        for name, one in zip(names, wanted, strict=True):
            kinds.setdefault(one.kind, {})[one.column] = name
        reader, folders = self.reader(values), self.kinds(values)
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
        """Upper bound of the values that a query gives, from the names of files, and of lists from their footers."""
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
            told = parquet.read_metadata(self.storage.full(part.path), filesystem=self.storage.filesystem)
        except (pa.ArrowException, OSError):
            return 0
        return sum(
            told.row_group(g).column(c).num_values
            for g in range(told.num_row_groups)
            for c in range(told.num_columns)
            if told.row_group(g).column(c).path_in_schema.startswith(tuple(f"{name}.list." for name in names))
        )

    def get(self, *names: str, **how: Any) -> xarray.Dataset:
        """Give values of parameters as a Dataset along `time`, sorted, with units; `name` as `find` lists it.

        `start`, `end` (excluded): ISO 8601 text in UTC, datetime, or ns since 1970; a date as `end` includes that day.
        `points`: at most so many samples: the mean under the name, and `NAME.min`, `NAME.max`, `NAME.last`, `NAME.n`.
        `values`: "calibrated" or "raw". `by="received"`: by the time of reception, as rows without onboard time are in
        any case. `stream`, `passes`: of these alone; `version`: rows that were replaced, until they are pruned.
        `columns`: more of the fixed columns, such as "pass", "apid", "received". Coordinates: `quality` and these.

        Parameters of several kinds are rows one between the other by time; what a row does not have is NaN, or None.
        Values of several elements have more axes; where rows differ in length they are padded behind `NAME.length`.
        Raises ConfigError for a name that there is not, and for more than `max_values`, with the size.
        """
        from .datasets import to_dataset  # noqa: PLC0415 - xarray is heavy

        table = self.table(*names, **how)
        of = [self.resolve(name, how.get("values", "calibrated")) for name in names]
        return to_dataset(table, dict(zip(names, of, strict=True)), str(how.get("by", "time")))

    def last(self, *names: str, end: Time = None, values: Values = "calibrated") -> pa.Table:
        """The newest row of each parameter, as `newest`. Values of parameters that have no common type are text."""
        found = self.newest(*names, end=end, values=values)
        try:
            return pa.Table.from_pylist(found)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.Table.from_pylist([row | {"value": str(row["value"])} for row in found])

    def newest(self, *names: str, end: Time = None, values: Values = "calibrated") -> list[dict[str, Any]]:
        """The newest row of each parameter that has a value: name, unit, time, received, value, quality, stream, pass.

        `end`: the newest before that, so what a value was then, whatever a clock that went wrong dated later.
        """
        span = Span(end=to_ns(end, is_end=True))
        found = []
        for name in names:
            one = self.resolve(name, values)
            folder = self.kinds(values)[one.kind]
            newest = self._try_again(lambda: self._newest(folder, one.column, values, span))  # noqa: B023 - called at once
            if newest is not None:
                found.append({"name": one.name, "unit": one.unit, **newest})
        return found

    @staticmethod
    def _try_again(call: Callable[[], T]) -> T:
        """What a call gives; again where a writer merged the files that it was about to read."""
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
        """Give the rows of a kind as an Arrow dataset, for engines that read those; files of the range alone.

        ConfigError where a parameter changed its unit or form: a dataset would mix its values, which `get` and
        `batches` keep apart.
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
        """Give the rows of a kind batch by batch, file by file, so that any number of them fits into memory.

        `columns`: all without; rows of older units have theirs as `NAME [unit]`. ConfigError where there is none.
        """
        span = Span(to_ns(start), to_ns(end, is_end=True))
        return stream_rows(self.reader(values), self.groups(kind, span, values), columns, span)

    def groups(self, kind: str, span: Span, values: Values = "calibrated") -> list[Group]:
        """Files of a kind by schema. ConfigError where there is no such kind."""
        known = self.kinds(values)
        if kind not in known:
            raise ConfigError(f"the history has no {shown(kind)}: it has {some_of(known)}")
        reader = self.reader(values)
        groups = reader.groups(reader.parts(known[kind]), span)
        if not groups:
            raise ConfigError(f"the history has no rows of {kind} there")
        return groups

    def dataset_of(self, group: Group, values: Values = "calibrated") -> ds.Dataset:
        """The dataset of a group of files."""
        return self.reader(values).dataset_of(group)

    def sql(self, query: str, *, max_rows: int = 1_000_000) -> pa.Table:
        """Run one SELECT (DuckDB) over the history: a table for each kind, `passes`, `parameters`, and as
        schemas `minutes`, `hours` and `days` with summaries.

        It sees nothing else: no files, network, extensions or settings. Raises ConfigError for a statement that is no
        query or fails, and for more than `max_rows`.
        """
        from .sql import run_sql  # noqa: PLC0415 - DuckDB is an optional extra

        return run_sql(self, query, max_rows)

    def passes(self, *, brief: bool = False) -> list[PassRecord]:
        """The books of each pass. `brief`: without reports and events."""
        found = list(all_passes(self.storage))
        return [replace(one, report={}, events=[]) for one in found] if brief else found

    def rows_of(self, kind: str) -> KindRows:
        """All parameters of a kind at once, as displays ask for them. ConfigError where there is no such kind."""
        return KindRows(self, kind)

    def spans(self) -> dict[str, Range]:
        """Of each kind the times of its first and last row."""
        return spans_of(self)


def _texts(one: str | Sequence[str]) -> Sequence[str]:
    return [one] if isinstance(one, str) else list(one)
