"""What people look at, on the command line: `watch`, `dashboard`."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.live import Live

from pipeline import app
from pipeline.cli_options import BrokerUrl, err, out
from pipeline.transport.broker import broker as broker_at
from pipeline.watch import WatchTable, json_line

commands = typer.Typer()


@commands.command()
def watch(
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="Filters; all without.")] = None,
    broker: BrokerUrl = "mqtt://localhost",
    count: Annotated[int | None, typer.Option("-n", metavar="N", min=1, help="End after N messages.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, in place of the table.")] = False,
) -> None:
    """Watch topics as they fill: the newest value of each, its age and rate, and how it went.

    Where the output is no terminal, as with --json: a JSON object for each message.

    Example: downlink watch 'zhurong/+/latest/weather/#' --broker mqtt://localhost
    """

    async def run() -> None:
        async with broker_at(broker or "mqtt://localhost") as address:
            if as_json or not sys.stdout.isatty():
                await app.watch(address, topics or ["#"], lambda *message: print(json_line(*message)), count)  # noqa: T201
                return
            table = WatchTable()
            with Live(table, console=out, refresh_per_second=4):
                await app.watch(address, topics or ["#"], table.add, count)

    asyncio.run(run())


@commands.command()
def dashboard(
    broker: BrokerUrl = "mqtt://localhost",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 is any free one.")] = 5006,
    address: Annotated[str, typer.Option(metavar="HOST", help="To serve on; 0.0.0.0 is all.")] = "127.0.0.1",
) -> None:
    """Serve a live page of what a broker has: the pass, radar, field and weather, spectra, the traverse."""

    async def run() -> None:
        async with broker_at(broker or "mqtt://localhost") as known:
            await app.serve_dashboard(
                known, address, port, lambda url: err.print(f"dashboard on {url}; Ctrl-C ends it", soft_wrap=True)
            )

    asyncio.run(run())
