"""The services on the command line: `stage ingest`, `stage decode`, `stage publish`, `stage all`, `feed`, `certs`.

Every option can be given by an environment variable, DOWNLINK_..., as `--help` shows.
"""

from __future__ import annotations

import inspect
import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..model.errors import ConfigError
from ..model.printable import printable
from ..system import signals
from .options import MissionName, Rate, err, rate_of, speed_factor
from .options import out as console
from .start import loading

stage = typer.Typer(help="One stage as a service.", no_args_is_help=True)
commands = typer.Typer()
commands.add_typer(stage, name="stage")

Broker = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="DOWNLINK_BROKER",
        help="mqtt:// or mqtts://\\[user@]host\\[:port]; password in DOWNLINK_BROKER_PASSWORD or a file named by "
        "DOWNLINK_BROKER_PASSWORD_FILE; certificates in DOWNLINK_TLS_CA, _CERT, _KEY.",
    ),
]
HealthAt = Annotated[
    str,
    typer.Option(
        "--health", metavar="HOST:PORT", envvar="DOWNLINK_HEALTH", help="Of /health and /metrics; empty: none."
    ),
]
Open = Annotated[
    str,
    typer.Option(
        "--open", metavar="NAMES", envvar="DOWNLINK_OPEN", help="Listeners that may take anyone: stations, health."
    ),
]
Folder = Annotated[
    Path, typer.Option("--state", metavar="DIR", envvar="DOWNLINK_STATE", help="What must survive a restart.")
]
Remember = Annotated[
    float,
    typer.Option(
        min=0, metavar="S", envvar="DOWNLINK_REMEMBER_S", help="How much a broker that restarts may have forgotten."
    ),
]
Sources = Annotated[
    list[str],
    typer.Option(
        "--source",
        metavar="[NAME=]URL",
        envvar="DOWNLINK_SOURCES",
        show_default=False,
        help="tcp-listen://H:P, tcp://H:P, feed://H:P, udp://H:P, file:///PATH or stdin:; once for each station.",
    ),
]
Fsync = Annotated[
    str,
    typer.Option(metavar="always|never|S", envvar="DOWNLINK_FSYNC", help="After each piece, or every S seconds."),
]
KeepGb = Annotated[
    float,
    typer.Option(min=0, metavar="GB", envvar="DOWNLINK_KEEP_GB", help="Of committed passes by station; 0: all."),
]
KeepDays = Annotated[
    float,
    typer.Option(min=0, metavar="DAYS", envvar="DOWNLINK_KEEP_DAYS", help="Of committed passes; 0: for ever."),
]
ShareGb = Annotated[
    float,
    typer.Option(
        min=0, metavar="GB", envvar="DOWNLINK_SHARE_GB", help="Of the disk, for each station; 0: equal parts."
    ),
]
ReserveMb = Annotated[
    float,
    typer.Option(
        min=-1,
        metavar="MB",
        envvar="DOWNLINK_RESERVE_MB",
        help="Of the disk, that recordings leave free; -1: 2 % of it, at most 1 GiB.",
    ),
]
FileMb = Annotated[int, typer.Option(min=1, metavar="MB", envvar="DOWNLINK_FILE_MB", help="Of one recorded file.")]
Gap = Annotated[
    float, typer.Option(min=0.1, metavar="S", envvar="DOWNLINK_PASS_GAP_S", help="Silence that ends a pass.")
]
Silence = Annotated[
    float,
    typer.Option(
        min=0.1, metavar="S", envvar="DOWNLINK_SILENCE_S", help="Without confirmation, a pass is sent again."
    ),
]


HistoryAt = Annotated[
    str,
    typer.Option(
        metavar="DIR",
        envvar="DOWNLINK_HISTORY",
        help="A history keeps the rows too, and positions move only when it has them. `stage all` writes it there; "
        "beside `stage ingest` runs `stage history`.",
    ),
]


HistoryDays = Annotated[
    float,
    typer.Option(
        min=0, metavar="DAYS", envvar="DOWNLINK_HISTORY_DAYS", help="Of rows in the history; 0: for ever."
    ),
]
HistoryGb = Annotated[
    float,
    typer.Option(min=0, metavar="GB", envvar="DOWNLINK_HISTORY_GB", help="Of rows in the history; 0: all."),
]
HistorySummaryDays = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="DAYS",
        envvar="DOWNLINK_HISTORY_SUMMARY_DAYS",
        help="Of summaries in the history; 0: for ever.",
    ),
]


def keep_of(days: float, gb: float, summary_days: float) -> tuple[float | None, int | None, float | None]:
    """How long a history keeps rows and summaries. ConfigError where summaries would go before their rows."""
    if 0 < summary_days < days or (summary_days and not days):
        raise ConfigError(
            f"--history-summary-days {summary_days:g}: summaries are kept at least as long as rows, "
            f"--history-days {days:g}"
        )
    return days or None, int(gb * 1e9) or None, summary_days or None


