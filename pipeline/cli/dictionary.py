"""Dictionaries on the command line: `dictionary convert`, `dictionary diff`, `dictionary make-packets`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..model.errors import ConfigError, RunError
from .options import err, out
from .start import loading

dictionary = typer.Typer(
    help="""Dictionaries: bring them from other tools, compare them, make packets of them.

    Example: downlink dictionary convert tlm.txt --to xtce --out telemetry.xml
    """,
    no_args_is_help=True,
)
commands = typer.Typer()
commands.add_typer(dictionary, name="dictionary")

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", show_default=False, help="Files of one definition, or a folder.")
]
Format = Literal["cosmos", "fprime", "ait", "kaitai", "scos", "xtce", "csv"]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]


@dictionary.command()
def convert(
    files: Files,
    to: Annotated[Literal["xtce", "csv"], typer.Option("--to", help="What to write.", show_default=False)],
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", show_default=False, help="The file to write.")],
    source_format: Annotated[
        Format | None, typer.Option("--from", help="Format of the files; detected from their content if left out.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 where anything cannot be carried.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert a definition from COSMOS, F Prime, AIT, Kaitai (SatNOGS) or SCOS-2000 to XTCE or CSV.

    What cannot be carried is listed with its file and line on standard error, each time.

    Example: downlink dictionary convert tlm.txt --to xtce --out telemetry.xml
    """
    with loading():
        from ..conversion.formats import check_document, read_definition, write_definition
        from ..system.files import whole_file
        from ..system.outputs import check_file
    _there(files)
    check_file(out_file, files, overwrite=overwrite)
    converted = read_definition(files, source_format or "")
    document, losses = write_definition(converted, to, str(files[0]))
    for loss in losses:
        err.print(f"not carried: {loss}", soft_wrap=True)
    check_document(document, to)
    with whole_file(out_file) as file:
        file.write(document)
    n = sum(not each.abstract for each in converted.dictionary.containers.values())
    err.print(f"{out_file}: {n:,} containers, {len(converted.dictionary.parameters):,} parameters", soft_wrap=True)
    if losses and strict:
        raise RunError(f"{len(losses):,} things are not carried")


@dictionary.command()
def diff(
    before: Annotated[
        Path, typer.Argument(metavar="A", show_default=False, help="A dictionary: a file or folder.")
    ],
    after: Annotated[Path, typer.Argument(metavar="B", show_default=False, help="Another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="The differences as JSON.")] = False,
) -> None:
    """Say what a subscriber would notice between two dictionaries. Ends with 0 where that is nothing, else with 1.

    Containers and parameters that are gone or new; types, units, labels, calibrations, limits, and positions that alter
    values. Of any format that convert reads.

    Example: downlink dictionary diff old.xml new.xml
    """
    with loading():
        from ..conversion.differences import Compared, differences
        from ..conversion.formats import read_definition
        from ..dictionary.compile.plan import compile_plan
    _there([before, after])
    known = [read_definition([path]).dictionary for path in (before, after)]
    found = list(differences(*(Compared(each, compile_plan(each)) for each in known)))
    if as_json:
        sys.stdout.write(json.dumps({"differences": [asdict(each) for each in found]}) + "\n")
    else:
        for each in found:
            out.print(str(each), soft_wrap=True)
        if not found:
            out.print("no difference that a subscriber would notice")
    if found:
        raise typer.Exit(RunError.exit_status)


@dictionary.command("make-packets")
def make_packets(
    files: Files,
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", show_default=False, help="The file of packets.")
    ],
    seed: Annotated[int, typer.Option(help="The same seed gives the same packets.")] = 0,
    count: Annotated[int, typer.Option("--count", min=1, max=1_000_000, help="How many packets in all.")] = 1000,
    root: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Where packets enter.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make packets of each container of a dictionary in turn, as its criteria allow.

    Edges first, then random values. The first six of each container hold zeros, ones, the least, the greatest,
    values around the sign, and NaN.

    Example: downlink dictionary make-packets telemetry.xml --out made.packets --seed 7
    """
    with loading():
        from ..conversion.formats import read_definition
        from ..conversion.packets import make_packets as make
        from ..dictionary.compile.plan import compile_plan
        from ..mission.dictionary_files import ReaderOptions
        from ..system.files import whole_file
        from ..system.outputs import check_file
    _there(files)
    check_file(out_file, files, overwrite=overwrite)
    known = read_definition(files, "", ReaderOptions(roots=tuple(root or ()))).dictionary
    made = make(known, compile_plan(known, root or None), count, seed)
    by_reason: dict[str, list[str]] = {}
    for name, why in made.missing:
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        others = f" and {len(names) - 1:,} others" if len(names) > 1 else ""
        err.print(f"too few packets of {names[0]}{others}: {why}", soft_wrap=True)
    if not made.packets:
        raise RunError("no packet could be made")
    with whole_file(out_file) as file:
        file.write(b"".join(made.packets))
    n = len(set(made.containers))
    err.print(f"{out_file}: {len(made.packets):,} packets of {n:,} containers", soft_wrap=True)
    if made.missing:
        raise RunError(f"{len(made.missing):,} containers have fewer packets than asked for")


def _there(files: list[Path]) -> None:
    for path in files:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file")
