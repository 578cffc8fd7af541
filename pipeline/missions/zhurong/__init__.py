"""Zhurong, relayed by Tianwen-1: the package of the reference mission. Its mission file is `configs/zhurong/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...products.package import MissionPackage
from .archive import ARCHIVE
from .looks.declared import LOOKS

_INSERT_ZONES: Mapping[str, Mapping[str, Any]] = {
    "tianwen-1": {"bytes": 6, "per_second": 10_000, "epoch": "2015-12-31T16:00:00Z"},
    "tianwen-2": {"bytes": 6, "per_second": 65_536, "epoch": "2019-12-31T16:00:00Z", "byte_order": "little"},
    "change-5": {"offset": 4, "bytes": 4, "per_second": 1, "epoch": "2012-08-01T00:00:00Z", "byte_order": "little"},
}
"""Time stamps in the insert zones of Chinese deep space missions, by their names for `insert_zone_codec`; mission files
of today state the layout themselves (`insert_zone_time`). Read off the air, not published: as described with the
recordings (destevez.net 2020/07 and 2020/12; SatDump). `tianwen-1`: 100 us since 2016-01-01 in Beijing; `tianwen-2`:
2^-16 s since 2020-01-01 in Beijing; `change-5`: four bytes of unknown meaning, then seconds since 2012-08-01.
"""

PACKAGE = MissionPackage(
    __name__,
    interface=1,
    looks=LOOKS,
    simulator="simulator.command:command",
    kernels="kernels.writer:Kernels",
    archive=ARCHIVE,
    insert_zones=_INSERT_ZONES,
)
