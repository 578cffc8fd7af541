"""The page of a picture: a grid of panels in the style of all pictures, below a title."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .style import SETTINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEGEND_WIDTH = 110  # characters, with five for each line


@contextmanager
def page(
    inches: tuple[float, float],
    panels: Sequence[tuple[str, Callable[[Axes], None]]],
    n_columns: int = 1,
    *,
    title: str = "",
    notes: str = "",
    share_x: bool = False,
    margins: Mapping[str, float] | None = None,
) -> Iterator[Figure]:
    """Draw panels (title, function), row by row, for `savefig` inside the block, where the style is set.

    `title`, `notes`: at the top and the bottom; dollar signs escaped, as in titles of panels. `share_x`: all panels of
    a column have one abscissa, written below the last, and short legends above them. `margins`: fixed ones, as
    `Figure.subplots_adjust`; to fit them to the texts takes half of the time of a page.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - an extra: a replay draws nothing
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(SETTINGS):
        figure = Figure(inches, layout=None if margins else "constrained")
        if margins:
            figure.subplots_adjust(**margins)
        if notes:
            figure.supxlabel(notes, x=0.01, ha="left", fontsize=8)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        n_rows = math.ceil(len(panels) / n_columns)
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharex="col" if share_x else False).ravel()
        for axes, (words, draw) in zip(grid, panels, strict=False):
            draw(axes)
            axes.set_title(words)
            if share_x:
                axes.label_outer()
                _move_legend(axes)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        yield figure


def _move_legend(axes: Axes) -> None:
    """Move a legend beside the title, where it covers no line, if it fits into one row."""
    legend = axes.get_legend()
    words = [text.get_text() for text in legend.get_texts()] if legend else []
    if words and sum(len(word) + 5 for word in words) <= _LEGEND_WIDTH:
        place = {"bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2, "columnspacing": 1.0}
        axes.legend(loc="lower right", ncols=len(words), **place)
