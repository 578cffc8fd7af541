"""Archive rules: names and labels of files in the archive of a mission.

They are declared by a mission package (`ArchiveRules`) and its folders of instruments (`InstrumentArchive`), and used
by `archive/`. A mission without rules gets default names, and every format except PDS4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from string import Formatter

_NAME_FIELDS = {
    "mission", "instrument", "product", "word", "level", "start", "stop", "day", "sol", "data", "version", "producer",
}  # fmt: skip
_NUMBERS = {"sol": 11}
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_.-]")
Limits = tuple[float, float]
"""Smallest and largest value that an instrument can measure."""


@dataclass(frozen=True, slots=True)
class ImageName:
    """Rule for the file names of images that have all these `arrays`.

    `pattern`: format string with names of arrays, appended to the word of the product, or to `word` if it is set.
    `last_digits`: number of last digits that are kept of an integer, by array.
    """

    arrays: tuple[str, ...]
    pattern: str
    word: str = ""
    last_digits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileNames:
    """The grammar of file names, without the ending of a format.

    `pattern`: format string with `mission`, `instrument`, `product`, `word` (`file_word` of the kind, default
    instrument-product; with the part of the product in the file), `level`, `start` and `stop` (UTC, yyyymmddHHMMSS),
    `day` (yyyymmdd), `sol` (integer), `data`, `version`, `producer` and the `name_words` of the platform. `data_words`:
    `data` of received and of simulated passes. `images`: the first rule that matches is used; if none does, those of
    camera, filter, sequence, count and file number that exist.
    """

    pattern: str
    version: str = "A"
    data_words: tuple[str, str] = ("SCI", "SIM")
    images: tuple[ImageName, ...] = ()


@dataclass(frozen=True, slots=True)
class Platform:
    """A spacecraft of the mission. `title`: in labels, after the mission's name. `name_words`: fields of file names."""

    title: str
    name_words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attitude:
    """Attitude angles in the label of an image. `angles`: array of the product, in degrees, by element."""

    element: str
    angles: Mapping[str, str]
    reference_frame: str = ""


@dataclass(frozen=True, slots=True)
class PlaceElements:
    """Position in the label of an image, interpolated between the waypoints of the pass, if it has one of `arrays`.

    `element`: for longitude, latitude and altitude; `local_element`: for coordinates in `local_frame`, in metres.
    """

    element: str
    local_element: str
    local_frame: str
    arrays: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pds4Rules:
    """Contents of the PDS4 labels of a mission that are not in its products.

    `investigation`: its name in labels; empty: the name of the mission. `identifier`: format string with `mission`;
    the logical identifier of a product is `<identifier>:data_<instrument>:<file name>`, and the identifier of simulated
    passes ends with `_simulated`. `target`: name and type. `domain`: of the PDS4 science facets. `model_version`:
    version of the information model. `schemas`: URL of the schema of each namespace, without file extension.
    `parameters`: areas of an image's label, each with (element, array of the product, unit). `attitudes`: a label with
    the first has all. `projection`: description of the projection of panoramas.
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
    """Rules of the archive of a mission; each is optional.

    `names`: None: default names. `pds4`: None: the mission has no PDS4 archive. `platforms`: by the name that folders
    of instruments use; the first is the default. `levels`: name of the definition of its processing levels. `frames`:
    names of the three axes of a frame, by the ending of array names (`field_nt_body`). `discipline`: `Discipline` of
    ISTP in CDF files. `position_origin`: description of the origin of local positions.
    """

    names: FileNames | None = None
    pds4: Pds4Rules | None = None
    platforms: Mapping[str, Platform] = field(default_factory=dict)
    levels: str = ""
    frames: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    discipline: str = "Planetary Physics>Fields"
    position_origin: str = ""

    def platform(self, name: str) -> Platform | None:
        """The platform of this name; the first if the name is empty; None if there is none."""
        return self.platforms.get(name) if name else next(iter(self.platforms.values()), None)

    def problems(self) -> list[str]:
        """List the problems of the declaration, one line each."""
        names = _name_problems(self.names, self.platforms) if self.names else ()
        return [f"archive: {text}" for text in (*names, *(_identifier_problems(self.pds4) if self.pds4 else ()))]


@dataclass(frozen=True, slots=True)
class InstrumentArchive:
    """Archive entries of the instruments of one folder.

    `title`: name of the instrument in labels; default: its topic level. `platform`: default: the first of the mission.
    `istp_type`: `Instrument_type` of ISTP in CDF files. `limits`: its measurement range, by unit. `tables`: a planner
    of PDS4 tables with a layout of the mission, `module:function` in the folder.
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
