"""The archive on the command line: `clock`, `spice`, `reprocess`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import ConfigError, RunError
from .options import (
    FileFormat,
    Merge,
    MissionName,
    OutFolder,
    Overwrite,
    Passes,
    err,
    progress,
    readable,
    warn,
)
from .start import loading

if TYPE_CHECKING:
    from ..commands.reprocess import Done, State, Wanted

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
        int | None,
        typer.Option(
            metavar="ID", max=-1, help="NAIF's id of the clock in the kernel; of the first channel without."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit the onboard clock to UTC by the correlation packets of recorded passes.

    Name the file as `correlation` in the table `clock` of mission.toml, relative to its folder. Products that are made
    from then on have its id in their lineage.

    Example: downlink clock replay_data/clean.cadu --mission {mission} --out clock.toml --kernel clock.tsc
    """
    with loading():
        from ..commands.clock import write_correlation
        from ..commands.spice import spacecraft_of
        from ..mission.loading import load_mission
    known = load_mission(mission)
    with progress(readable(passes)) as advance:
        wanted = (kernel, spacecraft_of(known, spacecraft)) if kernel else None
        made = write_correlation(
            passes,
            known,
            out_file,
            advance,
            wanted,
            judged=lambda path, report: warn(report, known, path),
            overwrite=overwrite,
        )
    for one in made.partitions:
        last = one.segments[-1]
        err.print(
            f"partition {one.number}: {one.n_pairs} pairs, {one.n_outliers} outliers, {one.n_mended} mended, "
            f"{len(one.segments)} segments, drift {(1 / last.rate - 1) * 1e6:.3f} ppm, "
            f"one sigma {last.sigma_ns / 1e6:.3f} ms",
            soft_wrap=True,
        )
    err.print(
        f"{out_file}: correlation {made.clock(known.clock.epoch_utc_ns).correlation_id}",
        soft_wrap=True,
    )


@commands.command()
def spice(
    passes: Passes,
    mission: MissionName,
    out_folder: OutFolder,
    spacecraft: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            min=-9999,
            max=-1,
            help="NAIF's id of spacecraft and clock; those of frames follow it. Of the first channel without.",
        ),
    ] = None,
    merge: Merge = False,
    overwrite: Overwrite = False,
) -> None:
    """Write SPICE kernels of a spacecraft from recorded passes: place, attitude, mast, cameras, clock.

    SPK, CK, FK, IK, SCLK, leap seconds, and a meta-kernel that loads them all (docs/spice.md).

    Example: downlink spice replay_data/clean.cadu --mission {mission} --out kernels
    """
    with loading():
        from ..commands.spice import write_kernels
        from ..mission.loading import load_mission
    known = load_mission(mission)
    with progress(readable(passes)) as advance:
        report, paths = write_kernels(
            passes, known, out_folder, advance, spacecraft, merge=merge, overwrite=overwrite
        )
    warn(report, known, passes[0])
    err.print(f"{len(paths)} kernels in {out_folder}: load {paths[-1].name}", soft_wrap=True)


@commands.command()
def reprocess(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Recorded passes, here and in folders below.")],
    mission: MissionName,
    out_folder: OutFolder,
    file_format: FileFormat = "archive",
    pattern: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Names of recordings; *.cadu, *.frames and the like without.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="In ids and lineage; 'live' for what ingest recorded.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a Dask cluster, tcp://host:8786; local processes without."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=256, help="Local processes; one for each core without.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Make anew what is up to date too.")] = False,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", envvar="DOWNLINK_HISTORY", help="Put the rows of all products into a history too."
        ),
    ] = None,
    every: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="Look for new passes so often, until Ctrl-C.")
    ] = None,
) -> None:
    """Make the product files of an archive of passes, a folder for each, and one index of all.

    Passes that are up to date are left alone: the same bytes, software, dictionary, calibration and clock correlation.
    Stopped and called again it goes on where it was.

    Example: downlink reprocess replay_data --mission {mission} --out archive --format netcdf
    """
    with loading():
        from ..commands.reprocess import Wanted
    if scheduler and workers:
        raise ConfigError("--workers is for local processes: a Dask cluster has its own")
    n_workers = workers or os.cpu_count() or 1
    wanted = Wanted(folder, mission, out_folder, file_format, pattern, stream, scheduler, n_workers, again, history)
    counts = _reprocess(wanted, quietly=False)
    if not any(counts.values()) and every is None:
        raise RunError(
            f"there is no recording in {folder}: --pattern GLOB names others than *.cadu, *.frames and the like"
        )
    while every is not None:
        time.sleep(every)
        counts = _reprocess(wanted, quietly=True)
    if counts["failed"]:
        raise RunError(f"{counts['failed']} passes failed: what was there before is still there")


def _reprocess(wanted: Wanted, *, quietly: bool) -> dict[State, int]:
    """One run over all passes, with a bar on a terminal and a line for each failure; `quietly`: no news, no line."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..commands import reprocess as runner

    tasks = runner.tasks_of(wanted)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("passes", total=len(tasks))

        def notify(done: Done) -> None:
            bar.update(task, advance=1, description=f"{done.name} {done.state}")
            if done.state == "failed":
                for line in done.text.splitlines():
                    err.print(f"downlink: {done.name}: {line}", soft_wrap=True)

        counts = runner.reprocess(wanted, tasks, notify)
    if quietly and counts["left alone"] == len(tasks):
        return counts
    summary = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    err.print(f"{len(tasks):,} passes in {wanted.out}: {summary}", soft_wrap=True)
    return counts
