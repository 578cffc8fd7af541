"""The interface of a mission package: one `MissionPackage`, which its entry point names, and an `InstrumentFolder` for
each folder of instruments.

    [project.entry-points."downlink.missions"]
    imap = "downlink_imap:PACKAGE"

Reading them imports nothing heavy: instruments, looks and simulator are strings, `module:object`, and are imported when
a mission uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model.looks import Look
from .archive_rules import ArchiveRules, InstrumentArchive
from .kinds import ProductKind

INTERFACE = 1
"""Version of this interface. A package that names another one is rejected."""
KINDS_MODULE = "kinds"
"""Module that makes a folder of a package one of instruments; it defines `INSTRUMENT`."""


@dataclass(frozen=True, slots=True)
class InstrumentFolder:
    """One folder of a package: an instrument, or several that share calibration and products.

    `instruments`: `module:Class` by the name in mission files; the module is in the folder. `kinds`: all products that
    they make. `dictionary`: XTCE files of the folder that describe their packets beyond the mission's dictionary.
    `looks`: tabs of the live page. `joins`: `module:Class` that makes products of all passes of a command together.
    `archive`: their entries in the mission's archive. The folder's `calibration.toml` is read if the mission's folder
    has no `calibration/<name>.toml`.
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

    `module`: name of the package, `__name__`. `interface`: the INTERFACE that it is written for. `folder`: below the
    module, with `mission.toml`, dictionary and calibrations; a package without a mission file has instruments for
    missions that are folders. Folders with a module `kinds` are its folders of instruments. `looks`: further tabs of
    the live page. `simulator`: a function with the options of `downlink simulate`. `kernels`: a class that writes SPICE
    kernels (`commands/spice.py`). `archive`: names and labels of files. `insert_zones`: values for `insert_zone_time`
    of a mission file by name; `insert_zone_codec` selects one.
    """

    module: str
    interface: int
    folder: str = ""
    looks: tuple[Look, ...] = ()
    simulator: str = ""
    kernels: str = ""
    archive: ArchiveRules = field(default_factory=ArchiveRules)
    insert_zones: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
