"""The schema of `mission.toml`: keys, values, and checks of their combinations.

In: the parsed table. Out: a `MissionTable`, and every problem with its key. If a part is wrong, the others are checked,
too, so that all problems are reported together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from .link_schema import ApidTable, ChannelTable, LinkTable, ReportProblem, Strict, check_channels, link_problems
from .toml_lines import leave_out

TOPIC_LEVEL = r"^[a-z0-9][a-z0-9_.-]*$"


class StationTable(Strict):
    """`[[station]]`."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """Its name in the report."""
    files: Annotated[str, Field(min_length=1)]
    """A glob of its recordings' names, `*_north.cadu*`. Recordings of several stations in one command are merged."""


class DictionaryTable(Strict):
    """`[dictionary]`."""

    xtce: str | Annotated[list[str], Field(min_length=1)] | None = None
    """The XTCE file, relative to this file; or a list of files in one name space, a folder of them, a Yamcs `mdb.yaml`.
    `$NAME/` at the beginning is the folder in the environment variable NAME."""
    csv: str | None = None
    """A CSV table of fields, or a folder of them, instead of XTCE."""
    root: str | Annotated[list[str], Field(min_length=1)] | None = None
    """The root container of packets, or a list of them; default: every container without a base."""
    limits_set: Annotated[str, Field(min_length=1)] | None = None
    """The set of alarm limits to use, if the dictionary has several; default: the one that it names."""
    strict: bool = False
    """Whether elements of the dictionary that are ignored with a warning are errors."""
    leading_size: Literal["bytes", "bits"] = "bytes"
    """Unit of the size before a string (XTCE LeadingSize)."""
    segments: Literal["auto", "join", "separate"] = "auto"
    """Whether packets grouped by their sequence flags are joined to one record. `auto`: joined, except for containers
    whose size depends on the length field of the packet."""
    segment_header_bytes: Annotated[int, Field(ge=0, le=64)] = 0
    """Bytes of a secondary header that each segment repeats. If it is 0 and segments have one, `decode` prints its
    likely size."""


class TimeTermTable(Strict):
    """One of `clock.terms`."""

    parameter: Annotated[str, Field(pattern=r"^[^*]*\*?[^*]*$")]
    """A parameter of every container that has a time. In `alternatives`, one `*` matches any text: `*.SECONDS` is a sum
    for each parameter with this ending; in other parameters of the sum, `*` is the same text."""
    unit_ns: Annotated[float, Field(gt=0, strict=False)]
    """Nanoseconds of one count."""


class ClockTable(Strict):
    """`[clock]`."""

    epoch: str
    """Time at which the onboard clock is zero: ISO 8601, UTC."""
    terms: Annotated[list[TimeTermTable], Field(min_length=1)]
    """Parameters whose sum is the onboard time."""
    correlation: Annotated[str, Field(min_length=1)] | None = None
    """File of the time correlation, from onboard time to UTC: made by `downlink clock`, or a SPICE clock kernel of type
    1 (`.tsc`). Default: UTC is epoch plus onboard time."""
    alternatives: Annotated[list[Annotated[list[TimeTermTable], Field(min_length=1)]], Field(max_length=16)] = []
    """Other sums, for containers with other parameters. A sum without any parameter in the dictionary is ignored."""
    one_clock: bool = False
    """Whether the alternatives are the same clock under other names, with the same correlation."""
    counts_leap_seconds: bool = False
    """Whether the clock counts leap seconds, as TAI and GPS time do: those since the epoch are subtracted for UTC."""


class SiteTable(Strict):
    """`[site]`."""

    name: str
    """Name of the place whose local times are computed."""
    frame: str
    """Reference frame of its coordinates."""
    longitude_deg: Annotated[float, Field(ge=-180, le=360, strict=False)]
    """East longitude in degrees."""
    latitude_deg: Annotated[float, Field(ge=-90, le=90, strict=False)]
    """North latitude in degrees."""
    altitude_m: Annotated[float, Field(strict=False)]
    """Altitude above the frame's reference surface in meters."""
    sol_offset: int
    """sol = floor(MSD + longitude/360) - sol_offset."""


class ProductsTable(Strict):
    """`[products]`."""

    instruments: list[str] = []
    """Instruments of the package to use, each with its `calibration/<name>.toml` and input columns."""
    window_s: Annotated[float, Field(ge=0, le=86400, strict=False)] = 0.0
    """Rows with the same floor(onboard time / window_s) are one product; 0: rows that are received together."""
    packets: bool = False
    """Whether each space packet is also published as received: `.../packet/<apid>`."""
    raw: bool = False
    """Whether products of the dictionary also have the raw values of calibrated parameters, `NAME.raw`."""


