"""Quality bits as text."""

from __future__ import annotations

from .batches import DOUBTFUL, Quality

QUALITY_NAMES = tuple(str(bit.name).lower().replace("_", " ") for bit in Quality)
"""Name of each bit."""


def quality_words(bits: int) -> str:
    """Names of the bits that are set, separated by commas; those that make a row doubtful first. Empty for no bit."""
    numbers = [bit for bit in range(32) if bits >> bit & 1]
    numbers.sort(key=lambda bit: not DOUBTFUL >> bit & 1)
    return ", ".join(QUALITY_NAMES[bit] if bit < len(QUALITY_NAMES) else f"bit {bit}" for bit in numbers)
