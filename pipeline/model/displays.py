"""Displays of a mission: panels on a grid, each with the parameters that it shows."""

from __future__ import annotations

from dataclasses import dataclass

MAX_COLUMNS, MAX_ROWS = 6, 12


@dataclass(frozen=True, slots=True)
class DisplayPanel:
    """One panel. `parameters`: as on the page, `<container>/<name>` or `<instrument>/<product>/<array>`; `column`,
    `row`: of its upper left cell, from 0; `width`, `height`: in cells.
    """

    kind: str
    parameters: tuple[str, ...]
    title: str = ""
    column: int = 0
    row: int = 0
    width: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Display:
    """One display file. `problems`: why it cannot be shown, one line each; then it has no panels."""

    name: str
    title: str
    panels: tuple[DisplayPanel, ...] = ()
    problems: tuple[str, ...] = ()
