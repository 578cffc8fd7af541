"""The command line: options in; where something is wrong one clear line, and the exit status of the contract."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeRemainingColumn

from pipeline import app, cli_services
from pipeline.batches import Message
from pipeline.errors import ConfigError, DownlinkError, RunError
from pipeline.mission import Mission, load_mission
from pipeline.report import print_report, warnings
from pipeline.simulate import Faults, Scenario
from pipeline.simulate import simulate as make_pass
from pipeline.transport.broker import broker as broker_at
from pipeline.transport.formats import STANDARD_INPUT, compression
from pipeline.view import progress_bar, replay_view
from pipeline.watch import show

WIDTH = None if sys.stdout.isatty() else 160  # of tables that go to a file or a pipe
INTERRUPTED = 130  # what typer makes of Ctrl-C
_UsageProblem: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False)
cli = typer.Typer(
    name="downlink",
    help="From the frames that a ground station receives to calibrated science products on MQTT topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.add_typer(cli_services.commands)

Passes = Annotated[
    list[Path],
    typer.Argument(
        metavar="PASS...", help="Recordings (gzip, bzip2 and zstd too); - is standard input.", show_default=False
    ),
]
MissionName = Annotated[
    str,
    typer.Option(
        "--mission",
        "-m",
        metavar="M",
        show_default=False,
        help="A folder with a mission.toml, or its name under configs/; NAME:PROFILE for another link profile.",
    ),
]
BrokerUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="DOWNLINK_BROKER",
        help="mqtt://\\[user@]host\\[:port], password in DOWNLINK_BROKER_PASSWORD. Without it: an embedded broker.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="The pass report as JSON.")]


@cli.command()
def demo() -> None:
    """Replay the bundled pass of Zhurong on an embedded broker, and show what comes out.

    On a terminal the broker stays up until Ctrl-C, so that you can subscribe to it; in a script it ends by itself.
    """
    recording = app.bundled("clean.cadu")
    mission = load_mission("zhurong")

    async def run() -> None:
        async with broker_at(None) as address:
            command = f"mosquitto_sub -h {address.host} -p {address.port} -t 'zhurong/#' -v"
            err.print(f"broker on {address}: try  {command}", soft_wrap=True)
            async with _demo_dashboard(address):
                report = await _replay([recording], mission, address, stream="demo", speed=1.0)
                _tell(report, mission, f"{mission.name}/demo", as_json=False)
                if sys.stdout.isatty():
                    err.print("\nthe latest values stay on the broker; Ctrl-C ends the demo")
                    await app.until_signal()

    asyncio.run(run())


@cli.command()
def replay(
    passes: Passes,
    mission: MissionName,
    broker: BrokerUrl = None,
    speed: Annotated[
        str, typer.Option(metavar="1|10|max", help="Times the real rate, by the receive times; or max.")
    ] = "max",
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Topics are <mission>/NAME/...; the file's name without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run recordings through the whole pipeline: products on MQTT topics, and the pass report at the end.

    Example: downlink replay replay_data/damaged.cadu --mission zhurong --broker mqtt://localhost
    """
    known = load_mission(mission)
    _readable(passes)
    factor = _speed(speed)
    name = app.stream_name(stream, passes)

    async def run() -> dict[str, Any]:
        async with broker_at(broker) as address:
            err.print(f"publishing {known.name}/{name}/# on {address}")
            return await _replay(passes, known, address, stream=name, speed=factor)

    _tell(asyncio.run(run()), known, f"{known.name}/{name}", as_json)


@cli.command()
def inspect(passes: Passes, mission: MissionName, as_json: AsJson = False) -> None:
    """Read recordings for their pass report alone: frames, losses, channels, packets."""
    known = load_mission(mission)
    with _progress(_readable(passes)) as progress:
        report = app.inspect(passes, known, progress)
    _tell(report, known, ", ".join(map(str, passes)), as_json)


@cli.command()
def packets(
    passes: Passes,
    mission: MissionName,
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", show_default=False, help="The file to write.")],
) -> None:
    """Write the space packets of recordings back to back, idle ones left out.

    Virtual channels come in order of (spacecraft id, channel), packets in order inside each.
    """
    known = load_mission(mission)
    with _progress(_readable(passes)) as progress:
        report = app.write_packets(passes, known, out_file, progress)
    _warn(report, known)
    err.print(f"{report['packets']['read']:,} packets in {out_file}")


