"""Rows of a source as a small HTML table under a caption, with a CSV button."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from bokeh.models import ColumnDataSource, TextInput

from . import theme
from .panels import Panel
from .words import Words

MAX_SHOWN = 100
"""Rows of a table, unless it says otherwise. How many more there are is said below them; the CSV file has all."""
_CELLS = {"text": " class=text", "at": " class=when", "why": " class=text", "name": " class=text"}


class Table:
    """Rows of a source as a small HTML table. Cells are escaped, since they come from messages."""

    def __init__(
        self,
        title: str,
        source: ColumnDataSource,
        columns: tuple[str, ...],
        heads: Mapping[str, str] | None = None,
        *,
        max_shown: int = MAX_SHOWN,
        key: str = "",
        picked: TextInput | None = None,
        css: str = "",
    ) -> None:
        """`heads`: headings of columns that differ from the column's name. `picked`: gets the `key` of the chosen row.
        `css`: of the table, beside that of all tables.
        """
        self._source, self._columns, self._heads = source, columns, heads or {}
        self._max_shown, self._key, self._picked = max_shown, key, picked
        self._body = Words(
            theme.TABLE_CSS + (theme.PICK_CSS if picked else "") + css, sizing_mode="stretch_both", margin=0
        )
        self.panel = Panel(title, self._body.root, source, {name: name for name in columns}, f"{title.lower()}.csv")
        self.root = self.panel.root

    def fill(self, data: dict[str, list[Any]], heads: Mapping[str, str] | None = None) -> None:
        """Show these rows; a column whose cells are all empty is left out. `heads`: headings that
        differ for these rows.
        """
        self._source.data = data
        names = {**self._heads, **(heads or {})}
        shown = [name for name in self._columns if any(cell != "" for cell in data[name]) or not data[name]]
        head = "".join(f"<th>{escape(names.get(name, name.replace('_', ' ')))}</th>" for name in shown)
        rows = zip(*(data[name][: self._max_shown] for name in shown), strict=True)
        keys = data[self._key][: self._max_shown] if self._key else [None] * len(data[self._columns[0]])
        body = "".join(
            f"<tr{self._pick(of)}>" + "".join(map(_cell, shown, cells)) + "</tr>"
            for cells, of in zip(rows, keys, strict=False)
        )
        n = len(data[self._columns[0]])
        more = (
            f"<p>the first {self._max_shown} of {n:,} rows; the CSV file has all</p>" if n > self._max_shown else ""
        )
        self._body.set(f"<table><tr>{head}</tr>{body}</table>{more}")

    def _pick(self, key: object) -> str:
        return pick_attributes(self._picked, str(key)) if self._picked is not None and key is not None else ""


def pick_attributes(picked: TextInput, key: str) -> str:
    """HTML attributes of an element that is chosen by click or Enter: its key becomes the value of `picked`."""
    chosen = " class=chosen aria-selected=true" if picked.value == key else ""
    return f" tabindex=0 data-to='{picked.name}' data-pick='{escape(key, quote=True)}'{chosen}"


def _cell(name: str, value: Any) -> str:
    """Numbers are aligned, sentences wrap, all else is one line."""
    if isinstance(value, int):
        return f"<td class='number'>{value:,}</td>"
    return f"<td{_CELLS.get(name, '')}>{escape(str(value or ''))}</td>"
