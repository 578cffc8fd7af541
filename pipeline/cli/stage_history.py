"""The command `stage history`: the history as a service beside the other stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

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
    common_settings,
    keep_of,
    load_services,
)
from .start import extra

commands = typer.Typer()


@commands.command()
def history(
    mission: MissionName,
    where: Annotated[
        str,
        Option(
            "--history",
            metavar="DIR",
            envvar="DOWNLINK_HISTORY",
            help="Folder of the history, or s3://BUCKET/PREFIX.",
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
    """Keep the rows of all products in a history, within a second, and acknowledge them to ingest.

    Set DOWNLINK_HISTORY, or --history, of ingest, too. Queries are described in docs/history.md.

    Example: downlink stage history -m {mission} --history history --broker mqtt://localhost
    """
    services = load_services()
    common = common_settings(services, mission, broker, health, open_, 0.0)
    keep = keep_of(history_days, history_gb, history_summary_days)
    with extra("history"):
        signals.run(services.history(common, where, state, keep))
