"""Traverse: the path of the rover, where it stood, and where it fired the laser and looked."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, UIElement

from pipeline.dashboard import theme
from pipeline.dashboard.panels import TIME_TIP, Panel, Tail, hover, milliseconds, plot, where_flagged
from pipeline.dashboard.rows import QUALITY, TIME, Rows
from pipeline.dashboard.state import Stream

_TAKEN = (("libs/mean", "LIBS"), ("swir/reflectance", "SWIR"))
_STOPPED = "STOPPED"


class TraverseLook:
    """A map, and distance and height beside it."""

    title = "Traverse"

    def __init__(self) -> None:
        names = (
            "time",
            "east",
            "north",
            "up",
            "distance",
            "speed",
            "heading",
            "flagged",
            "flagged_height",
            "quality",
        )
        self.source = ColumnDataSource({name: [] for name in names}, name="path")
        self.stops = ColumnDataSource(
            {name: [] for name in ("time", "east", "north", "minutes", "distance")}, name="stops"
        )
        self.taken = ColumnDataSource({name: [] for name in ("time", "east", "north", "what")}, name="taken")
        self._tail = Tail(self.source, _path)
        self._seen: tuple[Any, ...] = ()
        headers = {"time": "utc", **{name: f"{name}_m" for name in ("east", "north", "up", "distance")}}
        headers |= {"speed": "speed_m_s", "heading": "heading_degree", "quality": "quality"}
        self._panels = [
            Panel("Path", self._map(), self.source, headers, "path.csv"),
            Panel(
                "Distance driven", self._against("time", "distance", "UTC", "m"), self.source, headers, "path.csv"
            ),
            Panel(
                "Height",
                self._against("distance", "up", "distance (m)", "up (m)"),
                self.source,
                headers,
                "path.csv",
            ),
        ]
        path, *others = (panel.root for panel in self._panels)
        self.root: UIElement = row(path, column(*others, sizing_mode="stretch_both"), sizing_mode="stretch_both")

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        ring = stream.products.get("rover/navigation") if stream else None
        self._tail.follow(ring)
        rings = [stream.products.get(kind) for kind, _ in _TAKEN] if stream else []
        seen = (ring, ring and ring.mark, *[other and other.mark for other in rings])
        if seen != self._seen:
            self._seen = seen
            rows = ring.rows() if ring else None
            self.stops.data = _stops(rows) if rows else {name: [] for name in self.stops.data}
            others = [(what, other.rows()) for (_, what), other in zip(_TAKEN, rings, strict=False) if other]
            self.taken.data = _places(rows, others) if rows else {name: [] for name in self.taken.data}
        for panel in self._panels:
            panel.tell_of(ring, now_s)

    def _map(self) -> Any:
        made = plot("east (m)", "north (m)", match_aspect=True)
        path = made.line("east", "north", source=self.source, color=theme.BLUE, line_width=2, legend_label="path")
        made.scatter("east", "north", source=self.source, color=theme.BLUE, size=3)
        made.scatter("east", "flagged", source=self.source, color=theme.FLAG, size=5, legend_label="flagged")
        stops = made.scatter(
            "east",
            "north",
            source=self.stops,
            marker="square",
            size=10,
            color=theme.RED,
            alpha=0.7,
            legend_label="stop",
        )
        taken = made.scatter(
            "east", "north", source=self.taken, marker="star", size=13, color=theme.GREEN, legend_label="LIBS, SWIR"
        )
        made.legend.location, made.legend.click_policy = "top_left", "hide"
        place = [("east, north", "@east{0.00} m, @north{0.00} m")]
        hover(made, [path], [TIME_TIP, *place, ("driven", "@distance{0.00} m"), ("heading", "@heading{0.0}°")])
        hover(made, [stops], [("stop from", TIME_TIP[1]), ("minutes", "@minutes{0.0}"), *place])
        hover(made, [taken], [("taken", "@what"), TIME_TIP, *place])
        return made

    def _against(self, x: str, y: str, x_label: str, y_label: str) -> Any:
        made = plot(x_label, y_label, is_time=x == "time")
        drawn = made.line(x, y, source=self.source, color=theme.ORANGE, line_width=2)
        if y == "up":
            made.scatter(x, "flagged_height", source=self.source, color=theme.FLAG, size=4)
        tips = [TIME_TIP, ("driven", "@distance{0.00} m"), ("up", "@up{0.00} m"), ("speed", "@speed{0.000} m/s")]
        hover(made, [drawn], [*tips, ("quality", "@quality")], "vline")
        return made


def _path(rows: Rows) -> dict[str, Any]:
    path, quality = rows["path_m"], rows[QUALITY]
    return {
        "time": milliseconds(rows[TIME]),
        "east": path[:, 0],
        "north": path[:, 1],
        "up": path[:, 2],
        "distance": rows["distance_m"],
        "speed": rows["speed_m_s"],
        "heading": rows["heading_deg"],
        "flagged": where_flagged(path[:, 1], quality),
        "flagged_height": where_flagged(path[:, 2], quality),
        "quality": quality.astype(float),
    }


def _stops(rows: Rows) -> dict[str, Any]:
    """A row for each time that the rover stood: from when, where, and for how many minutes."""
    stood = rows["drive_mode"] == _STOPPED
    edges = np.flatnonzero(np.diff(stood.astype(np.int8), prepend=0, append=0))
    first, last = edges[::2], edges[1::2] - 1
    return {
        "time": milliseconds(rows[TIME][first]),
        "east": rows["path_m"][first, 0],
        "north": rows["path_m"][first, 1],
        "minutes": (rows[TIME][last] - rows[TIME][first]) / 60e9,
        "distance": rows["distance_m"][first],
    }


def _places(rows: Rows, others: list[tuple[str, Rows]]) -> dict[str, Any]:
    """Where the rover was when each of the others was taken."""
    times = [row_time for _, other in others for row_time in other[TIME].tolist()]
    what = [f"{name}, point {point:.0f}" for name, other in others for point in other["point_id"]]
    return {
        "time": [time / 1e6 for time in times],
        "east": np.interp(times, rows[TIME], rows["path_m"][:, 0]),
        "north": np.interp(times, rows[TIME], rows["path_m"][:, 1]),
        "what": what,
    }
