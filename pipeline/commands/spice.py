"""`downlink spice`: SPICE kernels of passes, as the mission's package writes them.

recordings -> processing chain (link, dictionary, instruments) -> products -> the package's kernels
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ..mission.loading import Mission
from ..model.batches import Product
from ..model.errors import ConfigError
from ..processing.chain import ProcessingChain
from ..processing.passes import outcomes, station_names, with_origin
from ..system.outputs import begins_with, check_folder, check_replace


class Kernels(Protocol):
    """The writer of SPICE kernels of a mission package. `endings`: of its files, the meta-kernel last.

    `instruments`: whose products it needs.
    """

    instruments: tuple[str, ...]
    endings: tuple[str, ...]

    def check(self, mission: Mission) -> None: ...
    def write(
        self, paths: Mapping[str, Path], mission: Mission, products: Iterable[Product], spacecraft: int
    ) -> None: ...


def write_kernels(
    passes: Sequence[Path],
    mission: Mission,
    out: Path,
    progress: Callable[[int], None],
    spacecraft: int | None = None,
    *,
    merge: bool = False,
    overwrite: bool = False,
) -> tuple[dict[str, Any], list[Path]]:
    """Write the kernels of passes into a folder. Returns the pass report and the files, the meta-kernel last.

    `spacecraft`: NAIF id, as in `spacecraft_of`. ConfigError if the mission has no package that writes kernels, or
    lacks what it needs; RunError if the passes have no position and attitude.
    """
    kernels = _kernels_of(mission)
    mission = with_origin(mission, passes)
    kernels.check(mission)
    number = spacecraft_of(mission, spacecraft)
    stem = "_".join([mission.name, passes[0].name.split(".")[0]])
    paths = {ending: out / f"{stem}.{ending}" for ending in kernels.endings}
    check_folder(out, passes)
    check_replace(list(paths.values()), passes, overwrite=overwrite, is_own=begins_with(b"KPL/", b"DAF/"))
    used = {name: mission.instruments[name] for name in kernels.instruments}
    chain = ProcessingChain(
        replace(mission, instruments=used), stations=station_names(mission, passes, merge=merge)
    )
    products = (product for outcome in outcomes(chain, passes, progress) for product in outcome.products)
    kernels.write(paths, mission, products, number)
    return chain.report(), list(paths.values())


def spacecraft_of(mission: Mission, named: int | None) -> int:
    """The NAIF id of the spacecraft: `named`, else the negative spacecraft id of the mission's first channel.

    This is the rule for most spacecraft (NAIF Integer ID codes). ConfigError if the mission has no channel.
    """
    if named is not None:
        return named
    if not mission.channels:
        raise ConfigError(f"mission {mission.name} names no [[channel]]: give NAIF's id of it by --spacecraft")
    return -mission.channels[0].spacecraft_id


def _kernels_of(mission: Mission) -> Kernels:
    for package in mission.packages:
        if package.package.kernels:
            found: Kernels = package.load(package.package.kernels)()
            return found
    raise ConfigError(f"mission {mission.name} has no package that writes SPICE kernels")