@cli.command()
def decode(
    passes: Passes,
    mission: MissionName,
    out_folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", show_default=False, help="The folder to fill.")
    ],
    file_format: Annotated[
        Literal["npz", "parquet", "netcdf"], typer.Option("--format", help="Of the files.")
    ] = "npz",
    raw: Annotated[bool, typer.Option("--raw", help="Raw counts in place of calibrated values.")] = False,
) -> None:
    """Write decoded packets: one file for each container, one array for each parameter, rows in packet order."""
    known = load_mission(mission)
    with _progress(_readable(passes)) as progress:
        report = app.decode(passes, known, out_folder, progress, file_format=file_format, raw=raw)
    _warn(report, known)
    listing = ", ".join(f"{name} {count:,}" for name, count in report["decoded"].items()) or "nothing"
    err.print(f"decoded into {out_folder}: {listing}", markup=False)
    for reason, count in report["records"]["set_aside"].items():
        err.print(f"set aside {count:,}: {reason}", markup=False)


@cli.command()
def products(
    passes: Passes,
    mission: MissionName,
    out_folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", show_default=False, help="The folder to fill.")
    ],
    file_format: Annotated[
        Literal["archive", "netcdf"], typer.Option("--format", help="Of each kind its own, or all as NetCDF.")
    ] = "archive",
) -> None:
    """Write product files for the archive: NetCDF, CDF, PDS4, one of each kind of product, and products.sqlite."""
    known = load_mission(mission)
    with _progress(_readable(passes)) as progress:
        report = app.write_products(passes, known, out_folder, progress, file_format=file_format)
    _warn(report, known)
    err.print(f"{len(report['files'])} files in {out_folder}", markup=False)


@cli.command()
def simulate(
    out_file: Annotated[Path, typer.Option("--out", metavar="PASS", show_default=False, help="The pass to write.")],
    sol: Annotated[int, typer.Option(min=1, help="The sol that is measured.")] = 11,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    duration: Annotated[
        float, typer.Option(metavar="SECONDS", min=60, max=14400, help="How long the rover measures.")
    ] = 600.0,
    profile: Annotated[Literal["high", "low"], typer.Option(help="892-byte or 220-byte frames.")] = "high",
    radar: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.2B", help="Real radar records as the measurement.")
    ] = None,
    symbol_errors: Annotated[int, typer.Option(min=0, max=16, help="Wrong symbols in each codeword hit.")] = 0,
    symbol_error_share: Annotated[float, typer.Option(min=0, max=1, help="Share of the codewords hit.")] = 1.0,
    lost_frames: Annotated[int, typer.Option(min=0, help="Frames that never arrive, in bursts.")] = 0,
    uncorrectable_frames: Annotated[int, typer.Option(min=0, help="Frames beyond correction.")] = 0,
    duplicate_frames: Annotated[int, typer.Option(min=0, help="Frames that arrive twice.")] = 0,
    noise_bytes: Annotated[int, typer.Option(min=0, help="Garbage between frames.")] = 0,
    other_channel: Annotated[
        bool, typer.Option("--other-channel", help="Frames of other traffic between.")
    ] = False,
    clock_drift_ppm: Annotated[float, typer.Option(min=-1000, max=1000, help="Of the rover's clock.")] = 0.0,
) -> None:
    """Make a pass of Zhurong as a ground station records it, and beside it the truth and the receive times."""
    faults = Faults(
        symbol_errors=symbol_errors,
        symbol_error_share=symbol_error_share,
        lost_frames=lost_frames,
        noise_bytes=noise_bytes,
        duplicate_frames=duplicate_frames,
        other_channel=other_channel,
        uncorrectable_frames=uncorrectable_frames,
        clock_drift_ppm=clock_drift_ppm,
    )
    scenario = Scenario(
        sol=sol, seed=seed, duration_s=duration, profile=profile, faults=faults, radar_files=tuple(radar or ())
    )
    with Progress(
        BarColumn(), TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        task = bar.add_task("", total=1.0)
        make_pass(out_file, scenario, lambda share: bar.update(task, completed=share))
    err.print(f"{out_file}: {out_file.stat().st_size:,} bytes; truth and receive times beside it")


@cli.command()
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


@cli.command()
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


@cli.command()
def check(
    mission: Annotated[
        str | None, typer.Argument(metavar="M", help="A mission's folder, or its name under configs/.")
    ] = None,
    dictionary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="List what an XTCE file uses, and what of it is supported.")
    ] = None,
) -> None:
    """Validate a mission: every problem of its files, with file, line and key; or what it is made of."""
    if (mission is None) == (dictionary is None):
        raise ConfigError("check either a mission or --dictionary FILE")
    if mission is not None:
        for key, value in app.describe(load_mission(mission)).items():
            out.print(f"{key:12} {value}", markup=False)
    if dictionary is not None:
        _readable([dictionary])
        uses = app.survey_dictionary(dictionary)
        for use in uses:
            mark = "supported" if use.supported else "NOT supported"
            out.print(f"{use.n_uses:8,}  {mark:14} {use.element}", markup=False)
        if not all(use.supported for use in uses):
            raise ConfigError(f"{dictionary}: not all of it is supported")


