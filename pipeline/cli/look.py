"""Commands that show data and topics: `watch`, `dashboard`, `plot`, `topics`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

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
    out,
    print_err,
    print_out,
    progress,
    readable,
    reading,
    warn,
)
from .start import loading

if TYPE_CHECKING:
    from ..commands.topics_diff import Change

commands = typer.Typer()


@commands.command()
def watch(
    topics: Annotated[list[str] | None, Argument(metavar="TOPIC", help="Topic filters; by default all.")] = None,
    broker: BrokerUrl = "mqtt://localhost",
    count: Annotated[int | None, Option("-n", metavar="N", min=1, help="End after N messages.")] = None,
    as_json: Annotated[
        bool, Option("--json", help="A JSON object for each message, instead of the table.")
    ] = False,
) -> None:
    """Watch topics: the newest value of each, its age, its rate and a sparkline.

    Keys: / filters, s sorts (name, age, rate, quality), r reverses, arrows and pages scroll, q quits. If the output is
    no terminal: a JSON object for each message.

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
    port: Annotated[int, Option(min=0, max=65535, help="Port of the page; 0: any free one.")] = 5006,
    address: Annotated[str, Option(metavar="HOST", help="Address to listen on; 0.0.0.0: all.")] = "127.0.0.1",
    open_: Annotated[
        str, Option("--open", metavar="NAMES", envvar="DOWNLINK_OPEN", help="dashboard: anyone may open the page.")
    ] = "",
    origin: Annotated[
        list[str] | None,
        Option(
            metavar="HOST[:PORT]",
            envvar="DOWNLINK_ORIGINS",
            help="Host of the page in browsers, if not its address or localhost; may be repeated.",
        ),
    ] = None,
    mission: Annotated[
        list[str] | None,
        Option(
            "--mission",
            "-m",
            metavar="M",
            help="Use its dictionary, alarm ranges and displays, beside those of packages; may be repeated.",
        ),
    ] = None,
    history: Annotated[
        str | None,
        Option(
            metavar="URL",
            envvar="DOWNLINK_HISTORY",
            help="History for the past: a folder, s3://, or http:// or grpc:// of `history serve`.",
        ),
    ] = None,
) -> None:
    """Serve a live page of the data on a broker: pass, parameters, packets, events, and tabs of mission packages.

    Example: downlink dashboard --broker mqtt://localhost --port 5006
    """
    with loading():
        from ..commands import live_page as app
        from ..mqtt.broker import broker as broker_at
        from ..stations.address import check_listener
        from ..system.child import in_child
    check_listener("dashboard", address, authenticates=None, open_to_all=open_.replace(",", " ").split())
    read = partial(app.read_content, mission or (), history)
    content = read() if history else in_child(read)  # a connection to a history belongs to its process

    async def run() -> None:
        async with broker_at(broker or "mqtt://localhost") as known:
            await app.serve_dashboard(
                known,
                address,
                port,
                lambda url: print_err(f"dashboard on {url}; Ctrl-C ends it"),
                print_err,
                origins=origin or (),
                content=content,
            )

    signals.run(run())


@commands.command()
def plot(
    passes: Passes, mission: MissionName, out_folder: OutFolder, merge: Merge = False, overwrite: Overwrite = False
) -> None:
    """Make pictures of a pass: a page as PNG and PDF, and a report as one HTML file; no server is needed.

    Example: downlink plot replay_data/clean.cadu --mission {mission} --out pictures
    """
    with loading():
        from ..commands import recordings as app
    notes: list[str] = []
    with reading(passes, mission, merge=merge) as (known, advance):
        paths, report = app.plot(
            passes, known, out_folder, advance, merge=merge, overwrite=overwrite, notify=notes.append
        )
    warn(report, known)
    for note in notes:
        print_err(f"downlink: {note}")
    print_err(f"in {out_folder}: {', '.join(path.name for path in paths)}")
    conclude(report)


@commands.command()
def topics(
    mission: Annotated[
        str,
        Argument(metavar="M", envvar="DOWNLINK_MISSION", help="A mission's folder, or its name under configs/."),
    ],
    passes: Annotated[
        list[Path] | None, Argument(metavar="PASS", help="A pass of it, for the types of its products.")
    ] = None,
    file_format: Annotated[
        Literal["asyncapi", "markdown"], Option("--format", help="For programs or for people.")
    ] = "asyncapi",
    as_json: Annotated[bool, Option("--json", help="An AsyncAPI document; with --diff the changes.")] = False,
    before: Annotated[
        Path | None,
        Option("--diff", metavar="OLD.json", help="List the changes since this description, made by --json."),
    ] = None,
    out_file: Annotated[
        Path | None, Option("--out", metavar="FILE", help="The file to write; by default standard output.")
    ] = None,
    merge: Merge = False,
    overwrite: Overwrite = False,
) -> None:
    """Describe a mission's topics, payloads and units: an AsyncAPI 3.0 document, or a page.

    Instruments and dictionary declare the products, so that no pass is needed. With --diff: topics and arrays that were
    added or removed, or have another type or unit; exit status 0 if there are none, else 1.

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
    is_page = file_format == "markdown" and not as_json
    text = page(found) if is_page else json.dumps(found, indent=2, ensure_ascii=False) + "\n"
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
            print_out(str(one))
        if not found:
            print_out("no change that a subscriber would notice")
    if found:
        raise typer.Exit(RunError.exit_status)


def _mission_and_passes(first: str, passes: list[Path]) -> tuple[str, list[Path]]:
    """Separate the mission from the passes: if DOWNLINK_MISSION names it, the first argument may be a pass."""
    named, path = os.environ.get("DOWNLINK_MISSION"), Path(first)
    if named and first != named and path.is_file() and path.name != "mission.toml":
        return named, [path, *passes]
    return first, passes
