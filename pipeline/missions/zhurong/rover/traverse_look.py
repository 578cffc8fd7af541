"""Traverse: the path of the rover, where it stood, and where each product was taken; a click goes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d, TapTool, UIElement

from ....dashboard import theme
from ....dashboard.album import Picture
from ....dashboard.panels import (
    ONBOARD,
    QUALITY_TIP,
    TIME_TIP,
    Panel,
    Tail,
    below,
    beside,
    hover,
    mark_doubtful,
    mark_gaps,
    milliseconds,
    plot,
    where_doubtful,
)
from ....dashboard.ring import Ring
from ....dashboard.rows import QUALITY, TIME
from ....dashboard.stream import Stream
from ....model.batches import DOUBTFUL
from ....model.looks import Rows

_TAKEN: dict[str, tuple[str, str, str]] = {
    "libs/mean": ("LIBS", "star", theme.GREEN),
    "swir/reflectance": ("SWIR", "diamond", theme.VIOLET),
    "image": ("picture", "triangle", theme.PINK),
    "gpr/high_frequency": ("radar", "cross", theme.CYAN),
}
_RADAR_STEP_M = 1.0
"""Between marks of the radar, which measures all along."""
_STOPPED = "STOPPED"
_PATH = ("time", "east", "north", "up", "distance", "speed", "heading", "doubtful", "mark", "gap", "quality")
_PLACE = ("time", "east", "north", "what", "kind", "legend", "marker", "colour", "size")


class TraverseLook:
    """A map, distance and height. A click on the mark of a product calls `go` with its kind and time."""

    title = "Traverse"
    opens_others = True

    def __init__(self, go: Callable[[str, int], None] = lambda *_: None) -> None:
        self._go = go
        self.source = _source("path", *_PATH)
        self.stops = _source("stops", "time", "east", "north", "minutes", "distance")
        self.taken = _source("taken", *_PLACE)
        self.taken.selected.on_change("indices", self._picked)
        self._tail = Tail(self.source, _path)
        self._times = DataRange1d(range_padding=0.02)
        self._seen: tuple[Any, ...] = ()
        headers = {"time": "utc", **{name: f"{name}_m" for name in ("east", "north", "up", "distance")}}
        headers |= {"speed": "speed_m_s", "heading": "heading_degree", "quality": "quality"}
        of_taken = {"time": "utc", "what": "what", "east": "east_m", "north": "north_m"}
        path, distance = self._map(), self._against("time", "distance", ONBOARD, "m")
        height = self._against("distance", "up", "distance (m)", "up (m)")
        self._panels = [
            Panel("Path", path, self.source, headers, "path.csv"),
            Panel("Distance driven", distance, self.source, headers, "path.csv"),
            Panel("Taken: click to go there", self._when(), self.taken, of_taken, "taken.csv"),
            Panel("Height", height, self.source, headers, "path.csv"),
        ]
        first, *others = (panel.root for panel in self._panels)
        self.root: UIElement = beside(first, below(*others))

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        ring = stream.products.get("rover/navigation") if stream else None
        self._tail.follow(ring)
        rings = {kind: stream.products.get(kind) for kind in _TAKEN} if stream else {}
        pictures = list(stream.images.pictures) if stream else []
        seen = (ring, ring and ring.mark, *[other and other.mark for other in rings.values()], len(pictures))
        if seen != self._seen:
            self._seen = seen
            rows = ring.rows() if ring else None
            self.stops.data = _stops(rows) if rows else {name: [] for name in self.stops.data}
            taken = _taken(rings, pictures)
            self.taken.data = _places(rows, taken) if rows else {name: [] for name in _PLACE}
        for panel in self._panels:
            panel.set_caption_of(ring, now_s)

    def _picked(self, _attr: str, _old: object, new: list[int]) -> None:
        if new and new[0] < len(self.taken.data["kind"]):
            kind, time_ms = self.taken.data["kind"][new[0]], self.taken.data["time"][new[0]]
            self.taken.selected.indices = []
            self._go(kind, int(time_ms * 1e6))

    def _map(self) -> Any:
        made = plot("east (m)", "north (m)", match_aspect=True)
        path = made.line("east", "north", source=self.source, color=theme.BLUE, line_width=2, legend_label="path")
        made.scatter("east", "north", source=self.source, color=theme.BLUE, size=3)
        doubtful = made.scatter(
            "east", "doubtful", source=self.source, marker=theme.FLAG_MARKER, color=theme.FLAG, size=9,
            legend_label="doubtful",
        )  # fmt: skip
        stops = made.scatter(
            "east", "north", source=self.stops, marker="square", size=10, color=theme.RED, alpha=0.7,
            legend_label="stop",
        )  # fmt: skip
        taken = made.scatter(
            "east", "north", source=self.taken, marker="marker", size="size", color="colour", legend_field="legend",
            line_color="colour", nonselection_alpha=1,
        )  # fmt: skip
        made.add_tools(TapTool(renderers=[taken]))
        made.legend.location, made.legend.click_policy = "top_left", "hide"
        place = [("east, north", "@east{0.00} m, @north{0.00} m")]
        hover(made, [path], [TIME_TIP, *place, ("driven", "@distance{0.00} m"), ("heading", "@heading{0.0}°")])
        hover(made, [doubtful], [TIME_TIP, QUALITY_TIP])
        hover(made, [stops], [("stop from", TIME_TIP[1]), ("minutes", "@minutes{0.0}"), *place])
        hover(made, [taken], [("taken", "@what"), TIME_TIP, *place, ("", "click to go there")])
        return made

    def _when(self) -> Any:
        """What was taken against time, a row for each instrument: on the map they stand on top of each other."""
        made = plot(
            ONBOARD, "", is_time=True, x_range=self._times, y_range=[name for name, *_ in _TAKEN.values()][::-1]
        )
        taken = made.scatter(
            "time", "legend", source=self.taken, marker="marker", size="size", color="colour", nonselection_alpha=1
        )
        made.add_tools(TapTool(renderers=[taken]))
        hover(made, [taken], [("taken", "@what"), TIME_TIP])
        return made

    def _against(self, x: str, y: str, x_label: str, y_label: str) -> Any:
        ranged = {"x_range": self._times} if x == "time" else {}
        made = plot(x_label, y_label, is_time=x == "time", **ranged)
        drawn = made.line(x, y, source=self.source, color=theme.ORANGE, line_width=2)
        mark_doubtful(made, self.source, x)
        if x == "time":
            self._tail.gaps[mark_gaps(made)] = x
        tips = [TIME_TIP, ("driven", "@distance{0.00} m"), ("up", "@up{0.00} m"), ("speed", "@speed{0.000} m/s")]
        hover(made, [drawn], [*tips, QUALITY_TIP], "vline")
        return made


def _source(name: str, *columns: str) -> ColumnDataSource:
    return ColumnDataSource({column: [] for column in columns}, name=name)


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
        "doubtful": np.where(quality & int(DOUBTFUL), path[:, 1], np.nan),
        "mark": where_doubtful(quality),
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


@dataclass(frozen=True, slots=True)
class _Taken:
    """Something that was taken somewhere: its product, when, and what it is called."""

    kind: str
    group: str
    time_ns: int
    what: str


def _taken(rings: Mapping[str, Ring | None], pictures: Sequence[Picture]) -> list[_Taken]:
    found = [
        _Taken(kind, kind, time, f"{_TAKEN[kind][0]}, point {point:.0f}")
        for kind in ("libs/mean", "swir/reflectance")
        if (ring := rings.get(kind))
        for time, point in zip(ring.rows()[TIME].tolist(), ring.rows()["point_id"].tolist(), strict=True)
    ]
    found += [_Taken(one.kind, "image", one.time_ns, one.key) for one in pictures if one.sol is not None]
    if radar := rings.get("gpr/high_frequency"):
        rows = radar.rows()
        marks = np.flatnonzero(np.diff(rows["distance_m"] // _RADAR_STEP_M, prepend=-1))
        found += [
            _Taken("gpr/high_frequency", "gpr/high_frequency", int(rows[TIME][i]), f"radar, trace {i + 1}")
            for i in marks.tolist()
        ]
    return found


def _places(rows: Rows, taken: Sequence[_Taken]) -> dict[str, Any]:
    """Where the rover was when each was taken."""
    times = [one.time_ns for one in taken]
    return {
        "time": [time / 1e6 for time in times],
        "east": np.interp(times, rows[TIME], rows["path_m"][:, 0]),
        "north": np.interp(times, rows[TIME], rows["path_m"][:, 1]),
        "what": [one.what for one in taken],
        "kind": [one.kind for one in taken],
        "legend": [_TAKEN[one.group][0] for one in taken],
        "marker": [_TAKEN[one.group][1] for one in taken],
        "colour": [_TAKEN[one.group][2] for one in taken],
        "size": [9 if one.group.startswith("gpr") else 14 for one in taken],
    }
