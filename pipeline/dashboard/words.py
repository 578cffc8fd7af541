"""Text that changes often: a Div whose text Bokeh would lay the whole page out for is written by a script instead.

The text travels as the Div's `tags`, of which no view of Bokeh takes notice. Ages and clocks count up in the browser,
from what they were when the text was written, so that nothing has to be sent for them.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import CustomJS, Div

from .theme import sheet

STALE_S = 60.0
"""Older values are marked as stale."""


class Words:
    """A Div to put into a layout as `root`, and its HTML, which is escaped by who sets it."""

    def __init__(self, css: str, *, lays_out: bool = False, **layout: Any) -> None:
        """`lays_out`: the page is laid out anew where the text takes another height, which costs the browser much."""
        self.root = Div(text="", tags=["", lays_out], stylesheets=[sheet(css)], **layout)
        self.root.js_on_change("tags", CustomJS(code="write_words(cb_obj)"))

    def set(self, html: str) -> None:
        if html != self.root.tags[0]:
            self.root.tags = [html, self.root.tags[1]]


def ago(seconds: float, stale_s: float | None = STALE_S) -> str:
    """An age that goes on counting in the browser: write it only when what it is the age of has changed.

    Beyond `stale_s` (None: never) it has the class `stale`.
    """
    stale = "" if stale_s is None else f" data-stale='{stale_s:.0f}'"
    return f"<time data-age='{max(seconds, 0):.1f}'{stale}></time>"


def clock(utc_s: float) -> str:
    """A date and time of day, UTC, that goes on counting in the browser from `utc_s` (since 1970)."""
    return f"<time data-utc='{utc_s:.1f}'></time>"
