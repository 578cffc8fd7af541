"""The archive on the command line: `clock`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli_options import MissionName, Passes, err, progress, readable
from pipeline.correlate import write_correlation
from pipeline.mission import load_mission

commands = typer.Typer()


@commands.command()
def clock(
    passes: Passes,
    mission: MissionName,
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", show_default=False, help="The file to write.")],
    kernel: Annotated[
        Path | None, typer.Option(metavar="FILE.tsc", help="Write a SPICE clock kernel (type 1) too.")
    ] = None,
    spacecraft: Annotated[
        int, typer.Option(metavar="ID", max=-1, help="NAIF's id of the clock in the kernel.")
    ] = -245,
) -> None:
    """Fit the onboard clock to UTC by the correlation packets of recorded passes.

    Name the file as `correlation` in the table `clock` of mission.toml, relative to its folder. Products that are made
    from then on have its id in their lineage.
    """
    known = load_mission(mission)
    with progress(readable(passes)) as advance:
        made = write_correlation(passes, known, out_file, advance, (kernel, spacecraft) if kernel else None)
    for one in made.partitions:
        last = one.segments[-1]
        err.print(
            f"partition {one.number}: {one.n_pairs} pairs, {one.n_outliers} outliers, {one.n_mended} mended, "
            f"{len(one.segments)} segments, drift {(1 / last.rate - 1) * 1e6:.3f} ppm, "
            f"one sigma {last.sigma_ns / 1e6:.3f} ms"
        )
    err.print(f"{out_file}: correlation {made.clock(known.clock.epoch_utc_ns).correlation_id}", markup=False)
