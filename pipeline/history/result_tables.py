"""Combine Arrow tables of several kinds to one result: names as in the query, rows in order, no column missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .forms import concat
from .names import Part
from .rows import Span

if TYPE_CHECKING:
    from .parameter import Parameter


def share(part: Part, span: Span) -> float:
    """Fraction of the time range of a file that is inside a span, 0 to 1."""
    if span.by_reception or part.last <= part.first:
        return 1.0
    low = max(part.first, span.start if span.start is not None else part.first)
    high = min(part.last + 1, span.end if span.end is not None else part.last + 1)
    return float(max(high - low, 0) / (part.last + 1 - part.first))


def renamed(rows: pa.Table, names: dict[str, str], extra: Sequence[str]) -> pa.Table:
    """Rows with the columns of a query: `extra` unchanged, the others renamed by `names`."""
    columns = {name: rows[name] for name in dict.fromkeys(extra) if name in rows.schema.names}
    fields = [rows.schema.field(name) for name in columns]
    for column, out in names.items():
        if column in rows.schema.names:
            columns[out] = rows[column]
            fields.append(rows.schema.field(column).with_name(out))
    if "received" in rows.schema.names and "received" not in columns and rows["time"].null_count:
        columns["received"] = rows["received"]
        fields.append(rows.schema.field("received"))
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def with_absent(table: pa.Table, names: Sequence[str], wanted: Sequence[Parameter]) -> pa.Table:
    """The rows with a column of nulls for each parameter that is missing."""
    for name, one in zip(names, wanted, strict=True):
        if table.num_columns and name not in table.schema.names:
            kind = pa.string() if one.type == "text" else pa.float64()
            field = pa.field(name, kind, metadata={"unit": one.unit} if one.unit else None)
            table = table.append_column(field, pa.nulls(len(table), kind))
    return table


def in_order(tables: Sequence[pa.Table], by: str = "time") -> pa.Table:
    """Rows of several kinds, sorted by a column of times."""
    if len(tables) < 2:
        return tables[0] if tables else pa.table({})
    table = concat(tables)
    axis = table[by].cast(pa.int64()).to_numpy()
    return table.take(pa.array(np.argsort(axis, kind="stable")))


def some_of(names: Iterable[str], n: int = 8) -> str:
    """The first names of a list, and the number of others, as text."""
    listed = list(names)
    more = f" and {len(listed) - n} more" if len(listed) > n else ""
    return f"{', '.join(listed[:n])}{more}" if listed else "nothing"


def readings(name: str, kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of kind and parameter that a name may stand for: `KIND.PARAMETER`, or `"KIND".PARAMETER`."""
    for kind in kinds:
        for prefix in (f"{kind}.", f'"{kind}".'):
            if name.startswith(prefix):
                yield kind, name[len(prefix) :]
