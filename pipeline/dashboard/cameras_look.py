"""Cameras: the latest picture of each camera and filter, pairs, those of the sol, and what was noted with them."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from bokeh.models import (
    Checkbox,
    ColorBar,
    ColumnDataSource,
    DataRange1d,
    LinearColorMapper,
    Select,
    UIElement,
)

from ..model.looks import Look
from . import theme
from .album import Album, Picture, rgba, stretch
from .panels import ONBOARD, Panel, below, beside, controls, flagged, hover, plot, utc_text
from .stream import Stream
from .theme import sheet
from .thumbnails import CELL_PX, Thumbnails
from .words import Words, number_of

LATEST = "latest"
STRETCHES = {"all values": 0.0, "middle 98 %": 0.01, "middle 90 %": 0.05}
_N_ACROSS = 4
_NOTES_PX = _N_ACROSS * CELL_PX + 14


class CamerasLook:
    """The picture chosen, its partner of a pair beside it, thumbnails, and a table of what was noted."""

    def __init__(self, look: Look) -> None:
        self.title, self.kinds = look.title, look.kinds
        css = {"stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.camera = Select(options=[LATEST], value=LATEST, width=190, height=28, name="camera", **css)
        self.stretch = Select(
            options=list(STRETCHES), value="middle 98 %", width=120, height=28, name="stretch", **css
        )
        self.pair = Checkbox(label="both of a pair", active=True, width=150, margin=(10, 5, 5, 5), **css)
        self._album: Album | None = None
        self._seen: tuple[Any, ...] = ()
        self._wanted = ""  # the id of what a click asked for
        self._shown: Picture | None = None
        self._stream: Stream | None = None
        self._now_s = 0.0
        self._views = [_View("picture"), _View("partner")]
        self._of_each = Thumbnails("latest pictures", self._choose, n_across=_N_ACROSS)
        self._of_sol = Thumbnails("pictures of the sol", self._choose)
        self._notes = Words(theme.TABLE_CSS, sizing_mode="stretch_both", margin=0, name="notes")
        self._each = Panel("Latest of each", self._of_each.figure, None, {}, "")
        self._sol = Panel("Of the sol", self._of_sol.figure, None, {}, "")
        self._each.root.sizing_mode, self._each.root.width = None, _NOTES_PX
        self._sol.root.sizing_mode = "stretch_width"
        self._sol.root.height = CELL_PX + 34
        noted = Panel("Noted with it", self._notes.root, None, {}, "")
        noted.set_caption("")
        noted.root.sizing_mode, noted.root.width = "stretch_height", _NOTES_PX
        self.camera.on_change("value", self._camera_chosen)
        for control, attribute in ((self.stretch, "value"), (self.pair, "active")):
            control.on_change(attribute, self._redraw)
        pictures = beside(*(view.panel.root for view in self._views))
        others = below(self._each.root, noted.root, width=_NOTES_PX + 6, sizing_mode="stretch_height")
        chosen = controls(self.camera, self.stretch, self.pair)
        self.root: UIElement = below(chosen, beside(pictures, others), self._sol.root)

    def seek(self, kind: str, time_ns: int) -> None:
        """Show the picture of a kind that was taken nearest to a time."""
        pictures = [one for one in (self._album.pictures if self._album else ()) if one.kind == kind]
        if pictures:
            self._choose(min(pictures, key=lambda one: abs(one.time_ns - time_ns)).id)

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        self._stream, self._now_s = stream, now_s
        self._album = album = stream.images if stream else Album()
        options = [LATEST, *sorted(album.latest, key=_natural)]
        if options != self.camera.options:
            self.camera.options = options
        seen = (album, album.n_changes, self.camera.value, self._wanted, self.stretch.value, self.pair.active)
        if seen != self._seen:
            self._seen = seen
            self._draw(album)
        for view in self._views:
            view.set_caption(album, now_s)
        for panel, n in (
            (self._each, len(album.latest)),
            (self._sol, len(album.of_last_sol())),
        ):
            panel.set_caption(
                number_of(n, "picture") if n else "nothing yet", arrived_s=album.arrived_s, now_s=now_s
            )

    def _draw(self, album: Album) -> None:
        picture = self._asked(album)
        partner = album.partner(picture) if picture and self.pair.active else None
        share = STRETCHES[self.stretch.value]
        for view, one in zip(self._views, (picture, partner), strict=True):
            view.draw(one, share)
        self._views[1].panel.root.visible = partner is not None
        shown = picture.id if picture else ""
        latest = [album.latest[key] for key in sorted(album.latest, key=_natural)]
        self._of_each.fill(latest, shown, [one.key.split(" ", 1)[-1] for one in latest])
        of_sol = album.of_last_sol()
        self._of_sol.fill(of_sol, shown, [utc_text(one.time_ns)[11:] for one in of_sol])
        self._notes.set(_table(picture) if picture else "")

    def _asked(self, album: Album) -> Picture | None:
        """What a click asked for while it is kept, else the latest of the camera chosen."""
        if found := next(
            (one for one in (*album.pictures, *album.latest.values()) if one.id == self._wanted), None
        ):
            return found
        if self.camera.value in album.latest:
            return album.latest[self.camera.value]
        return max(album.latest.values(), key=lambda one: one.time_ns, default=None)

    def _choose(self, picture_id: str) -> None:
        self._wanted = picture_id
        self.refresh(self._stream, self._now_s)

    def _camera_chosen(self, _attr: str, _old: object, _new: object) -> None:
        self._choose("")

    def _redraw(self, _attr: str, _old: object, _new: object) -> None:
        self.refresh(self._stream, self._now_s)


class _View:
    """One picture, large: grey with its scale, or in colour; lines that are not good are hatched."""

    def __init__(self, name: str) -> None:
        self._picture: Picture | None = None
        self.source = ColumnDataSource({key: [] for key in ("image", "x", "y", "dw", "dh")}, name=name)
        self.flags = ColumnDataSource({key: [] for key in ("top", "bottom", "right", "why")}, name=f"{name} flags")
        self._mapper = LinearColorMapper(palette="Greys256", nan_color="rgba(128,128,128,0.25)")
        made = plot(
            "sample (pixel)", "line (pixel)", match_aspect=True, x_range=DataRange1d(range_padding=0),
            y_range=DataRange1d(range_padding=0, flipped=True),
        )  # fmt: skip
        made.grid.visible = False
        self._grey = made.image("image", "x", "y", "dw", "dh", source=self.source, color_mapper=self._mapper)
        self._colour = made.image_rgba("image", "x", "y", "dw", "dh", source=self.source, visible=False)
        bad = made.quad(
            left=0, right="right", top="top", bottom="bottom", source=self.flags, fill_color=theme.FLAG,
            fill_alpha=0.12, hatch_pattern="right_diagonal_line", hatch_color=theme.FLAG, hatch_alpha=0.7,
            hatch_scale=9, hatch_weight=1.5, line_color=None,
        )  # fmt: skip
        self._scale = ColorBar(color_mapper=self._mapper, title="", width=8, padding=4)
        made.add_layout(self._scale, "right")
        place = [("sample", "$x{0}"), ("line", "$y{0}")]
        hover(made, [self._grey], [*place, ("value", "@image{0.0000}")])
        hover(made, [self._colour], place)
        hover(made, [bad], [("lines", "@top to @bottom"), ("", "@why")])
        self.panel = Panel(name, made, self.source, {"image": "sample"}, f"{name}.csv")

    def draw(self, picture: Picture | None, share: float) -> None:
        self._picture = picture
        if picture is None:
            self.source.data = {key: [] for key in self.source.data}
            self.flags.data = {key: [] for key in self.flags.data}
            return
        grey = picture.pixels.ndim == 2
        lines, samples = (n * picture.factor for n in picture.pixels.shape[:2])
        pixels = picture.pixels if grey else rgba(picture.pixels)
        self.source.data = {"image": [pixels], "x": [0], "y": [0], "dw": [samples], "dh": [lines]}
        self.flags.data = {
            "top": [first for first, _, _ in picture.flagged],
            "bottom": [stop for _, stop, _ in picture.flagged],
            "right": [samples] * len(picture.flagged),
            "why": [why for _, _, why in picture.flagged],
        }
        self._grey.visible, self._colour.visible = grey, not grey
        self._scale.visible = grey
        if grey:
            low, high = stretch(picture.pixels, share)
            self._mapper.update(low=low, high=high)
            self._scale.title = picture.unit

    def set_caption(self, album: Album, now_s: float) -> None:
        picture = self._picture
        if picture is None:
            self.panel.title = "Picture"
            self.panel.set_caption("nothing yet")
            return
        self.panel.title = picture.key
        n_bad = sum(stop - first for first, stop, _ in picture.flagged)
        flags = (
            f"{n_bad:,} of {number_of(picture.shape[0], 'line')} {'is' if n_bad == 1 else 'are'} not good"
            if n_bad
            else ""
        )
        if not n_bad:
            flags = flagged(np.array([picture.quality])).split(": ", 1)[-1]
        size = f"{picture.shape[1]:,} by {picture.shape[0]:,}"
        size += f", shown 1 : {picture.factor}" if picture.factor > 1 else ""
        arrived_s = album.arrived_s if picture.id == album.pictures[-1].id else 0.0
        self.panel.set_caption(
            f"{utc_text(picture.time_ns)} {ONBOARD}", flags, size, arrived_s=arrived_s, now_s=now_s
        )


def _natural(key: str) -> tuple[Any, ...]:
    """Numbers in their order: 480 nm before 1000 nm."""
    return tuple((word.isdecimal(), int(word) if word.isdecimal() else word) for word in key.split())


def _table(picture: Picture) -> str:
    noted = {"sol": "" if picture.sol is None else str(picture.sol), **picture.noted}
    rows = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(value)}</td></tr>"
        for name, value in noted.items()
        if value
    )
    return f"<table>{rows}</table>"
