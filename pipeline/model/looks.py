"""Declarations of the tabs of the live page, independent of the library that draws them.

A mission package declares a `Look` for each tab: the products that it needs, and how many rows of them are kept. The
engine draws `curves` and `images`; other looks name their class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Rows = dict[str, NDArray[Any]]
"""Columns of equal length."""
CURVE_ROWS = 20_000
"""Number of rows that are kept of a kind with curves."""


def as_they_come(rows: Rows, before: Rows) -> Rows:
    """The new rows, with nothing derived."""
    del before
    return rows


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of a product kind that are kept: `capacity`: their number; `columns`: arrays with rows; `common`: arrays
    without rows; `derive(rows, before)`: makes the rows to keep from new rows and those kept so far.
    """

    capacity: int
    columns: tuple[str, ...]
    common: tuple[str, ...] = ()
    derive: Callable[[Rows, Rows], Rows] = as_they_come


@dataclass(frozen=True, slots=True)
class Curves:
    """One plot of curves against time: one for each array of a product kind, or for each component of a vector.

    `labels`: of the curves, in order; default: names of the arrays. `unit`: of the axis.
    """

    title: str
    kind: str
    arrays: tuple[str, ...]
    unit: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One tab.

    `rows`: what is kept of product kinds (`instrument/name`) that it needs; `images`: name of the camera by kind with
    an array `image`. `place`: its class, `module:Class` in the package, if `curves` and `images` are not enough.
    `is_row`: its parts are side by side, not one below the other.
    """

    title: str
    place: str = ""
    rows: Mapping[str, Kept] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    curves: tuple[Curves, ...] = ()
    is_row: bool = False

    @property
    def kept(self) -> dict[str, Kept]:
        """What is kept of each kind, including those of its curves."""
        found = dict(self.rows)
        for one in self.curves:
            before = found[one.kind].columns if one.kind in found else ()
            found[one.kind] = Kept(CURVE_ROWS, tuple(dict.fromkeys((*before, *one.arrays))))
        return found

    @property
    def kinds(self) -> tuple[str, ...]:
        """Product kinds that it shows."""
        return (*self.kept, *self.images)
