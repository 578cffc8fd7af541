"""Topographic correction: traces stand at the elevation of the ground below them.

In: traces [n, m], the depth of each sample, and the elevation of each trace. Out: the same amplitudes on a grid of
elevations, highest first; NaN above the first sample of a trace and below its last. Depth has the permittivity of the
calibration, so a flat layer below a hill comes out flat as far as that is right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....model.batches import Quantity
from .radar_filters import Floats

MOST_LEVELS = 8192


def over_elevation(
    amplitude: NDArray[np.float32], depth_m: Floats, elevation_m: Floats, step_m: float | None, counted: str
) -> dict[str, Quantity]:
    """The arrays of a product for amplitudes [n, m] at elevations. `counted`: what these are counted from."""
    levels, image = at_elevations(amplitude, depth_m, elevation_m, step_m)
    what = "as amplitude, over elevation; NaN above the ground and below the last sample"
    return {
        "amplitude_topographic": Quantity(image, "1", what, ("row", "level")),
        "elevation_m": Quantity(levels, "m", counted, ("level",)),
    }


def at_elevations(
    traces: NDArray[np.float32], depth_m: Floats, elevation_m: Floats, step_m: float | None = None
) -> tuple[Floats, NDArray[np.float32]]:
    """Elevations [k], falling by `step_m` (without: the smallest step in depth), and amplitudes float32[n, k] there.

    Linear between samples; `depth_m [m]` does not fall. At most `MOST_LEVELS` levels: the step grows where there would
    be more.
    """
    rises = np.diff(depth_m)
    finest = float(rises[rises > 0].min()) if (rises > 0).any() else 1.0
    top, bottom = float(elevation_m.max() - depth_m[0]), float(elevation_m.min() - depth_m[-1])
    step = max(step_m or finest, (top - bottom) / (MOST_LEVELS - 1), 1e-6)
    levels: Floats = top - np.arange(int((top - bottom) / step + 1e-9) + 1, dtype=np.float64) * step
    wanted = elevation_m[:, None] - levels
    place = np.interp(wanted, depth_m, np.arange(len(depth_m)))
    low = np.minimum(place.astype(np.intp), max(len(depth_m) - 2, 0))
    part = (place - low).astype(np.float32)
    high = np.minimum(low + 1, len(depth_m) - 1)
    at = np.take_along_axis(traces, low, 1) * (1 - part) + np.take_along_axis(traces, high, 1) * part
    slack = 1e-9 * max(1.0, abs(top), abs(bottom))
    inside = (wanted >= depth_m[0] - slack) & (wanted <= depth_m[-1] + slack)
    return levels, np.where(inside, at, np.float32(np.nan)).astype(np.float32)
