"""Notes on the provenance of products, for all file formats: simulation, sources of the calibration, uncertainty."""

from __future__ import annotations

from .collection import Collection, Origin

PRODUCER = "DOWNLINK"
"""Producer in file names and identifiers, since they are not those of an agency."""
SIMULATED = "simulated: none of it was measured"
_BASES = ("assumed", "recalled", "published")


def basis(collection: Collection) -> dict[str, str]:
    """Source of each table of the calibration; empty without a calibration."""
    calibration = collection.common.get("calibration")
    sources = calibration.get("sources", {}) if isinstance(calibration, dict) else {}
    return {str(name): str(words) for name, words in sources.items()}


def basis_words(collection: Collection) -> str:
    """Short form of `basis`: `assumed: detector, noise; recalled: optics; published: telescope`."""
    found: dict[str, list[str]] = {}
    for name, words in basis(collection).items():
        first = next((one for one in _BASES if words.startswith(one)), "not told")
        found.setdefault(first, []).append(name)
    return "; ".join(f"{word}: {', '.join(found[word])}" for word in (*_BASES, "not told") if word in found)


def notes(collection: Collection, origin: Origin) -> dict[str, str]:
    """Notes of a file: `simulated` (true or false), and `calibration_basis` and `uncertainty` if they exist."""
    words = basis_words(collection)
    found = {"simulated": "true" if origin.simulated else "false"}
    about = {"calibration_basis": words, "uncertainty": str(collection.common.get("uncertainty", ""))}
    return found | {key: text for key, text in about.items() if text}
