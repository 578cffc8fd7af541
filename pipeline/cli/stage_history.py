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
    HistoryDays,
    HistoryGb,
    HistorySummaryDays,
    Open,
    _common,
    _extra_services,
    _services,
    keep_of,
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
    history_days: HistoryDays = 0.0,
    history_gb: HistoryGb = 0.0,
    history_summary_days: HistorySummaryDays = 0.0,
) -> None:
    """Keep the rows of all products in a history, within a second, and tell ingest how far that has come.

    Ingest must know of it: DOWNLINK_HISTORY, or --history there. docs/history.md says how it is asked.

    Example: downlink stage history -m {mission} --history history --broker mqtt://localhost
    """
    services = _services()
    common = _common(services, mission, broker, health, open_, 0.0)
    keep = keep_of(history_days, history_gb, history_summary_days)
    with _extra_services("history"):
        signals.run(services.history(common, where, state, keep))
