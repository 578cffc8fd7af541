"""Commands of the services: `stage ingest`, `stage decode`, `stage publish`, `stage all`.

Each option has an environment variable, DOWNLINK_..., as `--help` shows.
"""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from ..model.errors import ConfigError
from ..system import signals
from ..system.hosts import host_and_port
from .options import MissionName
from .start import extra, loading

stage = typer.Typer(help="One stage as a service.", no_args_is_help=True)
commands = typer.Typer()
commands.add_typer(stage, name="stage")

Broker = Annotated[
    str,
    Option(
        metavar="URL",
        envvar="DOWNLINK_BROKER",
        help="mqtt:// or mqtts://\\[user@]host\\[:port]; password in DOWNLINK_BROKER_PASSWORD or a file named by "
        "DOWNLINK_BROKER_PASSWORD_FILE; certificates in DOWNLINK_TLS_CA, _CERT, _KEY.",
    ),
]
HealthAt = Annotated[
    str,
    Option(
        "--health",
        metavar="HOST:PORT",
        envvar="DOWNLINK_HEALTH",
        help="Address of /health and /metrics; empty: none.",
    ),
]
Open = Annotated[
    str,
    Option(
        "--open", metavar="NAMES", envvar="DOWNLINK_OPEN", help="Listeners that accept any peer: stations, health."
    ),
]
Folder = Annotated[
    Path,
    Option("--state", metavar="DIR", envvar="DOWNLINK_STATE", help="Folder of the state that survives a restart."),
]
Remember = Annotated[
    float,
    Option(
        min=0, metavar="S", envvar="DOWNLINK_REMEMBER_S", help="Time before a restart that a broker may have lost."
    ),
]
Sources = Annotated[
    list[str],
    Option(
        "--source",
        metavar="[NAME=]URL",
        envvar="DOWNLINK_SOURCES",
        show_default=False,
        help="tcp-listen://H:P, tcp://H:P, feed://H:P, udp://H:P, file:///PATH or stdin:; one for each station.",
    ),
]
Fsync = Annotated[
    str,
    Option(
        metavar="always|never|S",
        envvar="DOWNLINK_FSYNC",
        help="Sync the recording after each piece, or every S seconds.",
    ),
]
KeepGb = Annotated[
    float,
    Option(
        min=0, metavar="GB", envvar="DOWNLINK_KEEP_GB", help="Size of committed passes to keep, by station; 0: all."
    ),
]
KeepDays = Annotated[
    float,
    Option(min=0, metavar="DAYS", envvar="DOWNLINK_KEEP_DAYS", help="Age of committed passes to keep; 0: all."),
]
ShareGb = Annotated[
    float,
    Option(min=0, metavar="GB", envvar="DOWNLINK_SHARE_GB", help="Disk quota of each station; 0: equal shares."),
]
ReserveMb = Annotated[
    float,
    Option(
        min=-1,
        metavar="MB",
        envvar="DOWNLINK_RESERVE_MB",
        help="Disk space that recordings leave free; -1: 2 % of the disk, at most 1 GiB.",
    ),
]
FileMb = Annotated[int, Option(min=1, metavar="MB", envvar="DOWNLINK_FILE_MB", help="Size of a recorded file.")]
Gap = Annotated[float, Option(min=0.1, metavar="S", envvar="DOWNLINK_PASS_GAP_S", help="Silence that ends a pass.")]
Silence = Annotated[
    float,
    Option(
        min=0.1,
        metavar="S",
        envvar="DOWNLINK_SILENCE_S",
        help="A pass is sent again after this time without an acknowledgement.",
    ),
]


HistoryAt = Annotated[
    str,
    Option(
        metavar="DIR",
        envvar="DOWNLINK_HISTORY",
        help="Also keep rows in a history, and commit positions only when it has them. `stage all` writes it there; "
        "`stage ingest` needs a `stage history` beside it.",
    ),
]


HistoryDays = Annotated[
    float,
    Option(
        min=0, metavar="DAYS", envvar="DOWNLINK_HISTORY_DAYS", help="Age of rows to keep in the history; 0: all."
    ),
]
HistoryGb = Annotated[
    float,
    Option(min=0, metavar="GB", envvar="DOWNLINK_HISTORY_GB", help="Size of rows to keep in the history; 0: all."),
]
HistorySummaryDays = Annotated[
    float,
    Option(
        min=0,
        metavar="DAYS",
        envvar="DOWNLINK_HISTORY_SUMMARY_DAYS",
        help="Age of summaries to keep in the history; 0: all.",
    ),
]


