"""Images of a mast sweep laid side by side on a grid of azimuth and elevation.

In: undistorted pictures with how their camera stood. Out: one picture, columns of azimuth (clockwise from north) and
lines of elevation (top first), where pictures overlap the nearer to its edge a picture is the less it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.batches import ColumnBatch
from pipeline.instruments.calibration import Source, Table
from pipeline.instruments.colour import sample_bilinear
from pipeline.instruments.optics import Optics, Pointing, Window, directions
from pipeline.instruments.rotations import Floats

MAX_IMAGES = 64
_EDGE_STEPS = 16


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
    middle = edges[0][0][0]
    azimuth = np.concatenate([(one - middle + 180) % 360 - 180 for one, _ in edges])
    elevation = np.concatenate([one for _, one in edges])
    step = grid.pixel_deg
    turns = np.arange(max(azimuth.min(), -180), min(azimuth.max(), 180), step) + step / 2
    rises = np.arange(min(elevation.max(), 90), max(elevation.min(), -90), -step) - step / 2
    turn, rise = np.meshgrid(np.deg2rad(turns + middle), np.deg2rad(rises))
    level = np.cos(rise)
    wanted = np.stack([level * np.sin(turn), level * np.cos(turn), np.sin(rise)], axis=-1)
    total = np.zeros((*rise.shape, 3), np.float32)
    weight = np.zeros(rise.shape, np.float32)
    n_views = np.zeros(rise.shape, np.uint8)
    for view in views:
        values, counts = _seen(view, optics, wanted)
        total += values * counts[..., None]
        weight += counts
        n_views += counts > 0
    image = np.rint(total / np.where(weight > 0, weight, 1)[..., None]).astype(np.uint8)
    return Panorama(image, n_views, (turns + middle) % 360, rises)


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
    axes = view.pointing.enu(np.eye(3))
    along = wanted @ axes.T
    ahead = along[..., 0] > 0.05
    place = along[..., 1:] / np.where(ahead, along[..., 0], 1)[..., None]
    at = view.window.pixels(optics, place).astype(np.float32)
    sample, line = np.where(ahead, at[..., 0], -1), np.where(ahead, at[..., 1], -1)
    values, inside = sample_bilinear(view.picture, sample, line)
    whole, _ = sample_bilinear(
        np.broadcast_to(view.good[:, None, None], (*view.picture.shape[:2], 1)), sample, line
    )
    inside &= whole[..., 0] > 0.999
    to_edge = np.minimum(
        np.minimum(sample, view.window.n_samples - 1 - sample), np.minimum(line, view.window.n_lines - 1 - line)
    )
    return values, np.where(inside, to_edge + 1, 0).astype(np.float32)
