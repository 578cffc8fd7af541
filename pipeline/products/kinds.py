"""Product kinds: the declarations of what an instrument publishes.

A kind names a product, its level, and each of its arrays with type, axes, unit and description. Topics, the AsyncAPI
document, files, pictures, the live page and the documentation are made from kinds; instruments make their products
with them (`Draft`). Generic products are declared by the dictionary.

>>> FIELD = ProductKind(
...     "mag",
...     "field",
...     "2B",
...     {
...         "field_nt": ("f8", "row xyz=3", "nT", "in the axes of the sensor"),
...         "range": ("u1", "row", "", "gain of the sensor, 0 to 3"),
...     },
...     latest=("field_nt",),
... )
>>> FIELD.topic
'mag/field'
>>> FIELD.metadata("field_nt")
('nT', 'in the axes of the sensor', ('row', 'xyz'))
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages.topics import MAX_COMPONENTS
from ..model.batches import Quantity
from ..model.quantities import Metadata, Quantities, metadata_of

ArrayKind = tuple[str, str, str, str]
"""NumPy type (`f8`, `u2`, `?`; `U`: text of any length; empty: as the dictionary decodes it), axes separated by spaces
(`row`: one measurement; `xyz=3`: of fixed length), unit, description.
"""
DEFAULT_FILES = ("netcdf", "quicklook", "zarr")
"""Default formats of the files of a product."""
TEXT = "U"


@dataclass(frozen=True, slots=True)
class View:
    """One panel of the picture of a pass: how the arrays of a kind are drawn.

    `draw`: `lines`, `vector`, `spectra`, `energies`, `section`, `picture`, `path`, `texts`, `bands` or
    `direction`; `options`: its arguments (docs/missions.md).
    """

    title: str
    draw: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ProductKind:
    """One kind of product.

    `instrument`: topic level, the name of the instrument or of its `family`. `level`: processing level ("01", "2B").
    `arrays`: in the order of messages; `time_onboard_ns` and `time_utc_ns` are added to each product. `optional`: names
    of arrays that not every product has. `latest`: arrays whose newest values have topics of their own. `files`:
    formats of its files. `view`: panels of the picture of a pass; empty: none; None: its `latest` against time.
    `replaces`: kind whose panels are left out if a pass has this one. `file_word`: its part of file names. `published`:
    whether it has a topic; if not, it is made for files only (`joins`).
    """

    instrument: str
    name: str
    level: str
    arrays: Mapping[str, ArrayKind]
    latest: tuple[str, ...] = ()
    files: tuple[str, ...] = DEFAULT_FILES
    view: tuple[View, ...] | None = None
    file_word: str = ""
    optional: frozenset[str] = frozenset()
    replaces: str = ""
    published: bool = True

    @property
    def topic(self) -> str:
        """`instrument/name`, as in reports."""
        return f"{self.instrument}/{self.name}"

    def metadata(self, name: str) -> Metadata:
        """Unit, description and axes of an array. Raises KeyError if it is not declared."""
        _, dims, unit, description = self.arrays[name]
        return unit, description, tuple(axis.partition("=")[0] for axis in dims.split())

    def sizes(self, name: str) -> tuple[int | None, ...]:
        """Length of each axis of an array; None: not fixed."""
        lengths = (axis.partition("=")[2] for axis in self.arrays[name][1].split())
        return tuple(int(length) if length else None for length in lengths)

    def problems(self) -> list[str]:
        """List the problems of the declaration, one line each."""
        found = [
            f"{self.topic}: `latest` names {name}, which is not an array" for name in self._unknown(self.latest)
        ]
        found += [
            f"{self.topic}: `optional` names {name}, which is not an array" for name in self._unknown(self.optional)
        ]
        for name, (dtype, dims, *_) in self.arrays.items():
            try:
                np.dtype(dtype)
            except TypeError:
                found.append(f"{self.topic}: {name} has an unknown NumPy type: {dtype!r}")
            lengths = [axis.partition("=")[2] for axis in dims.split()]
            if any(length and not length.isdecimal() for length in lengths):
                found.append(f"{self.topic}: {name} has an axis without a whole length: {dims!r}")
        if not found:
            found += [text for name in self.latest for text in self._too_wide(name)]
        return found

    def _too_wide(self, name: str) -> Iterator[str]:
        """Newest values have topics of their own: only numbers and short vectors can."""
        dims, sizes = self.metadata(name)[2], self.sizes(name)
        widths = sizes[1:] if dims[:1] == ("row",) else sizes
        if len(widths) > 1 or (widths and not 0 < (widths[0] or 0) <= MAX_COMPONENTS):
            axes = self.arrays[name][1]
            only = f"only a number has a topic of its own, or a vector of a declared length up to {MAX_COMPONENTS}"
            yield f"{self.topic}: `latest` names {name} of axes {axes!r}: {only}"

    def _unknown(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self.arrays]


def quantities(kind: ProductKind, arrays: Mapping[str, NDArray[Any] | Quantity]) -> Quantities:
    """Convert arrays to the types of their kind and add its metadata. A `Quantity` keeps its own metadata.

    Raises KeyError for an array that the kind does not declare, TypeError for values that its type cannot hold.
    """
    if isinstance(arrays, Quantities):
        return arrays
    values: dict[str, NDArray[Any]] = {}
    entries: list[tuple[str, Metadata]] = []
    for name, one in arrays.items():
        if isinstance(one, Quantity):
            values[name] = one.values
            entries.append((name, (one.unit, one.description, one.dims)))
        else:
            values[name] = typed(kind, name, one)
            entries.append((name, kind.metadata(name)))
    return Quantities(values, metadata_of(tuple(entries)))


def typed(kind: ProductKind, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Convert values to the declared type of an array. Raises KeyError and TypeError as `quantities`."""
    dtype = kind.arrays[name][0]
    array = np.asarray(values)
    return array if dtype in {"", TEXT} else array.astype(dtype, casting="same_kind", copy=False)


def mismatches(kind: ProductKind, level: str, arrays: Mapping[str, Quantity]) -> list[str]:
    """List how a product differs from its kind, one line each. The times that every product has are not checked."""
    found = [] if level == kind.level else [f"level {level}, declared {kind.level}"]
    names = [name for name in arrays if not name.startswith("time_") or name in kind.arrays]
    found += [f"{name} is not declared" for name in names if name not in kind.arrays]
    missing = [name for name in kind.arrays if name not in arrays and name not in kind.optional]
    found += [f"{name} is declared and missing" for name in missing]
    for name in names:
        if name in kind.arrays:
            found += _differences(kind, name, arrays[name])
    return found


def _differences(kind: ProductKind, name: str, one: Quantity) -> list[str]:
    dtype = kind.arrays[name][0]
    unit, _, dims = kind.metadata(name)
    is_type = not dtype or (one.values.dtype.kind == "U" if dtype == TEXT else one.values.dtype == np.dtype(dtype))
    pairs = [("unit", one.unit, unit), ("axes", one.dims, dims)]
    found = [] if is_type else [f"{name}: type {one.values.dtype.str}, declared {dtype}"]
    found += [f"{name}: {what} {has!r}, declared {wanted!r}" for what, has, wanted in pairs if has != wanted]
    sizes = kind.sizes(name)
    fits = len(sizes) == one.values.ndim and all(
        size in {None, length} for size, length in zip(sizes, one.values.shape, strict=True)
    )
    return found if fits else [*found, f"{name}: shape {one.values.shape}, declared {kind.arrays[name][1]}"]
