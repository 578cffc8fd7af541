"""Names of product files, by the pattern of the mission's package (`ArchiveRules.names`) or by default.

    <mission>_<instrument>_<product>_<start>_<stop>    default
    <mission>_<stream>_<start>_<stop>                  files with all products of a pass

Files of all formats except PDS4 have an extension.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..model.batches import NO_TIME
from ..products.archive_rules import FileNames, ImageName
from .collection import Collection, Origin
from .provenance import PRODUCER

Row = tuple[int, int, int]
"""First and last UTC (ns) and sol of one row."""
_IMAGE_WORDS = ("camera", "filter_position", "sequence_id", "frame_count", "transaction")


def file_stem(collection: Collection, origin: Origin, part: str = "", row: Row | None = None) -> str:
    """Name without extension. `part`: of the product (a polarisation, a channel); `row`: of a file with one row."""
    sol = int(collection.start_local.get("sol", 0))
    ends = row or (collection.start_ns, collection.stop_ns, sol)
    part = f"-{_plain(part)}" if part else ""
    names = origin.rules.names
    if names is None:
        return _plain_stem(collection, origin, part, ends)
    word = _word(collection, origin) or _plain(f"{collection.instrument}-{collection.product}").replace("_", "-")
    return _by_grammar(names, f"{word}{part}", collection, origin, ends)


def image_stem(
    collection: Collection, origin: Origin, values: Mapping[str, Any], row: Row, ending: str = ""
) -> str:
    """Name of one image. `values`: of `image_arrays`; `ending`: appended, for several images in one file."""
    names = origin.rules.names
    if names is None:
        words = [str(values[name]) for name in _IMAGE_WORDS if name in values]
        return file_stem(collection, origin, f"{'-'.join(words)}{ending}".strip("-"), row)
    rule = next((one for one in names.images if all(name in values for name in one.arrays)), ImageName((), ""))
    word = rule.word or _word(collection, origin) or _plain(collection.instrument)
    kept = {name: int(values[name]) % 10**digits for name, digits in rule.last_digits.items()}
    part = rule.pattern.format_map({**values, **kept})
    return _by_grammar(names, f"{word}{part}{ending}", collection, origin, row)


def image_arrays(origin: Origin) -> tuple[str, ...]:
    """Arrays whose values may be in the name of an image."""
    names = origin.rules.names
    return _IMAGE_WORDS if names is None else tuple({name: 1 for rule in names.images for name in rule.arrays})


def table_stem(collection: Collection, origin: Origin, word: str, level: str, row: Row) -> str:
    """Name of a table with a layout of the mission. `word`: of the table; `level`: processing level."""
    names = origin.rules.names
    if names is not None:
        return _by_grammar(names, word, collection, origin, row, level)
    return f"{_plain(origin.mission)}_{word}_{stamp(row[0])}_{stamp(row[1])}.{level}"


def pass_stem(collections: Sequence[Collection], origin: Origin) -> str:
    """Name of a file with all products of a pass."""
    known = [one for one in collections if one.start_ns != NO_TIME]
    ends = (min(one.start_ns for one in known), max(one.stop_ns for one in known)) if known else ()
    return "_".join([_plain(origin.mission), _plain(origin.stream), *map(stamp, ends)])


def stamp(utc_ns: int) -> str:
    """UTC, cut to the second, as yyyymmddHHMMSS; zeros for NO_TIME."""
    if utc_ns == NO_TIME:
        return 14 * "0"
    return re.sub(r"\D", "", str(np.datetime64(utc_ns, "ns").astype("M8[s]")))


def _plain_stem(collection: Collection, origin: Origin, part: str, row: Row) -> str:
    start, stop, _ = row
    span = (stamp(start), stamp(stop)) if start != NO_TIME else (origin.stream,)
    names = (origin.mission, collection.instrument, f"{collection.product}{part}", *span)
    return "_".join(_plain(name) for name in names)


def _by_grammar(
    names: FileNames, word: str, collection: Collection, origin: Origin, row: Row, level: str = ""
) -> str:
    start, stop, sol = row
    platform = origin.platform(collection.instrument)
    return names.pattern.format_map(
        {
            "mission": _plain(origin.mission),
            "instrument": _plain(collection.instrument),
            "product": _plain(collection.product),
            "word": word,
            "level": _plain(level or collection.level),
            "start": stamp(start),
            "stop": stamp(stop),
            "day": stamp(start)[:8],
            "sol": sol,
            "data": names.data_words[origin.simulated],
            "version": names.version,
            "producer": PRODUCER,
            **(platform.name_words if platform else {}),
        }
    )


def _word(collection: Collection, origin: Origin) -> str:
    declared = origin.declared(collection.instrument, collection.product)
    return declared.file_word if declared else ""


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "unnamed"
