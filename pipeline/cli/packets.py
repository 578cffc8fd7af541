"""The command `packets`: space packets of recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from ..model.errors import ConfigError
from .options import Merge, MissionName, Overwrite, Passes, conclude, print_err, reading, warn
from .start import loading

commands = typer.Typer()


@commands.command()
def packets(
    passes: Passes,
    mission: MissionName,
    out_file: Annotated[
        Path | None,
        Option("--out", metavar="FILE", show_default=False, help="The file to write; - is standard output."),
    ] = None,
    by_apid: Annotated[
        bool, Option("--by-apid", help="--out is a folder, which gets a file for each APID: 100.packets.")
    ] = False,
    list_: Annotated[
        bool, Option("--list", help="Print time, APID, count, length, channel and quality of each packet.")
    ] = False,
    hex_: Annotated[bool, Option("--hex", help="Print them with the bytes of each packet below.")] = False,
    fields: Annotated[
        bool, Option("--fields", help="Print them with each field: bits, raw and calibrated value, and the rule.")
    ] = False,
    merge: Merge = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the space packets of recordings back to back, idle ones left out; or list them.

    The file has the packets by (spacecraft id, virtual channel), a list those of all channels in order of completion.

    Example: downlink packets replay_data/clean.cadu --mission {mission} --out clean.packets
    """
    with loading():
        from ..commands import packets as app
    lists = list_ or hex_ or fields
    if lists and (by_apid or out_file is not None):
        raise ConfigError("--list, --hex and --fields print: not with --out or --by-apid")
    if not lists and out_file is None:
        raise ConfigError("--out FILE: name the file to write, or --list the packets")
    if by_apid and str(out_file) == "-":
        raise ConfigError("--by-apid writes several files: --out is a folder")
    with reading(passes, mission, merge=merge) as (known, advance):
        if out_file is None:
            report = app.list_packets(
                passes, known, _print, advance, with_bytes=hex_, with_fields=fields, merge=merge
            )
        else:
            report = app.write_packets(
                passes, known, out_file, advance, by_apid=by_apid, merge=merge, overwrite=overwrite
            )
    warn(report, known)
    if out_file is not None:
        where = f"{len(report['files'])} files in {out_file}" if by_apid else str(out_file)
        print_err(f"{report['packets']['read']:,} packets in {where}")
    conclude(report)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
