"""Field and weather against UTC: two magnetometers in east, north, up; temperature, pressure and wind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, DataRange1d, UIElement

from pipeline.dashboard import theme
from pipeline.dashboard.panels import TIME_TIP, Panel, Tail, hover, milliseconds, plot, where_flagged
from pipeline.dashboard.rows import QUALITY, TIME, Rows
from pipeline.dashboard.state import Stream

_COMPONENTS = (("east", theme.BLUE), ("north", theme.ORANGE), ("up", theme.GREEN), ("magnitude", theme.VIOLET))
_WEATHER = (
    ("air_temperature_k", "Air temperature", "K", theme.RED),
    ("pressure_pa", "Pressure", "Pa", theme.CYAN),
    ("wind_speed_m_s", "Wind speed", "m/s", theme.GREEN),
    ("wind_from_direction_deg", "Wind from, clockwise from north", "degree", theme.ORANGE),
)


class FieldLook:
    """Six plots over one time axis, so that zooming one zooms all."""

    title = "Field and weather"

    def __init__(self) -> None:
        self._x_range = DataRange1d(range_padding=0.02)
        self._panels: dict[str, list[Panel]] = {"magnetometer/field": [], "weather/meteorology": []}
        self._tails: dict[str, list[Tail]] = {"magnetometer/field": [], "weather/meteorology": []}
        fields = [self._field(sensor) for sensor in "ab"]
        source = ColumnDataSource({name: [] for name in ("time", "quality", *_flagged_names())}, name="weather")
        self._tails["weather/meteorology"].append(Tail(source, _weather_columns))
        temperature, pressure, speed, direction = (self._weather(source, *what) for what in _WEATHER)
        self.root: UIElement = row(
            column(*fields, sizing_mode="stretch_both"),
            column(temperature, pressure, sizing_mode="stretch_both"),
            column(speed, direction, sizing_mode="stretch_both"),
            sizing_mode="stretch_both",
        )

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        for kind, tails in self._tails.items():
            ring = stream.products.get(kind) if stream else None
            for tail in tails:
                tail.follow(ring)
            for panel in self._panels[kind]:
                panel.tell_of(ring, now_s)

    def _field(self, sensor: str) -> UIElement:
        names = [name for name, _ in _COMPONENTS]
        source = ColumnDataSource(
            {name: [] for name in ("time", "quality", "flagged", *names)}, name=f"field_{sensor}"
        )
        made = plot("UTC", "nT, east-north-up", is_time=True, x_range=self._x_range)
        lines = [
            made.line("time", name, source=source, color=colour, legend_label=name) for name, colour in _COMPONENTS
        ]
        made.scatter("time", "flagged", source=source, color=theme.FLAG, alpha=0.6, size=2)
        made.legend.orientation = "horizontal"
        made.legend.padding = made.legend.margin = 0
        made.add_layout(made.legend[0], "above")
        made.legend.click_policy = "hide"
        hover(
            made, lines[3:], [TIME_TIP, *[(n, f"@{n}{{0.00}} nT") for n in names], ("quality", "@quality")], "vline"
        )
        headers = {"time": "utc", **{name: f"{name}_nt" for name in names}, "quality": "quality"}
        panel = Panel(f"Field, sensor {sensor.upper()}", made, source, headers, f"field_{sensor}.csv")
        self._panels["magnetometer/field"].append(panel)
        self._tails["magnetometer/field"].append(Tail(source, _field_columns(sensor)))
        return panel.root

    def _weather(self, source: ColumnDataSource, name: str, title: str, unit: str, colour: str) -> UIElement:
        made = plot("UTC", unit, is_time=True, x_range=self._x_range)
        if name == "wind_from_direction_deg":  # a line would cross the whole plot at north
            drawn = made.scatter("time", name, source=source, color=colour, size=3)
        else:
            drawn = made.line("time", name, source=source, color=colour)
        made.scatter("time", f"{name}_flagged", source=source, color=theme.FLAG, alpha=0.6, size=2)
        hover(made, [drawn], [TIME_TIP, (title, f"@{name}{{0.00}} {unit}"), ("quality", "@quality")], "vline")
        headers = {"time": "utc", name: name, "quality": "quality"}
        panel = Panel(title, made, source, headers, f"{name}.csv")
        self._panels["weather/meteorology"].append(panel)
        return panel.root


def _flagged_names() -> list[str]:
    return [name + end for name, *_ in _WEATHER for end in ("", "_flagged")]


def _field_columns(sensor: str) -> Callable[[Rows], dict[str, Any]]:
    def shown(rows: Rows) -> dict[str, Any]:
        field, magnitude = rows[f"field_{sensor}_enu_nt"], rows[f"field_{sensor}_magnitude_nt"]
        return {
            "time": milliseconds(rows[TIME]),
            "east": field[:, 0],
            "north": field[:, 1],
            "up": field[:, 2],
            "magnitude": magnitude,
            "flagged": where_flagged(magnitude, rows[QUALITY]),
            "quality": rows[QUALITY].astype(float),
        }

    return shown


def _weather_columns(rows: Rows) -> dict[str, Any]:
    columns = {"time": milliseconds(rows[TIME]), "quality": rows[QUALITY].astype(float)}
    for name, *_ in _WEATHER:
        columns |= {name: rows[name], f"{name}_flagged": where_flagged(rows[name], rows[QUALITY])}
    return columns
