"""Displays of a mission: `displays/*.toml` beside its mission file, each a grid of plots, tables, values and images.

In: the folder of a mission, and the keys of parameters that it declares. Out: frozen `Display`s, and every problem with
file, line and key.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from ..model.displays import MAX_COLUMNS, MAX_ROWS, Display, DisplayPanel
from ..model.errors import ConfigError, Problem
from .display_files import FOLDER, MAX_DISPLAYS, display_files
from .link_schema import Strict
from .toml_lines import line_of, load_toml, validation_problems

MAX_PANELS, MAX_PARAMETERS = 40, 60
MAX_OF_KIND = {"plot": 12, "table": MAX_PARAMETERS, "value": 12, "image": 1}
"""Parameters of a panel."""
MAX_FILE_BYTES = 1 << 20
DEFAULT_COLUMNS = 2

_ARTICLE = {kind: f"{'an' if kind == 'image' else 'a'} {kind}" for kind in MAX_OF_KIND}
_Cell = Annotated[int, Field(ge=1, le=MAX_ROWS)]
_Title = Annotated[str, Field(max_length=80)]


class PanelTable(Strict):
    """`[[panel]]`."""

    kind: Literal["plot", "table", "value", "image"]
    parameters: Annotated[list[Annotated[str, Field(min_length=1, max_length=330)]], Field(min_length=1)]
    title: _Title = ""
    column: _Cell | None = None
    """From 1; panels without a place stand one after the other, row by row."""
    row: _Cell | None = None
    width: _Cell = 1
    height: _Cell = 1


class DisplayTable(Strict):
    """One file."""

    title: _Title = ""
    columns: Annotated[int, Field(ge=1, le=MAX_COLUMNS)] = DEFAULT_COLUMNS
    panel: Annotated[list[PanelTable], Field(min_length=1, max_length=MAX_PANELS)]


def read_display(path: Path, known: Collection[str] | None = None) -> Display:
    """Read one file. Raises ConfigError with all its problems. `known`: keys that a panel may name; None: any."""
    text, table = load_toml(path, MAX_FILE_BYTES)
    problems: list[Problem] = []
    try:
        DisplayTable.model_validate(table)
    except ValidationError as error:
        problems += validation_problems(error, text, str(path), DisplayTable)
    columns = table["columns"] if table.get("columns") in range(1, MAX_COLUMNS + 1) else DEFAULT_COLUMNS
    panels = _placed(_sound_panels(table), columns)
    problems += [
        Problem(what, str(path), line_of(text, ("panel", i, key)), f"panel.{i}.{key}")
        for i, key, what in (*_misplaced(columns, panels), *_unknown(panels, known))
    ]
    if problems:
        raise ConfigError(sorted(problems, key=lambda one: one.line))
    return Display(path.stem, table.get("title") or path.stem, tuple(panels.values()))


def _sound_panels(table: Mapping[str, Any]) -> dict[int, PanelTable]:
    """Return the panels that are valid by themselves, by number."""
    found: dict[int, PanelTable] = {}
    panels = table.get("panel")
    for i, one in enumerate(panels[:MAX_PANELS] if isinstance(panels, list) else ()):
        with suppress(ValidationError):
            found[i] = PanelTable.model_validate(one)
    return found


def check_displays(mission_folder: Path, known: Collection[str]) -> list[Display]:
    """Read all displays of a mission. Raises ConfigError with the problems of all files."""
    problems: list[Problem] = []
    displays: list[Display] = []
    files = display_files(mission_folder)
    if len(files) > MAX_DISPLAYS:
        problems.append(Problem(f"more than {MAX_DISPLAYS} displays", str(mission_folder / FOLDER)))
    for path in files[:MAX_DISPLAYS]:
        try:
            displays.append(read_display(path, known))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return displays


def shown_display(path: Path) -> Display:
    """Read one file for the page; if it is invalid, return a display that lists its problems."""
    try:
        return read_display(path)
    except ConfigError as error:
        named = (replace(one, file=path.name) for one in error.problems)  # viewers must not see the path
        return Display(path.stem, path.stem, problems=tuple(map(str, named)))


def _placed(panels: Mapping[int, PanelTable], columns: int) -> dict[int, DisplayPanel]:
    """Assign cells to panels; those without a place get the next free cells, row by row."""
    taken: set[tuple[int, int]] = set()
    cells: dict[int, tuple[int, int]] = {}
    for i, one in panels.items():
        if one.column is not None or one.row is not None:
            cells[i] = (one.column or 1) - 1, (one.row or 1) - 1
            taken |= _cells(*cells[i], one.width, one.height)
    for i, one in panels.items():
        if i not in cells:
            cells[i] = _free(taken, columns, one.width, one.height)
            taken |= _cells(*cells[i], one.width, one.height)
    return {
        i: DisplayPanel(one.kind, tuple(one.parameters), one.title, *cells[i], one.width, one.height)
        for i, one in panels.items()
    }


def _cells(column: int, row: int, width: int, height: int) -> set[tuple[int, int]]:
    return {(column + i, row + j) for i in range(width) for j in range(height)}


def _free(taken: set[tuple[int, int]], columns: int, width: int, height: int) -> tuple[int, int]:
    """Find the first place, row by row, with enough free cells."""
    places = (
        (column, row) for row in range(MAX_ROWS * MAX_PANELS) for column in range(max(columns - width, 0) + 1)
    )
    return next(place for place in places if not taken & _cells(*place, width, height))


def _misplaced(columns: int, panels: Mapping[int, DisplayPanel]) -> Iterator[tuple[int, str, str]]:
    """Yield the panels that do not fit into the grid: number, key and problem."""
    taken: dict[tuple[int, int], int] = {}
    for i, one in panels.items():
        if one.column + one.width > columns:
            yield i, "width", f"reaches beyond the {columns} columns of the grid"
        if one.row + one.height > MAX_ROWS:
            yield i, "height", f"reaches beyond row {MAX_ROWS}"
        cells = _cells(one.column, one.row, one.width, one.height)
        if others := sorted({taken[cell] for cell in cells if cell in taken}):
            yield i, "row", f"overlaps panel {others[0]}"
        taken |= dict.fromkeys(cells, i)
        if len(one.parameters) > MAX_OF_KIND[one.kind]:
            why = f"are {len(one.parameters)}: {_ARTICLE[one.kind]} shows {MAX_OF_KIND[one.kind]} at most"
            yield i, "parameters", why


def _unknown(panels: Mapping[int, DisplayPanel], known: Collection[str] | None) -> Iterator[tuple[int, str, str]]:
    """Yield parameters that the mission does not declare, as problems."""
    if known is None:
        return
    for i, one in panels.items():
        for key in one.parameters:
            if key not in known:
                yield i, "parameters", f"there is no parameter '{key}'{_hint(key, known)}"


def _hint(key: str, known: Collection[str]) -> str:
    near: list[Any] = difflib.get_close_matches(key, known, 1)
    return f": did you mean {near[0]}?" if near else ""
