"""What a tab of the live page shows, declared without the library that draws it.

A mission package declares its tabs as `Look`s: which products they need and how much of them is kept. A look whose
`curves` or `images` say all is drawn by the engine; another names its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Rows = dict[str, NDArray[Any]]
"""Columns of equal length."""
CURVE_ROWS = 20_000
"""Rows kept of a kind that is drawn as curves."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a kind of product: how many rows, which arrays of each row, which of all rows, what is derived.

    `derive(rows, before)` gives the rows to keep from the new ones and those kept so far.
    """

    capacity: int
    columns: tuple[str, ...]
    common: tuple[str, ...] = ()
    derive: Callable[[Rows, Rows], Rows] = lambda rows, _: rows


@dataclass(frozen=True, slots=True)
class Curves:
    """One plot of curves against time: arrays of one kind of product, a curve each; of a vector, one a component.

    `labels`: of the curves, in order; the names of the arrays without. `unit`: of the axis.
    """

    title: str
    kind: str
    arrays: tuple[str, ...]
    unit: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One tab.

    `rows`: kinds of product (`instrument/name`) whose rows it needs; `images`: kinds with an array `image`, and what
    the camera is called. `place`: its class, `module:Class` within the package, for what `curves` and `images` do not
    say. `is_row`: its parts stand side by side, not one below the other.
    """

    title: str
    place: str = ""
    rows: Mapping[str, Kept] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    curves: tuple[Curves, ...] = ()
    is_row: bool = False

    @property
    def kept(self) -> dict[str, Kept]:
        """Of each kind, the rows that it needs, with those of its curves."""
        found = dict(self.rows)
        for one in self.curves:
            before = found[one.kind].columns if one.kind in found else ()
            found[one.kind] = Kept(CURVE_ROWS, tuple(dict.fromkeys((*before, *one.arrays))))
        return found

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of product that it shows."""
        return (*self.kept, *self.images)
