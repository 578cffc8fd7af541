"""The catalogue of a mission's products: arrays with type, axes and unit, and `latest` quantities, by kind.

In: a mission, and optionally products of a pass. Out: a `ProductForm` for each kind. Instruments declare their kinds;
the dictionary declares the products of containers that no instrument reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..dictionary.compile.plan_nodes import Node
from ..dictionary.examples import example_rows
from ..messages import topics
from ..mission.loading import Mission
from ..model.batches import ColumnBatch, Product
from ..model.container_names import product_name
from ..products import telemetry
from ..products.kinds import TEXT, ProductKind, quantities


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """An array of a product. `dtype`: as in messages (little-endian); None if it is unknown without a pass."""

    dtype: str | None
    dims: tuple[str, ...]
    unit: str
    description: str = ""


_TIMES = {
    "time_onboard_ns": ArrayForm("<i8", ("row",), "ns", "onboard clock since the mission epoch"),
    "time_utc_ns": ArrayForm("<i8", ("row",), "ns", "UTC since 1970-01-01, as Unix time counts"),
}


@dataclass(frozen=True, slots=True)
class ProductForm:
    """A kind of product; `latest` maps the last level of a topic to (JSON type of its value, unit)."""

    instrument: str
    product: str
    level: str
    arrays: dict[str, ArrayForm]
    latest: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        """Below `<mission>/<stream>/product/`."""
        return f"{topics.slug(self.instrument)}/{topics.level(self.product)}"


def catalogue(mission: Mission, products: Iterable[Product] = ()) -> list[ProductForm]:
    """Every kind of product that instruments and dictionary declare, or that is among `products`, sorted by topic."""
    published = [kind for kind in mission.kinds.values() if kind.published]
    found = {form.topic: form for form in (*map(_of_kind, published), *_described(mission))}
    for product in products:
        form = _form(product)
        known = found.get(form.topic)
        found[form.topic] = form if known is None else _joined(known, form)
    return [found[topic] for topic in sorted(found)]


def latest_clashes(mission: Mission) -> list[str]:
    """Descriptions of the topics of newest values that several parameters of the dictionary share."""
    owners: dict[str, list[str]] = {}
    for node in _generic(mission):
        prefix = topics.latest_prefix(telemetry.INSTRUMENT, product_name(node.key))
        for _, name in node.columns:
            owners.setdefault(f"latest/{prefix}/{topics.level(name)}", []).append(f"{name} of {node.key}")
    return [f"{topic} is shared by {' and '.join(who)}" for topic, who in owners.items() if len(who) > 1]


def _form(product: Product) -> ProductForm:
    arrays = {
        name: ArrayForm(one.values.dtype.newbyteorder("<").str, one.dims, one.unit, one.description)
        for name, one in product.arrays.items()
    }
    latest = {}
    for message in topics.latest_messages(product):
        content = json.loads(message.payload)
        latest[message.topic.rsplit("/", 1)[1]] = _json_type(content["value"]), content["unit"]
    return ProductForm(product.instrument, product.product, product.level, arrays, latest)


def _joined(known: ProductForm, seen: ProductForm) -> ProductForm:
    """The form of a declared kind and of a product of it; the product prevails, texts have the larger length."""
    arrays = known.arrays | {
        name: replace(one, dtype=_wider(known.arrays[name].dtype, one.dtype) if name in known.arrays else one.dtype)
        for name, one in seen.arrays.items()
    }
    return replace(seen, arrays=arrays, latest=known.latest | seen.latest)


def _wider(known: str | None, seen: str | None) -> str | None:
    if known == "<U":
        return seen
    if known and seen and known[:2] == seen[:2] == "<U":
        return f"<U{max(int(known[2:]), int(seen[2:]))}"
    return seen


def _json_type(value: object) -> str:
    return {bool: "boolean", str: "string"}.get(type(value), "number")


def _of_kind(kind: ProductKind) -> ProductForm:
    arrays = dict(_TIMES)
    for name, (dtype, *_) in kind.arrays.items():
        unit, description, dims = kind.metadata(name)
        arrays[name] = ArrayForm(_spelled(dtype), dims, unit, description)
    latest: dict[str, tuple[str, str]] = {}
    for name in kind.latest:
        sizes = [size for size, dim in zip(kind.sizes(name), kind.metadata(name)[2], strict=True) if dim != "row"]
        leaves = topics.component_names(name, sizes[0]) if sizes and sizes[0] else [name]
        json_type = {"U": "string", "?": "boolean"}.get(kind.arrays[name][0], "number")
        latest |= {topics.level(leaf): (json_type, kind.metadata(name)[0]) for leaf in leaves}
    return ProductForm(kind.instrument, kind.name, kind.level, arrays, latest)


def _spelled(dtype: str) -> str | None:
    """The dtype in messages; of texts without a length."""
    if dtype in {"", TEXT}:
        return "<U" if dtype else None
    return np.dtype(dtype).newbyteorder("<").str


def _described(mission: Mission) -> list[ProductForm]:
    """The products of containers that no instrument reads; types are those of a packet of zeros."""
    if mission.plan is None:
        return []
    generic = {node.key for node in _generic(mission)}
    examples = example_rows(mission.plan, raw=mission.publish_raw)
    return [_telemetry(mission, *one) for one in examples if one[0].key in generic]


def _generic(mission: Mission) -> list[Node]:
    """The containers that no instrument reads, each once."""
    if mission.plan is None:
        return []
    read = {name for instrument in mission.instruments.values() for name in instrument.containers}
    leaves = {node.key: node for node in mission.plan.walk() if not node.abstract}
    return [node for key, node in leaves.items() if key not in read]


def _telemetry(mission: Mission, node: Node, rows: ColumnBatch | None) -> ProductForm:
    name = product_name(node.key)
    if rows is None:
        arrays = {
            name: ArrayForm(None, ("row",), node.units.get(name, ""), node.descriptions.get(name, ""))
            for _, name in node.columns
        }
        return ProductForm(telemetry.INSTRUMENT, name, "01", _TIMES | arrays)
    draft = telemetry.GenericProducts(mission.descriptions, raw=mission.publish_raw).draft(rows)
    known = quantities(draft.kind, draft.arrays)
    arrays = {
        name: ArrayForm(_without_length(one.values.dtype), one.dims, one.unit, one.description)
        for name, one in known.items()
    }
    json_types = {"U": "string", "O": "string", "M": "string", "b": "boolean"}
    latest = {
        topics.level(name): (json_types.get(known[name].values.dtype.kind, "number"), known[name].unit)
        for name in draft.kind.latest
    }
    return ProductForm(telemetry.INSTRUMENT, name, "01", _TIMES | arrays, latest)


def _without_length(dtype: np.dtype[Any]) -> str:
    """The dtype in messages; of texts without the length, which varies."""
    return "<U" if dtype.kind in "UO" else dtype.newbyteorder("<").str
