"""The simulator on the command line: what `downlink simulate` does for this mission."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeRemainingColumn

from ....system.outputs import check_name, check_replace
from .campaign import Campaign, pass_files, simulate_campaign
from .run import simulate
from .scenario import Faults, Scenario, Summary

err = Console(stderr=True)


def command(
    out_file: Annotated[Path, typer.Option("--out", metavar="PASS", show_default=False, help="The pass to write.")],
    sol: Annotated[int, typer.Option(min=1, help="The sol that is measured.")] = 11,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", min=60, max=14400, help="How long the rover measures.")
    ] = 600.0,
    profile: Annotated[Literal["high", "low"], typer.Option(help="892-byte or 220-byte frames.")] = "high",
    radar: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.2B", help="Real radar records as the measurement.")
    ] = None,
    all_polarizations: Annotated[
        bool, typer.Option("--all-polarizations", help="The radar in HH, HV, VH and VV, not in HH alone.")
    ] = False,
    symbol_errors: Annotated[int, typer.Option(min=0, max=16, help="Wrong symbols in each codeword hit.")] = 0,
    symbol_error_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the codewords hit.")] = 1.0,
    lost_frames: Annotated[int, typer.Option(min=0, help="Frames that never arrive, in bursts.")] = 0,
    uncorrectable_frames: Annotated[int, typer.Option(min=0, help="Frames beyond correction.")] = 0,
    duplicate_frames: Annotated[int, typer.Option(min=0, help="Frames that arrive twice.")] = 0,
    noise_bytes: Annotated[int, typer.Option(min=0, help="Garbage between frames.")] = 0,
    other_channel: Annotated[
        bool, typer.Option("--other-channel", help="Idle frames, and the orbiter's own packets, between.")
    ] = False,
    night: Annotated[bool, typer.Option("--night", help="Begin at 02:00 local time: the rover sleeps.")] = False,
    sols: Annotated[int, typer.Option(min=1, max=400, help="How many sols, one after the other.")] = 1,
    n_passes: Annotated[int, typer.Option("--passes", min=1, max=8, help="Passes to Earth of each sol.")] = 1,
    stations: Annotated[int, typer.Option(min=1, max=3, help="Stations that receive each pass.")] = 1,
    orbiter: Annotated[bool, typer.Option("--orbiter", help="The orbiter's own packets between.")] = False,
    clock_drift_ppm: Annotated[float, typer.Option(min=-1000, max=1000, help="Of the rover's clock.")] = 0.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there and are no simulated passes.")
    ] = False,
) -> None:
    """Make a pass of Zhurong as a ground station records it, and beside it the truth and the receive times.

    Example: downlink simulate --out my.cadu --lost-frames 20 --symbol-errors 16
    """
    faults = Faults(
        symbol_errors=symbol_errors,
        symbol_error_share=symbol_error_share,
        lost_frames=lost_frames,
        noise_bytes=noise_bytes,
        duplicate_frames=duplicate_frames,
        other_channel=other_channel,
        uncorrectable_frames=uncorrectable_frames,
        clock_drift_ppm=clock_drift_ppm,
    )
    scenario = Scenario(
        sol=sol,
        seed=seed,
        duration_s=duration,
        profile=profile,
        faults=faults,
        orbiter=orbiter,
        night=night,
        radar_files=tuple(radar or ()),
        all_polarizations=all_polarizations,
    )
    campaign = Campaign(scenario, sols, n_passes, stations)
    _check(out_file, campaign, overwrite=overwrite)
    with Progress(
        BarColumn(), TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        task = bar.add_task("", total=1.0)
        made = _make(out_file, campaign, lambda at: bar.update(task, completed=at))
    for one in made:
        err.print(f"{one.files[-1]}: {one.n_bytes:,} bytes; truth and receive times beside it", soft_wrap=True)


def _check(out_file: Path, campaign: Campaign, *, overwrite: bool) -> None:
    """Raise ConfigError where an input, or a file of no simulated pass, would be replaced."""
    check_name(out_file)
    inputs = campaign.scenario.radar_files
    for files in pass_files(out_file, campaign):
        is_simulated = any(path.name.endswith(".truth.json") and path.is_file() for path in files)
        check_name(files[-1])
        check_replace(files, inputs, overwrite=overwrite or is_simulated)


def _make(out_file: Path, campaign: Campaign, progress: Callable[[float], None]) -> list[Summary]:
    """One pass is `out_file`; more are named after it."""
    if (campaign.sols, campaign.passes, campaign.stations) == (1, 1, 1):
        return [simulate(out_file, campaign.scenario, progress)]
    return simulate_campaign(out_file, campaign, progress)
