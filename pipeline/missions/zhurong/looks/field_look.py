"""Field and weather: two magnetometers in a selectable frame; temperature, pressure, wind and sound.

Over onboard time, converted to UTC, or over local true solar time, of which 24 hours are one sol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d, Select, UIElement

from ....dashboard import theme
from ....dashboard.panels import (
    ONBOARD,
    QUALITY_TIP,
    TIME_TIP,
    Panel,
    Tail,
    below,
    beside,
    clock_axis,
    controls,
    hover,
    mark_doubtful,
    mark_gaps,
    milliseconds,
    plot,
    where_doubtful,
)
from ....dashboard.ring import Ring
from ....dashboard.rows import QUALITY, SOLAR, TIME
from ....dashboard.stream import Stream
from ....dashboard.theme import sheet
from ....model.looks import Rows
from .sound_plot import SoundPlot
from .wind_rose import WindRose

FRAMES = {
    "local: east, north, up": ("enu", ("east", "north", "up")),
    "rover: X ahead, Y right, Z down": ("rover", ("X ahead", "Y right", "Z down")),
    "sensor: its own axes": ("sensor", ("x", "y", "z")),
}
CLOCKS = {ONBOARD: "time", "local true solar time": "solar"}
_COLOURS = (theme.BLUE, theme.ORANGE, theme.GREEN)
_WEATHER = (
    ("air_temperature_k", "Air temperature", "K", theme.RED),
    ("pressure_pa", "Pressure", "Pa", theme.CYAN),
    ("wind_speed_m_s", "Wind speed", "m/s", theme.GREEN),
    ("wind_from_direction_deg", "Wind from", "degree from north", theme.ORANGE),
)
_SOLAR_TIP = ("solar", "@solar{%H:%M:%S}")


class FieldLook:
    """Six plots over one time axis, so that zooming one zooms all; the wind's rose and the sound's spectrum."""

    title = "Field and weather"
    kinds = ("magnetometer/field", "weather/meteorology", "weather/sound")

    def __init__(self) -> None:
        css = {"height": 28, "stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.clock = Select(options=list(CLOCKS), value=ONBOARD, width=180, name="clock", **css)
        self.frame = Select(options=list(FRAMES), value=next(iter(FRAMES)), width=240, name="frame", **css)
        self._x_range = DataRange1d(range_padding=0.02)
        self._timed: list[tuple[Any, list[Any]]] = []
        self._tails: list[Tail] = []
        self._fields = {sensor: self._field(sensor) for sensor in "ab"}
        weather = ("time", "solar", "quality", "mark", "gap", *(name for name, *_ in _WEATHER))
        source = ColumnDataSource({name: [] for name in weather}, name="weather")
        self._weather_tail = Tail(source, _weather_columns)
        self._tails.append(self._weather_tail)
        self._weather = [self._weather_panel(source, *what) for what in _WEATHER]
        self._rose, self._sound = WindRose(), SoundPlot()
        self._winds = Panel(
            "Wind rose", self._rose.figure, self._rose.source,
            {"sector": "from", "speed": "speed", "share": "share_percent"}, "wind_rose.csv",
        )  # fmt: skip
        self._sounds = Panel(
            "Sound", self._sound.figure, self._sound.source,
            {"centre": "band_centre_hz", "level": "level_db", "mean": "mean_level_db"}, "sound.csv",
        )  # fmt: skip
        self._sound_seen: tuple[Any, ...] = ()
        self.clock.on_change("value", self._clock_chosen)
        self.frame.on_change("value", self._frame_chosen)
        panels = [[panel for panel, _, _ in self._fields.values()], self._weather[:2], self._weather[2:]]
        panels.append([self._winds, self._sounds])
        columns = [below(*(panel.root for panel in stack)) for stack in panels]
        self.root: UIElement = below(controls(self.frame, self.clock), beside(*columns))

    def seek(self, kind: str, time_ns: int) -> None:
        """Nothing to move: the plots show all rows that are kept."""

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        products = stream.products if stream else {}
        field, weather, sound = (products.get(kind) for kind in self.kinds)
        for panel, tail, _ in self._fields.values():
            tail.follow(field)
            panel.set_caption_of(field, now_s)
        if self._weather_tail.follow(weather):
            self._show_rose(weather)
        for panel in self._weather:
            panel.set_caption_of(weather, now_s)
        self._winds.set_caption_of(weather, now_s, self._calm)
        if (seen := (sound, sound and sound.mark)) != self._sound_seen:
            self._sound_seen = seen
            self._sound.fill(sound)
        caption = f"last burst {sound.rows()['sound_level_db'][-1]:.0f} dB; line: mean" if sound else ""
        self._sounds.set_caption_of(sound, now_s, caption)

    _calm = ""

    def _show_rose(self, weather: Ring | None) -> None:
        if weather is None:
            self._rose.fill(np.empty(0), np.empty(0))
            self._calm = ""
            return
        rows = weather.rows()
        calm = self._rose.fill(rows["wind_speed_m_s"], rows["wind_from_direction_deg"])
        self._calm = f"calm {calm:.0f} %"

    def _field(self, sensor: str) -> tuple[Panel, Tail, list[Any]]:
        names = ("time", "solar", "quality", "mark", "gap", "x", "y", "z", "magnitude")
        source = ColumnDataSource({name: [] for name in names}, name=f"field_{sensor}")
        made = plot(ONBOARD, "nT", is_time=True, x_range=self._x_range)
        lines = [
            made.line("time", name, source=source, color=colour, legend_label=label)
            for name, colour, label in zip("xyz", _COLOURS, self._axes, strict=True)
        ]
        total = made.line("time", "magnitude", source=source, color=theme.VIOLET, legend_label="magnitude")
        made.legend.orientation = "horizontal"
        made.legend.padding = made.legend.margin = 0
        made.legend.glyph_width, made.legend.spacing, made.legend.label_standoff = 10, 4, 2
        made.add_layout(made.legend[0], "above")
        made.legend.click_policy = "hide"
        tips = [(name, f"@{name}{{0.00}} nT") for name in ("x", "y", "z", "magnitude")]
        hover(made, [total], [TIME_TIP, _SOLAR_TIP, *tips, QUALITY_TIP], "vline")
        gaps = mark_gaps(made)
        self._timed.append((made, [*lines, total, mark_doubtful(made, source)]))
        panel = Panel(f"Field, sensor {sensor.upper()}", made, source, self._headers(), f"field_{sensor}.csv")
        tail = Tail(source, self._columns_of(sensor), {gaps: "time"})
        self._tails.append(tail)
        return panel, tail, made.legend[0].items

    @property
    def _axes(self) -> tuple[str, ...]:
        return FRAMES[self.frame.value][1]

    def _headers(self) -> dict[str, str]:
        axes = dict(zip("xyz", (f"{axis.split()[0].lower()}_nt" for axis in self._axes), strict=True))
        return {"time": "utc", **axes, "magnitude": "magnitude_nt", "quality": "quality"}

    def _columns_of(self, sensor: str) -> Callable[[Rows], dict[str, Any]]:
        def shown(rows: Rows) -> dict[str, Any]:
            field = rows[f"field_{sensor}_{FRAMES[self.frame.value][0]}_nt"]
            magnitude = rows[f"field_{sensor}_magnitude_nt"]
            return {
                "time": milliseconds(rows[TIME]),
                "solar": rows[SOLAR],
                **{name: field[:, k] for k, name in enumerate("xyz")},
                "magnitude": magnitude,
                "mark": where_doubtful(rows[QUALITY]),
                "quality": rows[QUALITY].astype(float),
            }

        return shown

    def _weather_panel(self, source: ColumnDataSource, name: str, title: str, unit: str, colour: str) -> Panel:
        made = plot(ONBOARD, unit, is_time=True, x_range=self._x_range)
        if name == "wind_from_direction_deg":  # a line would cross the whole plot at north
            drawn = made.scatter("time", name, source=source, color=colour, size=3)
        else:
            drawn = made.line("time", name, source=source, color=colour)
        tips = [TIME_TIP, _SOLAR_TIP, (title, f"@{name}{{0.00}} {unit}"), QUALITY_TIP]
        hover(made, [drawn], tips, "vline")
        self._weather_tail.gaps[mark_gaps(made)] = "time"
        self._timed.append((made, [drawn, mark_doubtful(made, source)]))
        return Panel(title, made, source, {"time": "utc", name: name, "quality": "quality"}, f"{name}.csv")

    def _clock_chosen(self, _attr: str, _old: object, new: str) -> None:
        for made, renderers in self._timed:
            for renderer in renderers:
                renderer.glyph.x = CLOCKS[new]
            clock_axis(made, new, dates=new == ONBOARD)
        for tail in self._tails:
            tail.gaps = dict.fromkeys(tail.gaps, CLOCKS[new])
            tail.again()

    def _frame_chosen(self, _attr: str, _old: object, _new: object) -> None:
        for panel, tail, items in self._fields.values():
            tail.again()
            panel.name_columns(self._headers())
            for item, label in zip(items, self._axes, strict=False):
                item.label = {"value": label}


def _weather_columns(rows: Rows) -> dict[str, Any]:
    columns = {
        "time": milliseconds(rows[TIME]),
        "solar": rows[SOLAR],
        "quality": rows[QUALITY].astype(float),
        "mark": where_doubtful(rows[QUALITY]),
    }
    return columns | {name: rows[name] for name, *_ in _WEATHER}
