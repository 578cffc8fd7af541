"""Queries of the rows of one kind in a range, for displays: number of rows, all rows, or bins with minimum and maximum.

Unlike `History.table` a query has all parameters of a kind; `extent` estimates its size before it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from ..model.batches import NO_TIME
from .arguments import check_points
from .parameter import Parameter
from .result_tables import renamed, share
from .rows import Choice, Span
from .samples import flattened, samples
from .times import to_ns

if TYPE_CHECKING:
    from .history import History

Which = Literal["all", "lists", "numbers", "first"]
"""Parameters: all; those with several values per row; those with one value per row; the first of these."""
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """`n_rows`: estimate from the names of files; `first`, `last`: times of the first and last row in the range, ns
    since 1970 UTC; `is_untimed`: no row has a time; `files`: time ranges of the files; `n_list_values`: upper bound of
    the number of values of parameters with several values per row.
    """

    n_rows: int = 0
    first: int = 0
    last: int = 0
    is_untimed: bool = False
    files: Sequence[Range] = ()
    n_list_values: int = 0


class KindRows:
    """Rows of `kind` of a history in a folder. `stream`: only of this one; empty: all. Times are ns since 1970 UTC,
    `end` excluded.
    """

    def __init__(self, history: History, kind: str) -> None:
        """ConfigError if there is no such kind."""
        self._history, self.kind = history, kind
        self._folder = history.folder_of(kind)

    def extent(self, start: int, end: int, stream: str = "", *, lists: bool = False) -> Extent:
        """Number and times of the rows in a range. `lists`: with `n_list_values`."""
        every = self._history.reader().parts(self._folder, _choice(stream))
        parts = [one for one in every if one.overlaps(start, end)]
        if not parts:
            return Extent()
        span = _span(start, end)
        columns = [one.column for one in self._parameters("lists")] if lists else []
        n_values = self._history.size(self._folder, columns, span, _choice(stream), "calibrated") if columns else 0
        return Extent(
            sum(round(one.n_rows * share(one, span)) or 1 for one in parts),
            max(min(one.first for one in parts), start),
            min(max(one.last for one in parts), end - 1),
            all(one.times == "n" for one in parts),
            sorted((max(one.first, start), min(one.last, end)) for one in parts),
            n_values,
        )

    def rows(self, start: int, end: int, stream: str = "", which: Which = "all") -> pa.Table:
        """Rows with `time`, `received`, `quality` and the parameters by their full names; a table without columns if
        there are none.
        """
        extra = ["time", "received", "quality"]
        names = {one.column: one.name for one in self._parameters(which)}
        found = self._history.reader().read(self._folder, [*names, *extra], _span(start, end), _choice(stream))
        return renamed(found, names, extra) if found.num_columns else found

    def samples(self, start: int, end: int, points: int, stream: str = "", which: Which = "numbers") -> pa.Table:
        """At most `points` bins with `time`, `quality` and mean, min, max, last and n of each parameter."""
        check_points(points, ())
        names = {one.column: one.name for one in self._parameters(which)}
        reader, choice = self._history.reader(), _choice(stream)
        found = samples(reader, self._folder, list(names), _span(start, end), points, choice)
        return flattened(found, names) if len(found) else found

    def _parameters(self, which: Which) -> list[Parameter]:
        known = self._history.parameters(self.kind)
        if which == "all":
            return known
        found = [one for one in known if is_list(one) == (which == "lists")]
        return found[:1] if which == "first" else found


def is_list(one: Parameter) -> bool:
    """Whether a parameter has several values per row."""
    return "list" in one.type


def spans_of(history: History) -> dict[str, Range]:
    """The times of the first and the last row of each kind that has rows with a time."""
    found: dict[str, Range] = {}
    for kind, folder in history.kinds().items():
        timed = [one for one in history.reader().parts(folder) if one.first > NO_TIME // 2]
        if timed:
            found[kind] = min(one.first for one in timed), max(one.last for one in timed)
    return found


def _span(start: int, end: int) -> Span:
    return Span(to_ns(start), to_ns(end))


def _choice(stream: str) -> Choice:
    return Choice([stream] if stream else ())
