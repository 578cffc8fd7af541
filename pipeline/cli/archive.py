"""Commands that make archives of passes: `clock`, `spice`, `reprocess`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from ..model.errors import ConfigError, RunError
from .options import (
    FileFormat,
    Merge,
    MissionName,
    OutFile,
    OutFolder,
    Overwrite,
    Passes,
    err,
    print_err,
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
    out_file: OutFile,
    kernel: Annotated[
        Path | None, Option(metavar="FILE.tsc", help="Write a SPICE clock kernel (type 1) too.")
    ] = None,
    spacecraft: Annotated[
        int | None,
        Option(
            metavar="ID", max=-1, help="NAIF id of the clock in the kernel; by default that of the first channel."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit the onboard clock to UTC by the correlation packets of recorded passes.

    Name the file as `correlation` in the table `clock` of mission.toml, relative to its folder. The lineage of products
    then has its id.

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
            passes, known, out_file, advance, wanted, on_report=lambda path, report: warn(report, known, path),
            overwrite=overwrite,
        )  # fmt: skip
    for one in made.partitions:
        last = one.segments[-1]
        print_err(
            f"partition {one.number}: {one.n_pairs} pairs, {one.n_outliers} outliers, {one.n_mended} mended, "
            f"{len(one.segments)} segments, drift {(1 / last.rate - 1) * 1e6:.3f} ppm, "
            f"one sigma {last.sigma_ns / 1e6:.3f} ms"
        )
    print_err(f"{out_file}: correlation {made.clock(known.clock.epoch_utc_ns).correlation_id}")


@commands.command()
def spice(
    passes: Passes,
    mission: MissionName,
    out_folder: OutFolder,
    spacecraft: Annotated[
        int | None,
        Option(
            metavar="ID",
            min=-9999,
            max=-1,
            help="NAIF id of spacecraft and clock; those of frames follow from it. By default of the first channel.",
        ),
    ] = None,
    merge: Merge = False,
    overwrite: Overwrite = False,
) -> None:
    """Write SPICE kernels of a spacecraft from recorded passes: position, attitude, mast, cameras, clock.

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
    print_err(f"{len(paths)} kernels in {out_folder}: load {paths[-1].name}")


@commands.command()
def reprocess(
    folder: Annotated[Path, Argument(metavar="FOLDER", help="Recorded passes, here and in folders below.")],
    mission: MissionName,
    out_folder: OutFolder,
    file_format: FileFormat = "archive",
    pattern: Annotated[
        str | None, Option(metavar="GLOB", help="Names of recordings; by default *.cadu, *.frames and the like.")
    ] = None,
    stream: Annotated[
        str | None, Option(metavar="NAME", help="Stream in ids and lineage; 'live' for recordings of ingest.")
    ] = None,
    scheduler: Annotated[
        str | None,
        Option(metavar="ADDRESS", help="Address of a Dask cluster, tcp://host:8786; by default local processes."),
    ] = None,
    workers: Annotated[
        int | None, Option(metavar="N", min=1, max=256, help="Local processes; by default one for each core.")
    ] = None,
    again: Annotated[bool, Option("--again", help="Make files that are up to date, too.")] = False,
    history: Annotated[
        str | None,
        Option(metavar="DIR", envvar="DOWNLINK_HISTORY", help="Put the rows of all products into a history, too."),
    ] = None,
    every: Annotated[
        float | None, Option(metavar="SECONDS", min=1, help="Look for new passes at this interval, until Ctrl-C.")
    ] = None,
) -> None:
    """Make the product files of an archive of passes, a folder for each, and one index of all.

    Passes that are up to date are skipped: same bytes, software, dictionary, calibration and clock correlation. A run
    that was stopped is resumed.

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
        raise RunError(f"{counts['failed']} passes failed: their existing products are unchanged")


def _reprocess(wanted: Wanted, *, quietly: bool) -> dict[State, int]:
    """Run over all passes, with a bar on a terminal and a line for each failure. `quietly`: no line if none is new."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..commands import reprocess as runner

    tasks = runner.tasks_of(wanted)
    text = TextColumn("{task.description}", markup=False)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), text)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("passes", total=len(tasks))

        def notify(done: Done) -> None:
            bar.update(task, advance=1, description=f"{done.name} {done.state}")
            if done.state == "failed":
                for line in done.text.splitlines():
                    print_err(f"downlink: {done.name}: {line}")

        counts = runner.reprocess(wanted, tasks, notify)
    if quietly and counts["left alone"] == len(tasks):
        return counts
    summary = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    print_err(f"{len(tasks):,} passes in {wanted.out}: {summary}")
    return counts
