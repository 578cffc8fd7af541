"""What a viewer chose as a display file of the mission: drawn parameters as a plot, pinned ones as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .selection import Selection


def display_toml(selection: Selection, title: str = "My display") -> str:
    """The text of a file for the folder `displays` of the mission; empty where nothing is chosen."""
    panels = [_panel(kind, keys) for kind, keys in (("plot", selection.chosen), ("table", selection.pins)) if keys]
    if not panels:
        return ""
    return f"title = {_text(title)}\ncolumns = {len(panels)}\n" + "".join(panels)


def _panel(kind: str, keys: Sequence[str]) -> str:
    lines = "".join(f"  {_text(key)},\n" for key in keys)
    return f'\n[[panel]]\nkind = "{kind}"\nparameters = [\n{lines}]\n'


def _text(text: str) -> str:
    """A basic string of TOML: it is escaped as in JSON."""
    return json.dumps(text, ensure_ascii=False)
