"""`stage history` on the command line: the history as a service beside the other stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..system import signals
from .options import MissionName
from .services import (
    Broker,
    Folder,
    HealthAt,
    KeepDays,
    KeepGb,
    Open,
    _common,
    _extra_services,
    _services,
)

commands = typer.Typer()


@commands.command()
def history(
    mission: MissionName,
    where: Annotated[
        str,
        typer.Option(
            "--history", metavar="DIR", envvar="DOWNLINK_HISTORY", help="Of the history, or s3://BUCKET/PREFIX."
        ),
    ] = "history",
    broker: Broker = "mqtt://localhost",
    state: Folder = Path("history-state"),
    health: HealthAt = "127.0.0.1:9104",
    open_: Open = "",
    keep_days: KeepDays = 0.0,
    keep_gb: KeepGb = 0.0,
    keep_summary_days: Annotated[
        float,
        typer.Option(min=0, metavar="DAYS", envvar="DOWNLINK_KEEP_SUMMARY_DAYS", help="Of summaries; 0: for ever."),
    ] = 0.0,
) -> None:
    """Keep the rows of all products in a history, within a second, and tell ingest how far that has come.

    Ingest must know of it: DOWNLINK_HISTORY, or --history there. docs/history.md says how it is asked.

    Example: downlink stage history -m {mission} --history history --broker mqtt://localhost
    """
    services = _services()
    common = _common(services, mission, broker, health, open_, 0.0)
    keep = keep_days or None, int(keep_gb * 1e9) or None, keep_summary_days or None
    with _extra_services("history"):
        signals.run(services.history(common, where, state, keep))
