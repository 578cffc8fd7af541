"""Installed mission packages, found by their entry points (group `downlink.missions`).

In: entry points. Out: `InstalledPackage`s, each imported when it is needed. A package that cannot be used (import
error, other interface, duplicate name) raises a `ConfigError` of one line when it is needed; others are not affected.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError
from ..model.looks import Look
from ..products.instrument import Instrument
from ..products.kinds import ProductKind
from ..products.package import INTERFACE, KINDS_MODULE, InstrumentFolder, MissionPackage
from .named_objects import load_place, one_line

GROUP = "downlink.missions"
ALL = "*"
"""In `instruments` of a mission file: all other instruments of the mission's package."""


@dataclass(frozen=True, slots=True)
class KnownInstrument:
    """An instrument of a package, not imported yet. `path`: its folder; `module`: the module of that folder."""

    name: str
    place: str
    module: str
    path: Path
    folder: InstrumentFolder

    def load(self) -> type[Instrument]:
        """Import its class. ConfigError, in one line, if that fails."""
        what = f"instrument '{self.name}' of {self.module}"
        found = load_place(self.module, self.place, what)
        if not (isinstance(found, type) and issubclass(found, Instrument)):
            raise ConfigError(f"{what}: {self.place} is no Instrument")
        if not hasattr(found, "model"):
            raise ConfigError(f"{what}: {self.place} names no Calibration as its `model`")
        return found


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """An imported and checked package. `distribution`: name and version."""

    name: str
    distribution: str
    package: MissionPackage
    instruments: Mapping[str, KnownInstrument] = field(repr=False)
    folders: tuple[tuple[str, InstrumentFolder], ...] = field(repr=False)
    """Its folders of instruments: module and declaration."""

    @property
    def path(self) -> Path:
        """The folder of its module."""
        return _path_of(self.package.module)

    @property
    def mission_folder(self) -> Path | None:
        """The folder of its mission file; None without one."""
        folder = self.path / self.package.folder
        return folder if (folder / "mission.toml").is_file() else None

    @property
    def kinds(self) -> Iterator[ProductKind]:
        """All kinds of product that its folders declare."""
        return (kind for _, folder in self.folders for kind in folder.kinds)

    @property
    def words(self) -> str:
        """Description for operators: module and distribution."""
        return f"package {self.package.module} of {self.distribution}"

    def load(self, place: str) -> Any:
        """Import a part of the package, `module:object`. ConfigError, in one line, if that fails."""
        return load_place(self.package.module, place, self.words)

    def looks(self) -> list[tuple[Look, str]]:
        """Its tabs of the live page, those of its folders first, each with the module of its place."""
        own = [(look, self.package.module) for look in self.package.looks]
        return [*((look, module) for module, folder in self.folders for look in folder.looks), *own]


def package_names() -> list[str]:
    """The names of installed packages, usable or not."""
    return sorted({one.name for one in _entry_points()})


def find_package(name: str) -> InstalledPackage | None:
    """The installed package of a name; None if there is none. ConfigError if it cannot be used."""
    named = [one for one in _entry_points() if one.name == name]
    if not named:
        return None
    if len(named) > 1:
        who = " and ".join(sorted(f"{_distribution(one)} ({one.value})" for one in named))
        raise ConfigError(f"mission package '{name}' is installed twice, by {who}: uninstall one of them")
    return _installed(named[0], tuple(sys.path))


def usable_packages() -> tuple[list[InstalledPackage], list[str]]:
    """All usable packages, and for each other one a line with the reason."""
    found, problems = [], []
    for name in package_names():
        try:
            one = find_package(name)
        except ConfigError as error:
            problems.append(str(error))
        else:
            found += [one] if one else []
    return found, problems


@lru_cache(16)
def _found(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001 - what is installed follows from it
    found = {(one.name, one.value, _distribution(one)): one for one in entry_points(group=GROUP)}
    return tuple(found.values())


def _entry_points() -> tuple[EntryPoint, ...]:
    return _found(tuple(sys.path))


@lru_cache(64)
def _installed(point: EntryPoint, path: tuple[str, ...]) -> InstalledPackage:  # noqa: ARG001 - as above
    """Import a package and check all it declares. Raises ConfigError, in one line, for the first problem."""
    what = f"mission package '{point.name}' of {_distribution(point)}"
    try:
        package = point.load()
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{what} cannot be used: {one_line(error)}") from error
    if not isinstance(package, MissionPackage):
        raise ConfigError(f"{what} cannot be used: {point.value} is no MissionPackage")
    if package.interface != INTERFACE:
        raise ConfigError(
            f"{what} cannot be used: it is written for interface {package.interface}, and this downlink has {INTERFACE}"
        )
    folders = tuple(_folders(package, what))
    if problems := [*package.archive.problems(), *_archive_problems(package, folders)]:
        raise ConfigError(f"{what} cannot be used: {'; '.join(problems)}")
    return InstalledPackage(point.name, _distribution(point), package, _instruments(folders, what), folders)


def _folders(package: MissionPackage, what: str) -> Iterator[tuple[str, InstrumentFolder]]:
    roots = [Path(place) for place in import_module(package.module).__path__]
    for path in sorted(path for root in roots for path in root.glob(f"*/{KINDS_MODULE}.py")):
        module = f"{package.module}.{path.parent.name}"
        folder = load_place(module, f"{KINDS_MODULE}:INSTRUMENT", what)
        if not isinstance(folder, InstrumentFolder):
            raise ConfigError(f"{what} cannot be used: {module}.{KINDS_MODULE}:INSTRUMENT is no InstrumentFolder")
        problems = [problem for kind in folder.kinds for problem in kind.problems()]
        if problems:
            raise ConfigError(f"{what} cannot be used: {'; '.join(problems)}")
        yield module, folder


def _archive_problems(package: MissionPackage, folders: tuple[tuple[str, InstrumentFolder], ...]) -> Iterator[str]:
    """Return declarations of instrument folders that the archive rules of their package do not cover."""
    for module, folder in folders:
        platform = folder.archive.platform
        if platform and platform not in package.archive.platforms:
            known = ", ".join(package.archive.platforms) or "none"
            yield f"{module} is of platform '{platform}', and `archive.platforms` has {known}"
        labelled = [kind.topic for kind in folder.kinds if "pds4" in kind.files]
        if (labelled or folder.archive.tables) and package.archive.pds4 is None:
            what = ", ".join(labelled) or folder.archive.tables
            yield f"{what} asks for PDS4 files, and the package declares no PDS4 archive (`archive.pds4`)"


def _instruments(folders: tuple[tuple[str, InstrumentFolder], ...], what: str) -> dict[str, KnownInstrument]:
    found: dict[str, KnownInstrument] = {}
    for module, folder in folders:
        for name, place in folder.instruments.items():
            if name in found:
                raise ConfigError(
                    f"{what} cannot be used: {found[name].module} and {module} have an instrument '{name}'"
                )
            found[name] = KnownInstrument(name, place, module, _path_of(module), folder)
    return found


def _path_of(module: str) -> Path:
    return Path(next(iter(import_module(module).__path__)))


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
