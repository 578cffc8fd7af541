"""Write results of history queries: an aligned table, CSV, Parquet, a plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from ..model.errors import ConfigError
from ..model.printable import printable
from ..system.files import whole_file, whole_path

_IN_CSV = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string, pa.types.is_date)
MAX_SHOWN = 40
"""Most rows of a table on the terminal."""


def write(table: pa.Table, file_format: str, out: Path | None, show: Callable[[str], None], stdout: Any) -> None:
    """Write a result: `table` to `show`, line by line; other formats to the file `out`, or `csv` to `stdout`."""
    if file_format == "table" and out is None:
        for line in lines_of(table):
            show(line)
    elif file_format in {"csv", "table"}:
        flat = _flat(table)
        if out is None:
            csv.write_csv(flat, stdout)
        else:
            with whole_file(out) as file:
                csv.write_csv(flat, file)
    elif out is None:
        raise ConfigError(f"--format {file_format} needs --out FILE")
    elif file_format == "parquet":
        try:
            with whole_file(out) as file:
                parquet.write_table(table, file, compression="zstd")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise ConfigError(f"--out {out}: Parquet cannot have it: {str(error).splitlines()[0]}") from None
    else:
        _plot(table, out)


def lines_of(table: pa.Table, n_most: int = MAX_SHOWN) -> list[str]:
    """An aligned table of at most `n_most` rows, the first and last ones, and the number of rows."""
    n = len(table)
    if n <= n_most:
        shown, gap = table, -1
    else:
        half = n_most // 2
        shown, gap = pa.concat_tables([table.slice(0, half), table.slice(n - half)]), half
    columns = [
        [name, *map(_cell, _values(column))]
        for name, column in zip(shown.schema.names, shown.itercolumns(), strict=True)
    ]
    widths = [max(map(len, column)) for column in columns]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in zip(*columns, strict=True)]  # fmt: skip
    if gap >= 0:
        rows.insert(gap + 1, "...")
    return [*rows, f"{n:,} row{'s' * (n != 1)}"]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        return [None if one is None else _time(one) for one in column.cast(pa.int64()).to_pylist()]
    return list(column.to_pylist())


def _time(ns: int) -> str:
    text = str(np.datetime64(ns, "ns"))
    return f"{text.removesuffix('000000')}Z"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list):
        text = ", ".join(_cell(one) for one in value[:4])
        return f"[{text}{', ...' if len(value) > 4 else ''}]"
    return printable(str(value))


def _flat(table: pa.Table) -> pa.Table:
    """The columns that CSV cannot hold as text: lists and structs as JSON, times as ISO 8601, bytes in hexadecimal."""
    return pa.Table.from_arrays([_csv_column(one) for one in table.itercolumns()], names=table.schema.names)


def _csv_column(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return pa.array(_values(column), pa.string())
    if pa.types.is_null(kind) or any(test(kind) for test in _IN_CSV):
        return column
    return pa.array([None if one is None else _as_text(one) for one in column.to_pylist()], pa.string())


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)


def _plot(table: pa.Table, out: Path) -> None:
    """Plot a panel for each value over time, with the range of bins if there is one."""
    from ..pictures.style import COLOURS, SETTINGS, check_available, escape_dollars  # noqa: PLC0415

    check_available()
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    if table.num_columns and table.schema.names.count("time") != 1:
        raise ConfigError("a plot is over one column time, which the answer has not")
    names = _plotted(table)
    if not names:
        raise ConfigError("there is nothing to plot: no row, or no number in them")
    with rc_context(SETTINGS), whole_path(out) as part:
        figure = Figure(figsize=(8, 1.8 * len(names)), layout="constrained")
        axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        time = table["time"].cast(pa.int64()).to_numpy().astype("datetime64[ns]")
        for one, name in zip(axes, names, strict=True):
            if f"{name}.min" in table.schema.names:
                low, high = (table[f"{name}.{end}"].cast(pa.float64()).to_numpy() for end in ("min", "max"))
                one.fill_between(time, low, high, color=COLOURS[0], alpha=0.25, linewidth=0)
            one.plot(time, table[name].cast(pa.float64()).to_numpy(), color=COLOURS[0])
            one.set_title(escape_dollars(name))
        axes[-1].set_xlabel("UTC")
        figure.savefig(part, dpi=150)


def _plotted(table: pa.Table) -> Sequence[str]:
    fixed = {"time", "received", "quality", "n_rows", "n_doubtful"}
    parts = tuple(f"{one}{part}" for one in table.schema.names for part in (".min", ".max", ".last", ".n"))
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    return [
        one.name
        for one in table.schema
        if one.name not in {*fixed, *parts} and any(test(one.type) for test in numbers)
    ]
