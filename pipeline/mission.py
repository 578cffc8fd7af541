"""`configs/<mission>/` becomes frozen definitions; every problem in its files is collected and told at once.

In: a folder (or the name of one under `configs/`) with `mission.toml`, the XTCE file and the calibration files
that it names. Out: a `Mission`. Dropped: nothing; an unknown key is an error.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.clock.onboard import OnboardClock
from pipeline.dictionary.decoder import TimeTerm
from pipeline.dictionary.plan import Plan, compile_plan
from pipeline.dictionary.xtce import read_xtce
from pipeline.errors import ConfigError, Problem
from pipeline.instruments import REGISTER, check_calibration
from pipeline.instruments.context import Site
from pipeline.link.settings import (
    Basis,
    ChannelSettings,
    FrameType,
    Framing,
    LinkSettings,
    ReedSolomonSettings,
    Service,
)
from pipeline.link.validity import settings_problems
from pipeline.toml_lines import line_of, load_toml, told

MAX_FILE_BYTES = 64 << 20  # of any configuration file
TOPIC_LEVEL = r"^[a-z0-9][a-z0-9_.-]*$"


_Tell = Callable[[str, str], None]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _ReedSolomon(_Strict):
    parity: Literal[16, 32]
    interleave: Annotated[int, Field(ge=1, le=8)]
    basis: Basis
    virtual_fill: Annotated[int, Field(ge=0, le=222)] = 0


class _Link(_Strict):
    framing: Framing
    frame_type: FrameType = "aos"
    frame_length_bytes: Annotated[int, Field(ge=7, le=65536)] | None = None
    sync_marker: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){2,8}$")] = "1ACFFC1D"
    randomizer: bool = False
    reed_solomon: _ReedSolomon | None = None
    fecf: bool = False
    insert_zone_bytes: Annotated[int, Field(ge=0, le=1024)] = 0
    operational_control_field: bool = False
    header_error_control: bool = False
    packet_prefix_bytes: Annotated[int, Field(ge=0, le=1024)] = 0
    long_randomizer: bool = False
    marker_errors_searching: int | None = None
    marker_errors_locked: int | None = None
    flywheel_frames: int = 2
    insert_zone_codec: str = ""
    reorder_window_frames: int = 4

    @model_validator(mode="after")
    def _fits_together(self) -> _Link:
        if self.framing == "packets":
            return self
        if self.frame_length_bytes is None:
            raise ValueError(f'frame_length_bytes is missing: framing "{self.framing}" has frames')
        if self.framing == "frames" and (self.reed_solomon or self.randomizer):
            raise ValueError('reed_solomon and randomizer belong to framing "cadu"')
        if self.packet_prefix_bytes:
            raise ValueError('packet_prefix_bytes belongs to framing "packets"')
        return self


class _Channel(_Strict):
    spacecraft_id: Annotated[int, Field(ge=0, le=65535)]
    virtual_channel: Annotated[int, Field(ge=0, le=63)]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    service: Service = "packets"
    hand_on_fragments: bool = False


class _Dictionary(_Strict):
    xtce: str | None = None
    root: str | None = None
    segments: Literal["join", "separate"] = "join"
    segment_header_bytes: Annotated[int, Field(ge=0, le=64)] = 0


class _TimeTerm(_Strict):
    parameter: str
    unit_ns: Annotated[float, Field(gt=0, strict=False)]


class _Clock(_Strict):
    epoch: str
    terms: Annotated[list[_TimeTerm], Field(min_length=1)]


class _Site(_Strict):
    name: str
    frame: str
    longitude_deg: Annotated[float, Field(ge=-180, le=360, strict=False)]
    latitude_deg: Annotated[float, Field(ge=-90, le=90, strict=False)]
    altitude_m: Annotated[float, Field(strict=False)]
    sol_offset: int


class _Products(_Strict):
    instruments: list[str] = []
    window_s: Annotated[float, Field(ge=0, le=86400, strict=False)] = 0.0


class _Profile(_Strict):
    link: _Link


class _MissionFile(_Strict):
    name: Annotated[str, Field(pattern=TOPIC_LEVEL, max_length=64)]
    link: _Link
    channel: Annotated[list[_Channel], Field(max_length=4096)] = []
    dictionary: _Dictionary = _Dictionary()
    clock: _Clock | None = None
    site: _Site | None = None
    products: _Products = _Products()
    profile: dict[str, _Profile] = {}


@dataclass(frozen=True, slots=True)
class Mission:
    """All that is known of a mission, checked and frozen."""

    name: str
    folder: Path
    profile: str
    link: LinkSettings
    channels: tuple[ChannelSettings, ...]
    plan: Plan | None
    join_segments: bool
    segment_header_bytes: int
    time_terms: tuple[TimeTerm, ...]
    clock: OnboardClock
    site: Site | None
    instruments: tuple[str, ...]
    calibrations: Mapping[str, Mapping[str, Any]]
    window_s: float
    profiles: tuple[str, ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)


def find_mission(name: str) -> tuple[Path, str]:
    """Give the folder and the link profile of `FOLDER`, `NAME`, `FOLDER:PROFILE` or `NAME:PROFILE`."""
    if Path(name).is_dir():
        return Path(name), ""
    place, _, profile = name.rpartition(":") if ":" in name else (name, "", "")
    if Path(place).is_dir():
        return Path(place), profile
    roots = config_roots()
    for root in roots:
        if "/" not in place and (root / place).is_dir():
            return root / place, profile
    known = sorted({path.parent.name for root in roots for path in root.glob("*/mission.toml")})
    raise ConfigError(
        f"there is no mission '{name}': give a folder with a mission.toml, or one of {', '.join(known) or 'none'}"
    )


def config_roots() -> list[Path]:
    """Where missions are looked up by name: $DOWNLINK_CONFIGS, else ./configs, the clone's, and the wheel's."""
    named = os.environ.get("DOWNLINK_CONFIGS")
    package = Path(__file__).resolve().parent
    return [Path(named)] if named else [Path.cwd() / "configs", package.parent / "configs", package / "configs"]


def load_mission(name: str) -> Mission:
    """Read a mission, or raise a ConfigError with every problem in all its files."""
    folder, profile = find_mission(name)
    path = folder / "mission.toml"
    text, table = load_toml(path, MAX_FILE_BYTES)
    problems: list[Problem] = []

    def problem(key: str, what: str) -> None:
        problems.append(Problem(what, str(path), line_of(text, tuple(key.split("."))), key))

    try:
        parsed = _MissionFile.model_validate(table)
    except ValidationError as error:
        problems += told(error, text, str(path), _MissionFile)
        parts = _MissionFile.model_construct(**_sound_parts(table))
        _dictionary(parts.dictionary, folder, problems, problem)
        _calibrations(parts.products.instruments, folder, problems, problem)
        raise ConfigError(problems) from error
    link = parsed.link
    if profile and profile not in parsed.profile:
        raise ConfigError(
            f"mission {parsed.name} has no profile '{profile}': {', '.join(parsed.profile) or 'none'}"
        )
    if profile:
        link = parsed.profile[profile].link
    if link.framing != "packets" and not parsed.channel:
        problem("channel", "no [[channel]]: name the virtual channels that are wanted")
    for found in settings_problems(_link_settings(link)):
        problem(found.key, found.text)
    _twice(parsed.channel, problem)
    plan, digest = _dictionary(parsed.dictionary, folder, problems, problem)
    clock = OnboardClock(_epoch_ns(parsed.clock, problem))
    terms = tuple(TimeTerm(term.parameter, term.unit_ns) for term in parsed.clock.terms) if parsed.clock else ()
    calibrations, hashes = _calibrations(parsed.products.instruments, folder, problems, problem)
    if parsed.products.instruments and parsed.dictionary.xtce is None:
        problem("products.instruments", "instruments need a [dictionary]")
    if problems:
        raise ConfigError(problems)
    return Mission(
        name=parsed.name,
        folder=folder,
        profile=profile,
        link=_link_settings(link),
        channels=tuple(ChannelSettings(**channel.model_dump()) for channel in parsed.channel),
        plan=plan,
        join_segments=parsed.dictionary.segments == "join",
        segment_header_bytes=parsed.dictionary.segment_header_bytes,
        time_terms=terms,
        clock=clock,
        site=Site(**parsed.site.model_dump()) if parsed.site else None,
        instruments=tuple(parsed.products.instruments),
        calibrations=calibrations,
        window_s=parsed.products.window_s,
        profiles=tuple(parsed.profile),
        lineage={"mission": parsed.name, "dictionary_sha256": digest, "calibration_sha256": hashes},
    )


def _sound_parts(table: dict[str, Any]) -> dict[str, Any]:
    """The parts of a faulty mission file that are right by themselves: what they name can be checked as well."""
    sound: dict[str, Any] = {}
    for key, model in (("dictionary", _Dictionary), ("products", _Products)):
        with suppress(ValidationError):
            sound[key] = model.model_validate(table.get(key, {}))
    return {"dictionary": _Dictionary(), "products": _Products(), **sound}


def _link_settings(link: _Link) -> LinkSettings:
    values = link.model_dump(exclude={"reed_solomon", "sync_marker", "frame_length_bytes"})
    code = ReedSolomonSettings(**link.reed_solomon.model_dump()) if link.reed_solomon else None
    return LinkSettings(
        **values,
        reed_solomon=code,
        sync_marker=bytes.fromhex(link.sync_marker),
        frame_length_bytes=link.frame_length_bytes or 0,
    )


def _twice(channels: list[_Channel], problem: _Tell) -> None:
    for index, channel in enumerate(channels):
        same = [(c.spacecraft_id, c.virtual_channel) for c in channels[:index]]
        if (channel.spacecraft_id, channel.virtual_channel) in same:
            problem(f"channel.{index}.virtual_channel", "this channel is there twice")


def _epoch_ns(clock: _Clock | None, problem: _Tell) -> int:
    if clock is None:
        return 0
    try:
        epoch = datetime.fromisoformat(clock.epoch)
    except ValueError:
        problem("clock.epoch", f"'{clock.epoch}' is no ISO 8601 time, such as 2015-12-31T16:00:00Z")
        return 0
    aware = epoch if epoch.tzinfo else epoch.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000 + aware.microsecond * 1000


def _dictionary(
    settings: _Dictionary, folder: Path, problems: list[Problem], problem: _Tell
) -> tuple[Plan | None, str]:
    if settings.xtce is None:
        if settings.root:
            problem("dictionary.root", "there is no xtce that it could be the root of")
        return None, ""
    path = folder / settings.xtce
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            problem("dictionary.xtce", f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB")
            return None, ""
        document = path.read_bytes()
    except OSError as error:
        problem("dictionary.xtce", f"cannot read {path}: {error.strerror}")
        return None, ""
    try:
        plan = compile_plan(read_xtce(document, str(path)), settings.root, str(path))
    except ConfigError as error:
        problems += error.problems
        return None, ""
    return plan, hashlib.sha256(document).hexdigest()


def _calibrations(
    names: list[str], folder: Path, problems: list[Problem], problem: _Tell
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    found: dict[str, Mapping[str, Any]] = {}
    hashes: dict[str, str] = {}
    for name in names:
        if name not in REGISTER:
            problem("products.instruments", f"there is no instrument '{name}': {', '.join(sorted(REGISTER))}")
            continue
        path = folder / "calibration" / f"{name}.toml"
        try:
            text, table = load_toml(path, MAX_FILE_BYTES)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += [
            Problem(what, str(path), line_of(text, tuple(key.split("."))), key)
            for key, what in check_calibration(name, table)
        ]
        found[name] = table
        hashes[name] = hashlib.sha256(text.encode()).hexdigest()
    return found, hashes
