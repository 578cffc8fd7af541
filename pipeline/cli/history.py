"""Commands of the history: `history import`, `get`, `find`, `sql`, `info`, `prune`, `compact`, `serve`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from ..model.errors import ConfigError
from ..system import signals
from ..system.hosts import host_and_port
from .options import Merge, MissionName, Passes, conclude, print_err, print_out, reading, scaled, warn
from .start import extra, loading

if TYPE_CHECKING:
    from ..history.history import History

history = typer.Typer(
    help="""History: keep the products of all times, and query any parameter at any time.

    Example: downlink history get BATTERY.VOLTAGE --history history --start 2026-11-24 --end 2026-11-24
    """,
    no_args_is_help=True,
)
commands = typer.Typer()
commands.add_typer(history, name="history")

Where = Annotated[
    str,
    Option(
        "--history",
        metavar="DIR",
        envvar="DOWNLINK_HISTORY",
        show_default=False,
        help="The folder of the history, s3://BUCKET/PREFIX, or grpc://HOST:PORT of serve --flight.",
    ),
]
Format = Annotated[
    Literal["table", "csv", "parquet", "plot"],
    Option("--format", help="Output format; by default that of the ending of --out."),
]
Out = Annotated[Path | None, Option("--out", metavar="FILE", show_default=False, help="The file to write.")]
Start = Annotated[
    str | None, Option(metavar="TIME", show_default=False, help="Begin: ISO 8601, UTC without an offset.")
]
End = Annotated[
    str | None, Option(metavar="TIME", show_default=False, help="End, excluded; a date includes that day.")
]
AsJson = Annotated[bool, Option("--json", help="Print JSON.")]


@history.command("import")
def import_(
    passes: Passes,
    mission: MissionName,
    where: Where,
    stream: Annotated[
        str | None, Option(metavar="NAME", help="The stream of the rows; by default the file's name.")
    ] = None,
    raw: Annotated[bool, Option("--raw", help="Keep the raw values of packets, too.")] = False,
    again: Annotated[bool, Option("--again", help="Import passes that are up to date, too.")] = False,
    merge: Merge = False,
) -> None:
    """Put the products of recordings into a history.

    A pass that was imported is skipped, unless dictionary, calibration or clock changed: then new rows replace the old.

    Example: downlink history import replay_data/clean.cadu replay_data/night.cadu -m {mission} --history history
    """
    with extra("history"), loading():
        from ..commands.history import import_passes
    with reading(passes, mission, merge=merge) as (known, advance):
        made = import_passes(passes, known, where, advance, stream=stream, merge=merge, raw=raw, again=again)
    for one in made:
        warn(one.record.report, known)
        n = sum(one.rows.values())
        how = "was there" if one.was_there else "imported"
        print_err(f"{one.record.name} {how}: {n:,} rows of {len(one.rows)} kinds in {where}")
    for one in made:
        conclude(one.record.report)


@history.command()
def find(
    where: Where,
    pattern: Annotated[
        str, Argument(metavar="PATTERN", help="A pattern of names, *TEMP*, or a word in names and descriptions.")
    ] = "*",
    raw: Annotated[bool, Option("--raw", help="Find raw values.")] = False,
    as_json: AsJson = False,
) -> None:
    """List parameters: name, unit, type, description, first and last time of their kind.

    Example: downlink history find '*temp*' --history history
    """
    opened = _open(where)
    from ..messages.time_texts import iso_utc

    found = opened.find(pattern, "raw" if raw else "calibrated")
    columns = ["name", "unit", "type", "first", "last", "description"]
    rows = [{name: getattr(one, name) for name in columns} for one in found]
    rows = [{**row, **{end: iso_utc(row[end], "s") for end in ("first", "last")}} for row in rows]
    if as_json:
        _print_json(rows)
    else:
        _show(rows, columns)


@history.command()
def get(
    names: Annotated[list[str], Argument(metavar="NAME", help="KIND.PARAMETER, as find lists them.")],
    where: Where,
    start: Start = None,
    end: End = None,
    points: Annotated[
        int | None, Option(metavar="N", min=1, help="At most N samples: mean, min, max, last, count of each.")
    ] = None,
    raw: Annotated[bool, Option("--raw", help="Raw instead of calibrated values.")] = False,
    by: Annotated[
        Literal["time", "received"], Option("--by", help="Time that --start and --end refer to.")
    ] = "time",
    stream: Annotated[
        list[str] | None, Option(metavar="NAME", help="Only of this stream; may be repeated.")
    ] = None,
    version: Annotated[
        str | None, Option(metavar="VERSION", help="Rows of this version, also if it was replaced.")
    ] = None,
    column: Annotated[list[str] | None, Option(metavar="NAME", help="More columns: pass, apid, ...")] = None,
    file_format: Format = "table",
    out_file: Out = None,
) -> None:
    """Print values of parameters as a table, or write CSV, Parquet, or a plot.

    Example: downlink history get weather/meteorology.pressure_pa --history history --points 10
    """
    opened = _open(where)
    table = opened.table(
        *names,
        start=start,
        end=end,
        points=points,
        values="raw" if raw else "calibrated",
        by=by,
        stream=stream or (),
        version=version,
        columns=column or (),
    )
    _write(opened, table, file_format, out_file)


@history.command()
def sql(
    query: Annotated[
        str, Argument(metavar="SELECT", help="One query in the SQL of DuckDB; show tables lists the tables.")
    ],
    where: Where,
    file_format: Format = "table",
    out_file: Out = None,
) -> None:
    """Run one SELECT over the history: tables of kinds, passes, parameters; summaries in minutes, hours, days.

    Example: downlink history sql 'select max(pressure_pa) from "weather/meteorology"' --history history
    """
    opened = _open(where)
    _write(opened, opened.sql(query), file_format, out_file)


@history.command()
def info(
    where: Where,
    date: Annotated[str | None, Option(metavar="DATE", help="Only of this day, YYYY-MM-DD.")] = None,
    as_json: AsJson = False,
) -> None:
    """List passes with packets received, decoded and lost by APID, and rows by kind and day.

    Example: downlink history info --history history
    """
    opened = _open(where)
    from ..history.coverage import books, coverage

    found, covered = books(opened, _date(date)), coverage(opened, _date(date))
    if as_json:
        _print_json({"passes": found, "coverage": covered, "problems": opened.problems})
        return
    for one in found:
        _print_counts(one)
    _show(
        [{**entry, "rows": f"{entry['rows']:,}", "MB": f"{entry['bytes'] / 1e6:,.2f}"} for entry in covered],
        ["kind", "date", "rows", "files", "MB", "mission"],
    )
    _print_problems(opened)


def _print_counts(one: dict[str, Any]) -> None:
    closes = {True: "closes", False: "does not close: " + "; ".join(one["why"]), None: "is still open"}[
        one["closes"]
    ]
    span = " to ".join(str(time) for time in one["received"] if time)
    print_out(f"{one['stream']} {one['pass']}  {span}  version {one['version']}: {closes}")
    rows = [{"apid": apid, **{key: f"{n:,}" for key, n in counts.items()}} for apid, counts in one["apids"].items()]
    total = {"apid": "all", "received": f"{one['packets'] or 0:,}", "decoded": f"{one['decoded'] or 0:,}"}
    lost = sum(counts.get("lost", 0) for counts in one["apids"].values())
    _show(
        [*rows, {**total, "lost": f"{lost:,} and {one['lost_frames']:,} frames"}],
        ["apid", "received", "decoded", "lost"],
    )


@history.command()
def prune(
    where: Where,
    days: Annotated[float | None, Option(min=0, help="Remove rows of older dates.")] = None,
    max_size: Annotated[
        str | None, Option("--max-size", metavar="BYTES", help="Remove the oldest dates beyond 500G, 2T, ...")
    ] = None,
    replaced: Annotated[bool, Option("--replaced", help="Remove rows that newer versions replaced.")] = False,
    summary_days: Annotated[
        float | None, Option(min=0, help="Remove older summaries, too; by default all stay.")
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Count what would be removed.")] = False,
) -> None:
    """Remove old rows; their summaries of minutes, hours and days stay.

    Example: downlink history prune --history history --days 365 --replaced --dry-run
    """
    opened = _open(where)
    from ..history.retention import prune as remove

    if days is None and max_size is None and summary_days is None and not replaced:
        raise ConfigError("say what is to go: --days, --max-size, --replaced or --summary-days")
    gone = remove(
        opened.storage,
        today=datetime.now(UTC).date().isoformat(),
        days=days,
        max_bytes=_size(max_size),
        replaced=replaced,
        summary_days=summary_days,
        dry_run=dry_run,
    )
    how = "would go" if dry_run else "removed"
    print_err(f"{gone.n_files:,} files, {gone.n_bytes / 1e6:,.1f} MB {how}")


@history.command()
def compact(where: Where) -> None:
    """Merge small files of rows, and update summaries; services do both by themselves.

    Example: downlink history compact --history history
    """
    opened = _open(where)
    from ..history.maintenance import compact_all

    n = compact_all(opened.storage)
    print_err(f"{n:,} files merged in {where}")


@history.command()
def serve(
    where: Where,
    listen: Annotated[str, Option(metavar="HOST:PORT", help="Address to listen on.")] = "127.0.0.1:8765",
    open_: Annotated[
        str,
        Option(
            "--open", metavar="history", envvar="DOWNLINK_OPEN", help="Listen on a public address without a token."
        ),
    ] = "",
    flight: Annotated[
        str,
        Option(
            metavar="HOST:PORT",
            envvar="DOWNLINK_HISTORY_FLIGHT",
            help="Serve Arrow Flight, too, for large results.",
        ),
    ] = "",
    origin: Annotated[
        list[str] | None,
        Option(
            metavar="URL",
            envvar="DOWNLINK_HISTORY_ORIGINS",
            help="Address of a web page whose scripts may read; may be repeated.",
        ),
    ] = None,
    mission: Annotated[
        str | None,
        Option("--mission", "-m", metavar="M", help="Add the alarm limits of its dictionary to parameters."),
    ] = None,
) -> None:
    """Serve the history over HTTP, read-only: values, samples, events, passes, Grafana; see /openapi.json.

    On public addresses requests need a token: DOWNLINK_HISTORY_TOKEN, sent as Authorization: Bearer.

    Example: downlink history serve --history history
    """
    with extra("history"), loading():
        from ..commands.history_server import serve as run
        from ..mission.loading import load_mission
    host, port = host_and_port("--listen", listen)
    bulk = host_and_port("--flight", flight) if flight else None
    open_to_all = frozenset(open_.replace(",", " ").split())
    known = load_mission(mission) if mission else None
    serving = run(
        where, host, port, print_err, open_to_all=open_to_all, flight=bulk, origins=origin or (), mission=known
    )
    signals.run(serving)


def _open(where: str) -> History:
    with extra("history"), loading():
        from ..history.opening import opened
    return opened(where)


def _write(opened: History, table: Any, file_format: str, out_file: Path | None) -> None:
    from ..commands.history_output import write
    from ..system.outputs import check_file

    endings = {".csv": "csv", ".parquet": "parquet", ".png": "plot", ".pdf": "plot", ".svg": "plot"}
    if out_file is not None:
        check_file(out_file)
        file_format = endings.get(out_file.suffix, file_format) if file_format == "table" else file_format
    _print_problems(opened)
    write(table, file_format, out_file, typer.echo, sys.stdout.buffer)


def _print_problems(opened: History) -> None:
    for path, why in opened.problems.items():
        print_err(f"downlink: skipped: {path}: {why}")


def _show(rows: list[dict[str, Any]], names: list[str]) -> None:
    cells = [names, *([str(row.get(name) or "") for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_json(found: Any) -> None:
    sys.stdout.write(json.dumps(found, default=str) + "\n")


def _date(text: str | None) -> str | None:
    if text is not None:
        try:
            datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise ConfigError(f"--date {text}: it is written YYYY-MM-DD") from None
    return text


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    size = scaled(text)
    if not 0 <= size < 1e18:
        raise ConfigError(f"--max-size {text}: bytes, such as 500G or 2T")
    return int(size)
