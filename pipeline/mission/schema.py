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
    """Its word in the report."""
    files: Annotated[str, Field(min_length=1)]
    """A glob for names of its recordings, `*_north.cadu*`. Those of different stations, named together, are merged."""


class DictionaryTable(Strict):
    """`[dictionary]`."""

    xtce: str | Annotated[list[str], Field(min_length=1)] | None = None
    """The XTCE file, beside this one; or a list of files in one name space, a folder of them, a Yamcs `mdb.yaml`. What
    begins with `$NAME/` is in the folder that the environment variable names."""
    csv: str | None = None
    """A table of fields, or a folder of them, in place of XTCE."""
    root: str | Annotated[list[str], Field(min_length=1)] | None = None
    """The container where packets enter, or a list of them; every container that has no base without it."""
    limits_set: Annotated[str, Field(min_length=1)] | None = None
    """The set of alarm limits that applies, where the dictionary has several; without it the one that it names."""
    strict: bool = False
    """Whether what would be passed over in the dictionary with a warning is an error."""
    leading_size: Literal["bytes", "bits"] = "bytes"
    """What the size before a string (XTCE LeadingSize) counts."""
    segments: Literal["auto", "join", "separate"] = "auto"
    """Whether packets that are grouped by their sequence flags are one record. `auto`: they are, but for those of
    containers that are sized by the length field of the packet."""
    segment_header_bytes: Annotated[int, Field(ge=0, le=64)] = 0
    """Of a secondary header that each segment repeats. Where it is 0 and segments have one, `decode` says how long it
    may be."""


class TimeTermTable(Strict):
    """One of `clock.terms`."""

    parameter: Annotated[str, Field(pattern=r"^[^*]*\*?[^*]*$")]
    """A parameter of every container that has a time. In `alternatives` one `*` stands for any text: `*.SECONDS` is a
    sum for each parameter whose name ends so; other parameters of the sum with a `*` have the same text there."""
    unit_ns: Annotated[float, Field(gt=0, strict=False)]
    """What one count of it is."""


class ClockTable(Strict):
    """`[clock]`."""

    epoch: str
    """ISO 8601, UTC: when the onboard clock counted zero."""
    terms: Annotated[list[TimeTermTable], Field(min_length=1)]
    """Onboard time is the sum of these."""
    correlation: Annotated[str, Field(min_length=1)] | None = None
    """The file that gives UTC by onboard counts: of `downlink clock`, or a SPICE clock kernel of type 1 (`.tsc`). Epoch
    plus count without it."""
    alternatives: Annotated[list[Annotated[list[TimeTermTable], Field(min_length=1)]], Field(max_length=16)] = []
    """Other sums, for containers that have other parameters. A sum of which the dictionary has none is left out."""
    one_clock: bool = False
    """Whether the alternatives are the same clock under other names, so that the correlation is theirs, too."""
    counts_leap_seconds: bool = False
    """Whether the clock counts leap seconds, as TAI and GPS time do: UTC is then less by those since the epoch."""


class SiteTable(Strict):
    """`[site]`."""

    name: str
    """Of the place whose local times are given."""
    frame: str
    """In which its coordinates are given."""
    longitude_deg: Annotated[float, Field(ge=-180, le=360, strict=False)]
    """East."""
    latitude_deg: Annotated[float, Field(ge=-90, le=90, strict=False)]
    """North."""
    altitude_m: Annotated[float, Field(strict=False)]
    """Above the frame's reference surface."""
    sol_offset: int
    """sol = floor(MSD + longitude/360) - sol_offset."""


class ProductsTable(Strict):
    """`[products]`."""

    instruments: list[str] = []
    """Instruments that are used, each with its `calibration/<name>.toml` and the columns that it reads."""
    window_s: Annotated[float, Field(ge=0, le=86400, strict=False)] = 0.0
    """Rows whose onboard time has the same floor(time / window_s) are one product; 0: what came in together."""
    packets: bool = False
    """Whether each space packet is published, too, as it came: `.../packet/<apid>`."""
    raw: bool = False
    """Whether products of the dictionary have raw values too: `NAME.raw` beside what is calibrated."""


class ArchiveTable(Strict):
    """`[archive]`."""

    creator_name: str | None = None
    """Who answers for the products: ACDD `creator_name`, ISTP `PI_name`."""
    creator_type: Literal["person", "group", "institution", "position"] | None = None
    """What the creator is."""
    creator_email: str | None = None
    """Of the creator."""
    creator_url: str | None = None
    """Of the creator."""
    institution: str | None = None
    """Where the products are made: ACDD `institution` and `creator_institution`, ISTP `PI_affiliation`."""
    publisher_name: str | None = None
    """Who hands the files on."""
    publisher_type: Literal["person", "group", "institution", "position"] | None = None
    """What the publisher is."""
    publisher_email: str | None = None
    """Of the publisher."""
    publisher_url: str | None = None
    """Of the publisher."""
    license: str | None = None
    """Under which terms the files may be used: ACDD `license`, ISTP `Rules_of_use`."""
    acknowledgement: str | None = None
    """What users are asked to cite or thank."""
    references: str | None = None
    """Publications, by DOI or URL."""
    project: str | None = None
    """The programme, in words; the mission's name without it."""
    platform: str | None = None
    """The spacecraft, in words; the mission's name without it."""
    keywords: list[str] = []
    """Words that a catalogue finds the files by, beside those of the product."""
    naming_authority: str = "downlink-pipeline"
    """Who gives the ids of files, by custom a domain name turned round."""
    first_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """No sample can be older: VALIDMIN of times in CDF; 2000-01-01 without it."""
    last_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """No sample can be younger: VALIDMAX of times in CDF; 2100-01-01 without it."""


class ProfileTable(Strict):
    """`[profile.NAME]`."""

    link: LinkTable
    """Another link of the mission: `--mission NAME:PROFILE`."""


class MissionTable(Strict):
    """The whole file."""

    name: Annotated[str, Field(pattern=TOPIC_LEVEL, max_length=64)]
    """The first level of its topics."""
    simulated: bool = False
    """Whether all its telemetry is a simulator's: every product, message and file then says so."""
    link: LinkTable
    """How frames come."""
    channel: Annotated[list[ChannelTable], Field(max_length=4096)] = []
    """The virtual channels that are wanted; frames of others are counted and set aside."""
    apid: Annotated[list[ApidTable], Field(max_length=2047)] = []
    """Packets that hold something else than what the dictionary describes."""
    station: Annotated[list[StationTable], Field(max_length=256)] = []
    """Who records; needed only where several receive the same pass."""
    dictionary: DictionaryTable = DictionaryTable()
    """How packets are described."""
    clock: ClockTable | None = None
    """How onboard time is told."""
    site: SiteTable | None = None
    """Where local times are given for, in sols; none without it."""
    products: ProductsTable = ProductsTable()
    """What is made of the packets."""
    archive: ArchiveTable = ArchiveTable()
    """People, terms and words of the files that scientists open; what is not here is not in them."""
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
    """The parts of a file that can be checked, whatever is wrong with the rest."""
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
