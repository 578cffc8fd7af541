"""Who made a product, from what, and on what its calibration rests: words that travel in every file.

Names and identifiers have our own producer word: none is one that an agency's archive has given. `simulated`: a
recording that a simulator made.
"""

from __future__ import annotations

from .collection import Collection, Origin

PRODUCER = "DOWNLINK"
"""In names and identifiers, in place of the agency's own."""
SIMULATED = "simulated: none of it was measured"
_BASES = ("assumed", "recalled", "published")


def basis(collection: Collection) -> dict[str, str]:
    """On what each table of the calibration rests, in its own words; empty without a calibration."""
    calibration = collection.common.get("calibration")
    sources = calibration.get("sources", {}) if isinstance(calibration, dict) else {}
    return {str(name): str(words) for name, words in sources.items()}


def basis_words(collection: Collection) -> str:
    """The same in short: `assumed: detector, noise; recalled: optics; published: telescope`."""
    found: dict[str, list[str]] = {}
    for name, words in basis(collection).items():
        first = next((one for one in _BASES if words.startswith(one)), "not told")
        found.setdefault(first, []).append(name)
    return "; ".join(f"{word}: {', '.join(found[word])}" for word in (*_BASES, "not told") if word in found)


def notes(collection: Collection, origin: Origin) -> dict[str, str]:
    """What a file says: `simulated` (true or false), `calibration_basis` and `uncertainty` where there are any.

    `uncertainty`: which arrays have one, or why there is none.
    """
    words = basis_words(collection)
    found = {"simulated": "true" if origin.simulated else "false"}
    about = {"calibration_basis": words, "uncertainty": str(collection.common.get("uncertainty", ""))}
    return found | {key: text for key, text in about.items() if text}