class ArchiveTable(Strict):
    """`[archive]`."""

    creator_name: str | None = None
    """Person responsible for the products: ACDD `creator_name`, ISTP `PI_name`."""
    creator_type: Literal["person", "group", "institution", "position"] | None = None
    """Kind of the creator."""
    creator_email: str | None = None
    """Email of the creator."""
    creator_url: str | None = None
    """URL of the creator."""
    institution: str | None = None
    """Institution that makes the products: ACDD `institution` and `creator_institution`, ISTP `PI_affiliation`."""
    publisher_name: str | None = None
    """Person or institution that distributes the files."""
    publisher_type: Literal["person", "group", "institution", "position"] | None = None
    """Kind of the publisher."""
    publisher_email: str | None = None
    """Email of the publisher."""
    publisher_url: str | None = None
    """URL of the publisher."""
    license: str | None = None
    """Terms of use of the files: ACDD `license`, ISTP `Rules_of_use`."""
    acknowledgement: str | None = None
    """Text for citations and acknowledgements."""
    references: str | None = None
    """DOI or URL of publications."""
    project: str | None = None
    """Name of the project; default: the mission's name."""
    platform: str | None = None
    """Name of the spacecraft; default: the mission's name."""
    keywords: list[str] = []
    """Search words of the files, in addition to those of the product."""
    naming_authority: str = "downlink-pipeline"
    """Authority of file ids, usually a reversed domain name."""
    first_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """Earliest possible sample: VALIDMIN of times in CDF; default: 2000-01-01."""
    last_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """Latest possible sample: VALIDMAX of times in CDF; default: 2100-01-01."""


class ProfileTable(Strict):
    """`[profile.NAME]`."""

    link: LinkTable
    """Another link of the mission: `--mission NAME:PROFILE`."""


class MissionTable(Strict):
    """The whole file."""

    name: Annotated[str, Field(pattern=TOPIC_LEVEL, max_length=64)]
    """The first level of its topics."""
    simulated: bool = False
    """Whether all telemetry is simulated: products, messages and files are then marked `simulated`."""
    link: LinkTable
    """Frames of the link."""
    channel: Annotated[list[ChannelTable], Field(max_length=4096)] = []
    """Virtual channels to decode; frames of others are counted and not decoded."""
    apid: Annotated[list[ApidTable], Field(max_length=2047)] = []
    """APIDs whose packets are not described by the dictionary."""
    station: Annotated[list[StationTable], Field(max_length=256)] = []
    """Ground stations; needed only if several receive the same pass."""
    dictionary: DictionaryTable = DictionaryTable()
    """Description of packets."""
    clock: ClockTable | None = None
    """Onboard time."""
    site: SiteTable | None = None
    """Place of local times, in sols; default: no local times."""
    products: ProductsTable = ProductsTable()
    """Products of the packets."""
    archive: ArchiveTable = ArchiveTable()
    """Metadata of archive files: people, terms of use, descriptions."""
    profile: dict[str, ProfileTable] = {}
    """Other links of the same mission."""


T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parts:
    """The valid parts of a mission file."""

    links: dict[str, LinkTable]
    """By profile; "" for `[link]`."""
    whole_links: frozenset[str]
    """Links from which no invalid key was removed."""
    channels: list[tuple[int, ChannelTable]]
    """With their index in the file."""
    dictionary: DictionaryTable
    clock: ClockTable | None
    products: ProductsTable


def sound_parts(table: dict[str, Any]) -> Parts:
    """The valid parts of a file, also if others are invalid."""
    profiles = table.get("profile")
    links: dict[str, Any] = {"": table.get("link")}
    if isinstance(profiles, dict):
        links |= {name: value.get("link") for name, value in profiles.items() if isinstance(value, dict)}
    sound_links = {name: link for name, value in links.items() if (link := _sound(LinkTable, value))}
    whole = frozenset(name for name, link in sound_links.items() if link.model_fields_set == links[name].keys())
    channels = table.get("channel")
    numbered = enumerate(channels if isinstance(channels, list) else [])
    return Parts(
        sound_links,
        whole,
        [(number, one) for number, value in numbered if (one := _sound(ChannelTable, value))],
        _sound(DictionaryTable, table.get("dictionary")) or DictionaryTable(),
        _sound(ClockTable, table.get("clock")),
        _sound(ProductsTable, table.get("products")) or ProductsTable(),
    )


def _sound(model: type[T], value: Any) -> T | None:
    """The table without invalid keys; None if these are required."""
    if not isinstance(value, dict):
        return None
    rest = dict(value)
    for _ in range(2):
        try:
            return model.model_validate(rest)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                leave_out(rest, item["loc"])
    return None


def check_parts(parts: Parts, report: ReportProblem) -> None:
    """Report contradictions between parts."""
    for name, link in parts.links.items():
        for key, text in link_problems(link, whole=name in parts.whole_links):
            report(f"profile.{name}.{key}" if name else key, text)
    main = parts.links.get("")
    if main and main.framing != "packets":
        check_channels(parts.channels, main, report)
