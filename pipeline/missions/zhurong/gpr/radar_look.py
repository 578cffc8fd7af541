"""Radar: what lies below the path, in high and in low frequency, and the trace under the cursor.

Two-way time begins with the record; depth stands for one permittivity, which is the viewer's to state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import (
    Checkbox,
    ColorBar,
    ColumnDataSource,
    CustomJS,
    CustomJSTicker,
    CustomJSTickFormatter,
    DataRange1d,
    LinearAxis,
    LinearColorMapper,
    NoOverlap,
    RadioButtonGroup,
    Range1d,
    Select,
    Slider,
    UIElement,
)

from ....dashboard import theme
from ....dashboard.panels import QUALITY_TIP, Panel, below, beside, controls, hover, plot
from ....dashboard.ring import Mark, Ring
from ....dashboard.rows import QUALITY, TIME
from ....dashboard.stream import Stream
from ....dashboard.theme import sheet
from ....dashboard.words import number_of
from ....model.batches import DOUBTFUL
from .drawn_radargram import radargram
from .radar_filters import SPEED_OF_LIGHT_M_NS

PALETTES = {"Viridis": "Viridis256", "Grey": "Greys256", "Inferno": "Inferno256", "Cividis": "Cividis256"}

MADE: dict[str, int | None] = {"newest": None, "as received": 0, "processed": 1}
_LATE_NS = 10_000_000_000

_TRACE = """
const image = source.data.image[0]
if (image == null) return
const [n_bins, n_columns] = image.shape
const x = source.data.x[0], width = source.data.dw[0]
const j = Math.max(0, Math.min(n_columns - 1, Math.floor((cb_obj.x - x) / width * n_columns)))
const amplitude = new Float64Array(n_bins), twt = new Float64Array(n_bins)
for (let i = 0; i < n_bins; i++) {
  amplitude[i] = image[i * n_columns + j]
  twt[i] = source.data.y[0] + source.data.dh[0] * (i + 0.5) / n_bins
}
trace.data = {amplitude, twt}
"""
_DEPTH = f"""
const depth = tick * {SPEED_OF_LIGHT_M_NS} / (2 * Math.sqrt(permittivity.value))
return String(Number(depth.toPrecision(4)))
"""
_ROUND_DEPTHS = f"""
const {{start, end}} = cb_data.range
const m_of_ns = {SPEED_OF_LIGHT_M_NS} / (2 * Math.sqrt(permittivity.value))
const [least, most] = [start, end].map((ns) => ns * m_of_ns).sort((one, other) => one - other)
const rough = (most - least) / 6, power = 10 ** Math.floor(Math.log10(rough))
const step = power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10)
const n_first = Math.ceil(least / step), n = Math.floor(most / step) - n_first + 1
return Number.isFinite(n) ? Array.from({{length: Math.max(n, 0)}}, (_, i) => (n_first + i) * step / m_of_ns) : []
"""
"""Ticks at 1, 2 or 5 times a power of ten of metres, in nanoseconds of the axis of time."""
_AT_FIRST_NS = 1500.0
"""Shown at first where the record is longer: below it a low-frequency record is noise."""


class RadarLook:
    """Two radargrams, drawn with one set of controls."""

    title = "Radar"
    kinds = ("gpr/high_frequency", "gpr/low_frequency", "gpr/radargram_high", "gpr/radargram_low")

    def __init__(self) -> None:
        css = {"stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.x_axis = RadioButtonGroup(labels=["distance", "trace"], active=0, width=130, **css)
        self.made = Select(options=list(MADE), value="newest", width=100, name="made", **css)
        self.gain = Slider(
            title="Gain, first to last bin (dB)", start=0, end=80, step=1, value=20, width=190, **css
        )
        self.span = Slider(title="Colours span (dB)", start=5, end=100, step=1, value=45, width=160, **css)
        self.permittivity = Slider(
            title="Relative permittivity, for depth", start=1, end=12, step=0.1, value=4, width=190, **css
        )
        self.palette = Select(options=list(PALETTES), value="Viridis", width=110, name="palette", **css)
        self.level = Checkbox(label="less the mean trace", active=False, width=150, **css)
        self._views = [
            _View(("gpr/high_frequency", "gpr/radargram_high"), "High frequency", self),
            _View(("gpr/low_frequency", "gpr/radargram_low"), "Low frequency", self),
        ]
        self._stream: Stream | None = None
        self._now_s = 0.0
        for control in (self.gain, self.span):
            control.on_change("value_throttled", self._redraw)
        self.palette.on_change("value", self._redraw)
        self.made.on_change("value", self._redraw)
        for control in (self.x_axis, self.level):
            control.on_change("active", self._redraw)
        chosen = controls(self.made, self.x_axis, self.gain, self.span, self.level, self.palette, self.permittivity)
        self.root: UIElement = below(chosen, *[view.root for view in self._views])

    def seek(self, kind: str, time_ns: int) -> None:
        """Bring the traces of a time to the middle."""
        self.refresh(self._stream, self._now_s)
        for view in self._views:
            if kind in view.kinds:
                view.seek(time_ns)

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        self._stream, self._now_s = stream, now_s
        for view in self._views:
            view.refresh(stream, now_s)

    def _redraw(self, _attr: str, _old: object, _new: object) -> None:
        for view in self._views:
            view.forget()
        self.refresh(self._stream, self._now_s)


class _View:
    """One radargram with the trace beside it."""

    def __init__(self, kinds: tuple[str, str], title: str, look: RadarLook) -> None:
        """`kinds`: of its traces as received, and of its radargrams."""
        kind = kinds[0]
        self.kinds, self._look = kinds, look
        self._shown = ""
        self._ring: Ring | None = None
        self._mark: Mark | None = None
        self.source = ColumnDataSource({name: [] for name in ("image", "x", "y", "dw", "dh", "twt")}, name=kind)
        self.flags = ColumnDataSource({"x": [], "y": [], "quality": []}, name=f"{kind} flags")
        self.trace = trace = ColumnDataSource({"amplitude": [], "twt": []}, name=f"{kind} trace")
        self._y_range = Range1d(1, 0)
        self._x_range = Range1d(0, 1)
        self._mapper = LinearColorMapper(palette=PALETTES["Viridis"], nan_color="rgba(128,128,128,0.25)")
        self._figure = self._picture(trace)
        side = plot("dB", "two-way time (ns)", y_range=self._y_range, x_range=DataRange1d(range_padding=0.05))
        line = side.line("amplitude", "twt", source=trace, color=theme.ORANGE)
        hover(side, [line], [("two-way time", "@twt{0.0} ns"), ("amplitude", "@amplitude{0.0} dB")], "hline")
        headers = {"twt": "twt_ns", "image": "gained_amplitude_db column"}
        self._panel = Panel(title, self._figure, self.source, headers, f"{kind.replace('/', '_')}.csv")
        under = Panel(
            "Trace under the cursor", side, trace, {"twt": "twt_ns", "amplitude": "amplitude_db"}, "trace.csv"
        )
        under.root.sizing_mode, under.root.width = "stretch_height", 300
        under.set_caption("")
        self.root = beside(self._panel.root, under.root)

    def forget(self) -> None:
        self._mark = None

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        ring = self._ring_of(stream)
        if ring is None or not len(ring):
            if self._ring is not None:
                self.source.data = {name: [] for name in self.source.data}
                self.flags.data = {"x": [], "y": [], "quality": []}
            self._ring = None
            self._panel.set_caption("nothing yet")
            return
        if ring is not self._ring or ring.n_since(self._mark) != 0:
            self._draw(ring)
            self._ring, self._mark = ring, ring.mark
        self._panel.set_caption_of(ring, now_s, f"{self._shown}, {number_of(len(ring), 'trace')}")

    def _ring_of(self, stream: Stream | None) -> Ring | None:
        """Rows of the chosen kind; the newest are radargrams once they reach as far as the traces do."""
        rings = [stream.products.get(kind) for kind in self.kinds] if stream else [None, None]
        ends = [int(ring.rows()[TIME][-1]) if ring else 0 for ring in rings]
        chosen = MADE[self._look.made.value]
        i = int(ends[1] > 0 and ends[1] >= ends[0] - _LATE_NS) if chosen is None else chosen
        self._shown = ("as received", "processed")[i]
        return rings[i]

    def seek(self, time_ns: int) -> None:
        """Bring the trace of a time to the middle."""
        if self._ring is None or not len(self._ring):
            return
        rows = self._ring.rows()
        i = int(np.argmin(np.abs(rows[TIME] - time_ns)))
        x = rows["distance_m"][i] if self._look.x_axis.active == 0 else i + 1.0
        half = max((self._x_range.reset_end - self._x_range.reset_start) / 8, 0.1)
        self._x_range.update(start=x - half, end=x + half)

    def _draw(self, ring: Ring) -> None:
        look, rows = self._look, ring.rows()
        by_distance = look.x_axis.active == 0
        x = rows["distance_m"] if by_distance else np.arange(len(ring), dtype=float) + 1
        drawn = radargram(
            rows, ring.common["twt_ns"], x, gain_db=look.gain.value, level_traces=bool(look.level.active)
        )
        top = float(drawn.twt_ns[0])
        self.source.data = {
            "image": [drawn.image], "x": [drawn.x_first], "y": [top], "dw": [drawn.x_width], "dh": [drawn.twt_width_ns],
            "twt": [drawn.twt_ns],
        }  # fmt: skip
        bad = (rows[QUALITY] & int(DOUBTFUL)) != 0
        low = np.full(int(bad.sum()), top + 0.01 * drawn.twt_width_ns)
        self.flags.data = {"x": x[bad], "y": low, "quality": rows[QUALITY][bad].astype(float)}
        self._figure.xaxis.axis_label = "distance along the traces (m)" if by_distance else "trace"
        if self._ring is not ring:
            bottom = top + min(drawn.twt_width_ns, _AT_FIRST_NS)
            self._y_range.update(start=bottom, end=top, reset_start=bottom, reset_end=top)
        self._show(drawn.x_first, drawn.x_first + drawn.x_width, anew=self._ring is not ring or self._mark is None)
        if not len(self.trace.data["twt"]):  # no cursor yet: the last trace
            self.trace.data = {"amplitude": drawn.image[:, -1].astype(float), "twt": drawn.twt_ns}
        high = _strong(drawn.image)
        self._mapper.update(high=high, low=high - look.span.value, palette=PALETTES[look.palette.value])

    def _show(self, first: float, last: float, *, anew: bool) -> None:
        """Keep all columns in sight, but for a viewer who has zoomed into some of them."""
        seen = self._x_range
        if anew or (seen.start, seen.end) == (seen.reset_start, seen.reset_end):
            seen.update(start=first, end=last)
        seen.update(reset_start=first, reset_end=last)

    def _picture(self, trace: ColumnDataSource) -> Any:
        made = plot("distance (m)", "two-way time (ns)", x_range=self._x_range, y_range=self._y_range)
        image = made.image("image", "x", "y", "dw", "dh", source=self.source, color_mapper=self._mapper)
        made.grid.visible = False
        marks = made.scatter("x", "y", source=self.flags, marker=theme.FLAG_MARKER, color="white", size=7)
        hover(made, [marks], [QUALITY_TIP])
        depth = LinearAxis(
            axis_label="depth (m) for this permittivity", major_label_policy=NoOverlap(min_distance=6)
        )
        depth.ticker = CustomJSTicker(args={"permittivity": self._look.permittivity}, major_code=_ROUND_DEPTHS)
        depth.formatter = CustomJSTickFormatter(args={"permittivity": self._look.permittivity}, code=_DEPTH)
        self._look.permittivity.js_on_change("value", CustomJS(args={"axis": depth}, code="axis.change.emit()"))
        made.add_layout(depth, "right")
        made.add_layout(ColorBar(color_mapper=self._mapper, title="dB", width=8, padding=4), "right")
        hover(
            made,
            [image],
            [("x", "$x{0.00}"), ("two-way time", "$y{0.0} ns"), ("amplitude with gain", "@image{0.0} dB")],
        )
        made.js_on_event("mousemove", CustomJS(args={"source": self.source, "trace": trace}, code=_TRACE))
        return made


def _strong(image: Any) -> float:
    known = image[np.isfinite(image)]
    return float(np.percentile(known, 99.5)) if len(known) else 0.0
