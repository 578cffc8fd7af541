"""Spectra: LIBS, the mean of a point and each of its shots, with the lines found in it; SWIR reflectance."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from bokeh.models import (
    BoxAnnotation,
    Checkbox,
    ColumnDataSource,
    DataRange1d,
    Label,
    RadioButtonGroup,
    Select,
    Slider,
    UIElement,
)

from ....dashboard import theme
from ....dashboard.panels import Panel, below, controls, hover, plot, utc_text
from ....dashboard.ring import Ring
from ....dashboard.rows import QUALITY, TIME
from ....dashboard.stream import Stream
from ....dashboard.theme import sheet
from ....dashboard.words import number_of
from ....model.batches import DOUBTFUL
from ....model.looks import Rows

LATEST = "latest point"
ALL = "all"
_LINES = ("wavelength", "peak", "name", "listed", "confidence", "size", "alpha")

_BANDS_NM = (("OH, H2O", 1380, 1420), ("H2O", 1880, 1940), ("CO2 air", 1980, 2040), ("metal-OH", 2200, 2300))
"""Name, from, to: where known bands of reflectance spectra lie, whether or not a spectrum has them."""
_LABEL_STEP_PX = 13
"""Between the lines of names of bands, at the foot of the plot."""


class SpectraLook:
    """Two spectra, one above the other; of LIBS one point, the latest where none is chosen."""

    title = "Spectra"
    kinds = ("libs/mean", "libs/shot", "libs/lines", "swir/reflectance")

    def __init__(self) -> None:
        css = {"stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.point = Select(options=[LATEST], value=LATEST, width=200, height=28, name="point", **css)
        self.shot = Slider(title="Shot", start=1, end=2, value=1, step=1, width=240, name="shot", **css)
        self.with_shot = Checkbox(label="shot over the mean", active=True, width=140, margin=(10, 5, 5, 5), **css)
        self.part = RadioButtonGroup(labels=[ALL], active=0, height=28, name="part", **css)
        self._points: dict[str, int] = {}
        self._libs, self._swir = _Libs(self), _Swir()
        self._stream: Stream | None = None
        self._now_s = 0.0
        self.shot.on_change("value", self._redraw)
        self.point.on_change("value", self._redraw)
        self.with_shot.on_change("active", self._redraw)
        self.part.on_change("active", self._part_chosen)
        chosen = controls(self.point, self.shot, self.with_shot, self.part)
        self.root: UIElement = below(chosen, self._libs.panel.root, self._swir.panel.root)

    def seek(self, kind: str, time_ns: int) -> None:
        """Show the point that was shot nearest to a time."""
        if kind.startswith("libs/") and self._points:
            self.point.value = min(self._points, key=lambda name: abs(self._points[name] - time_ns))

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        self._stream, self._now_s = stream, now_s
        products = stream.products if stream else {}
        self._name_points(products.get(self.kinds[0]))
        mean, shots, lines, swir = (products.get(kind) for kind in self.kinds)
        self._libs.refresh(mean, shots, lines, now_s)
        self._swir.refresh(swir, now_s)

    @property
    def wanted_ns(self) -> int | None:
        """When the chosen point was shot; None: the latest."""
        return self._points.get(self.point.value)

    def _name_points(self, mean: Ring | None) -> None:
        rows = mean.rows() if mean else None
        points = {} if rows is None else zip(rows["point_id"].tolist(), rows[TIME].tolist(), strict=True)
        self._points = {f"point {number:.0f}, {utc_text(time)[11:]}": time for number, time in points}
        if self.point.options != (options := [LATEST, *self._points]):
            self.point.options = options

    def name_parts(self, wavelength: Any) -> None:
        """A button for each spectrometer."""
        self._spans = spans(wavelength)
        labels = [ALL, *(f"{first:.0f} to {last:.0f} nm" for first, last in self._spans)]
        if labels != self.part.labels:
            self.part.labels = labels

    _spans: tuple[tuple[float, float], ...] = ()

    def _part_chosen(self, _attr: str, _old: object, new: int) -> None:
        if self._spans:
            first, last = self._spans[new - 1] if new else (self._spans[0][0], self._spans[-1][1])
            self._libs.x_range.update(start=first, end=last)

    def _redraw(self, _attr: str, _old: object, _new: object) -> None:
        self._libs.forget()
        self.refresh(self._stream, self._now_s)


class _Libs:
    def __init__(self, look: SpectraLook) -> None:
        self._look = look
        self._seen: tuple[Any, ...] = ()
        self._caption = ""
        self.source = ColumnDataSource({"wavelength": [], "mean": []}, name="libs_mean")
        self.shot = ColumnDataSource({"wavelength": [], "net": []}, name="libs_shot")
        self.lines = ColumnDataSource({name: [] for name in _LINES}, name="libs_lines")
        self.x_range = DataRange1d(range_padding=0.02)
        made = plot("wavelength in vacuum (nm)", "net counts", x_range=self.x_range)
        made.y_range.only_visible = True
        mean = made.line(
            "wavelength", "mean", source=self.source, color=theme.BLUE, legend_label="mean of the point"
        )
        made.line("wavelength", "net", source=self.shot, color=theme.ORANGE, alpha=0.8, legend_label="shot")
        found = made.scatter(
            "wavelength", "peak", source=self.lines, marker="inverted_triangle", size="size", color=theme.GREEN,
            alpha="alpha", legend_label="line found (faint: less sure)",
        )  # fmt: skip
        made.legend.ncols, made.legend.click_policy = 2, "hide"
        made.add_layout(made.legend[0], "above")  # inside it would hide lines where the page is narrow
        tips = [("line", "@name, listed at @listed{0.000} nm"), ("found at", "@wavelength{0.000} nm")]
        hover(made, [found], [*tips, ("confidence", "@confidence{0.00}"), ("peak of the mean", "@peak{0,0}")])
        hover(made, [mean], [("wavelength", "@wavelength{0.000} nm"), ("mean", "@mean{0,0.0}")])
        headers = {"wavelength": "wavelength_vacuum_nm", "mean": "mean_net_counts"}
        self.panel = Panel("LIBS", made, self.source, headers, "libs_mean.csv")

    def forget(self) -> None:
        self._seen = ()

    def refresh(self, mean: Ring | None, shots: Ring | None, lines: Ring | None, now_s: float) -> None:
        seen = tuple((ring, ring and ring.mark) for ring in (mean, shots, lines))
        if seen != self._seen:
            self._seen = seen
            self._draw(*(ring.rows() if ring else None for ring in (mean, shots, lines)))
        self.panel.set_caption_of(mean or shots, now_s, self._caption)

    def _draw(self, mean: Rows | None, shots: Rows | None, lines: Rows | None) -> None:
        self._caption = ""
        if mean is not None:
            wanted_ns = self._look.wanted_ns
            i = -1 if wanted_ns is None else int(np.argmin(np.abs(mean[TIME] - wanted_ns)))
            wavelength, net = mean["wavelength_nm"][i], mean["net_counts"][i]
            self.lines.data = _found(lines, mean, i)
            n_lines = len(self.lines.data["name"])
            named = f"{number_of(n_lines, 'line')} found" if n_lines else "no line found"
            self._caption = (
                f"point {mean['point_id'][i]:.0f}, {number_of(int(mean['n_shots'][i]), 'shot')}, {named}"
            )
            self.source.data = {"wavelength": _parted(wavelength, wavelength), "mean": _parted(wavelength, net)}
            self._look.name_parts(wavelength)
        else:
            self.source.data = {"wavelength": [], "mean": []}
            self.lines.data = {name: [] for name in _LINES}
        self.shot.data = {"wavelength": [], "net": []}
        if shots is not None:
            point = mean["point_id"][i] if mean is not None else shots["point_id"][-1]
            self._draw_shot(shots, np.flatnonzero(shots["point_id"] == point))

    def _draw_shot(self, shots: Rows, of_point: Any) -> None:
        slider, n_shots = self._look.shot, len(of_point)
        if slider.end != (end := max(n_shots, 2)):
            slider.end = end
        if not n_shots:
            slider.title = "Shot: none held of this point"
            return
        i = int(of_point[min(int(slider.value), n_shots) - 1])
        flag = ", doubtful" if int(shots[QUALITY][i]) & int(DOUBTFUL) else ""
        slider.title = f"Shot of {n_shots} held (number {shots['shot'][i]:.0f}{flag})"
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
        for i, (name, first, last) in enumerate(_BANDS_NM):
            made.add_layout(
                BoxAnnotation(left=first, right=last, fill_color=theme.VIOLET, fill_alpha=0.15, line_color=None)
            )
            y = 4 + _LABEL_STEP_PX * (i % 3)  # where the figure is narrow, neighbours would touch each other
            made.add_layout(Label(x=(first + last) / 2, y=y, y_units="screen", text=name, text_align="center"))
        drawn = made.multi_line(
            "wavelength", "reflectance", source=self.source, color="colour", line_dash="dash", legend_field="name"
        )
        made.legend.ncols = 2
        made.add_layout(made.legend[0], "above")
        hover(made, [drawn], [("target", "@name"), ("wavelength", "$x{0.0} nm"), ("reflectance", "$y{0.0000}")])
        headers = {"wavelength": "wavelength_vacuum_nm", "reflectance": "reflectance"}
        self.panel = Panel("SWIR reflectance", made, self.source, headers, "swir.csv")

    def refresh(self, ring: Ring | None, now_s: float) -> None:
        seen = (ring, ring and ring.mark)
        if seen != self._seen:
            self._seen = seen
            self.source.data = _targets(ring.rows()) if ring else {name: [] for name in self.source.data}
        self.panel.set_caption_of(ring, now_s, "dashed: doubtful; shaded: where bands may lie")


def _targets(rows: Rows) -> dict[str, Any]:
    shown = range(max(len(rows[QUALITY]) - len(theme.LINES), 0), len(rows[QUALITY]))
    return {
        "wavelength": [rows["wavelength_nm"][i] for i in shown],
        "reflectance": [rows["reflectance"][i] for i in shown],
        "name": [f"{rows['point_id'][i]:.0f}, spectrum {i + 1}" for i in shown],
        "colour": [theme.LINES[i % len(theme.LINES)] for i in shown],
        "dash": ["dashed" if int(rows[QUALITY][i]) & int(DOUBTFUL) else "solid" for i in shown],
        "quality": [float(rows[QUALITY][i]) for i in shown],
    }


def spans(wavelength: Any) -> tuple[tuple[float, float], ...]:
    """From where to where each spectrometer reaches."""
    ends = [0, *_ends(wavelength), len(wavelength)]
    parts = [wavelength[first:last] for first, last in pairwise(ends)]
    return tuple((float(part.min()), float(part.max())) for part in parts if len(part) > 1)


def _ends(wavelength: Any) -> Any:
    """Where one spectrometer ends and the next begins: it overlaps, leaves a gap, or has steps of its own."""
    steps = np.diff(wavelength)
    apart = (steps < 0) | (steps > 10 * np.median(steps))
    bends = (steps[1:] > 1.4 * steps[:-1]) & ~apart[1:] & ~apart[:-1]
    return np.union1d(np.flatnonzero(apart), np.flatnonzero(bends)) + 1


def _parted(wavelength: Any, values: Any) -> Any:
    """`values` with NaN between spectrometers."""
    return np.insert(np.asarray(values, float), _ends(wavelength), np.nan)


def _found(lines: Rows | None, mean: Rows, i: int) -> dict[str, Any]:
    """What `libs/lines` found in the i-th mean: the rows of its point and time."""
    if lines is None:
        return {name: [] for name in _LINES}
    own = (lines["point_id"] == mean["point_id"][i]) & (lines[TIME] == mean[TIME][i])
    wavelength, net = mean["wavelength_nm"][i], mean["net_counts"][i]
    found = lines["found_wavelength_nm"][own]
    channel = np.argmin(np.abs(wavelength[:, None] - found), axis=0) if len(found) else np.empty(0, np.int64)
    confidence = lines["confidence"][own]
    return {
        "wavelength": found,
        "peak": net[channel].astype(float),
        "name": lines["species"][own].tolist(),
        "listed": lines["listed_wavelength_nm"][own],
        "confidence": confidence,
        "size": 6 + 6 * confidence,
        "alpha": 0.35 + 0.65 * confidence,
    }