PublishPackets = Annotated[
    bool,
    Option(
        "--packets",
        envvar="DOWNLINK_PACKETS",
        help="Publish space packets, too, on <mission>/<stream>/packet/<apid>; as `packets = true` of \\[products].",
    ),
]


def keep_of(days: float, gb: float, summary_days: float) -> tuple[float | None, int | None, float | None]:
    """Days and bytes of rows, and days of summaries, to keep; None: all. ConfigError if summaries end before rows."""
    if 0 < summary_days < days or (summary_days and not days):
        raise ConfigError(
            f"--history-summary-days {summary_days:g}: summaries are kept at least as long as rows, "
            f"--history-days {days:g}"
        )
    return days or None, int(gb * 1e9) or None, summary_days or None


def _of_stations(entry: str, about: str) -> Callable[..., None]:
    """The command `stage ingest`, or that of all stages. `about`: its help."""

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
        packets: PublishPackets = False,
    ) -> None:
        services = load_services()
        keep = keep_of(history_days, history_gb, history_summary_days)
        from ..stations.address import read_station

        common = common_settings(services, mission, broker, health, open_, remember_s, packets=packets)
        recorded = services.IngestSettings(
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
        with extra("history"):
            signals.run(
                services.ingest(common, recorded)
                if entry == "ingest"
                else services.everything(common, recorded, history, keep)
            )

    if entry == "ingest":  # these are options of `stage history` and `stage decode`
        _leave_out(command, "history_days", "history_gb", "history_summary_days", "packets")
    command.__doc__ = about
    return command


def _leave_out(command: Callable[..., None], *names: str) -> None:
    """Remove options of a command; its parameters have their defaults."""
    whole = inspect.signature(command, eval_str=True)  # as typer evaluates those of other commands
    kept = [one for name, one in whole.parameters.items() if name not in names]
    command.__signature__ = whole.replace(parameters=kept)  # type: ignore[attr-defined]


stage.command(name="ingest")(
    _of_stations(
        "ingest",
        """Record the bytes of stations, and send them to decode until they are published.

        Example: downlink stage ingest -m {mission} --source udp://127.0.0.1:5000 --broker mqtt://localhost
        """,
    )
)
stage.command(name="all")(
    _of_stations(
        "everything",
        """Run all three stages in one process, for the lowest latency.

        Example: downlink stage all -m {mission} --source udp://127.0.0.1:5000 --broker mqtt://localhost
        """,
    )
)


@stage.command()
def decode(
    mission: MissionName,
    broker: Broker = "mqtt://localhost",
    state: Annotated[
        Path, Option("--state", metavar="DIR", envvar="DOWNLINK_STATE", help="Folder of quarantined batches.")
    ] = Path("decode-state"),
    health: HealthAt = "127.0.0.1:9102",
    open_: Open = "",
    name: Annotated[
        str,
        Option(metavar="NAME", envvar="DOWNLINK_WORKER", help="Name of this worker; by default the host's name."),
    ] = "",
    packets: PublishPackets = False,
) -> None:
    """Decode recorded bytes to products. Several workers share the passes.

    Example: downlink stage decode -m {mission} --broker mqtt://localhost
    """
    services = load_services()
    common = common_settings(services, mission, broker, health, open_, 0.0, packets=packets)
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
        Option(
            metavar="URL", envvar="DOWNLINK_READERS", help="Broker of the readers; its figures are in /metrics."
        ),
    ] = "",
) -> None:
    """Publish each product once, and acknowledge it to ingest.

    Example: downlink stage publish -m {mission} --broker mqtt://localhost
    """
    services = load_services()
    common = common_settings(services, mission, broker, health, open_, remember_s, readers)
    signals.run(services.publish(common, state))


def load_services() -> Any:
    """Import the module `services.run`. ConfigError if a library of the extra is missing."""
    with extra("services"), loading():
        from ..services import run as services
    return services


def common_settings(
    services: Any, mission: str, broker: str, health: str, open_: str, remember_s: float, readers: str = "",
    *, packets: bool = False,
) -> Any:  # fmt: skip
    """The settings that all services share, from the options of these names."""
    from ..mission.loading import load_mission
    from ..mqtt.address import read_address

    named = frozenset(open_.replace(",", " ").split())
    address = read_address(broker, os.environ)
    watched = read_address(readers, {}) if readers else None  # without TLS and user name, as readers connect
    known = load_mission(mission)
    known = replace(known, publish_packets=known.publish_packets or packets)
    health_at = host_and_port("--health", health) if health else None
    return services.CommonSettings(known, address, health_at, named, remember_s, watched)


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
