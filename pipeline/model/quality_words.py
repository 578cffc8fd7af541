"""Quality bits in words, for people."""

from __future__ import annotations

from .batches import DOUBTFUL, Quality

QUALITY_NAMES = tuple(str(bit.name).lower().replace("_", " ") for bit in Quality)
"""By bit."""


def quality_words(bits: int) -> str:
    """The names of the bits that are set, those that make a row doubtful first, with commas; empty for a good row.

    A bit without a name is told by its number.
    """
    numbers = [bit for bit in range(32) if bits >> bit & 1]
    numbers.sort(key=lambda bit: not DOUBTFUL >> bit & 1)
    return ", ".join(QUALITY_NAMES[bit] if bit < len(QUALITY_NAMES) else f"bit {bit}" for bit in numbers)
