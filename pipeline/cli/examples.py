"""Examples in `--help`: `{mission}` in the text of a command is replaced by the mission of the bundled pass."""

from __future__ import annotations

import typer
from typer.core import TyperCommand


def _filled(command: ExampleCommand) -> str | None:
    from ..mission.bundled import bundled_pass

    text = command.text
    return text.replace("{mission}", bundled_pass().mission) if text and "{mission}" in text else text


def _keep(command: ExampleCommand, text: str | None) -> None:
    command.text = text


class ExampleCommand(TyperCommand):
    """A command whose example is filled in when its help is shown, so that other runs do not read the package."""

    text: str | None
    """The help with placeholders."""
    help = property(_filled, _keep)


def fill_examples(commands: typer.Typer) -> None:
    """Make every command, also of groups below, an ExampleCommand."""
    for command in commands.registered_commands:
        command.cls = ExampleCommand
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            fill_examples(group.typer_instance)
