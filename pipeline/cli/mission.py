"""Commands of mission packages: `mission new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from .options import print_err
from .start import loading

mission = typer.Typer(
    help="""Mission packages: begin one of your own.

    Example: downlink mission new mysat
    """,
    no_args_is_help=True,
)
commands = typer.Typer()
commands.add_typer(mission, name="mission")


@mission.command()
def new(
    name: Annotated[str, Argument(metavar="NAME", help="Name of the mission: the first level of its topics.")],
    xtce: Annotated[
        list[Path] | None, Option(metavar="FILE", help="Its dictionary; may be repeated. By default an example.")
    ] = None,
    out_folder: Annotated[
        Path | None, Option("--out", metavar="DIR", help="A new folder; by default ./NAME.")
    ] = None,
) -> None:
    """Write a mission package that installs and runs: an instrument, its calibration, product kind, tab and test.

    Example: downlink mission new mysat --xtce telemetry.xml
    """
    with loading():
        from ..commands.scaffold.package import new_package
    folder = out_folder or Path(name)
    files = new_package(name, folder, xtce or [])
    print_err(f"{folder}: {len(files)} files")
    replay = f"downlink replay {folder / 'first.packets'} --mission {name}"
    for line in (f"pip install -e {folder}", f"downlink check {name}", replay):
        print_err(f"  {line}")
