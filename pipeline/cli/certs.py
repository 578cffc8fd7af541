"""The command `certs`: certificates and an access list for a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from ..model.printable import printable
from .start import extra, loading

commands = typer.Typer()


@commands.command()
def certs(
    out: Annotated[Path, Option(metavar="DIR", show_default=False, help="The folder to fill.")],
    host: Annotated[
        list[str] | None, Option(metavar="NAME", help="Host of the broker; may be repeated. By default localhost.")
    ] = None,
    station_host: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="Host of ingest for stations; may be repeated. By default the broker's."),
    ] = None,
    mission: Annotated[
        str, Option("--mission", "-m", metavar="NAME", help="Mission of the access list; +: all.")
    ] = "+",
    days: Annotated[float, Option(min=0.0, help="Days of validity.")] = 365.0,
    each: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="Make a folder for each of these, as in docker-compose.yml; certificates valid for 30 days are kept.",
        ),
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace existing certificates.")] = False,
) -> None:
    """Make certificates, an access list and a broker's configuration for a lab.

    Example: downlink certs --out certs --host localhost --mission {mission}
    """
    with extra("services"), loading():
        from ..system.cert_folders import keep_certificates
        from ..system.certs import make_certificates
        from ..system.outputs import check_folder
    hosts = host or ["localhost", "127.0.0.1"]
    if each:
        check_folder(out)
        made = keep_certificates(out, each, hosts, mission, days)
    else:
        made = make_certificates(out, hosts, mission, days, station_host, overwrite=overwrite)
    for path in made:
        typer.echo(printable(str(path)))
