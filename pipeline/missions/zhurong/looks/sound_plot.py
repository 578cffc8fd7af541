"""The spectrum of sound: third-octave levels of the last burst as bars, the mean of those kept as a line."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

from ....dashboard import theme
from ....dashboard.panels import hover, plot
from ....dashboard.ring import Ring
from ....dashboard.rows import QUALITY
from ....model.batches import DOUBTFUL


class SoundPlot:
    """A figure over frequency."""

    def __init__(self) -> None:
        names = ("low", "centre", "high", "level", "mean", "bottom", "hatch")
        self.source = ColumnDataSource({name: [] for name in names}, name="sound")
        self.figure = self._drawn()

    def fill(self, ring: Ring | None) -> None:
        if ring is None or not len(ring):
            self.source.data = {name: [] for name in self.source.data}
            return
        rows, common = ring.rows(), ring.common
        level = rows["band_level_db"][-1]
        hatch = "cross" if int(rows[QUALITY][-1]) & int(DOUBTFUL) else "blank"
        known = level[np.isfinite(level)]
        lowest = float(np.floor(known.min() / 10) * 10 - 5) if len(known) else 0.0
        with np.errstate(divide="ignore"):
            mean = 10 * np.log10(np.mean(10 ** (rows["band_level_db"] / 10), axis=0))
        self.source.data = {
            "low": common["band_low_hz"],
            "centre": common["band_centre_hz"],
            "high": common["band_high_hz"],
            "level": np.where(np.isfinite(level), level, np.nan),
            "mean": np.where(np.isfinite(mean), mean, np.nan),
            "bottom": np.full(len(level), lowest),
            "hatch": [hatch] * len(level),
        }

    def _drawn(self) -> Any:
        made = plot("frequency (Hz)", "dB to 20 µPa", x_axis_type="log")
        bars = made.quad(
            left="low", right="high", top="level", bottom="bottom", source=self.source, fill_color=theme.CYAN,
            fill_alpha=0.8, hatch_pattern="hatch", hatch_color=theme.FLAG, line_color=None,
        )  # fmt: skip
        made.line("centre", "mean", source=self.source, color=theme.ORANGE, line_width=2)
        tips = [("third octave", "@centre{0.0} Hz"), ("level", "@level{0.0} dB"), ("mean", "@mean{0.0} dB")]
        hover(made, [bars], tips)
        return made
