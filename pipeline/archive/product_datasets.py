"""Products of one kind as Datasets: one for each layout of their arrays, the most frequent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..model.batches import NO_TIME, Product
from ..model.errors import ConfigError
from .collection import Collection, Origin, collection_key
from .datasets import product_dataset
from .product_names import file_stem
from .spill import MemorySpill

if TYPE_CHECKING:
    import xarray


class ProductCollections:
    """Collects the products of the kind `<instrument>/<product>` in memory."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kinds: set[str] = set()
        self._forms: dict[tuple[Any, ...], list[tuple[str, Product]]] = {}

    def add(self, products: Iterable[Product], pass_name: str) -> None:
        """Add products of a pass; those of other kinds are ignored."""
        for product in products:
            self._kinds.add(found := f"{product.instrument}/{product.product}")
            if found == self._name:
                self._forms.setdefault(collection_key(product), []).append((pass_name, product))

    def datasets(self, origin: Origin) -> list[xarray.Dataset]:
        """Make the Datasets. Raises ConfigError, with the kinds of the pass, if there are no products of this kind."""
        if not self._forms:
            known = ", ".join(sorted(self._kinds)) or "no products"
            raise ConfigError(f"the pass has no {self._name}: it has {known}")
        stems: Counter[str] = Counter()
        found = []
        for products in self._forms.values():
            collection = _collection(products)
            stem = file_stem(collection, origin)
            stems[stem] += 1
            name = stem if stems[stem] == 1 else f"{stem}.{stems[stem]}"  # as its file is called
            found.append(product_dataset(collection, origin, name))
        return sorted(found, key=lambda one: -int(one.attrs["n_products"]))


def _collection(products: list[tuple[str, Product]]) -> Collection:
    """Collect products in order of time; in order of arrival if one has no time."""
    starts = [product.time.utc_ns[0] for _, product in products]
    ordered = products
    if NO_TIME not in starts:
        ordered = [products[number] for number in sorted(range(len(products)), key=starts.__getitem__)]
    found = Collection(ordered[0][1], MemorySpill())
    for pass_name, product in ordered:
        found.add(product, pass_name)
    return found
