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
from ..system.outputs import check_folder, check_replace


class Kernels(Protocol):
    """What a mission package brings as `kernels`. `endings`: of its files, the meta-kernel last."""

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
    """Write the kernels of passes into a folder; give the report of the passes and the files, the meta-kernel last.

    `spacecraft`: NAIF's id, as `spacecraft_of` takes it.

    Raises ConfigError where the mission's package writes none or lacks what it needs, RunError where the passes tell no
    place and attitude.
    """
    kernels = _kernels_of(mission)
    mission = with_origin(mission, passes)
    kernels.check(mission)
    number = spacecraft_of(mission, spacecraft)
    stem = "_".join([mission.name, passes[0].name.split(".")[0]])
    paths = {ending: out / f"{stem}.{ending}" for ending in kernels.endings}
    check_folder(out, passes)
    check_replace(list(paths.values()), passes, overwrite=overwrite, is_own=_is_kernel)
    telling = {name: mission.instruments[name] for name in kernels.instruments}
    line = ProcessingChain(
        replace(mission, instruments=telling), stations=station_names(mission, passes, merge=merge)
    )
    products = (product for outcome in outcomes(line, passes, progress) for product in outcome.products)
    kernels.write(paths, mission, products, number)
    return line.report(), list(paths.values())


def spacecraft_of(mission: Mission, named: int | None) -> int:
    """NAIF's id of the spacecraft: as named, else the negative of the spacecraft id of the mission's first channel.

    Such are NAIF's ids of most spacecraft (NAIF Integer ID codes). ConfigError where the mission names no channel.
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


def _is_kernel(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in {b"KPL/", b"DAF/"}
