"""Find the instruments of a mission file in mission packages.

In: names of `[products] instruments`. Out: their classes, product kinds, folders and packages. A name is searched in
the mission's package first, then in all others; `*` stands for all other instruments of the mission's package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..model.errors import ConfigError
from ..products.archive_rules import ArchiveRules, InstrumentArchive
from ..products.instrument import Instrument, family
from ..products.kinds import ProductKind
from .link_schema import ReportProblem
from .packages import ALL, InstalledPackage, KnownInstrument, find_package, usable_packages

_KEY = "products.instruments"


@dataclass(frozen=True, slots=True)
class MissionInstruments:
    """`classes`: by name. `families`: one instrument for each calibration file, by the file's name. `kinds`: product
    kinds by `instrument/product`. `dictionary`: XTCE files of their folders.
    """

    classes: Mapping[str, type[Instrument]] = field(default_factory=dict)
    families: Mapping[str, KnownInstrument] = field(default_factory=dict)
    kinds: Mapping[str, ProductKind] = field(default_factory=dict)
    packages: tuple[InstalledPackage, ...] = ()
    dictionary: tuple[Path, ...] = ()
    joins: tuple[tuple[str, str], ...] = ()
    """Makers of products of several passes: module of the folder, and place in it."""
    archive_rules: ArchiveRules = field(default_factory=ArchiveRules)
    archives: Mapping[str, InstrumentArchive] = field(default_factory=dict)
    """Archive declarations by instrument (topic level)."""
    archive_tables: tuple[tuple[str, str], ...] = ()
    """Planners of PDS4 tables: module of the folder, and place in it."""


def resolve_instruments(
    names: Sequence[str], mission: str, folder: Path, report: ReportProblem
) -> MissionInstruments:
    """Find and import the instruments of a mission; `report` is called with the key and the problem."""
    try:
        own = _own_package(mission, folder) if names else find_package(mission)
    except ConfigError as error:
        report(_KEY, str(error))
        return MissionInstruments()
    if not names:
        return MissionInstruments(archive_rules=_archive_rules(own, ()))
    packages: dict[str, InstalledPackage] = {own.name: own} if own else {}
    found: dict[str, KnownInstrument] = {}
    for name in _expand(names, own, report):
        if own and name in own.instruments:
            found[name] = own.instruments[name]
        elif (other := _find_elsewhere(name, own, report)) is not None:
            packages[other.name] = other
            found[name] = other.instruments[name]
    loaded = _loaded(found, tuple(packages.values()), report)
    return replace(loaded, archive_rules=_archive_rules(own, loaded.packages))


def _archive_rules(own: InstalledPackage | None, packages: Sequence[InstalledPackage]) -> ArchiveRules:
    """The archive rules of the mission's own package; of a mission in a folder those of the first package with its
    instruments, without file names and investigation, which belong to that package's mission.
    """
    if own is not None:
        return own.package.archive
    found = packages[0].package.archive if packages else ArchiveRules()
    return replace(found, names=None, pds4=replace(found.pds4, investigation="") if found.pds4 else None)


def _own_package(mission: str, folder: Path) -> InstalledPackage | None:
    """Return the package with the mission's name, or the one that contains the mission's folder."""
    if (own := find_package(mission)) is not None:
        return own
    of_folder = (one for one in usable_packages()[0] if one.mission_folder == folder)
    return next(of_folder, None)


def _expand(names: Sequence[str], own: InstalledPackage | None, report: ReportProblem) -> list[str]:
    """Return the names without repetition, with `*` replaced by all other instruments of the package."""
    if ALL in names and own is None:
        report(_KEY, f"'{ALL}' means the instruments of the mission's package, and there is none")
    others = [name for name in sorted(own.instruments) if name not in names] if own else []
    every = [one for name in names for one in (others if name == ALL else [name])]
    return list(dict.fromkeys(every))


def _find_elsewhere(name: str, own: InstalledPackage | None, report: ReportProblem) -> InstalledPackage | None:
    """Find the only other package that has an instrument of this name; None if there is none."""
    usable, problems = usable_packages()
    having = [one for one in usable if name in one.instruments]
    if len(having) == 1:
        return having[0]
    if having:
        report(_KEY, f"several packages have an instrument '{name}': {', '.join(one.name for one in having)}")
        return None
    known = sorted(own.instruments if own else {each for one in usable for each in one.instruments})
    text = f"there is no instrument '{name}': {', '.join(known) or 'no package brings any'}"
    report(_KEY, "; ".join([text, *problems]))
    return None


def _loaded(
    known: Mapping[str, KnownInstrument], packages: tuple[InstalledPackage, ...], report: ReportProblem
) -> MissionInstruments:
    classes: dict[str, type[Instrument]] = {}
    families: dict[str, KnownInstrument] = {}
    for name, one in known.items():
        try:
            classes[name] = one.load()
        except ConfigError as error:
            report(_KEY, str(error))
            continue
        families.setdefault(family(name, classes[name]), one)
    folders = list({one.module: one for name, one in known.items() if name in classes}.values())
    kinds = {kind.topic: kind for one in folders for kind in one.folder.kinds if kind.instrument in families}
    files = tuple(one.path / name for one in folders for name in one.folder.dictionary)
    joins = tuple((one.module, one.folder.joins) for one in folders if one.folder.joins)
    archives = {kind.instrument: one.folder.archive for one in folders for kind in one.folder.kinds}
    tables = tuple((one.module, one.folder.archive.tables) for one in folders if one.folder.archive.tables)
    return MissionInstruments(
        classes, families, kinds, packages, files, joins, archives=archives, archive_tables=tables
    )
