"""Names of product files: the archive's grammar for Zhurong with our producer word, plain words for other missions.

    HX1-Ro_DOWNLINK_<instrument>_SCI_N_<start>_<stop>_<sol>_<version>.<level>     label: the same and "L"
    HX1-Or_DOWNLINK_<instrument>_SCI_P_<start>_<stop>_00000_<version>.<level>     of the orbiter; images: of the file
    ..._SIM_...                                                                   of a simulated pass
    <mission>_<instrument>_<product>_<start>_<stop>

The grammar and the names of the radar are those of archived products; how GRAS names the other instruments' files
has not been published, so their words here are assumed. Files that are not PDS4 have their ending behind the level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..model.batches import NO_TIME
from .collection import Collection, Origin
from .provenance import PRODUCER

VERSION = "A"
_ORBITER = {"orbiter", "momag", "mms", "minpa", "mepa", "mosir", "moric", "hiric"}
_GRAS = {"zhurong"}
Row = tuple[int, int, int]
"""First and last UTC (ns) and sol of one row."""


def file_stem(collection: Collection, origin: Origin, part: str = "", row: Row | None = None) -> str:
    """The name without an ending; for GRAS with the level.

    `part`: what of the product is in the file (a polarisation, a channel); `row`: the one row that is, where not all.
    """
    sol = int(collection.start_mars.get("sol", 0))
    start, stop, sol = row or (collection.start_ns, collection.stop_ns, sol)
    part = f"-{_plain(part)}" if part else ""
    if origin.mission in _GRAS:
        word = _word(collection, origin) or _plain(f"{collection.instrument}-{collection.product}").replace(
            "_", "-"
        )
        craft = "Or" if collection.instrument in _ORBITER else "Ro"
        return gras_name(f"{word}{part}", start, stop, sol, collection.level, origin, craft)
    span = (stamp(start), stamp(stop)) if start != NO_TIME else (origin.stream,)
    names = (origin.mission, collection.instrument, f"{collection.product}{part}", *span)
    return "_".join(_plain(name) for name in names)


def image_stem(collection: Collection, origin: Origin, part: str, row: Row) -> str:
    """The name of one image. For GRAS `part` follows the camera at once: NaTeCamA-F-005, MSCam-W-1-28-0001-02."""
    start, stop, sol = row
    if origin.mission not in _GRAS:
        return file_stem(collection, origin, part.strip("-"), row)
    known = _word(collection, origin) or _plain(collection.instrument)
    craft = "Or" if collection.instrument in _ORBITER else "Ro"
    word = f"{known.removesuffix('-PAN')}{part}"
    return gras_name(word, start, stop, sol, collection.level, origin, craft)


def _word(collection: Collection, origin: Origin) -> str:
    """The word of a product in names of files; empty where its kind has none."""
    declared = origin.declared(collection.instrument, collection.product)
    return declared.file_word if declared else ""


def pass_stem(collections: Sequence[Collection], origin: Origin) -> str:
    """The name of what holds a whole pass: `<mission>_<stream>_<start>_<stop>`."""
    known = [one for one in collections if one.start_ns != NO_TIME]
    ends = (min(one.start_ns for one in known), max(one.stop_ns for one in known)) if known else ()
    return "_".join([_plain(origin.mission), _plain(origin.stream), *map(stamp, ends)])


def radar_stem(word: str, start_ns: int, stop_ns: int, sol: int, origin: Origin) -> str:
    """The name of a radar table, with the level."""
    if origin.mission in _GRAS:
        return gras_name(word, start_ns, stop_ns, sol, "2B", origin)
    return f"{_plain(origin.mission)}_{word}_{stamp(start_ns)}_{stamp(stop_ns)}.2B"


def gras_name(
    word: str, start_ns: int, stop_ns: int, sol: int, level: str, origin: Origin, craft: str = "Ro"
) -> str:
    """A file name in the archive's grammar: `word` is instrument and what part of it, `craft` Ro or Or.

    The orbiter's one genuine name has P where the rover's have N; its last number is not the sol, and not known.
    """
    kind = "P" if craft == "Or" else "N"
    data = "SIM" if origin.simulated else "SCI"
    return f"HX1-{craft}_{PRODUCER}_{word}_{data}_{kind}_{stamp(start_ns)}_{stamp(stop_ns)}_{sol:05d}_{VERSION}.{level}"


def stamp(utc_ns: int) -> str:
    """UTC cut to the second, as yyyymmddHHMMSS; zeros where it is not known."""
    if utc_ns == NO_TIME:
        return 14 * "0"
    return re.sub(r"\D", "", str(np.datetime64(utc_ns, "ns").astype("M8[s]")))


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "unnamed"
