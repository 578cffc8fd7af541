"""Spectra: LIBS, the mean of a point and each of its shots, with named lines; SWIR reflectance, with its bands."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import BoxAnnotation, Checkbox, ColumnDataSource, Label, Slider, UIElement

from pipeline.dashboard import theme
from pipeline.dashboard.lines import BANDS_NM, LINES_NM
from pipeline.dashboard.panels import Panel, hover, plot, sheet
from pipeline.dashboard.ring import Ring
from pipeline.dashboard.rows import QUALITY, Rows
from pipeline.dashboard.state import Stream

_COLOURS = (theme.BLUE, theme.ORANGE, theme.GREEN, theme.VIOLET, theme.CYAN, theme.RED)
_NEAR_NM = 0.4


class SpectraLook:
    """Two spectra, one above the other."""

    title = "Spectra"

    def __init__(self) -> None:
        css = {"stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.shot = Slider(title="Shot shown, of the last ones", start=1, end=2, value=1, step=1, width=280, **css)
        self.with_shot = Checkbox(label="shot over the mean", active=True, width=150, **css)
        self._libs, self._swir = _Libs(self), _Swir()
        self._stream: Stream | None = None
        self._now_s = 0.0
        self.shot.on_change("value", self._redraw)
        self.with_shot.on_change("active", self._redraw)
        controls = row(self.shot, self.with_shot, height=44, margin=(4, 0, 0, 6))
        self.root: UIElement = column(
            controls, self._libs.panel.root, self._swir.panel.root, sizing_mode="stretch_both"
        )

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        self._stream, self._now_s = stream, now_s
        products = stream.products if stream else {}
        self._libs.refresh(products.get("libs/mean"), products.get("libs/shot"), now_s)
        self._swir.refresh(products.get("swir/reflectance"), now_s)

    def _redraw(self, _attr: str, _old: object, _new: object) -> None:
        self._libs.forget()
        self.refresh(self._stream, self._now_s)


class _Libs:
    def __init__(self, look: SpectraLook) -> None:
        self._look = look
        self._seen: tuple[Any, ...] = ()
        self.source = ColumnDataSource({"wavelength": [], "mean": []}, name="libs_mean")
        self.shot = ColumnDataSource({"wavelength": [], "net": []}, name="libs_shot")
        self.lines = ColumnDataSource({"wavelength": [], "peak": [], "name": []}, name="libs_lines")
        made = plot("wavelength in vacuum (nm)", "net counts")
        made.line("wavelength", "net", source=self.shot, color=theme.ORANGE, alpha=0.8, legend_label="shot")
        mean = made.line(
            "wavelength", "mean", source=self.source, color=theme.BLUE, legend_label="mean of the point"
        )
        named = made.scatter(
            "wavelength", "peak", source=self.lines, marker="inverted_triangle", size=8, color=theme.GREEN
        )
        made.legend.orientation, made.legend.location = "horizontal", "top_left"
        made.legend.click_policy = "hide"
        hover(made, [named], [("line", "@name @wavelength{0.000} nm"), ("peak of the mean", "@peak{0,0}")])
        hover(made, [mean], [("wavelength", "@wavelength{0.000} nm"), ("mean", "@mean{0,0.0}")])
        headers = {"wavelength": "wavelength_vacuum_nm", "mean": "mean_net_counts"}
        self.panel = Panel("LIBS", made, self.source, headers, "libs_mean.csv")

    def forget(self) -> None:
        self._seen = ()

    def refresh(self, mean: Ring | None, shots: Ring | None, now_s: float) -> None:
        seen = (mean, mean and mean.mark, shots, shots and shots.mark)
        if seen != self._seen:
            self._seen = seen
            self._draw(mean.rows() if mean else None, shots.rows() if shots else None)
        point = f"point {mean.rows()['point_id'][-1]:.0f}, {mean.rows()['n_shots'][-1]:.0f} shots" if mean else ""
        self.panel.tell_of(mean or shots, now_s, point)

    def _draw(self, mean: Rows | None, shots: Rows | None) -> None:
        if mean is not None:
            wavelength, net = mean["wavelength_nm"][-1], mean["net_counts"][-1]
            self.source.data = {"wavelength": _parted(wavelength, wavelength), "mean": _parted(wavelength, net)}
            self.lines.data = _named(wavelength, net)
        else:
            self.source.data = {"wavelength": [], "mean": []}
            self.lines.data = {"wavelength": [], "peak": [], "name": []}
        self.shot.data = {"wavelength": [], "net": []}
        if shots is None:
            return
        slider, n_shots = self._look.shot, len(shots["shot"])
        slider.end = max(n_shots, 2)
        i = min(int(slider.value), n_shots) - 1
        flag = " (flagged)" if shots[QUALITY][i] else ""
        slider.title = f"Shot {shots['shot'][i]:.0f} of point {shots['point_id'][i]:.0f}{flag}, row"
        if self._look.with_shot.active:
            wavelength = shots["wavelength_nm"][i]
            net = shots["net_counts"][i].astype(float)
            self.shot.data = {"wavelength": _parted(wavelength, wavelength), "net": _parted(wavelength, net)}


class _Swir:
    def __init__(self) -> None:
        self._seen: tuple[Any, ...] = ()
        self.source = ColumnDataSource(
            {name: [] for name in ("wavelength", "reflectance", "name", "colour", "dash", "quality")}, name="swir"
        )
        made = plot("wavelength in vacuum (nm)", "reflectance")
        made.y_range.only_visible = True
        for name, first, last in BANDS_NM:
            made.add_layout(
                BoxAnnotation(left=first, right=last, fill_color=theme.VIOLET, fill_alpha=0.15, line_color=None)
            )
            made.add_layout(Label(x=(first + last) / 2, y=4, y_units="screen", text=name, text_align="center"))
        drawn = made.multi_line(
            "wavelength", "reflectance", source=self.source, color="colour", line_dash="dash", legend_field="name"
        )
        made.legend.location = "top_left"
        made.legend.orientation = "horizontal"
        hover(made, [drawn], [("target", "@name"), ("wavelength", "$x{0.0} nm"), ("reflectance", "$y{0.0000}")])
        headers = {"wavelength": "wavelength_vacuum_nm", "reflectance": "reflectance"}
        self.panel = Panel("SWIR reflectance (dashed: flagged)", made, self.source, headers, "swir.csv")

    def refresh(self, ring: Ring | None, now_s: float) -> None:
        seen = (ring, ring and ring.mark)
        if seen != self._seen:
            self._seen = seen
            self.source.data = _targets(ring.rows()) if ring else {name: [] for name in self.source.data}
        self.panel.tell_of(ring, now_s)


def _targets(rows: Rows) -> dict[str, Any]:
    shown = range(max(len(rows[QUALITY]) - len(_COLOURS), 0), len(rows[QUALITY]))
    return {
        "wavelength": [rows["wavelength_nm"][i] for i in shown],
        "reflectance": [rows["reflectance"][i] for i in shown],
        "name": [f"{rows['point_id'][i]:.0f}, spectrum {i + 1}" for i in shown],
        "colour": [_COLOURS[i % len(_COLOURS)] for i in shown],
        "dash": ["dashed" if rows[QUALITY][i] else "solid" for i in shown],
        "quality": [float(rows[QUALITY][i]) for i in shown],
    }


def _parted(wavelength: Any, values: Any) -> Any:
    """`values` with NaN where one spectrometer ends and the next, which overlaps or leaves a gap, begins."""
    steps = np.diff(wavelength)
    ends = np.flatnonzero((steps < 0) | (steps > 10 * np.median(steps))) + 1
    return np.insert(np.asarray(values, float), ends, np.nan)


def _named(wavelength: Any, net: Any) -> dict[str, Any]:
    """The lines inside the spectrum, each at the strongest value near it."""
    found = []
    for name, line in LINES_NM:
        near = net[np.abs(wavelength - line) <= _NEAR_NM]
        if len(near):
            found.append((line, float(near.max()), name))
    columns = zip(*found, strict=True) if found else ((), (), ())
    return {key: list(values) for key, values in zip(("wavelength", "peak", "name"), columns, strict=True)}
