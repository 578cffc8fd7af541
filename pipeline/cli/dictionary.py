"""Commands of dictionaries: `dictionary convert`, `dictionary diff`, `dictionary make-packets`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from ..model.errors import RunError
from .options import OutFile, check_exist, print_err, print_out
from .start import loading

dictionary = typer.Typer(
    help="""Dictionaries: convert them from other tools, compare them, make packets of them.

    Example: downlink dictionary convert tlm.txt --to xtce --out telemetry.xml
    """,
    no_args_is_help=True,
)
commands = typer.Typer()
commands.add_typer(dictionary, name="dictionary")

Files = Annotated[
    list[Path], Argument(metavar="FILE", show_default=False, help="Files of one definition, or a folder.")
]
Format = Literal["cosmos", "fprime", "ait", "kaitai", "scos", "xtce", "csv"]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace an existing file.")]


@dictionary.command()
def convert(
    files: Files,
    to: Annotated[Literal["xtce", "csv"], Option("--to", help="Format of the output.", show_default=False)],
    out_file: OutFile,
    source_format: Annotated[
        Format | None, Option("--from", help="Format of the files; by default detected from their content.")
    ] = None,
    strict: Annotated[bool, Option("--strict", help="Exit status 1 if any element cannot be converted.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert a definition from COSMOS, F Prime, AIT, Kaitai (SatNOGS) or SCOS-2000 to XTCE or CSV.

    Elements that cannot be converted are listed with file and line on standard error.

    Example: downlink dictionary convert tlm.txt --to xtce --out telemetry.xml
    """
    with loading():
        from ..conversion.formats import check_document, read_definition, write_definition
        from ..system.files import whole_file
        from ..system.outputs import check_file
    check_exist(files)
    check_file(out_file, files, overwrite=overwrite)
    converted = read_definition(files, source_format or "")
    document, losses = write_definition(converted, to, str(files[0]))
    for loss in losses:
        print_err(f"loss: {loss}")
    check_document(document, to)
    with whole_file(out_file) as file:
        file.write(document)
    n = sum(not each.abstract for each in converted.dictionary.containers.values())
    print_err(f"{out_file}: {n:,} containers, {len(converted.dictionary.parameters):,} parameters")
    if losses and strict:
        raise RunError(f"{len(losses):,} elements are not converted")


@dictionary.command()
def diff(
    before: Annotated[Path, Argument(metavar="A", show_default=False, help="A dictionary: a file or folder.")],
    after: Annotated[Path, Argument(metavar="B", show_default=False, help="The dictionary to compare with.")],
    as_json: Annotated[bool, Option("--json", help="The differences as JSON.")] = False,
) -> None:
    """List the differences between two dictionaries that subscribers notice. Exit status 0 if there are none, else 1.

    These are removed and added containers and parameters, types, units, labels, calibrations, limits, and positions
    that change values. The dictionaries may have any format that convert reads.

    Example: downlink dictionary diff old.xml new.xml
    """
    with loading():
        from ..conversion.differences import Compared, differences
        from ..conversion.formats import read_definition
        from ..dictionary.compile.plan import compile_plan
    check_exist([before, after])
    known = [read_definition([path]).dictionary for path in (before, after)]
    found = list(differences(*(Compared(each, compile_plan(each)) for each in known)))
    if as_json:
        sys.stdout.write(json.dumps({"differences": [asdict(each) for each in found]}) + "\n")
    else:
        for each in found:
            print_out(str(each))
        if not found:
            print_out("no difference that a subscriber would notice")
    if found:
        raise typer.Exit(RunError.exit_status)


@dictionary.command("make-packets")
def make_packets(
    files: Files,
    out_file: OutFile,
    seed: Annotated[int, Option(help="Seed of the random values: the same seed gives the same packets.")] = 0,
    count: Annotated[int, Option("--count", min=1, max=1_000_000, help="Number of packets.")] = 1000,
    root: Annotated[
        list[str] | None, Option(metavar="NAME", help="Root container of packets; may be repeated.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make packets of each container of a dictionary in turn, with values that meet its criteria.

    The first six of each container have zeros, ones, the smallest, the largest, values around the sign, and NaN; the
    others random values.

    Example: downlink dictionary make-packets telemetry.xml --out made.packets --seed 7
    """
    with loading():
        from ..conversion.formats import read_definition
        from ..conversion.packets import make_packets as make
        from ..dictionary.compile.plan import compile_plan
        from ..mission.dictionary_files import ReaderOptions
        from ..system.files import whole_file
        from ..system.outputs import check_file
    check_exist(files)
    check_file(out_file, files, overwrite=overwrite)
    known = read_definition(files, "", ReaderOptions(roots=tuple(root or ()))).dictionary
    made = make(known, compile_plan(known, root or None), count, seed)
    by_reason: dict[str, list[str]] = {}
    for name, why in made.missing:
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        others = f" and {len(names) - 1:,} others" if len(names) > 1 else ""
        print_err(f"too few packets of {names[0]}{others}: {why}")
    if not made.packets:
        raise RunError("no packet could be made")
    with whole_file(out_file) as file:
        file.write(b"".join(made.packets))
    n = len(set(made.containers))
    print_err(f"{out_file}: {len(made.packets):,} packets of {n:,} containers")
    if made.missing:
        raise RunError(f"{len(made.missing):,} containers have fewer packets than asked for")
