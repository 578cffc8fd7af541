"""The command line: where something is wrong one clear line, and the exit status of the contract."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import cli_archive, cli_look, cli_passes, cli_services, cli_simulate
from pipeline.cli_options import err, out, readable
from pipeline.cli_start import loading
from pipeline.errors import ConfigError, DownlinkError, StoppedError

_UsageProblem: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
cli = typer.Typer(
    name="downlink",
    help="From the frames that a ground station receives to calibrated science products on MQTT topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (cli_passes, cli_simulate, cli_look, cli_services, cli_archive):
    cli.add_typer(room.commands)


@cli.command()
def check(
    mission: Annotated[
        str | None,
        typer.Argument(
            metavar="M", help="A mission's folder, or its name under configs/; DOWNLINK_MISSION without."
        ),
    ] = None,
    dictionary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="List what an XTCE file uses, and what of it is supported.")
    ] = None,
) -> None:
    """Validate a mission: every problem of its files, with file, line and key; or what it is made of.

    Example: downlink check zhurong
    """
    with loading():
        from pipeline import app
        from pipeline.mission import load_mission
    if mission is None and dictionary is None:
        mission = os.environ.get("DOWNLINK_MISSION") or None
    if (mission is None) == (dictionary is None):
        raise ConfigError("check either a mission or --dictionary FILE")
    if mission is not None:
        for key, lines in app.describe(load_mission(mission)).items():
            for number, line in enumerate(lines):
                out.print(f"{'' if number else key:12} {line}", soft_wrap=True)
    if dictionary is not None:
        readable([dictionary])
        uses = app.survey_dictionary(dictionary)
        for use in uses:
            mark = "supported" if use.supported else "NOT supported"
            out.print(f"{use.n_uses:8,}  {mark:14} {use.element}", markup=False)
        if not all(use.supported for use in uses):
            raise ConfigError(f"{dictionary}: not all of it is supported")


def main() -> None:
    """Run the command line; a mistake of the user's is one line, never a traceback."""
    try:
        status = cli(standalone_mode=False) or 0
        if status == StoppedError.exit_status:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt  # noqa: TRY301 - as what else ends a run so
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
        status = _say("interrupted; nothing half-written is left", StoppedError.exit_status)
    raise SystemExit(status)


def _say(text: str, status: int) -> int:
    for line in text.splitlines():
        err.print(f"downlink: {line}", markup=False, soft_wrap=True)
    return status


if __name__ == "__main__":
    main()
