"""Examples of `--help`: `{mission}` in a command's text is the mission of the pass that comes with the package."""

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
    """A command whose help is filled in when it is shown, so that no other run reads what the package brings."""

    text: str | None
    """As it was written."""
    help = property(_filled, _keep)


def fill_examples(commands: typer.Typer) -> None:
    """Let every command of these, and of the groups below, fill in its example."""
    for command in commands.registered_commands:
        command.cls = ExampleCommand
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            fill_examples(group.typer_instance)
