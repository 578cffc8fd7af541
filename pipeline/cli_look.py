"""What people look at, on the command line: `watch`, `dashboard`."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from pipeline import app
from pipeline.cli_options import BrokerUrl, err, out
from pipeline.transport.broker import broker as broker_at
from pipeline.watch import show

commands = typer.Typer()


@commands.command()
def watch(
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="Filters; all without.")] = None,
    broker: BrokerUrl = "mqtt://localhost",
    count: Annotated[int | None, typer.Option("-n", metavar="N", min=1, help="End after N messages.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Print messages as they come: JSON as it is, products as a line with their shape and time."""

    async def run() -> None:
        async with broker_at(broker or "mqtt://localhost") as address:
            as_lines = as_json or not sys.stdout.isatty()
            await app.watch(address, topics or ["#"], lambda *message: show(out, *message, as_json=as_lines), count)

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
