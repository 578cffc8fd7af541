"""The arrays of a product and, apart from them, their metadata (units, descriptions, dimensions).

The metadata are the same in each product of a container: they are kept once, as an `ArrayMetadata`, and what is made
from them (the layout of a message) is cached by it. A `Quantity` is assembled where one is asked for.
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
"""Array metadata remembered, far more than a mission has products."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayMetadata:
    """`arrays`: unit, description and dims of each array, by name.

    What is made from them (`once`) is kept with them, for as long as they are used.
    """

    arrays: Mapping[str, Metadata]
    _derived: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for each key."""
        try:
            return cast("T", self._derived[key])
        except KeyError:
            return cast("T", self._derived.setdefault(key, make()))


class Quantities(Mapping[str, Quantity]):
    """Arrays by name, with their metadata."""

    __slots__ = ("arrays", "metadata")

    def __init__(self, arrays: Mapping[str, NDArray[Any]], metadata: ArrayMetadata) -> None:
        self.arrays = arrays
        self.metadata = metadata

    @staticmethod
    def of(quantities: Mapping[str, Quantity]) -> Quantities:
        """The same with metadata, one object for all products whose arrays have equal metadata."""
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
    """One object for equal metadata; `entries`: name and metadata of each array."""
    return ArrayMetadata(dict(entries))
