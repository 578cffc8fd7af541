"""What people look at, on the command line: `watch`, `dashboard`, `plot`, `topics`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..model.errors import RunError
from ..system import signals
from .options import (
    BrokerUrl,
    Merge,
    MissionName,
    OutFolder,
    Overwrite,
    Passes,
    conclude,
    err,
    out,
    progress,
    readable,
    warn,
)
from .start import loading

if TYPE_CHECKING:
    from ..commands.topics_diff import Change

commands = typer.Typer()


@commands.command()
def watch(
    topics: Annotated[list[str] | None, typer.Argument(metavar="TOPIC", help="Filters; all without.")] = None,
    broker: BrokerUrl = "mqtt://localhost",
    count: Annotated[int | None, typer.Option("-n", metavar="N", min=1, help="End after N messages.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, in place of the table.")] = False,
) -> None:
    """Watch topics as they fill: the newest value of each, its age and rate, and how it went.

    Keys: / filters, s sorts (name, age, rate, quality), r reverses, arrows and pages scroll, q quits. Where the
    output is no terminal, as with --json: a JSON object for each message.

    Example: downlink watch '{mission}/+/latest/#' --broker mqtt://localhost
    """
    with loading():
        from rich.live import Live

        from ..commands import live as app
        from ..mqtt.broker import broker as broker_at
        from .watch import WatchTable, json_line
        from .watch_keys import keys, until_event

    async def run() -> None:
        async with broker_at(broker or "mqtt://localhost") as address:
            if as_json or not sys.stdout.isatty():
                await app.watch(address, topics or ["#"], lambda *message: print(json_line(*message)), count)  # noqa: T201
                return
            table, quitting = WatchTable(), asyncio.Event()
            with Live(table, console=out, refresh_per_second=4) as live:

                def press(key: str) -> None:
                    if not table.press(key):
                        quitting.set()
                    live.refresh()

                with keys(press) as table.has_keys:
                    await until_event(app.watch(address, topics or ["#"], table.add, count), quitting)

    signals.run(run())


@commands.command()
def dashboard(
    broker: BrokerUrl = "mqtt://localhost",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 is any free one.")] = 5006,
    address: Annotated[str, typer.Option(metavar="HOST", help="To serve on; 0.0.0.0 is all.")] = "127.0.0.1",
    open_: Annotated[
        str,
        typer.Option(
            "--open", metavar="NAMES", envvar="DOWNLINK_OPEN", help="dashboard: it may show the page to anyone."
        ),
    ] = "",
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]",
            envvar="DOWNLINK_ORIGINS",
            help="As browsers see the page, where that is not its address or localhost; once for each.",
        ),
    ] = None,
    mission: Annotated[
        list[str] | None,
        typer.Option(
            "--mission",
            "-m",
            metavar="M",
            help="Whose dictionary, ranges of alarms and displays it uses, beside those of packages; once for each.",
        ),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="DOWNLINK_HISTORY",
            help="Look back too: a history's folder, its URL, or http:// or grpc:// of `history serve`.",
        ),
    ] = None,
) -> None:
    """Serve a live page of what a broker has: pass, parameters, packets, events, and what a mission's package brings.

    Example: downlink dashboard --broker mqtt://localhost --port 5006
    """
    with loading():
        from ..commands import live as app
        from ..mission.loading import load_mission
        from ..mqtt.broker import broker as broker_at
        from ..stations.address import check_listener
    missions = [load_mission(one) for one in mission or ()]
    check_listener("dashboard", address, authenticates=None, open_to_all=open_.replace(",", " ").split())

    async def run() -> None:
        async with broker_at(broker or "mqtt://localhost") as known:
            await app.serve_dashboard(
                known,
                address,
                port,
                lambda url: err.print(f"dashboard on {url}; Ctrl-C ends it", soft_wrap=True),
                lambda text: err.print(text, soft_wrap=True),
                origins=origin or (),
                missions=missions,
                history=history,
            )

    signals.run(run())


@commands.command()
def plot(
    passes: Passes, mission: MissionName, out_folder: OutFolder, merge: Merge = False, overwrite: Overwrite = False
) -> None:
    """Make pictures of a pass: one page as PNG and PDF, and a report in one HTML file, without a server.

    Example: downlink plot replay_data/clean.cadu --mission {mission} --out pictures
    """
    with loading():
        from ..commands import recordings as app
        from ..mission.loading import load_mission
    known = load_mission(mission)
    notes: list[str] = []
    with progress(readable(passes, known, merge=merge)) as advance:
        paths, report = app.plot(
            passes, known, out_folder, advance, merge=merge, overwrite=overwrite, notify=notes.append
        )
    warn(report, known)
    for note in notes:
        err.print(f"downlink: {note}", soft_wrap=True, markup=False)
    err.print(f"in {out_folder}: {', '.join(path.name for path in paths)}", soft_wrap=True)
    conclude(report)


@commands.command()
def topics(
    mission: Annotated[
        str,
        typer.Argument(
            metavar="M", envvar="DOWNLINK_MISSION", help="A mission's folder, or its name under configs/."
        ),
    ],
    passes: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PASS", help="A pass of it, which shows what its instruments make."),
    ] = None,
    file_format: Annotated[
        Literal["asyncapi", "markdown"], typer.Option("--format", help="For programs or for people.")
    ] = "asyncapi",
    as_json: Annotated[bool, typer.Option("--json", help="An AsyncAPI document; of --diff its changes.")] = False,
    before: Annotated[
        Path | None,
        typer.Option("--diff", metavar="OLD.json", help="What changed since this description, of --json."),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file to write; standard output without.")
    ] = None,
    merge: Merge = False,
    overwrite: Overwrite = False,
) -> None:
    """Describe a mission's topics, payloads and units: an AsyncAPI 3.0 document, or a page.

    Instruments and dictionary declare what is published, so that no pass is needed. With --diff: topics and arrays
    that were added or removed, or have another type or unit; it ends with 0 where that is nothing, else with 1.

    Example: downlink topics {mission} replay_data/clean.cadu --out {mission}.asyncapi.json
    """
    with loading():
        from ..commands import recordings as app
        from ..commands.topic_page import is_topics, page
        from ..commands.topics_diff import changes, read_document
        from ..mission.loading import load_mission
        from ..system.files import whole_file
        from ..system.outputs import check_file
    mission, passes = _mission_and_passes(mission, passes or [])
    known = load_mission(mission)
    to_file = out_file is not None and str(out_file) != "-"
    if out_file is not None and to_file:
        check_file(out_file, [*passes, *known.files], overwrite=overwrite, is_own=is_topics)
    with progress(readable(passes, known, merge=merge)) as advance:
        found, report = app.describe_topics(passes, known, advance, merge=merge)
    if report is not None:
        warn(report, known)
    if before is not None:
        _print_changes(list(changes(read_document(before), found)), as_json=as_json)
        return
    text = (
        page(found)
        if file_format == "markdown" and not as_json
        else json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    )
    if out_file is None or not to_file:
        sys.stdout.write(text)
    else:
        with whole_file(out_file) as file:
            file.write(text.encode())
    if report is not None:
        conclude(report)


def _print_changes(found: list[Change], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"changes": [asdict(one) for one in found]}) + "\n")
    else:
        for one in found:
            out.print(str(one), soft_wrap=True, highlight=False, markup=False)
        if not found:
            out.print("no change that a subscriber would notice")
    if found:
        raise typer.Exit(RunError.exit_status)


def _mission_and_passes(first: str, passes: list[Path]) -> tuple[str, list[Path]]:
    """Tell the mission from the passes: where DOWNLINK_MISSION names it, the first word may be a pass already."""
    named, path = os.environ.get("DOWNLINK_MISSION"), Path(first)
    if named and first != named and path.is_file() and path.name != "mission.toml":
        return named, [path, *passes]
    return first, passes
