"""The command `detect`: link settings of an unknown recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from .options import Overwrite, print_err, readable
from .start import loading

commands = typer.Typer()


@commands.command()
def detect(
    recording: Annotated[
        Path, Argument(metavar="FILE", show_default=False, help="A recording; - is standard input.")
    ],
    out_file: Annotated[
        Path | None, Option("--out", metavar="FILE", show_default=False, help="Also write the mission.toml here.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Detect the link settings of a recording, and print a mission.toml for it, with the evidence as comments.

    It tries containers (KISS, pcap), one bit a byte, soft symbols, markers, randomisers, codes, frame lengths and
    types, FECF, insert zones, secondary and security headers, packets. Noise ends it with exit status 1.

    Example: downlink detect recordings/unknown.bin --out unknown/mission.toml
    """
    with loading():
        from ..commands.detect import detected
        from ..system.files import whole_file
        from ..system.outputs import check_file
    readable([recording])
    if out_file is not None:
        check_file(out_file, [recording], overwrite=overwrite)
    text = detected(recording)
    print(text, end="")  # noqa: T201
    if out_file is not None:
        with whole_file(out_file) as file:
            file.write(text.encode())
        print_err(f"written to {out_file}: downlink inspect {recording} --mission {out_file.parent}")
