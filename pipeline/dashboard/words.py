"""Text that changes often. Bokeh lays the whole page out when the text of a Div changes, so a script writes it instead.

The text is sent as the Div's `tags`, which no view of Bokeh observes. Ages and clocks count up in the browser from
their value when the text was written, so nothing is sent for them.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import CustomJS, Div

from .theme import sheet

STALE_S = 60.0
"""Older values are marked as stale."""


class Words:
    """A Div for a layout, `root`, and its HTML. The caller of `set` escapes texts."""

    def __init__(self, css: str, *, lays_out: bool = False, **layout: Any) -> None:
        """`lays_out`: lay the page out again when the height of the text changes, which is costly in the browser."""
        self.root = Div(text="", tags=["", lays_out], stylesheets=[sheet(css)], **layout)
        self.root.js_on_change("tags", CustomJS(code="write_words(cb_obj)"))

    def set(self, html: str) -> None:
        """Write a text, if it is another one."""
        if html != self.root.tags[0]:
            self.root.tags = [html, self.root.tags[1]]


def ago(seconds: float, stale_s: float | None = STALE_S) -> str:
    """HTML of an age that counts up in the browser; write it again only when its event changes.

    Beyond `stale_s` (None: never) it gets the class `stale`.
    """
    stale = "" if stale_s is None else f" data-stale='{stale_s:.0f}'"
    return f"<time data-age='{max(seconds, 0):.1f}'{stale}></time>"


def number_of(n: int, noun: str) -> str:
    """A count and its noun: "1 frame", "2,000 frames"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def clock(utc_s: float) -> str:
    """HTML of a date and time of day, UTC, that counts up in the browser from `utc_s` (seconds since 1970)."""
    return f"<time data-utc='{utc_s:.1f}'></time>"
