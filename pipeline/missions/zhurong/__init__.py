"""Zhurong, relayed by Tianwen-1: the package of the reference mission. Its mission file is `configs/zhurong/`."""

from __future__ import annotations

from ...products.package import MissionPackage
from .archive import ARCHIVE
from .insert_zones import INSERT_ZONES
from .looks.declared import LOOKS

PACKAGE = MissionPackage(
    __name__,
    interface=1,
    looks=LOOKS,
    simulator="simulator.command:command",
    kernels="kernels.writer:Kernels",
    archive=ARCHIVE,
    insert_zones=INSERT_ZONES,
)