def main() -> None:
    """Run the command line; a mistake of the user's is one line, never a traceback."""
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    _log_for(sys.stderr)
    try:
        status = cli(standalone_mode=False) or 0
    except DownlinkError as error:
        status = _say(str(error), error.exit_status)
    except _UsageProblem as error:
        where = error.ctx.command_path if error.ctx else "downlink"
        text = error.format_message().replace("Value error, ", "")
        status = _say(f"{text} (see {where} --help)" if text else "", error.exit_code)
    except BrokenPipeError:  # who read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status = _say(f"{where}{error.strerror or error}", 1)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:
        status = _say("interrupted; nothing half-written is left", 1)
    raise SystemExit(status)


def _say(text: str, status: int) -> int:
    for line in text.splitlines():
        err.print(f"downlink: {line}", markup=False, soft_wrap=True)
    return status


def _log_for(stream: Any) -> None:
    """Set up structlog: lines for people on a terminal, JSON elsewhere."""
    people = stream.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )


def _readable(passes: Sequence[Path]) -> int | None:
    """Check that the recordings are there before anything starts; their size in bytes, where it can be told."""
    for path in passes:
        if path == STANDARD_INPUT:
            continue
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file")
        if path.is_dir() and not any(path.glob("[0-9]*.raw")):  # as ingest records a pass
            raise ConfigError(f"{path} is a folder: name the recordings in it")
    if any(path == STANDARD_INPUT or path.is_dir() or compression(path) for path in passes):
        return None
    return sum(path.stat().st_size for path in passes)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ConfigError(f"--speed {text}: a factor such as 1 or 10, or max")
    return factor


@contextmanager
def _progress(total_bytes: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; nothing elsewhere."""
    with progress_bar(err) as bar:
        task = bar.add_task("", total=total_bytes)
        yield lambda n_bytes: bar.update(task, advance=n_bytes)


@asynccontextmanager
async def _demo_dashboard(address: Any) -> AsyncIterator[None]:
    """Serve the page on a terminal, where Bokeh is installed; a demo without a page is a demo too."""
    async with AsyncExitStack() as stack:
        if sys.stdout.isatty() and app.has_dashboard():
            try:
                served = await stack.enter_async_context(app.dashboard(address, or_any_port=True))
                err.print(f"dashboard on {served.url}", soft_wrap=True)
            except DownlinkError as error:
                err.print(f"no dashboard: {error}", markup=False, soft_wrap=True)
        yield


async def _replay(passes: Sequence[Path], mission: Mission, address: Any, **how: Any) -> dict[str, Any]:
    with replay_view(err, _readable(passes)) as (bar, table):

        def seen(n_bytes: int, messages: Sequence[Message]) -> None:
            bar.update(bar.task_ids[0], advance=n_bytes)
            table.add(messages)

        return await app.replay(passes, mission, address, seen, **how)


def _tell(report: dict[str, Any], mission: Mission, title: str, as_json: bool) -> None:
    _warn(report, mission)
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        print_report(out, report, title)
    if report.get("undelivered"):
        raise RunError("stopped with messages undelivered: the broker did not answer")


def _warn(report: dict[str, Any], mission: Mission) -> None:
    marker = mission.link.sync_marker.hex().upper() if mission.link.framing == "cadu" else ""
    for line in warnings(report, mission.name, marker):
        err.print(f"downlink: {line}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
