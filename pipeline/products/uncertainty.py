"""What a product says of its uncertainties in its lineage, as `uncertainty`: which arrays have one, or why none has.

The words begin with `one sigma of` or with `none: `. They go with the product into messages and files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..model.quantities import ArrayMetadata

KEY = "uncertainty"
UNKNOWN = "no noise model of these values is known"
"""Why there is none, where nothing else says it."""
_SIGMA = re.compile(r"_sigma(_random|_systematic)?$")


def uncertainty(legend: ArrayMetadata, own: Mapping[str, Any], instrument: Mapping[str, Any]) -> str:
    """The words for a product; `own` and `instrument`: the lineages that may say why it has none."""
    without = own.get(KEY) or instrument.get(KEY) or UNKNOWN
    return legend.once((KEY, without), partial(_words, legend, without))


def _words(legend: ArrayMetadata, without: str) -> str:
    measured = dict.fromkeys(_SIGMA.sub("", name) for name in legend.said if _SIGMA.search(name))
    return f"one sigma of {', '.join(measured)}" if measured else f"none: {without}"
