"""Calibration files (`calibration/<instrument>.toml`) as pydantic models: strict, frozen; each table has a `source`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _ascending(limits: list[float]) -> list[float]:
    if limits != sorted(limits):
        raise ValueError("the lower limit must be first")
    return limits


def _apart(ends: list[float]) -> list[float]:
    if ends[0] >= ends[1]:
        raise ValueError("the lower end must be first, and the ends must differ")
    return ends


Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Vector = Annotated[list[Finite], Field(min_length=3, max_length=3)]
Matrix = Annotated[list[Vector], Field(min_length=3, max_length=3)]
Range = Annotated[list[Finite], Field(min_length=2, max_length=2), AfterValidator(_ascending)]
Span = Annotated[list[Positive], Field(min_length=2, max_length=2), AfterValidator(_apart)]
"""Both ends of a logarithmic scale."""
Source = Annotated[str, Field(pattern=r"^(published|recalled|assumed)\b", max_length=400)]
"""Begins with published, recalled or assumed; then the reference, as free text."""


class Table(BaseModel):
    """A table of a calibration file. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Calibration(Table):
    """A calibration file: its version and its tables, each with its `source`."""

    version: Annotated[str, Field(min_length=1, max_length=40)]


def lineage(calibration: Calibration) -> dict[str, Any]:
    """Entry `calibration` in the lineage of products: version, hash of all values, sources by table."""
    values = calibration.model_dump()
    digest = hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=8).hexdigest()
    return {"version": calibration.version, "hash": digest, "sources": dict(_sources(values))}


def _sources(table: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted name and source of each table."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            if "source" in value:
                yield within + name, value["source"]
            yield from _sources(value, f"{within}{name}.")


def outside(values: NDArray[np.float64], limits: list[float]) -> NDArray[np.bool_]:
    """Whether each value is outside [low, high]; True for NaN. `limits`: low, high. Same shape."""
    return np.asarray(~((values >= limits[0]) & (values <= limits[1])))
