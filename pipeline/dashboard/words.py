"""Text that changes often: a Div whose text Bokeh would lay the whole page out for is written by a script instead.

The text travels as the Div's `tags`, of which no view of Bokeh takes notice. Ages count up in the browser, from what
they were when the text was written, so that nothing has to be sent for them.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import CustomJS, Div

from pipeline.dashboard.theme import sheet


class Words:
    """A Div to put into a layout as `root`, and its HTML, which is escaped by who sets it."""

    def __init__(self, css: str, **layout: Any) -> None:
        self.root = Div(text="", tags=[""], stylesheets=[sheet(css)], **layout)
        self.root.js_on_change("tags", CustomJS(code="write_words(cb_obj)"))

    def set(self, html: str) -> None:
        if html != self.root.tags[0]:
            self.root.tags = [html]


def ago(seconds: float) -> str:
    """An age that goes on counting in the browser: write it only when what it is the age of has changed."""
    return f"<time data-age='{max(seconds, 0):.1f}'></time>"
