"""Rows of a source as a small HTML table under a caption, with a CSV button."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from bokeh.models import ColumnDataSource

from . import theme
from .panels import Panel
from .words import Words

MAX_SHOWN = 100
"""Rows of a table; its CSV file has all that are held."""
_CELLS = {"text": " class=text", "at": " class=when", "why": " class=text", "name": " class=text"}


class Table:
    """Rows of a source as a small HTML table; what stands in it came from outside and is escaped."""

    def __init__(
        self,
        title: str,
        source: ColumnDataSource,
        columns: tuple[str, ...],
        heads: Mapping[str, str] | None = None,
        *,
        max_shown: int = MAX_SHOWN,
    ) -> None:
        """`heads`: what stands over columns that are called otherwise."""
        self._source, self._columns, self._heads = source, columns, heads or {}
        self._max_shown = max_shown
        self._body = Words(theme.TABLE_CSS, sizing_mode="stretch_both", margin=0)
        self.panel = Panel(title, self._body.root, source, {name: name for name in columns}, f"{title.lower()}.csv")
        self.root = self.panel.root

    def fill(self, data: dict[str, list[Any]]) -> None:
        """Show these rows; a column whose cells are all empty is left out."""
        self._source.data = data
        shown = [name for name in self._columns if any(cell != "" for cell in data[name]) or not data[name]]
        head = "".join(f"<th>{escape(self._heads.get(name, name.replace('_', ' ')))}</th>" for name in shown)
        rows = zip(*(data[name][: self._max_shown] for name in shown), strict=True)
        body = "".join("<tr>" + "".join(map(_cell, shown, cells)) + "</tr>" for cells in rows)
        self._body.set(f"<table><tr>{head}</tr>{body}</table>")


def _cell(name: str, value: Any) -> str:
    """A number stands in columns, a sentence wraps, all else is one line."""
    if isinstance(value, int):
        return f"<td class='number'>{value:,}</td>"
    return f"<td{_CELLS.get(name, '')}>{escape(str(value or ''))}</td>"
