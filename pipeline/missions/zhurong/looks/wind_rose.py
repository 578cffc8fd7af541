"""Where the wind came from and how strong, as shares of the time. Directions in, wedges out; and their drawing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d, LabelSet
from numpy.typing import NDArray

from ....dashboard import theme
from ....dashboard.panels import hover, plot

N_SECTORS = 16
CLASSES_M_S = (0.5, 2.0, 4.0, 7.0, 12.0)
"""Below the first one it is calm; the last class has no upper end."""
COLOURS = ("#2c5f8a", "#3c93c2", "#5ec0a8", "#f0b34a", "#e0524d")
_COMPASS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_NAMES = (*(f"{a:g} to {b:g} m/s" for a, b in pairwise(CLASSES_M_S)), "over 12 m/s")
_ROOM = 0.3
"""Of the span of the rings: beside them, for the points of the compass."""
_RADII_LINE = np.linspace(0, 2 * np.pi, 73)

Floats = NDArray[np.float64]


def shares(speed_m_s: Floats, from_deg: Floats) -> tuple[Floats, float]:
    """Shares [16 sectors from north clockwise, 5 classes] of the time in percent, and that of calm."""
    known = np.isfinite(speed_m_s) & np.isfinite(from_deg)
    speed, sector = speed_m_s[known], np.floor(from_deg[known] / 360 * N_SECTORS + 0.5).astype(int) % N_SECTORS
    level = np.searchsorted(CLASSES_M_S, speed, side="right") - 1
    windy = level >= 0
    counts = np.bincount(
        sector[windy] * len(CLASSES_M_S) + level[windy], minlength=N_SECTORS * len(CLASSES_M_S)
    ).reshape(N_SECTORS, -1)
    total = max(len(speed), 1)
    return 100 * counts / total, float(100 * np.count_nonzero(~windy) / total)


class WindRose:
    """A figure, north up; rings are shares of the time in percent."""

    def __init__(self) -> None:
        names = ("inner", "outer", "start", "end", "colour", "sector", "speed", "share")
        self.source = ColumnDataSource({name: [] for name in names}, name="wind rose")
        self._rings = ColumnDataSource({name: [] for name in ("x", "y")}, name="wind rose rings")
        self._labels = ColumnDataSource({name: [] for name in ("x", "y", "text")}, name="wind rose labels")
        self.figure = self._drawn()

    def fill(self, speed_m_s: Floats, from_deg: Floats) -> float:
        """Show these; gives the share of calm."""
        share, calm = shares(speed_m_s, from_deg)
        outer = np.cumsum(share, axis=1)
        level, sector = np.nonzero(share.T)  # by speed, as in the legend
        middle = np.pi / 2 - 2 * np.pi * sector / N_SECTORS
        half = np.pi / N_SECTORS * 0.9
        self.source.data = {
            "inner": (outer - share)[sector, level],
            "outer": outer[sector, level],
            "start": middle - half,
            "end": middle + half,
            "colour": [COLOURS[k] for k in level],
            "sector": [_COMPASS[k] for k in sector],
            "speed": [_NAMES[k] for k in level],
            "share": share[sector, level],
        }
        self._scale(float(outer.max(initial=0.0)))
        return calm

    def _scale(self, largest: float) -> None:
        step = next(one for one in (1, 2, 5, 10, 20, 50) if one >= largest / 4 or one == 50)
        rings = np.arange(1, max(int(np.ceil(largest / step)), 1) + 1) * step
        self._rings.data = {
            "x": [(ring * np.cos(_RADII_LINE)).tolist() for ring in rings],
            "y": [(ring * np.sin(_RADII_LINE)).tolist() for ring in rings],
        }
        far, slant = float(rings[-1]), np.pi / 4
        self._labels.data = {
            "x": [0, far * 1.13, 0, -far * 1.13, *(rings * np.cos(slant))],
            "y": [far * 1.13, 0, -far * 1.13, 0, *(rings * np.sin(slant))],
            "text": ["N", "E", "S", "W", *(f"{ring} %" for ring in rings)],
        }

    def _drawn(self) -> Any:
        made = plot("", "", x_range=DataRange1d(range_padding=_ROOM), y_range=DataRange1d(range_padding=_ROOM),
                    match_aspect=True)  # fmt: skip
        made.axis.visible = made.grid.visible = False
        made.multi_line("x", "y", source=self._rings, color=theme.MUTED, alpha=0.45)
        wedges = made.annular_wedge(
            0, 0, inner_radius="inner", outer_radius="outer", start_angle="start", end_angle="end",
            inner_radius_units="data", outer_radius_units="data", fill_color="colour", line_color=None,
            source=self.source, legend_field="speed",
        )  # fmt: skip
        made.legend.padding, made.legend.spacing, made.legend.ncols = 2, 0, 2
        made.add_layout(made.legend[0], "above")
        made.add_layout(
            LabelSet(x="x", y="y", text="text", source=self._labels, text_align="center", text_baseline="middle")
        )
        hover(made, [wedges], [("from", "@sector"), ("speed", "@speed"), ("share of the time", "@share{0.0} %")])
        return made
