"""The arrays of a product, separate from their metadata (units, descriptions, dimensions).

All products of a container share one `ArrayMetadata`, which caches values derived from it (such as the layout of a
message). `Quantity` objects are made on access.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

from .batches import Quantity

T = TypeVar("T")
Metadata = tuple[str, str, tuple[str, ...]]
"""Unit, description and dims, as in `Quantity`."""
MAX_KNOWN = 1024
"""Number of cached objects, far more than the product kinds of a mission."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayMetadata:
    """`arrays`: unit, description and dims of each array, by name. Caches values derived from them."""

    arrays: Mapping[str, Metadata]
    _derived: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the cached value of `key`; call `make` the first time."""
        try:
            return cast("T", self._derived[key])
        except KeyError:
            return cast("T", self._derived.setdefault(key, make()))


class Quantities(Mapping[str, Quantity]):
    """Mapping of array names to `Quantity`. `arrays`: the values, by name."""

    __slots__ = ("arrays", "metadata")

    def __init__(self, arrays: Mapping[str, NDArray[Any]], metadata: ArrayMetadata) -> None:
        self.arrays = arrays
        self.metadata = metadata

    @staticmethod
    def of(quantities: Mapping[str, Quantity]) -> Quantities:
        """Convert a mapping; equal metadata give one ArrayMetadata object."""
        if isinstance(quantities, Quantities):
            return quantities
        metadata = tuple((name, (one.unit, one.description, one.dims)) for name, one in quantities.items())
        return Quantities({name: one.values for name, one in quantities.items()}, metadata_of(metadata))

    def __getitem__(self, name: str) -> Quantity:
        return Quantity(self.arrays[name], *self.metadata.arrays[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays


@lru_cache(MAX_KNOWN)
def metadata_of(entries: tuple[tuple[str, Metadata], ...]) -> ArrayMetadata:
    """Return the ArrayMetadata object for names and metadata; one object for equal entries."""
    return ArrayMetadata(dict(entries))
