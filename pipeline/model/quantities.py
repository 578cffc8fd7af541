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
Said = tuple[str, str, tuple[str, ...]]
"""Unit, description and dims, as in `Quantity`."""
MAX_KNOWN = 1024
"""Array metadata remembered, far more than a mission has products."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrayMetadata:
    """What is said of each array, by name. What is made from it is kept with it, for as long as it is used."""

    said: Mapping[str, Said]
    _derived: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for each key."""
        if key not in self._derived:
            self._derived[key] = make()
        return cast("T", self._derived[key])


class Quantities(Mapping[str, Quantity]):
    """Arrays by name, with their legend."""

    __slots__ = ("arrays", "legend")

    def __init__(self, arrays: Mapping[str, NDArray[Any]], legend: ArrayMetadata) -> None:
        self.arrays = arrays
        self.legend = legend

    @staticmethod
    def of(quantities: Mapping[str, Quantity]) -> Quantities:
        """The same with a legend, which is one object for all that are told alike."""
        if isinstance(quantities, Quantities):
            return quantities
        said = tuple((name, (one.unit, one.description, one.dims)) for name, one in quantities.items())
        return Quantities({name: one.values for name, one in quantities.items()}, legend_of(said))

    def __getitem__(self, name: str) -> Quantity:
        return Quantity(self.arrays[name], *self.legend.said[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays


@lru_cache(MAX_KNOWN)
def legend_of(said: tuple[tuple[str, Said], ...]) -> ArrayMetadata:
    """One object for what is said alike."""
    return ArrayMetadata(dict(said))