def _of_stations(entry: str, about: str) -> Callable[..., None]:
    """The command that takes stations, as one stage or as all of them."""

    def command(
        mission: MissionName,
        source: Sources,
        broker: Broker = "mqtt://localhost",
        state: Folder = Path("recordings"),
        health: HealthAt = "127.0.0.1:9101",
        open_: Open = "",
        remember_s: Remember = 60.0,
        fsync: Fsync = "1",
        keep_gb: KeepGb = 0.0,
        keep_days: KeepDays = 0.0,
        share_gb: ShareGb = 0.0,
        reserve_mb: ReserveMb = -1.0,
        file_mb: FileMb = 1024,
        pass_gap_s: Gap = 10.0,
        silence_s: Silence = 5.0,
        history: HistoryAt = "",
        history_days: HistoryDays = 0.0,
        history_gb: HistoryGb = 0.0,
        history_summary_days: HistorySummaryDays = 0.0,
    ) -> None:
        services = _services()
        keep = keep_of(history_days, history_gb, history_summary_days)
        from ..stations.address import read_station

        common = _common(services, mission, broker, health, open_, remember_s)
        recorded = services.Recorded(
            [read_station(text) for text in source],
            state,
            services.Policy(file_mb << 20, _fsync(fsync), int(keep_gb * 1e9) or None, keep_days * 86400 or None),
            pass_gap_s,
            services.Pace(
                silence_s=silence_s,
                close_after_s=1.25 * remember_s,
                confirmed_by=("publish", "history") if history else ("publish",),
            ),
            int(share_gb * 1e9),
            int(reserve_mb * 1e6) if reserve_mb >= 0 else None,
        )
        with _extra_services("history"):
            signals.run(
                services.ingest(common, recorded)
                if entry == "ingest"
                else services.everything(common, recorded, history, keep)
            )

    if entry == "ingest":  # the history beside it is bounded by its own command
        _leave_out(command, "history_days", "history_gb", "history_summary_days")
    command.__doc__ = about
    return command


def _leave_out(command: Callable[..., None], *names: str) -> None:
    """Take parameters out of the options of a command: they have their defaults."""
    whole = inspect.signature(command)
    kept = [one for name, one in whole.parameters.items() if name not in names]
    command.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]


stage.command(name="ingest")(
    _of_stations(
        "ingest",
        """Record what the stations send, and see to it that it is published.

        Example: downlink stage ingest -m {mission} --source udp://127.0.0.1:5000 --broker mqtt://localhost
        """,
    )
)
stage.command(name="all")(
    _of_stations(
        "everything",
        """All three stages in one process, for the lowest latency.

        Example: downlink stage all -m {mission} --source udp://127.0.0.1:5000 --broker mqtt://localhost
        """,
    )
)


@stage.command()
def decode(
    mission: MissionName,
    broker: Broker = "mqtt://localhost",
    state: Annotated[
        Path, typer.Option("--state", metavar="DIR", envvar="DOWNLINK_STATE", help="For batches that break it.")
    ] = Path("decode-state"),
    health: HealthAt = "127.0.0.1:9102",
    open_: Open = "",
    name: Annotated[
        str, typer.Option(metavar="NAME", envvar="DOWNLINK_WORKER", help="Of this worker; the host's without it.")
    ] = "",
) -> None:
    """Turn recorded bytes into products. Any number of workers share the passes.

    Example: downlink stage decode -m {mission} --broker mqtt://localhost
    """
    services = _services()
    common = _common(services, mission, broker, health, open_, 0.0)
    signals.run(services.decode(common, name or platform.node().lower() or "1", state))


@stage.command()
def publish(
    mission: MissionName,
    broker: Broker = "mqtt://localhost",
    state: Folder = Path("publish-state"),
    health: HealthAt = "127.0.0.1:9103",
    open_: Open = "",
    remember_s: Remember = 60.0,
    readers: Annotated[
        str,
        typer.Option(
            metavar="URL", envvar="DOWNLINK_READERS", help="A broker that readers use; its figures are in /metrics."
        ),
    ] = "",
) -> None:
    """Publish each product once, and tell ingest how far that has come.

    Example: downlink stage publish -m {mission} --broker mqtt://localhost
    """
    services = _services()
    common = _common(services, mission, broker, health, open_, remember_s, readers)
    signals.run(services.publish(common, state))


