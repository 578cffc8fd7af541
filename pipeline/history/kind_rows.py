"""The rows of one kind in a range, for displays: how many there are, all of them, or the least and greatest of bins.

Unlike `History.table` it takes all parameters of a kind at once, and says what a query would give before it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from ..model.batches import NO_TIME
from ..model.errors import ConfigError
from .names import Part
from .parameter import Parameter
from .result_tables import renamed, share
from .rows import Choice, Span
from .samples import flattened, samples

if TYPE_CHECKING:
    from .history import History

Which = Literal["all", "lists", "numbers", "first"]
"""Parameters: all; those with several values a row; those with one value a row; the first of these."""
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Extent:
    """`n_rows`: about how many rows there are, by the names of files; `first`, `last`: times of the first and last one
    in the range, ns since 1970; `is_untimed`: none has a time; `files`: the ranges of the files; `n_list_values`: at
    most so many values of parameters with several values a row.
    """

    n_rows: int = 0
    first: int = 0
    last: int = 0
    is_untimed: bool = False
    files: Sequence[Range] = ()
    n_list_values: int = 0


class KindRows:
    """Rows of `kind` of a history whose folder is at hand. `stream`: of this one alone, empty for all. Times are ns
    since 1970, `end` excluded.
    """

    def __init__(self, history: History, kind: str) -> None:
        """ConfigError where there is no such kind."""
        self._history, self.kind = history, kind
        folder = history.kinds().get(kind)
        if folder is None:
            raise ConfigError(f"the history has no {kind}")
        self._folder = folder

    def extent(self, start: int, end: int, stream: str = "", *, lists: bool = False) -> Extent:
        """What there is in a range. `lists`: count the values of parameters with several values a row, too."""
        every = self._history.reader().parts(self._folder, _choice(stream))
        parts = [one for one in every if one.overlaps(start, end)]
        if not parts:
            return Extent()
        span = Span(start, end)
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
        """Rows with `time`, `received`, `quality` and the parameters by their full names; no columns where there are
        none.
        """
        extra = ["time", "received", "quality"]
        names = {one.column: one.name for one in self._parameters(which)}
        found = self._history.reader().read(self._folder, [*names, *extra], Span(start, end), _choice(stream))
        return renamed(found, names, extra) if found.num_columns else found

    def samples(self, start: int, end: int, points: int, stream: str = "", which: Which = "numbers") -> pa.Table:
        """At most `points` bins with `time`, `quality` and of each parameter mean, min, max, last and n."""
        names = {one.column: one.name for one in self._parameters(which)}
        span = Span(start, end)
        found = samples(self._history.reader(), self._folder, list(names), span, points, _choice(stream))
        return flattened(found, names) if len(found) else found

    def _parameters(self, which: Which) -> list[Parameter]:
        known = self._history.parameters(self.kind)
        if which == "all":
            return known
        found = [one for one in known if is_list(one) == (which == "lists")]
        return found[:1] if which == "first" else found


def is_list(one: Parameter) -> bool:
    """Whether a row has several values of a parameter."""
    return "list" in one.type


def spans_of(history: History) -> dict[str, Range]:
    """The times of the first and the last row of each kind that has rows with a time."""
    found: dict[str, Range] = {}
    for kind, folder in history.kinds().items():
        ends = _ends(history.reader().parts(folder))
        if ends:
            found[kind] = ends
    return found


def _ends(parts: Sequence[Part]) -> Range | None:
    known = [one for one in parts if one.first > NO_TIME // 2]
    return (min(one.first for one in known), max(one.last for one in known)) if known else None


def _choice(stream: str) -> Choice:
    return Choice([stream] if stream else ())
