"""What a product says of its uncertainties in its lineage, as `uncertainty`: which arrays have one, or why none has.

The words begin with `one sigma of` or with `none: `. They go with the product into messages and files.
"""

from __future__ import annotations

import re

from ..model.quantities import ArrayMetadata

KEY = "uncertainty"
UNKNOWN = "no noise model of these values is known"
"""Why there is none, where nothing else says it."""
_SIGMA = re.compile(r"_sigma(_random|_systematic)?$")


def uncertainty(metadata: ArrayMetadata, without: str) -> str:
    """The words for a product with these arrays; `without`: why it has none, where it has none."""
    measured = dict.fromkeys(_SIGMA.sub("", name) for name in metadata.arrays if _SIGMA.search(name))
    return f"one sigma of {', '.join(measured)}" if measured else f"none: {without}"
