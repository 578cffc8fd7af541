"""The command `simulate`, with the options of the simulator of a mission."""

from __future__ import annotations

import typer

from .start import loading

commands = typer.Typer()
_MISSION = ("--mission", "-m")


@commands.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def simulate(context: typer.Context) -> None:
    """Make a pass of a mission as a ground station records it, with files of its truth and receive times beside it.

    `--mission NAME` if several missions have a simulator; `downlink simulate --help` lists its options.

    Example: downlink simulate --out my.cadu --lost-frames 20 --symbol-errors 16
    """
    with loading():
        from ..commands.simulators import simulator_of
    words, name = list(context.args), ""
    for at, word in enumerate(words[:-1]):
        if word in _MISSION:
            name = words[at + 1]
            del words[at : at + 2]
            break
    own = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    own.command()(simulator_of(name))
    typer.main.get_command(own).main(words, prog_name="downlink simulate", standalone_mode=False)