@commands.command()
def feed(
    recording: Annotated[Path, typer.Argument(metavar="PASS", help="The recording to send.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(metavar="feed://HOST:PORT", envvar="DOWNLINK_FEED", show_default=False, help="A feed source."),
    ],
    name: Annotated[
        str, typer.Option(help="Of the pass; %Y%m%dT%H%M%SZ and the like are the time. The file's name without it.")
    ] = "",
    speed: Annotated[
        str | None,
        typer.Option(
            metavar="1|10|max", envvar="DOWNLINK_SPEED", help="Times the real rate, by receive times; max without."
        ),
    ] = None,
    rate: Rate = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", envvar="DOWNLINK_AGAIN", help="Send it as a new pass even if it is recorded there already."
        ),
    ] = False,
) -> None:
    """Send a recording to a running ingest, and end when all of it is recorded there.

    Recordings are told apart by their content: one that is recorded is not sent twice, one that was cut is resumed.

    Example: downlink feed replay_data/clean.cadu --to feed://127.0.0.1:5000 --speed 10
    """
    with loading():
        from ..recordings.reader import received_span
        from ..stations.feed import feed as send
        from ..stations.feed_messages import NAME
    if not recording.exists():
        raise ConfigError(f"{recording}: there is no such file")
    if recording.is_dir() and not any(recording.glob("[0-9]*.raw")):  # as ingest records a pass
        raise ConfigError(f"{recording} is a folder: name a recording in it")
    rate_bits_per_s = rate_of(rate)
    factor = speed_factor(speed, rate_bits_per_s)
    station = _feed_station(to)
    name = datetime.now(UTC).strftime(name)
    if name and not re.fullmatch(NAME, name):
        raise ConfigError(f"--name {name}: of letters, digits, '.', '_' and '-', up to 100")
    if factor is not None and rate_bits_per_s is None and received_span(recording) is None:
        err.print(
            f"downlink: {recording} has no receive times: it is sent as fast as it is taken; "
            "--rate BITS_PER_S sets a pace",
            soft_wrap=True,
        )
    passing = send(
        station, recording, name or _pass_name(recording), factor, rate_bits_per_s=rate_bits_per_s, again=again
    )
    fed = signals.run(passing)
    if fed.known:
        console.print(
            f"already recorded, nothing sent (--again): {recording} is the pass {fed.pass_name}", soft_wrap=True
        )
    else:
        console.print(f"recorded as the pass {fed.pass_name}: {fed.n_bytes:,} bytes of {recording}", soft_wrap=True)


def _feed_station(to: str) -> Any:
    """ConfigError where it is no feed source."""
    from ..stations.address import read_station

    try:
        station = read_station(to)
    except ConfigError:
        raise ConfigError(f"--to {to}: it is written feed://HOST:PORT, with a port from 1 to 65535") from None
    if station.kind != "feed" or not station.port:
        raise ConfigError(f"--to {to}: it is written feed://HOST:PORT, with a port from 1 to 65535")
    return station


def _pass_name(recording: Path) -> str:
    """The file's name as one of a pass."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", recording.resolve().name).lstrip("_.-")[:100] or "pass"


@commands.command()
def certs(
    out: Annotated[Path, typer.Option(metavar="DIR", show_default=False, help="The folder to fill.")],
    host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The broker's; once for each. localhost without.")
    ] = None,
    station_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of ingest, for stations; once for each. The broker's without."),
    ] = None,
    mission: Annotated[str, typer.Option("--mission", "-m", metavar="NAME", help="Of the access list.")] = "+",
    days: Annotated[float, typer.Option(min=0.0, help="How long they hold.")] = 365.0,
    each: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A folder for each of these, as docker-compose.yml has them; what still holds for 30 days is kept.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace those that are there.")] = False,
) -> None:
    """Make certificates, an access list and a broker's configuration for a lab.

    Example: downlink certs --out certs --host localhost --mission {mission}
    """
    with _extra_services(), loading():
        from ..system.cert_folders import keep_certificates
        from ..system.certs import make_certificates
        from ..system.outputs import check_folder
    hosts = host or ["localhost", "127.0.0.1"]
    if each:
        check_folder(out)
        made = keep_certificates(out, each, hosts, mission, days)
    else:
        made = make_certificates(out, hosts, mission, days, station_host, overwrite=overwrite)
    for path in made:
        typer.echo(printable(str(path)))


def _services() -> Any:
    """The wiring, which needs what other commands do without."""
    with _extra_services(), loading():
        from ..services import run as services
    return services


@contextmanager
def _extra_services(extra: str = "services") -> Iterator[None]:
    """ConfigError, with the command that installs it, for a library of the extra that is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        from ..system.software import to_install

        raise ConfigError(f"{error}: {to_install(extra)}") from None


def _common(
    services: Any, mission: str, broker: str, health: str, open_: str, remember_s: float, readers: str = ""
) -> Any:
    from ..mission.loading import load_mission
    from ..mqtt.address import read_address

    named = frozenset(open_.replace(",", " ").split())
    address = read_address(broker, os.environ)
    watched = read_address(readers, {}) if readers else None  # in the clear and without a name, as readers are
    return services.Common(load_mission(mission), address, _host_and_port(health), named, remember_s, watched)


def _host_and_port(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--health {text}: it is written HOST:PORT")
    return host.strip("[]"), int(port)


def _fsync(text: str) -> float | None:
    if text in {"always", "never"}:
        return 0.0 if text == "always" else None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(f"--fsync {text}: always, never, or a number of seconds")
    return seconds
