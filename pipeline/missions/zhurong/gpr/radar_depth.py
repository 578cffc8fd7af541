"""From two-way time to depth, and from echoes to the permittivity that this needs.

d = c t / (2 sqrt(eps)); with antennas s apart d = sqrt((c t)^2 / eps - s^2) / 2
in layers d = sum c dt / (2 sqrt(eps_k))
a point at depth d: t^2 = t0^2 + 4 (x - x0)^2 / v^2
range resolution c / (2 B sqrt(eps))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .radar_filters import SPEED_OF_LIGHT_M_NS, Floats


@dataclass(frozen=True, slots=True)
class Hyperbola:
    """The echo of a point: its apex (along the track, two-way time), the velocity above it, with one sigma each."""

    apex_m: float
    apex_ns: float
    velocity_m_ns: float
    permittivity: float
    permittivity_sigma: float
    residual_ns: float

    @property
    def depth_m(self) -> float:
        return self.apex_ns * self.velocity_m_ns / 2.0


def velocity_m_ns(permittivity: float) -> float:
    """Of a wave in a medium that is not magnetic and hardly conducts."""
    return SPEED_OF_LIGHT_M_NS / float(np.sqrt(permittivity))


def range_resolution_m(bandwidth_mhz: float, permittivity: float = 1.0) -> float:
    """Two reflectors closer than this are one."""
    return velocity_m_ns(permittivity) / (2.0 * bandwidth_mhz * 1e-3)


def depth_m(
    twt_ns: Floats,
    permittivity: Sequence[float],
    thickness_m: Sequence[float] = (),
    separation_m: float = 0.0,
) -> Floats:
    """Depth [m] of two-way times, through layers from the top: the last of them has no end and no thickness.

    `separation_m`: of transmitter and receiver; what came sooner than the direct wave between them has depth 0.
    Times before zero have negative depth, on the first layer's line.
    """
    if len(thickness_m) != len(permittivity) - 1:
        raise ValueError("every layer but the last has a thickness")
    speed = SPEED_OF_LIGHT_M_NS / np.sqrt(np.asarray(permittivity, np.float64))
    edges_ns = np.cumsum([0.0, *(2.0 * np.asarray(thickness_m, np.float64) / speed[:-1])])
    layer = np.maximum(np.searchsorted(edges_ns, twt_ns, "right") - 1, 0)
    above_m = np.concatenate([[0.0], np.cumsum(np.asarray(thickness_m, np.float64))])
    slant = above_m[layer] + speed[layer] * (twt_ns - edges_ns[layer]) / 2.0
    if separation_m == 0.0:
        return np.asarray(slant)
    return np.asarray(np.where(slant > 0, np.sqrt(np.maximum(slant**2 - (separation_m / 2.0) ** 2, 0.0)), slant))


def depth_sigma_m(
    twt_ns: Floats,
    permittivity: Sequence[float],
    permittivity_sigma: Sequence[float],
    thickness_m: Sequence[float] = (),
    separation_m: float = 0.0,
    interval_share: float = 0.0,
) -> Floats:
    """One sigma [m] of `depth_m`: of the permittivity of each layer, and of a time scale known to `interval_share`."""
    depth = depth_m(twt_ns, permittivity, thickness_m, separation_m)
    later = depth_m(twt_ns * (1 + interval_share), permittivity, thickness_m, separation_m)
    variance = (later - depth) ** 2
    for layer, sigma in enumerate(permittivity_sigma):
        slower = [value + sigma * (k == layer) for k, value in enumerate(permittivity)]
        faster = [max(value - sigma * (k == layer), 1.0) for k, value in enumerate(permittivity)]
        ends = [depth_m(twt_ns, one, thickness_m, separation_m) for one in (faster, slower)]
        variance += ((ends[0] - ends[1]) / 2.0) ** 2
    return np.asarray(np.sqrt(variance))


def pick_hyperbola(
    envelope: NDArray[np.floating],
    distance_m: Floats,
    twt_ns: Floats,
    apex: tuple[float, float],
    permittivity: float,
    *,
    reach_m: float,
    width_ns: float,
) -> tuple[Floats, Floats]:
    """Where an echo is strongest on each trace, near a first guess: distances and times for `fit_hyperbola`.

    `envelope [n, m]`; `apex` is (metres along the track, two-way ns); looked at are traces within `reach_m` of it and
    samples within `width_ns` of the guess.
    """
    rows = np.flatnonzero(np.abs(distance_m - apex[0]) <= reach_m)
    speed = velocity_m_ns(permittivity)
    expected = np.sqrt(apex[1] ** 2 + 4 * (distance_m[rows] - apex[0]) ** 2 / speed**2)
    near = np.abs(twt_ns - expected[:, None]) <= width_ns
    seen = np.where(near, envelope[rows], -1.0)
    sample = seen.argmax(axis=1)
    found = near[np.arange(len(rows)), sample]
    return distance_m[rows[found]], twt_ns[sample[found]]


def fit_hyperbola(distance_m: Floats, twt_ns: Floats) -> Hyperbola:
    """Fit t^2 = t0^2 + 4 (x - x0)^2 / v^2 by least squares: linear in x and x^2. ValueError where it opens upwards."""
    if len(distance_m) < 4:
        raise ValueError("a hyperbola needs four points")
    middle = float(distance_m.mean())
    x = distance_m - middle
    design = np.stack([np.ones_like(x), x, x * x], axis=1)
    (a, b, c), *_ = np.linalg.lstsq(design, twt_ns**2, rcond=None)
    apex = -b / (2 * c) if c > 0 else np.nan
    if not (c > 0 and a - c * apex**2 > 0):
        raise ValueError("these points are no hyperbola that opens downwards")
    left = twt_ns**2 - design @ np.array([a, b, c])
    sigma2 = float(left @ left) / max(len(x) - 3, 1)
    c_sigma = float(np.sqrt(sigma2 * np.linalg.inv(design.T @ design)[2, 2]))
    scale = SPEED_OF_LIGHT_M_NS**2 / 4.0  # eps = (c0 / v)^2 = c c0^2 / 4
    return Hyperbola(
        apex_m=float(apex + middle),
        apex_ns=float(np.sqrt(a - c * apex**2)),
        velocity_m_ns=float(2.0 / np.sqrt(c)),
        permittivity=float(c * scale),
        permittivity_sigma=c_sigma * scale,
        residual_ns=float(np.sqrt(np.mean((left / (2 * twt_ns)) ** 2))),
    )
