"""The command `feed`: send a recording to a running ingest."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from ..model.errors import ConfigError
from ..system import signals
from .options import Rate, check_exist, print_err, print_out, rate_of, speed_factor
from .start import loading

commands = typer.Typer()


@commands.command()
def feed(
    recording: Annotated[Path, Argument(metavar="PASS", help="The recording to send.", show_default=False)],
    to: Annotated[
        str, Option(metavar="feed://HOST:PORT", envvar="DOWNLINK_FEED", show_default=False, help="A feed source.")
    ],
    name: Annotated[
        str, Option(help="Name of the pass; %Y%m%dT%H%M%SZ and the like are the time. By default the file's name.")
    ] = "",
    speed: Annotated[
        str | None,
        Option(
            metavar="1|10|max",
            envvar="DOWNLINK_SPEED",
            help="Multiple of the real rate, by receive times; by default max.",
        ),
    ] = None,
    rate: Rate = None,
    again: Annotated[
        bool,
        Option("--again", envvar="DOWNLINK_AGAIN", help="Send it as a new pass even if it is recorded already."),
    ] = False,
) -> None:
    """Send a recording to a running ingest, and end when all of it is recorded there.

    Recordings are identified by their content: one that is recorded is not sent again, an incomplete one is resumed.

    Example: downlink feed replay_data/clean.cadu --to feed://127.0.0.1:5000 --speed 10
    """
    with loading():
        from ..recordings.reader import received_span
        from ..stations.feed import feed as send
        from ..stations.feed_messages import NAME
    check_exist([recording])
    if recording.is_dir() and not any(recording.glob("[0-9]*.raw")):  # as ingest records a pass
        raise ConfigError(f"{recording} is a folder: name a recording in it")
    rate_bits_per_s = rate_of(rate)
    factor = speed_factor(speed, rate_bits_per_s)
    station = _feed_station(to)
    name = datetime.now(UTC).strftime(name)
    if name and not re.fullmatch(NAME, name):
        raise ConfigError(f"--name {name}: of letters, digits, '.', '_' and '-', up to 100")
    if factor is not None and rate_bits_per_s is None and received_span(recording) is None:
        print_err(
            f"downlink: {recording} has no receive times: it is sent as fast as it is taken; "
            "--rate BITS_PER_S sets a pace"
        )
    passing = send(
        station, recording, name or _pass_name(recording), factor, rate_bits_per_s=rate_bits_per_s, again=again
    )
    fed = signals.run(passing)
    if fed.known:
        print_out(f"already recorded, nothing sent (--again): {recording} is the pass {fed.pass_name}")
    else:
        print_out(f"recorded as the pass {fed.pass_name}: {fed.n_bytes:,} bytes of {recording}")


def _feed_station(to: str) -> Any:
    """The station of --to. ConfigError if it is no feed source."""
    from ..stations.address import read_station

    with suppress(ConfigError):
        station = read_station(to)
        if station.kind == "feed" and station.port:
            return station
    raise ConfigError(f"--to {to}: it is written feed://HOST:PORT, with a port from 1 to 65535")


def _pass_name(recording: Path) -> str:
    """A pass name made from the name of a file."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", recording.resolve().name).lstrip("_.-")[:100] or "pass"
