"""SQL over a history: one SELECT, read-only, with access to the tables of the history alone.

DuckDB runs it over Arrow datasets that are registered by name. Access to files, network, extensions and settings is
disabled before the query is parsed, and cannot be enabled by it.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import parquet

from ..model.errors import ConfigError
from ..system.software import optional_module
from .names import SUMMARIES
from .rows import Span
from .summaries import summary_name
from .writer import schema_digest

if TYPE_CHECKING:
    from .history import History

TIMEOUT_S = 60.0
MEMORY = "4GB"
MAX_BYTES = 1 << 30
"""Largest result."""
_OF_DUCKDB = frozenset({"information_schema", "pg_catalog"})
_LISTS = {'"tables"': 1, "__show_tables_expanded": 2}
"""Names of what `show tables` and `show all tables` read, in the syntax tree of DuckDB."""
_LOCKED = (
    "set enable_external_access = false",
    "set python_enable_replacements = false",
    "set TimeZone = 'UTC'",
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set allow_community_extensions = false",
    f"set memory_limit = '{MEMORY}'",
    "set lock_configuration = true",
)


def run_sql(history: History, query: str, max_rows: int, timeout_s: float = TIMEOUT_S) -> pa.Table:
    """The result of a query. ConfigError if it is not one SELECT, fails, takes longer than `timeout_s`, or has more
    than `max_rows` rows.
    """
    duckdb = optional_module("duckdb", "SQL needs DuckDB", "history")
    with closing(duckdb.connect(":memory:")) as database:
        try:
            for setting in _LOCKED:
                database.execute(setting)
            _check(duckdb, database, query)
            tables, lists = _tables(database, query)
            for schema, table in tables:
                _register(history, database, schema, table)
            if lists:
                _list_all(history, database, tables, summaries=lists > 1)
            return _bounded(database, query, max_rows, timeout_s)
        except (
            duckdb.Error,
            pa.ArrowException,
            OSError,
        ) as error:  # Arrow raises errors of DuckDB while it reads rows
            if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in str(error):
                raise ConfigError(
                    f"the query takes longer than {timeout_s:g} s: ask for less, or of summaries"
                ) from None
            raise ConfigError(f"SQL: {_line(error)}") from None


def _check(duckdb: Any, database: Any, query: str) -> None:
    """ConfigError if it is not one SELECT."""
    statements = database.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ConfigError("SQL: one SELECT, and nothing else")


def _tables(database: Any, query: str) -> tuple[list[tuple[str, str]], int]:
    """Schema and table of each table that a query reads, once, without its own CTEs; and whether it lists tables: 0 no,
    1 those of the main schema (`show tables`), 2 those of all schemas (`describe`, `information_schema`).
    """
    try:
        tree = json.loads(database.execute("select json_serialize_sql(?)", [query]).fetchall()[0][0])
    except RecursionError:
        raise ConfigError("SQL: the query is nested too deeply") from None
    if tree.get("error"):
        raise ConfigError(f"SQL: {' '.join(str(tree.get('error_message')).split())[:500]}")
    found: dict[tuple[str, str], tuple[str, str]] = {}
    own: set[str] = set()
    lists = 0
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, dict):
            nodes += node.values()
            own |= {str(one["key"]).lower() for one in (node.get("cte_map") or {}).get("map", ())}
            lists = max(lists, _LISTS.get(str(node.get("table_name")), 0) if node.get("type") == "SHOW_REF" else 0)
            if node.get("type") == "BASE_TABLE" or node.get("show_type") == "SHOW":
                schema = ".".join(filter(None, (node.get("catalog_name"), node.get("schema_name"))))
                found[schema.lower(), node["table_name"].lower()] = schema, node["table_name"]
                lists = 2 if schema.lower() in _OF_DUCKDB else lists
    return [name for (schema, table), name in sorted(found.items()) if schema or table not in own], lists


def _list_all(history: History, database: Any, known: list[tuple[str, str]], *, summaries: bool) -> None:
    """Create an empty table for every other table of the history, so that DuckDB lists them. `known`: that exist."""
    done = {(schema.lower(), table.lower()) for schema, table in known}
    for schema in ("", *SUMMARIES) if summaries else ("",):
        for table in (*history.kinds(), *(() if schema else _OWN)):
            if (schema, table.lower()) not in done:
                done.add((schema, table.lower()))
                with suppress(ConfigError):  # a kind without rows, or without summaries
                    _register(history, database, schema, table, is_listed=True)


def _register(history: History, database: Any, schema: str, table: str, *, is_listed: bool = False) -> None:
    """Create the view of a table of the history. `is_listed`: an empty table. ConfigError if there is none."""
    kinds = history.kinds()
    if schema.lower() in SUMMARIES:
        kind = _kind(table, kinds)
        if kind is not None:
            database.execute(f"create schema if not exists {schema}")
            _create(database, f"{schema}.{_quoted(table)}", *_summaries(history, schema.lower(), kinds[kind]),
                    is_listed=is_listed)  # fmt: skip
            return
    kind = _kind(f"{schema}.{table}" if schema else table, kinds)
    where = f"{_quoted(schema)}.{_quoted(table)}" if schema else _quoted(table)
    if kind is not None:
        if schema:
            database.execute(f"create schema if not exists {_quoted(schema)}")
        groups = history.groups(kind, Span())
        sources = [history.reader().dataset_of(one) for one in groups]
        _create(database, where, sources, [one.names for one in groups], is_listed=is_listed)
    elif not schema and table.lower() in _OWN:
        _create(database, where, [_OWN[table.lower()](history)], is_listed=is_listed)
    elif schema.lower() not in _OF_DUCKDB:
        raise ConfigError(f"SQL: there is no table {where}: " + ", ".join([*list(kinds)[:12], *_OWN]))


def _kind(name: str, kinds: dict[str, str]) -> str | None:
    """The kind of this name; a name in another case where only one kind has it."""
    alike = [one for one in kinds if one.lower() == name.lower()]
    return name if name in kinds else alike[0] if len(alike) == 1 else None


def _create(
    database: Any, name: str, sources: list[Any], names: list[dict[str, str]] | None = None, *, is_listed: bool
) -> None:
    """Create a view of the rows of Arrow sources; or, `is_listed`, an empty table of their columns.

    `names`: the column names in queries by those of each source. SQL ignores case: of names that differ in case alone
    the second becomes `NAME_1`, so columns are selected by position.
    """
    shown: dict[str, str] = {}
    selects, registered = [], []
    for number, source in enumerate(sources):
        own = f"_source_{len(name)}_{abs(hash(name))}_{number}"
        database.register(own, source)
        registered.append(own)
        stored = source.schema.names
        places = ", ".join(f"_{i}" for i in range(len(stored)))
        columns = {one: _shown(names[number].get(one, one) if names else one, shown) for one in stored}
        chosen = ", ".join(f"_{i} as {_quoted(columns[one])}" for i, one in enumerate(stored))
        selects.append(f"select {chosen} from {own} as _rows({places})")  # noqa: S608 - names are quoted
    rows = " union all by name ".join(selects)
    database.execute(f"create {'table' if is_listed else 'view'} {name} as {rows}{' limit 0' if is_listed else ''}")
    for own in registered if is_listed else ():
        database.unregister(own)


def _shown(name: str, shown: dict[str, str]) -> str:
    """The name of a column in SQL, unique in any case. `shown`: SQL names by the names so far; it takes the new one."""
    if name not in shown:
        taken = {one.lower() for one in shown.values()}
        free = (
            one for one in (name, *(f"{name}_{n}" for n in range(1, len(taken) + 2))) if one.lower() not in taken
        )
        shown[name] = next(free)
    return shown[name]


def _summaries(history: History, level: str, folder: str) -> tuple[list[ds.Dataset], list[dict[str, str]]]:
    """Files of summaries by schema as datasets, and the present names of their columns."""
    storage, reader = history.storage, history.reader()
    naming = reader.naming(reader.parts(folder))
    schemas: dict[str, pa.Schema] = {}
    paths: dict[str, list[str]] = defaultdict(list)
    for path, _ in storage.files(f"{level}/kind={folder}"):
        if path.endswith("/summary.parquet"):
            schema = parquet.read_schema(storage.full(path), filesystem=storage.filesystem)
            digest = schema_digest(schema)
            schemas[digest] = schema.remove_metadata()
            paths[digest].append(storage.full(path))
    if not schemas:
        raise ConfigError(f"SQL: {level} has no summaries of that kind")
    sources = [ds.dataset(some, schema=schemas[one], format="parquet", filesystem=storage.filesystem)
               for one, some in paths.items()]  # fmt: skip
    return sources, [{field.name: summary_name(field, naming) for field in one} for one in schemas.values()]


def passes_table(history: History) -> pa.Table:
    """The passes, a row for each."""
    rows = [
        {
            "stream": one.stream,
            "pass": one.name,
            "mission": one.mission,
            "version": one.version,
            "state": one.state,
            "received_first": (one.received or [None])[0],
            "received_last": (one.received or [None])[-1],
            "rows": sum(sum(dates.values()) for dates in one.rows.values()),
            "packets": sum(one.packets.values()),
        }
        for one in history.passes()
    ]
    names = ["stream", "pass", "mission", "version", "state", "received_first", "received_last"]
    schema = pa.schema([*((name, pa.string()) for name in names), ("rows", pa.int64()), ("packets", pa.int64())])
    return pa.Table.from_pylist(rows, schema=schema)


def parameters_table(history: History) -> pa.Table:
    """The parameters, a row for each."""
    names = ("name", "kind", "parameter", "unit", "description", "type")
    rows = [{name: getattr(one, name) for name in names} for one in history.find("*")]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))


_OWN = {"passes": passes_table, "parameters": parameters_table}


def _bounded(database: Any, query: str, max_rows: int, timeout_s: float) -> pa.Table:
    timer = threading.Timer(timeout_s, database.interrupt)
    timer.start()
    try:
        reader = database.sql(query).to_arrow_reader(65_536)
        batches, n, n_bytes = [], 0, 0
        for batch in reader:
            n, n_bytes = n + batch.num_rows, n_bytes + batch.nbytes
            if n_bytes > MAX_BYTES:
                raise ConfigError(f"SQL: more than {MAX_BYTES >> 20} MB: aggregate, or name fewer columns")
            if n > max_rows:
                raise ConfigError(
                    f"SQL: more than {max_rows:,} rows: aggregate, add a limit, or read the files with your own engine"
                )
            batches.append(batch)
        return pa.Table.from_batches(batches, schema=reader.schema)
    finally:
        timer.cancel()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
