"""Variable names that NetCDF, CF and ISTP all allow: a letter, then letters, digits and underscores."""

from __future__ import annotations

import re
from collections.abc import Iterable


def variable_names(arrays: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """A unique name for each array, not in `taken`."""
    used, found = set(taken), {}
    for name in arrays:
        plain = plain_name(name)
        while plain in used:
            plain += "_"
        used.add(plain)
        found[name] = plain
    return found


def plain_name(name: str) -> str:
    """Replace characters that are not allowed by "_"."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if plain[:1].isalpha() else f"p_{plain}"
