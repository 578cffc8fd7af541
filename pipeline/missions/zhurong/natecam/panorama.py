"""Images of a mast sweep laid side by side on a grid of azimuth and elevation.

In: undistorted pictures with how their camera stood. Out: one picture, columns of azimuth (clockwise from north) and
lines of elevation (top first), where pictures overlap the nearer to its edge a picture is the less it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch
from ....products.calibration import Source, Table
from ....products.rotations import Floats
from ..shared.optics import Optics, Pointing, Window, directions
from .resampling import Resampling, bands_of

MAX_IMAGES = 64
_EDGE_STEPS = 16
_STEEP_DEG = 60.0
_AHEAD = 0.05
"""Cosine from the middle of a view beyond which nothing is seen."""


class PanoramaGrid(Table):
    """How fine it is."""

    source: Source
    pixel_deg: Annotated[float, Field(ge=0.05, le=10)]


@dataclass(frozen=True, slots=True)
class View:
    """One picture `uint8[lines, samples, 3]` of a sweep, with `good bool[lines]`; `rows` without their columns."""

    rows: ColumnBatch
    picture: NDArray[np.uint8]
    good: NDArray[np.bool_]
    window: Window
    pointing: Pointing
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Panorama:
    """`image uint8[elevations, azimuths, 3]`, black where nothing was seen; `n_views uint8[elevations, azimuths]`."""

    image: NDArray[np.uint8]
    n_views: NDArray[np.uint8]
    azimuth_deg: Floats
    elevation_deg: Floats


def panorama(views: Sequence[View], optics: Optics, grid: PanoramaGrid) -> Panorama:
    """The sweep as one picture."""
    edges = [_edge(view, optics) for view in views]
    middle = float(edges[0][0][0])
    turned = [(azimuth - middle + 180) % 360 - 180 for azimuth, _ in edges]
    heights = np.concatenate([elevation for _, elevation in edges])
    step = grid.pixel_deg
    turns = np.arange(min(one.min() for one in turned), max(one.max() for one in turned), step) + step / 2
    rises = np.arange(min(heights.max(), 90), max(heights.min(), -90), -step) - step / 2
    total = np.zeros((len(rises), len(turns), 3), np.float32)
    weight = np.zeros(total.shape[:2], np.float32)
    n_views = np.zeros(total.shape[:2], np.uint8)
    wanted = _directions(turns + middle, rises)
    for view, around, (_, elevation) in zip(views, turned, edges, strict=True):
        part = _columns(turns, around, elevation, step)
        values, counts = _seen(view, optics, wanted[:, part])
        for k in range(values.shape[-1]):  # along whole lines: three numbers at a time are slow
            values[..., k] *= counts
        total[:, part] += values
        weight[:, part] += counts
        n_views[:, part] += counts > 0
    seen = np.where(weight > 0, weight, 1)
    for k in range(total.shape[-1]):
        total[..., k] /= seen
    image = np.rint(total, out=total).astype(np.uint8)
    return Panorama(image, n_views, (turns + middle) % 360, rises)


def lessened(view: View, optics: Optics, grid: PanoramaGrid) -> View:
    """A view with pixels about as large as the grid's, each the mean of some: a sweep keeps no more than it needs."""
    window = view.window
    pixel_deg = np.rad2deg(optics.pixel_mm * window.binning / optics.focal_length_mm)
    factor = max(1, min(int(grid.pixel_deg / pixel_deg), window.n_lines, window.n_samples))
    if factor == 1:
        return view
    lines, samples = window.n_lines // factor, window.n_samples // factor
    blocks = view.picture[: lines * factor, : samples * factor].reshape(lines, factor, samples, factor, 3)
    picture = np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
    good = np.asarray(view.good[: lines * factor].reshape(lines, factor).all(axis=1))
    smaller = replace(window, binning=window.binning * factor, n_lines=lines, n_samples=samples)
    return replace(view, picture=picture, good=good, window=smaller)


def _columns(turns: Floats, around: Floats, elevation: Floats, step: float) -> slice:
    """Which azimuths a view can show: all where it looks near the zenith or the nadir, or across the seam."""
    if np.abs(elevation).max() > _STEEP_DEG or np.ptp(around) > 180:
        return slice(None)
    first, last = np.searchsorted(turns, [around.min() - step, around.max() + step])
    return slice(int(first), int(last))


def _directions(azimuth_deg: Floats, elevation_deg: Floats) -> Floats:
    """East, north, up [elevations, azimuths, 3]."""
    turn, rise = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    level = np.cos(rise)[:, None]
    out = np.empty((len(rise), len(turn), 3))
    np.multiply(level, np.sin(turn), out=out[..., 0])
    np.multiply(level, np.cos(turn), out=out[..., 1])
    out[..., 2] = np.sin(rise)[:, None]
    return out


def _edge(view: View, optics: Optics) -> tuple[Floats, Floats]:
    """Azimuth and elevation (degrees) around the edge of a view, its middle first."""
    window = view.window
    s, n = np.linspace(0, window.n_samples - 1, _EDGE_STEPS), np.linspace(0, window.n_lines - 1, _EDGE_STEPS)
    sample = np.concatenate([[s.mean()], s, s, np.full_like(n, s[0]), np.full_like(n, s[-1])])
    line = np.concatenate([[n.mean()], np.full_like(s, n[0]), np.full_like(s, n[-1]), n, n])
    enu = view.pointing.enu(directions(optics.focal_plane(*window.detector(sample, line))))
    azimuth = np.rad2deg(np.arctan2(enu[:, 0], enu[:, 1]))
    return azimuth % 360, np.rad2deg(np.arcsin(np.clip(enu[:, 2], -1, 1)))


def _seen(view: View, optics: Optics, wanted: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What one view has of the wanted directions [..., 3] (east, north, up), and how much it counts."""
    along = wanted @ view.pointing.enu(np.eye(3)).T
    forward = along[..., 0]
    ahead = forward > _AHEAD
    place = np.empty((*forward.shape, 2))
    forward = np.where(ahead, forward, 1)
    for i in (0, 1):
        np.divide(along[..., 1 + i], forward, out=place[..., i])
    at = view.window.pixels(optics, place).astype(np.float32)
    sample, line = np.where(ahead, at[..., 0], -1), np.where(ahead, at[..., 1], -1)
    places = Resampling.of((view.window.n_lines, view.window.n_samples), sample, line)
    inside = places.inside
    if not view.good.all():
        above = np.clip(line.astype(np.intp), 0, len(view.good) - 1)
        inside = inside & view.good[above] & view.good[np.minimum(above + 1, len(view.good) - 1)]
    to_edge = np.minimum(
        np.minimum(sample, view.window.n_samples - 1 - sample), np.minimum(line, view.window.n_lines - 1 - line)
    )
    return places(bands_of(view.picture)), np.where(inside, np.maximum(to_edge, 0) + 1, 0).astype(np.float32)
