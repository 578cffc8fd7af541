"""Product messages as products again: what a service hears is what a history keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..messages.topics import unpack_product
from ..model.batches import NO_TIME, Product, Quantity, TimeRange


def product_of(payload: bytes) -> Product:
    """The product of a message; its arrays are views of the payload. ValueError where it is none."""
    told = unpack_product(payload)
    try:
        return Product(
            id=str(told["id"]),
            mission=str(told["mission"]),
            stream=str(told["stream"]),
            instrument=str(told["instrument"]),
            product=str(told["product"]),
            level=str(told["level"]),
            time=_time(told["time"]),
            arrays={name: _quantity(one) for name, one in told["arrays"].items()},
            quality=told["quality"].astype(np.uint32),
            lineage=dict(told["lineage"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a product message: {type(error).__name__}: {str(error)[:200]}") from None


def _time(told: Mapping[str, Any]) -> TimeRange:
    onboard, utc = told["onboard_ns"], [_ns(one) for one in told["utc"]]
    return (
        TimeRange((int(onboard[0]), int(onboard[-1])), (utc[0], utc[-1])) if onboard else TimeRange((0, 0), (0, 0))
    )


def _ns(text: str | None) -> int:
    return NO_TIME if text is None else int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def _quantity(told: Mapping[str, Any]) -> Quantity:
    dims = tuple(str(one) for one in told["dims"])
    return Quantity(told["values"], str(told["unit"]), str(told["description"]), dims)
