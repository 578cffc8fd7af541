"""Commands of recordings on disk: `recordings verify`, `recordings repair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from ..model.errors import RunError
from .options import print_err, print_out
from .start import loading

recordings = typer.Typer(
    help="""Recorded passes on disk: find damage, and repair it.

    Example: downlink recordings verify recordings
    """,
    no_args_is_help=True,
)
commands = typer.Typer()
commands.add_typer(recordings, name="recordings")

Folders = Annotated[
    list[Path],
    Argument(
        metavar="DIR", envvar="DOWNLINK_STATE", show_default=False, help="Passes, or folders that contain passes."
    ),
]


@recordings.command()
def verify(folders: Folders) -> None:
    """List the damaged ranges of recorded passes: file, bytes and reason. Exit status 1 if there are any.

    Example: downlink recordings verify recordings
    """
    with loading():
        from ..recordings.repair import damaged
    n_passes = n_damaged = 0
    for path, faults in damaged(folders):
        n_passes += 1
        n_damaged += bool(faults)
        for fault in faults:
            print_out(f"{path.parent}/{fault}")
    if n_damaged:
        raise RunError(f"{n_damaged:,} of {n_passes:,} recordings are damaged")
    print_err(f"{n_passes:,} recordings are whole")


@recordings.command()
def repair(
    folders: Folders,
    out_folder: Annotated[
        Path | None, Option("--out", metavar="DIR", help="Write here, and leave the originals in place.")
    ] = None,
) -> None:
    """Rewrite damaged passes without their damaged ranges, which are listed. The originals are kept.

    Stop ingest before. When it starts, it publishes a repaired pass again, with the same product ids.

    Example: downlink recordings repair recordings/live/20210525T075000.000000Z
    """
    with loading():
        from ..recordings.repair import pass_folders, verify
        from ..recordings.repair import repair as write_anew
    n_repaired = 0
    for path in pass_folders(folders):
        faults = verify(path)
        made = write_anew(path, out_folder) if faults else None
        if made is None:
            continue
        n_repaired += 1
        for fault in faults:
            print_out(f"cut: {path.parent}/{fault}")
        print_err(f"{made[0]} is repaired; the original is {made[1]}")
    if not n_repaired:
        print_err("nothing is damaged")
