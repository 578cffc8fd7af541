"""Split the raw values of generic telemetry, arrays `NAME.raw`, from products, for the folder `raw/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..model.batches import GENERIC_INSTRUMENT, RAW_SUFFIX, RAW_WORDS, Product
from ..model.quantities import ArrayMetadata, Metadata, Quantities, metadata_of

_TIMES = frozenset({"time_onboard_ns", "time_utc_ns"})
_PARTS = ("", ".start", ".length")
"""Suffixes of the arrays of a ragged parameter: values, start of each row in them, length of each row."""


def raw_of(product: Product) -> Product | None:
    """The product with raw values under the names of the calibrated ones, without units; None if it has none.

    A parameter without calibration is its own raw value.
    """
    if product.instrument != GENERIC_INSTRUMENT:
        return None
    arrays = Quantities.of(product.arrays)
    sources, metadata = arrays.metadata.once("raw values", lambda: _raw(arrays.metadata.arrays))
    if not sources:
        return None
    return replace(product, arrays=Quantities({name: arrays.arrays[of] for name, of in sources.items()}, metadata))


def without_raw(product: Product) -> Product:
    """The product without its raw values."""
    if raw_of(product) is None:
        return product
    arrays = Quantities.of(product.arrays)
    metadata = arrays.metadata.once("without raw values", lambda: _without(arrays.metadata.arrays))
    return replace(product, arrays=Quantities({name: arrays.arrays[name] for name in metadata.arrays}, metadata))


def _raw(known: Mapping[str, Metadata]) -> tuple[dict[str, str], ArrayMetadata]:
    """Source array of each array of the raw product, and the metadata of the raw product; empty without raw values."""
    calibrated = _calibrated(known)
    parts = {f"{name}{part}" for name in calibrated for part in _PARTS}
    sources = {name: name for name in _without(known).arrays if name not in parts}
    sources |= {f"{name}{part}": f"{name}{RAW_SUFFIX}{part}" for name in calibrated for part in _PARTS
                if f"{name}{RAW_SUFFIX}{part}" in known}  # fmt: skip
    place = {name: i for i, name in enumerate(known)}
    ordered = dict(sorted(sources.items(), key=lambda one: place.get(one[0], len(place)))) if calibrated else {}
    entries = ((name, (known[of][0] if name in _TIMES else "", known[name][1] if name in known else "", known[of][2]))
               for name, of in ordered.items())  # fmt: skip
    return ordered, metadata_of(tuple(entries))


def _without(known: Mapping[str, Metadata]) -> ArrayMetadata:
    raw = {f"{name}{RAW_SUFFIX}{part}" for name in _calibrated(known) for part in _PARTS}
    return metadata_of(tuple((name, one) for name, one in known.items() if name not in raw))


def _calibrated(known: Mapping[str, Metadata]) -> list[str]:
    """Names of the arrays that have raw values."""
    return [name for name in known if known.get(f"{name}{RAW_SUFFIX}", ("", "", ()))[1] == f"{RAW_WORDS}{name}"]
