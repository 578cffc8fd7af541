"""What commands share: options, consoles, and functions to read recordings and to report on them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from ..commands.report import print_report, warnings
from ..link.verdict import nothing_right
from ..model.errors import ConfigError, RunError
from ..system.terminal import console

if TYPE_CHECKING:
    from ..mission.loading import Mission

WIDTH = None if sys.stdout.isatty() else 160  # of tables that go to a file or a pipe
out = console(width=WIDTH)
err = console(stderr=True)


def print_out(text: str) -> None:
    """Print a line to standard output, unwrapped."""
    out.print(text, soft_wrap=True)


def print_err(text: str) -> None:
    """Print a line to standard error, unwrapped."""
    err.print(text, soft_wrap=True)


Passes = Annotated[
    list[Path],
    Argument(
        metavar="PASS", help="Recordings (gzip, bzip2 and zstd too); - is standard input.", show_default=False
    ),
]
Merge = Annotated[
    bool,
    Option(
        "--merge",
        help="The recordings are of several stations that received one pass: merge them frame by frame. "
        "Without it they are read one after the other.",
    ),
]
Overwrite = Annotated[
    bool,
    Option(
        "--overwrite",
        help="Replace existing files, also those that this command did not make from the same pass. Inputs stay.",
    ),
]
MissionName = Annotated[
    str,
    Option(
        "--mission",
        "-m",
        metavar="M",
        envvar="DOWNLINK_MISSION",
        show_default=False,
        help="A folder with a mission.toml, or its name under configs/; NAME:PROFILE for another link profile.",
    ),
]
_URL = "mqtt:// or mqtts://\\[user@]host\\[:port], password in DOWNLINK_BROKER_PASSWORD"
BrokerUrl = Annotated[str, Option(metavar="URL", envvar="DOWNLINK_BROKER", help=f"{_URL}.")]
BrokerOrOwn = Annotated[
    str | None, Option(metavar="URL", envvar="DOWNLINK_BROKER", help=f"{_URL}. Without it: an embedded broker.")
]
Speed = Annotated[
    str | None,
    Option(
        metavar="1|10|max",
        envvar="DOWNLINK_SPEED",
        help="Times the real rate: by receive times, else by insert zones or the onboard clock; max without.",
    ),
]
Rate = Annotated[
    str | None,
    Option(
        metavar="BITS_PER_S",
        help="The rate of the link, in bits per second (2048k, 2M too), in place of the times of the recording.",
    ),
]
MOST_BITS_PER_S = 1e12
AsJson = Annotated[bool, Option("--json", help="The pass report as JSON.")]
FileFormat = Annotated[
    Literal["archive", "netcdf", "cdf", "pds4", "segy", "wav", "picture", "quicklook", "zarr", "file"],
    Option("--format", help="Format of the files; archive: those declared by each kind of product."),
]
OutFolder = Annotated[Path, Option("--out", metavar="DIR", show_default=False, help="The folder to fill.")]
OutFile = Annotated[Path, Option("--out", metavar="FILE", show_default=False, help="The file to write.")]


def speed_factor(text: str | None, rate_bits_per_s: float | None) -> float | None:
    """Parse --speed; None: as fast as possible, the default unless there is a --rate. ConfigError if it is invalid."""
    if text is None:
        return None if rate_bits_per_s is None else 1.0
    if text == "max":
        if rate_bits_per_s is not None:
            raise ConfigError("--rate sets a pace: not with --speed max")
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ConfigError(f"--speed {text}: a factor such as 1 or 10, or max")
    return factor


def rate_of(text: str | None) -> float | None:
    """Parse --rate, in bits per second. ConfigError if it is invalid."""
    rate = None if text is None else scaled(text)
    if rate is not None and not 1 <= rate <= MOST_BITS_PER_S:
        raise ConfigError(f"--rate {text}: bits per second, such as 2048000, 2048k or 2.048M")
    return rate


def scaled(text: str) -> float:
    """The value of a number that may end with k, M, G or T (powers of 1000); -1 if the text is none."""
    scale = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1:], 1.0)
    try:
        return float(text[:-1] if scale > 1 else text) * scale
    except ValueError:
        return -1.0


def check_exist(paths: Iterable[Path]) -> None:
    """ConfigError for the first path that does not exist."""
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file")


def readable(passes: Sequence[Path], mission: Mission | None = None, *, merge: bool = False) -> int | None:
    """Check that the recordings exist, before anything starts. Returns their size in bytes; None if it is unknown.

    With `mission`, warns on standard error if recordings that are read one after the other are not in order of time, or
    are equal. ConfigError if they cannot be read together.
    """
    from ..processing.passes import out_of_order, same_bytes
    from ..recordings.compression import STANDARD_INPUT, compression

    for path in passes:
        if path == STANDARD_INPUT:
            continue
        check_exist([path])
        if path.is_dir() and not any(path.glob("[0-9]*.raw")):  # as ingest records a pass
            raise ConfigError(f"{path} is a folder: name the recordings in it")
        if len(passes) > 1 and path.is_file() and not path.stat().st_size:
            print_err(f"downlink: {path}: the recording is empty")
    if mission is not None:
        for text in filter(None, (check(mission, passes, merge=merge) for check in (out_of_order, same_bytes))):
            print_err(f"downlink: {text}")
    if any(path == STANDARD_INPUT or path.is_dir() or compression(path) for path in passes):
        return None
    return sum(path.stat().st_size for path in passes)


@contextmanager
def progress(total_bytes: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yields the function that advances it by a number of bytes."""
    from .progress import progress_bar

    with progress_bar(err) as bar:
        task = bar.add_task("", total=total_bytes)
        yield lambda n_bytes: bar.update(task, advance=n_bytes)


@contextmanager
def reading(
    passes: Sequence[Path], mission: str, *, merge: bool = False, any_channel: bool = False
) -> Iterator[tuple[Mission, Callable[[int], None]]]:
    """Load a mission, check the recordings (`readable`), and show a bar while the block reads them."""
    from ..mission.loading import load_mission

    known = load_mission(mission, any_channel=any_channel)
    with progress(readable(passes, known, merge=merge)) as advance:
        yield known, advance


def notify(report: dict[str, Any], mission: Mission, title: str, as_json: bool, *, console: Any = None) -> None:
    """Print the pass report at the end of a run. RunError if messages were not delivered."""
    warn(report, mission)
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        print_report(console or out, report, title)
    if report.get("undelivered"):
        raise RunError("stopped with messages undelivered: the broker did not answer")


_PRINTED: set[str] = set()
"""SHA-256 of the dictionaries whose notices have been printed."""


def warn(report: Mapping[str, Any], mission: Mission, path: Path | None = None) -> None:
    """Print warnings of a pass on standard error: a wrong mission, a damaged recording, notices of the dictionary once.

    `path`: named in front, if there are several recordings.
    """
    digest = mission.lineage.get("dictionary_sha256", "")
    for notice in mission.plan.notices if mission.plan and digest not in _PRINTED else ():
        print_err(f"downlink: warning: {notice}")
    _PRINTED.add(digest)
    for line in warnings(report, mission.name):
        named = path is None or line.startswith(f"{path.name}: ")
        print_err(f"downlink: {line}" if named else f"downlink: {path}: {line}")


def conclude(report: Mapping[str, Any]) -> None:
    """End a command that read a pass: exit status 1 if nothing in it was valid, which `warn` has printed."""
    if nothing_right(report):
        raise typer.Exit(RunError.exit_status)
