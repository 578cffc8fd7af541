"""Product messages in; the columns that the page shows out, as arrays of equal length.

What the page does not show is dropped here. A product without an array that is wanted is a KeyError. Of a product
with more rows than are kept only the last ones are read, so what is made of it is bounded by MAX_READ_BYTES.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.looks import Kept, Rows
from ..model.printable import printable

TIME = "time_ns"
QUALITY = "quality"
SOLAR = "solar_ms"
"""Local true solar time, in 1/86,400,000 of a sol since sol 0; NaN where the mission has no site."""
MAX_WIDTH = 16_384
"""Of a row; wider rows are refused."""

MAX_READ_BYTES = 12 << 20
"""Of the columns that are made of one product."""
_VALUE_BYTES = 8
"""Of a number as it is kept; a text of 16 characters, of which a row has one at most, takes 64."""

_SOL_MS = 86_400_000.0


def product_rows(product: Mapping[str, Any], wanted: Kept, before: Rows) -> tuple[Rows, Rows]:
    """Rows, and the arrays that hold for all of them. `before`: the rows so far, for what is summed up."""
    arrays = product["arrays"]
    columns = {name: arrays[name]["values"] for name in wanted.columns}
    columns |= {TIME: arrays["time_utc_ns"]["values"], QUALITY: product["quality"]}
    if len({len(column) for column in columns.values()}) != 1:
        raise ValueError("its columns are not equally long")
    n_kept = min(wanted.capacity, _n_readable(columns.values()))
    columns = {name: column[max(len(column) - n_kept, 0) :] for name, column in columns.items()}
    rows = {name: _plain(columns[name]) for name in wanted.columns}
    rows |= {name: columns[name].astype(np.int64) for name in (TIME, QUALITY)}
    common = {name: _common(arrays[name]["values"]) for name in wanted.common}
    rows[SOLAR] = _solar_ms(product["time"], rows[TIME])
    return wanted.derive(rows, before), common


def _n_readable(columns: Iterable[NDArray[Any]]) -> int:
    """How many rows MAX_READ_BYTES has room for; ValueError where they are too wide for any look."""
    widths = [column[:1].size for column in columns]
    if max(widths) > MAX_WIDTH:
        raise ValueError(f"its rows are wider than {MAX_WIDTH}")
    return max(MAX_READ_BYTES // max(sum(widths) * _VALUE_BYTES, 1), 1)


def _common(values: NDArray[Any]) -> NDArray[Any]:
    """A copy, since a view would keep the whole message."""
    if values.size > MAX_WIDTH:
        raise ValueError(f"its common arrays are longer than {MAX_WIDTH}")
    return np.array(_plain(values))


def _solar_ms(time: Mapping[str, Any], utc_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Between the first and the last instant of a product, which are minutes apart, solar time runs evenly."""
    if not time.get("ltst") or not len(utc_ns):
        return np.full(len(utc_ns), np.nan)
    ends = [int(np.datetime64(text.rstrip("Z"), "ns").astype(np.int64)) for text in time["utc"]]
    return np.asarray(np.interp(utc_ns - ends[0], np.array([0, ends[1] - ends[0]]), _solar_ends(time)))


def _solar_ends(time: Mapping[str, Any]) -> list[float]:
    """Sols change at mean midnight: the true time is the one within half a sol of the mean one."""
    mean, true = (np.array([_clock_ms(text) for text in time[key]]) for key in ("lmst", "ltst"))
    ahead = (true - mean + _SOL_MS / 2) % _SOL_MS - _SOL_MS / 2
    return [float(one) for one in np.array(time["sol"], float) * _SOL_MS + mean + ahead]


def _clock_ms(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + float(seconds) * 1000


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """The same in the few types that a page needs, so that messages agree: text of 16, float64 and float32."""
    if values.dtype.kind == "U":
        cut = values.astype("U16")
        return np.array([printable(text) for text in cut.ravel().tolist()], "U16").reshape(cut.shape)
    return values if values.dtype == np.float32 else values.astype(np.float64)


def last_received_ns(lineage: object) -> int | None:
    """When the last row of a product was received, ns since 1970; None without a time in its lineage."""
    ends = lineage.get("received_ns") if isinstance(lineage, Mapping) else None
    return ends[-1] if isinstance(ends, list) and ends and isinstance(ends[-1], int) else None
