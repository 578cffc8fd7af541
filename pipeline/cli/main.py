"""The command line: all commands, and their errors as one line and an exit status."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from ..model.errors import ConfigError, DownlinkError, StoppedError
from . import archive as cli_archive
from . import certs as cli_certs
from . import detect as cli_detect
from . import dictionary as cli_dictionary
from . import feed as cli_feed
from . import history as cli_history
from . import look as cli_look
from . import mission as cli_mission
from . import packets as cli_packets
from . import passes as cli_passes
from . import recordings as cli_recordings
from . import services as cli_services
from . import simulate as cli_simulate
from . import stage_history as cli_stage_history
from .examples import fill_examples
from .options import check_exist, print_err, print_out, readable
from .start import loading

if TYPE_CHECKING:
    from ..dictionary.compile.plan import Plan
    from ..mission.loading import Mission

_UsageProblem: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
cli = typer.Typer(
    name="downlink",
    help="From the frames that a ground station receives to calibrated science products on MQTT topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (
    cli_passes,
    cli_detect,
    cli_packets,
    cli_simulate,
    cli_look,
    cli_services,
    cli_feed,
    cli_certs,
    cli_archive,
    cli_recordings,
    cli_dictionary,
    cli_mission,
    cli_history,
):
    cli.add_typer(room.commands)
cli_services.stage.add_typer(cli_stage_history.commands)


def _show_version(asked: bool) -> None:
    if asked:
        from ..system.software import software

        print_out(software())
        raise typer.Exit


@cli.callback()
def common(
    version: Annotated[
        bool, Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before a command; the help is that of `cli`."""


@cli.command()
def check(
    mission: Annotated[
        str | None,
        Argument(metavar="M", help="A mission's folder, or its name under configs/; by default DOWNLINK_MISSION."),
    ] = None,
    dictionary: Annotated[
        list[Path] | None,
        Option(
            metavar="FILE",
            help="Check only a dictionary, element by element: XTCE files, a folder, an mdb.yaml or CSV.",
        ),
    ] = None,
    root: Annotated[
        list[str] | None, Option(metavar="NAME", help="With --dictionary: root container of packets.")
    ] = None,
    strict: Annotated[bool, Option("--strict", help="Warnings of the dictionary are errors.")] = False,
    packets: Annotated[
        Path | None,
        Option("--against", metavar="FILE", help="Count the packets of a file that find a container, by APID."),
    ] = None,
) -> None:
    """Validate a mission: list every problem of its files with file, line and key, or describe the mission.

    With --dictionary only a dictionary: its elements that are supported, ignored or refused, warnings, the shortest and
    longest packet of each container. Exit status as of a mission that names it.

    Example: downlink check {mission}
    """
    with loading():
        from ..commands import recordings as app
        from ..commands.displays import displays_of
        from ..mission.loading import load_mission
    if mission is None and dictionary is None:
        mission = os.environ.get("DOWNLINK_MISSION") or None
    if (mission is None) == (dictionary is None):
        raise ConfigError("check either a mission or --dictionary FILE")
    check_exist(dictionary or ())
    readable([packets] if packets else [])
    if dictionary is not None:
        _check_dictionary(dictionary, tuple(root or ()), packets, strict=strict)
        return
    known = load_mission(mission or "", strict=strict)
    shown = displays_of(known)
    for key, lines in app.describe(known, shown).items():
        for number, line in enumerate(lines):
            print_out(f"{'' if number else key:12} {line}")
    if packets is not None and known.plan is not None:
        _try_packets(packets, known.plan, known)


def _check_dictionary(paths: list[Path], roots: tuple[str, ...], packets: Path | None, *, strict: bool) -> None:
    from ..commands.dictionary_report import examine_dictionary
    from ..mission.dictionary_files import ReaderOptions

    found = examine_dictionary(paths, ReaderOptions(strict, roots=roots))
    for line in found.lines:
        print_out(line)
    if found.problems:
        raise ConfigError(found.problems)
    if packets is not None and found.plan is not None:
        _try_packets(packets, found.plan)


def _try_packets(path: Path, plan: Plan, known: Mission | None = None) -> None:
    from ..commands.dictionary_report import against

    lines, _ = against(path, plan, known)
    for line in lines:
        print_out(line)


fill_examples(cli)


def main() -> None:
    """Run the command line. Errors of users are one line on standard error, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names that are not UTF-8, terminals without a character
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli(standalone_mode=False) or 0
        if status == StoppedError.exit_status:  # typer returns this for Ctrl-C
            raise KeyboardInterrupt  # noqa: TRY301 - as what else ends a run so
    except DownlinkError as error:
        status = _print_error(str(error), error.exit_status)
    except _UsageProblem as error:
        where = error.ctx.command_path if error.ctx else "downlink"
        text = error.format_message().replace("Value error, ", "")
        status = _print_error(f"{text} (see {where} --help)" if text else "", error.exit_code)
    except BrokenPipeError:  # the reader of our output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        status = _print_error(f"{where}{error.strerror or error}", 1)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        status = _print_error("interrupted; nothing half-written is left", StoppedError.exit_status)
    raise SystemExit(status)


def _print_error(text: str, status: int) -> int:
    for line in text.splitlines():
        print_err(f"downlink: {line}")
    return status


if __name__ == "__main__":
    main()
