"""The entry `uncertainty` in the lineage of a product: which arrays have one, or why there is none.

The text begins with `one sigma of` or with `none: `. Messages and files have it, too.
"""

from __future__ import annotations

import re

from ..model.quantities import ArrayMetadata

KEY = "uncertainty"
UNKNOWN = "no noise model of these values is known"
"""Default reason."""
_SIGMA = re.compile(r"_sigma(_random|_systematic)?$")


def uncertainty(metadata: ArrayMetadata, without: str) -> str:
    """Text for a product with these arrays. `without`: the reason to give if none has an uncertainty."""
    measured = dict.fromkeys(_SIGMA.sub("", name) for name in metadata.arrays if _SIGMA.search(name))
    return f"one sigma of {', '.join(measured)}" if measured else f"none: {without}"
