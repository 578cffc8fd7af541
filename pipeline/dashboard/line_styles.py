"""How each drawn parameter looks: a colour that colour-blind eyes distinguish too, and beyond six a dash."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from . import theme

DASHES = ("solid", "dashed")
_SVG_DASHES = {"solid": "", "dashed": " stroke-dasharray='5 3'"}


@dataclass(frozen=True, slots=True)
class LineStyle:
    """Of the parameter at a place of the plot."""

    colour: str
    dash: str

    @staticmethod
    def of(place: int) -> LineStyle:
        """The style at a place: colours in turn, then the same ones dashed."""
        n = len(theme.LINES)
        return LineStyle(theme.LINES[place % n], DASHES[place // n % len(DASHES)])

    def key(self) -> str:
        """A small sample of the line, as HTML."""
        return (
            "<svg width=24 height=10 aria-hidden=true><line x1=1 x2=23 y1=5 y2=5 stroke-width=3 "
            f"stroke='{escape(self.colour, quote=True)}'{_SVG_DASHES[self.dash]}/></svg>"
        )
