"""What a mission package brings: one `MissionPackage`, which its entry point names, and an `InstrumentFolder` for each
folder of instruments.

    [project.entry-points."downlink.missions"]
    imap = "downlink_imap:PACKAGE"

Nothing heavy is imported to read either: instruments, looks and simulator are places, `module:object`,
that are imported when a mission uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model.looks import Look
from .archive_rules import ArchiveRules, InstrumentArchive
from .kinds import ProductKind

INTERFACE = 1
"""Version of what a package is written against. A package that names another one is refused."""
KINDS_MODULE = "kinds"
"""A folder of a package that has this module is a folder of instruments; the module has its `INSTRUMENT`."""


@dataclass(frozen=True, slots=True)
class InstrumentFolder:
    """One folder of a package: an instrument, or several that share calibration and products.

    `instruments`: by the name that a mission file uses, `module:Class`, the module within the folder. `kinds`: all
    products that they make. `dictionary`: XTCE files of the folder that describe their packets beyond the mission's
    dictionary. `looks`: tabs of the live page. `joins`: what makes products of all passes of one
    command together, `module:Class`. `archive`: what the mission's archive says of these instruments. The folder's
    `calibration.toml` is read where the mission's folder has no `calibration/<name>.toml`.
    """

    instruments: Mapping[str, str]
    kinds: tuple[ProductKind, ...] = ()
    dictionary: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    joins: str = ""
    archive: InstrumentArchive = field(default_factory=InstrumentArchive)


@dataclass(frozen=True, slots=True)
class MissionPackage:
    """A mission as a package; every part but the first two is optional.

    `module`: the package itself, `__name__`. `interface`: the INTERFACE that it is written against. `folder`: below the
    module, with `mission.toml`, dictionary and calibrations; a package without a mission file brings instruments to
    missions that are folders. Its folders of instruments are found: those with a module `kinds`. `looks`: tabs of the
    live page beside those of its folders. `simulator`: a function with the options of `downlink simulate`. `kernels`:
    a class that writes SPICE kernels (`commands/spice.py`). `archive`: how files are named and labelled.
    `insert_zones`: by name, what `insert_zone_time` of a mission file may hold; `insert_zone_codec` names one.
    """

    module: str
    interface: int
    folder: str = ""
    looks: tuple[Look, ...] = ()
    simulator: str = ""
    kernels: str = ""
    archive: ArchiveRules = field(default_factory=ArchiveRules)
    insert_zones: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
