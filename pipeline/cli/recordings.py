"""Recordings on disk on the command line: `recordings verify`, `recordings repair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..model.errors import RunError
from .options import err, out
from .start import loading

recordings = typer.Typer(
    help="""Recorded passes on disk: what is damaged, and what is left.

    Example: downlink recordings verify recordings
    """,
    no_args_is_help=True,
)
commands = typer.Typer()
commands.add_typer(recordings, name="recordings")

Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR", envvar="DOWNLINK_STATE", show_default=False, help="Passes, or folders with passes below."
    ),
]


@recordings.command()
def verify(folders: Folders) -> None:
    """Name each damaged stretch of recorded passes: file, bytes and why. Ends with 1 where there is any.

    Example: downlink recordings verify recordings
    """
    with loading():
        from ..recordings.repair import damaged
    n_passes = n_damaged = 0
    for path, faults in damaged(folders):
        n_passes += 1
        n_damaged += bool(faults)
        for fault in faults:
            out.print(f"{path.parent}/{fault}", soft_wrap=True)
    if n_damaged:
        raise RunError(f"{n_damaged:,} of {n_passes:,} recordings are damaged")
    err.print(f"{n_passes:,} recordings are whole", soft_wrap=True)


@recordings.command()
def repair(
    folders: Folders,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Leave the originals where they are, and write there."),
    ] = None,
) -> None:
    """Write damaged passes anew without what is damaged, and say what was cut. The original is kept.

    Not while ingest runs. It publishes a repaired pass again when it starts, with equal ids.

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
            out.print(f"cut: {path.parent}/{fault}", soft_wrap=True)
        err.print(f"{made[0]} is repaired; the original is {made[1]}", soft_wrap=True)
    if not n_repaired:
        err.print("nothing is damaged", soft_wrap=True)
