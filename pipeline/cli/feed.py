"""`feed` on the command line: a recording is sent to a running ingest."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..model.errors import ConfigError
from ..system import signals
from .options import Rate, err, rate_of, speed_factor
from .options import out as console
from .start import loading

commands = typer.Typer()


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
