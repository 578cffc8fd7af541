"""Names of a dictionary's containers as names of products."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_KNOWN = 1024


@lru_cache(MAX_KNOWN)
def product_name(container: str) -> str:
    """The container's name as one of a product, spelled as the dictionary does: path parts joined by points."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", container.strip("/").replace("/", ".")) or "unnamed"
