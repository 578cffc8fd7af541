"""Load the files of a mission as frozen definitions; all problems are collected and reported together.

In: a folder with `mission.toml` and the dictionary and calibration files that it names: a path, a name under
`configs/`, or the name of an installed mission package. Out: a `Mission`. Unknown keys are errors.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..clock.local import local_times
from ..clock.onboard import OnboardClock
from ..dictionary.compile.limits_sets import with_limits_set
from ..dictionary.compile.plan import Plan, compile_plan
from ..dictionary.decoder import TimeTerm
from ..dictionary.run.records import RecordJoiner
from ..link.settings import ChannelSettings, LinkSettings
from ..model.errors import ConfigError, Problem
from ..products.archive_rules import ArchiveRules, InstrumentArchive
from ..products.context import Descriptions, Site
from ..products.instrument import Instrument
from ..products.kinds import ProductKind
from ..products.received_files import FILE, CfdpSettings
from ..system.allocator import collector_paused
from ..system.software import software
from .clocks import correlated, epoch_and_terms
from .dictionary_files import ReaderOptions, known_extensions, load_csv
from .instruments import MissionInstruments, resolve_instruments
from .known_plans import KNOWN_PLANS
from .link_schema import ReportProblem, cfdp_settings, channel_settings, link_settings
from .packages import InstalledPackage, find_package, package_names
from .places import UnsetVariableError, place
from .schema import DictionaryTable, MissionTable, check_parts, sound_parts
from .toml_lines import MAX_FILE_BYTES, line_of, load_toml, validation_problems


@dataclass(frozen=True, slots=True)
class Station:
    """A ground station. `files`: a glob for the names of its recordings."""

    name: str
    files: str


@dataclass(frozen=True, slots=True)
class Mission:
    """The checked definitions of a mission."""

    name: str
    folder: Path
    profile: str
    link: LinkSettings
    channels: tuple[ChannelSettings, ...]
    plan: Plan | None
    segments: Literal["auto", "join", "separate"]
    segment_header_bytes: int
    time_terms: tuple[TimeTerm, ...]
    clock: OnboardClock
    one_clock: bool
    """Whether all sums of time terms belong to that clock."""
    site: Site | None
    instruments: Mapping[str, type[Instrument]]
    """By name, in the order of the mission file."""
    calibrations: Mapping[str, Mapping[str, Any]]
    window_s: float
    publish_packets: bool = False
    """Whether space packets are published, too."""
    publish_raw: bool = False
    """Whether products of the dictionary have raw counts, too."""
    profiles: tuple[str, ...] = ()
    stations: tuple[Station, ...] = ()
    descriptions: Mapping[str, Descriptions] = field(default_factory=dict)
    """Descriptions of parameters in the dictionary, by container."""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    archive: Mapping[str, Any] = field(default_factory=dict)
    """Keys of `[archive]` that are given."""
    archive_rules: ArchiveRules = field(default_factory=ArchiveRules)
    """Names and labels of archive files, from the mission's package."""
    archive_instruments: Mapping[str, InstrumentArchive] = field(default_factory=dict)
    """Archive declarations by instrument (topic level)."""
    archive_tables: tuple[tuple[str, str], ...] = ()
    """Planners of PDS4 tables: module and place of each."""
    cfdp: CfdpSettings = field(default_factory=CfdpSettings)
    """Channels and APIDs whose packets hold PDUs of CFDP."""
    kinds: Mapping[str, ProductKind] = field(default_factory=dict)
    """Product kinds of its instruments by `instrument/product`, in the order of instruments."""
    joins: tuple[tuple[str, str], ...] = ()
    """Makers of products of several passes: module and place of each."""
    packages: tuple[InstalledPackage, ...] = ()
    """Packages of its instruments, that of this mission first."""
    files: tuple[Path, ...] = ()
    """Files of the mission: mission file, dictionary, correlation, calibration. No command replaces one."""

    @property
    def simulated(self) -> bool:
        """Whether a simulator made the telemetry, by the mission file or the recordings."""
        return bool(self.lineage.get("simulated", False))

    def record_joiner(self) -> RecordJoiner | None:
        """Make the joiner of segments to records; None if the mission decodes segments separately."""
        if self.segments == "separate":
            return None
        apart = self.plan.apids_by_length if self.plan and self.segments == "auto" else ()
        return RecordJoiner(segment_header_bytes=self.segment_header_bytes, apart=apart)

    def check_dictionary(self) -> None:
        """ConfigError if the mission has no dictionary."""
        if self.plan is None:
            raise ConfigError(f"mission {self.name} has no dictionary: name one in [dictionary] xtce = ...")

    def described(self, container: str) -> Mapping[str, str]:
        """Descriptions of the parameters of a container, by name."""
        return self.descriptions[container].of if container in self.descriptions else {}

    def utc_ns(self, parameters: Iterable[str], onboard_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """UTC of onboard times, int64[n] ns, of packets with these parameters; only the first clock is correlated."""
        clock = self.clock if self._has_first_clock(parameters) else self.clock.without_correlation()
        return clock.utc_ns(onboard_ns)

    def local_times(self, parameters: Iterable[str], utc_ns: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Local times of the site at UTC int64[n] ns, for packets with these parameters: arrays of n by name.

        Empty without a site, and for packets with another clock than the first, whose spacecraft is elsewhere.
        """
        if self.site is None or not self._has_first_clock(parameters):
            return {}
        return local_times(utc_ns, self.site.longitude_deg, self.site.sol_offset)

    def _has_first_clock(self, parameters: Iterable[str]) -> bool:
        if self.one_clock:
            return True
        names = set(parameters)
        others = {term.parameter for term in self.time_terms if term.clock}
        own = {term.parameter for term in self.time_terms} - others
        return not others & names or bool(own & names)


def find_mission(name: str) -> tuple[Path, str]:
    """The folder and the link profile of `FOLDER`, `NAME`, `FOLDER:PROFILE` or `NAME:PROFILE`.

    Folders have precedence over installed packages. A folder is a mission only if it has a mission.toml, so that
    another folder of that name does not hide a mission of `configs/`. ConfigError if there is none.
    """
    place, _, profile = name.rpartition(":")
    spellings = [(name, ""), (place, profile)] if place else [(name, "")]
    named = [(folder, given) for text, given in spellings if text for folder in _folders(text)]
    for folder, given in named:
        if _is(Path.is_file, folder / "mission.toml"):
            return folder, given
    for text, given in spellings:
        if (package := find_package(text)) is not None and package.mission_folder is not None:
            return package.mission_folder, given
    for folder, given in named:  # reported as a mission without a mission.toml
        if _is(Path.is_dir, folder):
            return folder, given
    if name in package_names():
        raise ConfigError(
            f"mission package '{name}' has no mission.toml: give a folder whose mission.toml names its instruments"
        )
    known = {path.parent.name for root in config_roots() for path in root.glob("*/mission.toml")}
    names = ", ".join(sorted(known | set(package_names())))
    raise ConfigError(
        f"there is no mission '{name}': give a folder with a mission.toml, or one of {names or 'none'}"
    )


def _folders(text: str) -> Iterator[Path]:
    """Candidate folders of a mission: the path (or that of its mission.toml), then the name in `config_roots`."""
    path = Path(text)
    yield path.parent if path.name == "mission.toml" else path
    name = text.rstrip("/")
    if name and "/" not in name:
        yield from (root / name for root in config_roots())


def _is(test: Callable[[Path], bool], path: Path) -> bool:
    with suppress(OSError):  # a name that no file system accepts
        return test(path)
    return False


def config_roots() -> list[Path]:
    """Folders of missions by name: $DOWNLINK_CONFIGS, else ./configs, that of the clone, and of the wheel."""
    named = os.environ.get("DOWNLINK_CONFIGS")
    package = Path(__file__).resolve().parent.parent
    return [Path(named)] if named else [Path.cwd() / "configs", package.parent / "configs", package / "configs"]


@collector_paused()
def load_mission(name: str, *, strict: bool = False, any_channel: bool = False) -> Mission:
    """Load a mission. Raises ConfigError with all problems of all its files. `strict`: as the key of that name.

    `any_channel`: a link of frames need not have a channel; the caller adds all that occur.
    """
    folder, profile = find_mission(name)
    path = folder / "mission.toml"
    text, table = load_toml(path, MAX_FILE_BYTES)
    problems: list[Problem] = []

    def report(key: str, what: str) -> None:
        problems.append(Problem(what, str(path), line_of(text, tuple(key.split("."))), key))

    try:
        parsed = MissionTable.model_validate(table)
    except ValidationError as error:
        problems += validation_problems(error, text, str(path), MissionTable)
        parsed = None
    parts = sound_parts(table)
    check_parts(parts, report)
    instruments = resolve_instruments(parts.products.instruments, str(table.get("name", "")), folder, report)
    dictionary = parts.dictionary.model_copy(update={"strict": True}) if strict else parts.dictionary
    files = [path]
    plan, digest = _dictionary(dictionary, instruments.dictionary, folder, files, problems, report)
    plan = _with_limits(plan, parts.dictionary.limits_set, report)
    epoch_ns, terms = epoch_and_terms(parts.clock, plan, report)
    clock = correlated(parts.clock, epoch_ns, folder, problems, report)
    calibrations, hashes, calibration_files = _calibrations(instruments, folder, problems)
    if clock.segments and parts.clock and parts.clock.correlation:
        files.append(place(folder, parts.clock.correlation))
    files += calibration_files
    if instruments.classes and plan is None and not problems:
        report("products.instruments", "instruments need a [dictionary]")
    if plan:
        for lack in lacking(plan, instruments.classes):
            report("products.instruments", lack)
    if parsed and parsed.link.framing != "packets" and not parsed.channel and not any_channel:
        report("channel", "no [[channel]]: name the virtual channels that are wanted")
    if problems or parsed is None:
        raise ConfigError(sorted(problems, key=lambda found: (found.file != str(path), found.file, found.line)))
    if profile and profile not in parsed.profile:
        raise ConfigError(
            f"mission {parsed.name} has no profile '{profile}': {', '.join(parsed.profile) or 'none'}"
        )
    link = parsed.profile[profile].link if profile else parsed.link
    cfdp = cfdp_settings(parsed.channel, parsed.apid)
    return Mission(
        name=parsed.name,
        folder=folder,
        profile=profile,
        link=link_settings(link),
        channels=channel_settings(parsed.channel),
        plan=plan,
        segments=parsed.dictionary.segments,
        segment_header_bytes=parsed.dictionary.segment_header_bytes,
        time_terms=terms,
        clock=clock,
        one_clock=bool(parts.clock and parts.clock.one_clock),
        site=Site(**parsed.site.model_dump()) if parsed.site else None,
        instruments=instruments.classes,
        calibrations=calibrations,
        window_s=parsed.products.window_s,
        publish_packets=parsed.products.packets,
        publish_raw=parsed.products.raw,
        profiles=tuple(parsed.profile),
        descriptions=_descriptions(plan),
        stations=tuple(Station(one.name, one.files) for one in parsed.station),
        archive=parsed.archive.model_dump(exclude_none=True),
        kinds={**instruments.kinds, **({FILE.topic: FILE} if cfdp else {})},
        cfdp=cfdp,
        packages=instruments.packages,
        joins=instruments.joins,
        archive_rules=instruments.archive_rules,
        archive_instruments=instruments.archives,
        archive_tables=instruments.archive_tables,
        lineage={
            "mission": parsed.name,
            "software": software(),
            "simulated": parsed.simulated,
            "dictionary_sha256": digest,
            "calibration_sha256": hashes,
        },
        files=tuple(files),
    )


def _with_limits(plan: Plan | None, name: str | None, report: ReportProblem) -> Plan | None:
    if name is None or plan is None:
        return plan
    try:
        return with_limits_set(plan, name)
    except ConfigError as error:
        report("dictionary.limits_set", str(error))
        return plan


def _descriptions(plan: Plan | None) -> dict[str, Descriptions]:
    described = {node.key: node.descriptions for node in plan.walk() if node.descriptions} if plan else {}
    return {container: Descriptions(words) for container, words in described.items()}


def lacking(plan: Plan, instruments: Mapping[str, type[Instrument]]) -> list[str]:
    """Problems of instruments that read parameters which their container does not have."""
    columns = {node.key: {name for _, name in node.columns} for node in plan.walk()}
    return [
        f"{name} reads {', '.join(sorted(missing))} of {container}, which the dictionary does not have there"
        for name, instrument in instruments.items()
        for container, needed in instrument.containers.items()
        if container in columns and (missing := needed - columns[container])
    ]


def _dictionary(
    settings: DictionaryTable,
    more: Sequence[Path],
    folder: Path,
    files: list[Path],
    problems: list[Problem],
    report: ReportProblem,
) -> tuple[Plan | None, str]:
    """The plan and SHA-256 of the files of [dictionary] and `more`, XTCE files of instruments.

    `files` takes the paths named and those read.
    """
    if settings.xtce and settings.csv:
        report("dictionary.csv", "there is an xtce already: one of the two")
    if settings.csv and more:
        report("dictionary.csv", f"instruments describe packets in XTCE, {more[0].name}: give xtce in its place")
        return None, ""
    if settings.xtce is None and settings.csv is None and not more:
        if settings.root:
            report("dictionary.root", "there is no xtce that it could be the root of")
        return None, ""
    key = "dictionary.csv" if settings.csv else "dictionary.xtce"
    try:
        if not settings.csv:
            names = [settings.xtce] if isinstance(settings.xtce, str) else settings.xtce or []
            reader = ReaderOptions(settings.strict, settings.leading_size == "bits", settings.root or ())
            named = [place(folder, name) for name in names]
            usable, notices = known_extensions(named, more)
            files += (named := [*named, *usable])
            plan, digest = KNOWN_PLANS.load(named, reader, files)
            return (replace(plan, notices=(*plan.notices, *notices)) if notices else plan), digest
        files.append(place(folder, settings.csv or ""))
        dictionary, digest = load_csv(files[-1])
        return compile_plan(dictionary, settings.root), digest
    except OSError as error:
        report(key, f"cannot read {error.filename}: {error.strerror}")
    except UnsetVariableError as error:
        report(key, str(error))
    except ConfigError as error:
        problems += error.problems
    return None, ""


def _calibrations(
    instruments: MissionInstruments, folder: Path, problems: list[Problem]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str], list[Path]]:
    """Tables, SHA-256 and files of calibrations by family: of the mission's folder, else of the instrument's."""
    found: dict[str, Mapping[str, Any]] = {}
    hashes: dict[str, str] = {}
    files: list[Path] = []
    for name, known in instruments.families.items():
        path, own = folder / "calibration" / f"{name}.toml", known.path / "calibration.toml"
        path = own if own.is_file() and not path.is_file() else path
        try:
            text, table = load_toml(path, MAX_FILE_BYTES)
        except ConfigError as error:
            problems += error.problems
            continue
        model = instruments.classes[known.name].model
        try:
            model.model_validate(table)
        except ValidationError as error:
            problems += validation_problems(error, text, str(path), model)
        found[name] = table
        hashes[name] = hashlib.sha256(text.encode()).hexdigest()
        files.append(path)
    return found, hashes, files
