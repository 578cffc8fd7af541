"""Decode product messages to products, for services that write a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..messages.topics import unpack_product
from ..model.batches import NO_TIME, Product, Quantity, TimeRange


def product_of(payload: bytes) -> Product:
    """The product of a message; its arrays are views of the payload. ValueError if the payload is no product."""
    fields = unpack_product(payload)
    try:
        return Product(
            id=str(fields["id"]),
            mission=str(fields["mission"]),
            stream=str(fields["stream"]),
            instrument=str(fields["instrument"]),
            product=str(fields["product"]),
            level=str(fields["level"]),
            time=_time(fields["time"]),
            arrays={name: _quantity(one) for name, one in fields["arrays"].items()},
            quality=fields["quality"].astype(np.uint32),
            lineage=dict(fields["lineage"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a product message: {type(error).__name__}: {str(error)[:200]}") from None


def _time(fields: Mapping[str, Any]) -> TimeRange:
    onboard, utc = fields["onboard_ns"], [_ns(one) for one in fields["utc"]]
    return (
        TimeRange((int(onboard[0]), int(onboard[-1])), (utc[0], utc[-1])) if onboard else TimeRange((0, 0), (0, 0))
    )


def _ns(text: str | None) -> int:
    return NO_TIME if text is None else int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def _quantity(fields: Mapping[str, Any]) -> Quantity:
    dims = tuple(str(one) for one in fields["dims"])
    return Quantity(fields["values"], str(fields["unit"]), str(fields["description"]), dims)
