"""Product names of a dictionary's containers."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_KNOWN = 1024


@lru_cache(MAX_KNOWN)
def product_name(container: str) -> str:
    """Product name of a container: parts of its path joined by dots, with "_" for characters that are not allowed."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", container.strip("/").replace("/", ".")) or "unnamed"
