"""Commands that read recorded passes: `demo`, `replay`, `inspect`, `decode`, `products`."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Option

from ..model.errors import ConfigError, DownlinkError
from ..system import signals
from .options import (
    AsJson,
    BrokerOrOwn,
    FileFormat,
    Merge,
    MissionName,
    OutFolder,
    Overwrite,
    Passes,
    Rate,
    Speed,
    conclude,
    err,
    notify,
    out,
    print_err,
    rate_of,
    readable,
    reading,
    speed_factor,
    warn,
)
from .start import extra, loading

if TYPE_CHECKING:
    from ..mission.loading import Mission

LAST_LOOK_S = 1.0
"""Wait at the end of the demo: a page updates twice a second."""
AT_END = "at its end: seek back on a dashboard, or Ctrl-C"
commands = typer.Typer()


@commands.command()
def demo() -> None:
    """Replay the bundled pass on an embedded broker, and show its products.

    On a terminal the broker runs until Ctrl-C, so that you can subscribe to it; in a script it ends after the pass.
    """
    with loading():
        from ..mission.bundled import bundled_pass, bundled_recording
        from ..mission.loading import load_mission
        from ..mqtt.broker import broker as broker_at
    recording = bundled_recording(bundled_pass().recording)
    mission = load_mission(bundled_pass().mission)

    async def run() -> None:
        async with broker_at(None) as address:
            command = f"mosquitto_sub -h {address.host} -p {address.port} -t '{mission.name}/#' -v"
            async with _demo_dashboard(address) as page:
                where = [f"broker on {address}: try  {command}", *page]
                await _replay(
                    [recording], mission, address, where, stream="demo", speed=1.0, hold=sys.stdout.isatty()
                )

    signals.run(run())


@commands.command()
def replay(
    passes: Passes,
    mission: MissionName,
    broker: BrokerOrOwn = None,
    speed: Speed = None,
    rate: Rate = None,
    stream: Annotated[
        str | None, Option(metavar="NAME", help="Topics are <mission>/NAME/...; by default the file's name.")
    ] = None,
    packets: Annotated[
        bool, Option("--packets", help="Publish space packets, too, on <mission>/NAME/packet/<apid>.")
    ] = False,
    hold: Annotated[
        bool, Option("--hold", help="Wait at the end for a seek on the dashboard, until Ctrl-C.")
    ] = False,
    archive: Annotated[Path | None, Option(metavar="DIR", help="Write the product files, too, at the end.")] = None,
    history: Annotated[
        str | None, Option(metavar="DIR", help="Keep the rows of all products in a history, too.")
    ] = None,
    overwrite: Overwrite = False,
    merge: Merge = False,
    as_json: AsJson = False,
) -> None:
    """Run recordings through the whole pipeline: publish products on MQTT topics, and print the pass report.

    The dashboard, or JSON on <mission>/NAME/control, pauses it, sets its speed and seeks (docs/dashboard.md).

    Example: downlink replay replay_data/damaged.cadu --mission {mission} --broker mqtt://localhost
    """
    with loading():
        from ..commands import recordings as app
        from ..mission.loading import load_mission
        from ..mqtt.broker import broker as broker_at
        from ..system.outputs import check_folder
    known = load_mission(mission)
    known = dataclasses.replace(known, publish_packets=known.publish_packets or packets)
    readable(passes, known, merge=merge)
    if archive is not None:
        check_folder(archive, [*passes, *known.files], option="--archive")
    rate_bits_per_s = rate_of(rate)
    factor = speed_factor(speed, rate_bits_per_s)
    name = app.stream_name(stream, passes)
    keep = _keeper(history, passes)

    async def run() -> dict[str, Any]:
        async with broker_at(broker) as address:
            return await _replay(
                passes,
                known,
                address,
                [f"publishing {known.name}/{name}/# on {address}"],
                stream=name,
                speed=factor,
                rate_bits_per_s=rate_bits_per_s,
                hold=hold,
                merge=merge,
                as_json=as_json,
                keep=keep,
            )

    report = signals.run(run())
    if archive is not None:
        made = app.write_products(
            passes,
            known,
            archive,
            lambda _: None,
            file_format="archive",
            stream=name,
            merge=merge,
            overwrite=overwrite,
        )
        print_err(f"{len(made['files'])} files in {archive}")
    conclude(report)


@commands.command()
def inspect(passes: Passes, mission: MissionName, merge: Merge = False, as_json: AsJson = False) -> None:
    """Print the pass report of recordings: frames, losses, channels, packets.

    A mission file without [[channel]] shows all channels. If nothing can be read, the keys to change are named.

    Example: downlink inspect replay_data/damaged.cadu --mission {mission}
    """
    with loading():
        from ..commands import recordings as app
    with reading(passes, mission, merge=merge, any_channel=True) as (known, advance):
        report = app.inspect(passes, known, advance, merge=merge)
    notify(report, known, ", ".join(map(str, passes)), as_json)
    conclude(report)


@commands.command()
def decode(
    passes: Passes,
    mission: MissionName,
    out_folder: Annotated[
        Path | None, Option("--out", metavar="DIR", show_default=False, help="The folder to fill.")
    ] = None,
    list_: Annotated[bool, Option("--list", help="Only list the containers and their numbers of packets.")] = False,
    file_format: Annotated[
        Literal["npz", "parquet", "netcdf"], Option("--format", help="Format of the files.")
    ] = "npz",
    raw: Annotated[bool, Option("--raw", help="Raw counts instead of calibrated values.")] = False,
    merge: Merge = False,
    overwrite: Overwrite = False,
) -> None:
    """Write decoded packets: one file for each container, one array for each parameter, rows in packet order.

    Example: downlink decode replay_data/clean.cadu --mission {mission} --out columns --format parquet
    """
    with loading():
        from ..commands import recordings as app
    if list_:
        with reading(passes, mission, merge=merge) as (known, advance):
            report = app.containers(passes, known, advance, merge=merge)
        warn(report, known)
        for name, count in report["decoded"].items():
            print(f"{name} {count}")  # noqa: T201
        conclude(report)
        return
    if out_folder is None:
        raise ConfigError("--out DIR: name the folder to fill, or --list the containers")
    with reading(passes, mission, merge=merge) as (known, advance):
        report = app.decode(
            passes, known, out_folder, advance, file_format=file_format, raw=raw, merge=merge, overwrite=overwrite
        )
    warn(report, known)
    listing = ", ".join(f"{name} {count:,}" for name, count in report["decoded"].items()) or "nothing"
    print_err(f"decoded into {out_folder}: {listing}")
    for reason, count in report["records"]["set_aside"].items():
        print_err(f"set aside {count:,}: {reason}")
    conclude(report)


@commands.command()
def products(
    passes: Passes,
    mission: MissionName,
    out_folder: OutFolder,
    file_format: FileFormat = "archive",
    merge: Merge = False,
    overwrite: Overwrite = False,
    traverse: Annotated[
        bool, Option("--traverse", help="Also one radargram of all runs, with longitude, latitude and topography.")
    ] = False,
) -> None:
    """Write product files for the archive (NetCDF, CDF, PDS4, SEG-Y, WAV, Zarr, PNG) and products.sqlite, their index.

    Example: downlink products replay_data/clean.cadu --mission {mission} --out products --format netcdf
    """
    with loading():
        from ..commands import recordings as app
    with reading(passes, mission, merge=merge) as (known, advance):
        report = app.write_products(
            passes, known, out_folder, advance, file_format=file_format, merge=merge, overwrite=overwrite,
            traverse=traverse,
        )  # fmt: skip
    warn(report, known)
    print_err(f"{len(report['files'])} files in {out_folder}")
    conclude(report)


@asynccontextmanager
async def _demo_dashboard(address: Any) -> AsyncIterator[list[str]]:
    """Serve the page of the demo if the output is a terminal and Bokeh is installed.

    Yields a line with its URL, or with the reason why it is missing. It is served until open pages show the last
    counters, those of the report.
    """
    from ..commands import live_page as app
    from ..system.software import to_install

    served, where = None, []
    async with AsyncExitStack() as stack:
        if sys.stdout.isatty() and not app.has_dashboard():
            where.append(f"no live page: it needs bokeh: {to_install('dashboard')}")
        elif sys.stdout.isatty():
            try:
                served = await stack.enter_async_context(app.dashboard(address, or_any_port=True))
                where.append(f"dashboard on {served.url}")
            except DownlinkError as error:
                where.append(f"no dashboard: {error}")
        yield where
        if served:
            await asyncio.sleep(LAST_LOOK_S)


async def _replay(
    passes: Sequence[Path],
    mission: Mission,
    address: Any,
    where: Sequence[str],
    *,
    stream: str,
    speed: float | None,
    rate_bits_per_s: float | None = None,
    hold: bool,
    merge: bool = False,
    as_json: bool = False,
    keep: Any = None,
) -> dict[str, Any]:
    """Replay and print the report; returns it. With `hold` it is printed when the end is first reached.

    `where`: lines with addresses, shown once the broker is connected, and with `hold` again below the report.
    """
    from ..commands import live as app
    from .progress import replay_view

    title, reported = f"{mission.name}/{stream}", asyncio.Event()
    with replay_view(err, readable(passes), where) as view:

        def begun() -> None:
            if not err.is_terminal:
                _print_lines(where)

        def ended(report: dict[str, Any]) -> None:
            if hold and not reported.is_set():
                reported.set()
                view.rest(AT_END)
                notify(report, mission, title, as_json, console=err if err.is_terminal else out)
                if not err.is_terminal:
                    _print_lines([*where, AT_END])

        report = await app.replay(
            passes,
            mission,
            address,
            view.advance,
            stream=stream,
            speed=speed,
            rate_bits_per_s=rate_bits_per_s,
            begun=begun,
            print_line=lambda text: print_err(f"downlink: {text}"),
            hold=hold,
            merge=merge,
            ended=ended,
            keep=keep,
        )
    if not reported.is_set() or report.get("undelivered"):
        notify(report, mission, title, as_json)
    return report


def _keeper(history: str | None, passes: Sequence[Path]) -> Any:
    """The recorder of the rows of a replay; None without a history."""
    if history is None:
        return None
    with extra("history", "--history"):
        from ..commands.history_replay import ReplayKeeper
    return ReplayKeeper(history, passes)


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        print_err(line)
