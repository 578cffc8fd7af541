"""Archive rules: how the archive of a mission names files, labels them and says who observed what.

In: declarations of a mission package (`ArchiveRules`) and of its folders of instruments (`InstrumentArchive`). The
archive room reads them. A mission without rules gets plain names, and every format but PDS4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from string import Formatter

_NAME_FIELDS = {
    "mission",
    "instrument",
    "product",
    "word",
    "level",
    "start",
    "stop",
    "day",
    "sol",
    "data",
    "version",
}
_NAME_FIELDS |= {"producer"}
_NUMBERS = {"sol": 11}
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_.-]")
Limits = tuple[float, float]
"""Least and largest value that an instrument can measure."""


@dataclass(frozen=True, slots=True)
class ImageName:
    """What the name of an image says beside its product. `arrays`: the rule holds for images that have all of these.

    `pattern`: a format string of names of arrays, put behind the word of the product, or behind `word` where that is
    given. `last_digits`: by array, how many digits of a number are kept.
    """

    arrays: tuple[str, ...]
    pattern: str
    word: str = ""
    last_digits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileNames:
    """The grammar of file names, without the ending of a format.

    `pattern`: a format string of `mission`, `instrument`, `product`, `word` (that of the kind, else
    instrument-product; with what of the product is in the file), `level`, `start` and `stop` (UTC, yyyymmddHHMMSS),
    `day` (yyyymmdd), `sol` (a number), `data`, `version`, `producer` and the `name_words` of the platform.
    `data_words`: `data` of received and of simulated passes. `images`: the first rule that holds; none: what there is
    of camera, filter, sequence, count and file number.
    """

    pattern: str
    version: str = "A"
    data_words: tuple[str, str] = ("SCI", "SIM")
    images: tuple[ImageName, ...] = ()


@dataclass(frozen=True, slots=True)
class Platform:
    """A craft of the mission. `title`: in labels, behind the mission's name. `name_words`: fields of file names."""

    title: str
    name_words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attitude:
    """Angles of a body in the label of an image. `angles`: array of the product by element, degrees."""

    element: str
    angles: Mapping[str, str]
    reference_frame: str = ""


@dataclass(frozen=True, slots=True)
class PlaceElements:
    """Where an image was taken, by the waypoints of the pass. `arrays`: an image with one of these has it.

    `element`: longitude, latitude, altitude; `local_element`: metres of `local_frame`.
    """

    element: str
    local_element: str
    local_frame: str
    arrays: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pds4Rules:
    """What PDS4 labels of a mission say that its products do not.

    `investigation`: its name in labels; empty: the name of the mission. `identifier`: a format string of `mission`;
    the logical identifier of a product is `<identifier>:data_<instrument>:<name of the file>`, where the identifier
    of simulated passes ends in `_simulated`. `target`: name and type. `domain`: of PDS4's science facets.
    `model_version`, `schemas`: version of the information model, and place of the schema of each namespace without
    its ending. `parameters`: areas of an image's label: element, array of the product, unit. `attitudes`: those
    after the first stand in each label that has the first. `projection`: of panoramas, in words.
    """

    investigation: str
    target: tuple[str, str]
    identifier: str = "urn:nasa:pds:downlink_{mission}"
    domain: str = "Surface"
    model_version: str = "1.12.0.0"
    schemas: Mapping[str, str] = field(
        default_factory=lambda: {
            "http://pds.nasa.gov/pds4/pds/v1": "https://pds.nasa.gov/pds4/pds/v1/PDS4_PDS_1C00",
            "http://pds.nasa.gov/pds4/cart/v1": "https://pds.nasa.gov/pds4/cart/v1/PDS4_CART_1C00_1932",
        }
    )
    parameters: Mapping[str, tuple[tuple[str, str, str], ...]] = field(default_factory=dict)
    place: PlaceElements | None = None
    attitudes: tuple[Attitude, ...] = ()
    projection: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveRules:
    """What the archive of a mission prescribes; each part is optional.

    `names`: None: plain names. `pds4`: None: the mission has no PDS4 archive. `platforms`: by the name that folders
    of instruments use; the first is that of all others. `levels`: whose processing levels those of its products are.
    `frames`: names of the three axes of frames that names of arrays end with (`field_nt_body`). `discipline`: of CDF
    files, in the words of ISTP. `position_origin`: what local positions are counted from, in words.
    """

    names: FileNames | None = None
    pds4: Pds4Rules | None = None
    platforms: Mapping[str, Platform] = field(default_factory=dict)
    levels: str = ""
    frames: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    discipline: str = "Planetary Physics>Fields"
    position_origin: str = ""

    def platform(self, name: str) -> Platform | None:
        """The platform of this name, the first where it is empty; None where there is none."""
        return self.platforms.get(name) if name else next(iter(self.platforms.values()), None)

    def problems(self) -> list[str]:
        """What is wrong with the declaration, a line for each."""
        names = _name_problems(self.names, self.platforms) if self.names else ()
        return [f"archive: {text}" for text in (*names, *(_identifier_problems(self.pds4) if self.pds4 else ()))]


@dataclass(frozen=True, slots=True)
class InstrumentArchive:
    """What the archive says of the instruments of one folder.

    `title`: name of the instrument in labels; empty: its name here. `platform`: empty: the first of the mission.
    `istp_type`: `Instrument_type` of CDF files. `limits`: what it can measure, by unit. `tables`: a planner of PDS4
    tables of its own layout, `module:function` within the folder.
    """

    title: str = ""
    platform: str = ""
    istp_type: str = ""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    tables: str = ""


def _name_problems(names: FileNames, platforms: Mapping[str, Platform]) -> Iterator[str]:
    shared = set.intersection(*({*one.name_words} for one in platforms.values())) if platforms else set()
    words = dict.fromkeys(_NAME_FIELDS | shared, "word") | _NUMBERS
    yield from _pattern_problems(names.pattern, words)
    for image in names.images:
        yield from _pattern_problems(image.pattern, dict.fromkeys(image.arrays, 1))


def _identifier_problems(rules: Pds4Rules) -> Iterator[str]:
    yield from _pattern_problems(rules.identifier.replace(":", ""), {"mission": "mission"})


def _pattern_problems(pattern: str, values: Mapping[str, str | int]) -> Iterator[str]:
    try:
        fields = {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
        if unknown := sorted(fields - values.keys()):
            yield f"{pattern!r} names {', '.join(unknown)}: there are {', '.join(sorted(values))}"
        elif odd := sorted(set(_NOT_OF_NAMES.findall(pattern.format_map(values)))):
            yield f"{pattern!r} has {' '.join(odd)}, and names have letters, digits, '_', '.' and '-'"
    except ValueError as error:
        yield f"{pattern!r} is no format string: {error}"
