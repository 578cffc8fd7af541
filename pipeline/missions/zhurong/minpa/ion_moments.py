"""Density, velocity and temperature of a drifting Maxwellian whose counts have the moments of those that were counted.

In: counts [n, k, e, a] of n scans over energy and direction. Out: `Moments`, with the covariance of counting.

A sum over bins takes all ions of a bin to have its middle speed and direction, and misses the ions out of view: with
bins of a third in energy and 22.5 degrees density is 3 to 4 % low and the temperature of cold ions 7 % high. So the
sums are not read as moments. The five sums (for density, flux and energy) are computed for a drifting Maxwellian too,
averaged over each bin and over the same field of view, and its parameters are changed by Newton's method until its
sums are those of the counts. Covariance: J^-1 S J^-T, J the derivatives of the sums, S their covariance by Poisson
statistics.

Averages are Gauss-Legendre sums in ln E, azimuth and the sine of elevation. Speeds are in km/s, densities in cm-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats

NODES = 3
"""Gauss-Legendre nodes along each axis of a bin."""
COLD_NODES = 5
COLDEST, COLD = 0.04, 0.12
"""Thermal speed over bulk speed: below COLD more nodes are needed, below COLDEST the bins resolve nothing."""
_CM_PER_KM = 1e5
_STEPS = 12
_REACH = 6.5
"""Thermal speeds from the bulk speed, beyond which a Maxwellian is 1e-9 of its peak."""
_NOTHING = -80.0
"""Of an exponent: what is less slows multiplication down, as it has no normal form."""
_DONE = 1e-5
"""Left over in units of the counting covariance, squared."""
_BLOCK_BYTES = 1 << 21
_N = 5


@dataclass(frozen=True, slots=True)
class Directions:
    """Edges of the bins in radians: elevation (e + 1), azimuth (a + 1)."""

    elevation: tuple[float, ...]
    azimuth: tuple[float, ...]

    def nodes(self, n: int) -> tuple[Floats, NDArray[np.intp], Floats]:
        """Unit vectors [e n, a n, 3], the number of the bin [e n, a n] and the weight in sr [e n, a n] of each node."""
        sine, in_sine, of_sine = _nodes(np.sin(self.elevation), n)
        azimuth, in_azimuth, of_azimuth = _nodes(np.array(self.azimuth), n)
        number = of_sine[:, None] * (len(self.azimuth) - 1) + of_azimuth
        return _vectors(np.arcsin(sine), azimuth), np.asarray(number), in_sine[:, None] * in_azimuth

    def middles(self) -> tuple[Floats, Floats]:
        """Unit vectors [e, a, 3] of the middles, and solid angles [e, a] in sr."""
        elevation, azimuth = np.array(self.elevation), np.array(self.azimuth)
        look = _vectors((elevation[1:] + elevation[:-1]) / 2, (azimuth[1:] + azimuth[:-1]) / 2)
        return look, np.asarray(np.diff(np.sin(elevation))[:, None] * np.diff(azimuth))


@dataclass(frozen=True, slots=True)
class Moments:
    """Of n scans: density cm-3, velocity km/s [n, 3], thermal variance of one axis km2/s2, and their covariance.

    `covariance [n, 5, 5]` of (ln density, velocity, ln variance). All NaN where no Maxwellian has these sums.
    """

    density: Floats
    velocity: Floats
    variance: Floats
    covariance: Floats


def maxwellian_moments(counts: Floats, let_in: Floats, speed: Floats, step: float, of: Directions) -> Moments:
    """Density, velocity and temperature of `counts [n, k, e, a]`.

    `let_in [n]`: counts per unit of energy flux; `speed [n, k]`: of the middles of the energies, which are `step` of
    ln E apart.
    """
    seen, scatter = _sums_of_counts(counts, let_in, speed, step, of)
    found, covariance = np.full((len(counts), _N), np.nan), np.full((len(counts), _N, _N), np.nan)
    start = _first_guess(seen, step, of)
    for nodes, want in ((NODES, _all), (COLD_NODES, _is_cold)):
        rows = np.flatnonzero(want(found) & _enough(start, scatter))
        if not len(rows):
            continue
        grid = _grid(speed.shape[1], step, of, nodes)
        for part in grid.parts(rows):
            found[part], covariance[part] = _solve(start[part], seen[part], scatter[part], speed[part], grid)
    lost = _is_cold(found, COLDEST)
    found[lost], covariance[lost] = np.nan, np.nan
    return Moments(np.exp(found[:, 0]), found[:, 1:4], np.exp(found[:, 4]), covariance)


class _Grid:
    """The nodes of all bins: weights of the five sums and of the derivatives, apart for energy and direction."""

    def __init__(self, n_energies: int, step: float, of: Directions, nodes: int) -> None:
        at, weight = np.polynomial.legendre.leggauss(nodes)
        self.faster = np.exp(step * at / 4)  # speed goes with the root of the energy
        self.weight = np.tile(weight / 2 * step, n_energies)
        look, number, solid_angle = of.nodes(nodes)
        self.look = look.reshape(-1, 3)
        middle = of.middles()[0].reshape(-1, 3)[number.ravel()]
        own, of_middle = (np.column_stack([np.ones(len(one)), one]) for one in (self.look, middle))
        self.sides = (solid_angle.reshape(-1, 1, 1) * of_middle[:, :, None] * own[:, None]).reshape(
            len(of.elevation) - 1, -1, 16
        )
        self._n_bytes = 8 * len(self.weight) * len(self.look)

    def parts(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Rows in blocks whose nodes stay in the cache."""
        n = max(1, _BLOCK_BYTES // self._n_bytes)
        return [rows[start : start + n] for start in range(0, len(rows), n)]

    def sums(self, theta: Floats, speed: Floats) -> tuple[Floats, Floats]:
        """The five sums [n, 5] of Maxwellians `theta [n, 5]`, and their derivatives [n, 5, 5]."""
        density, drift, variance = np.exp(theta[:, 0]), theta[:, 1:4], np.exp(theta[:, 4])
        own = (speed[:, :, None] * self.faster).reshape(len(speed), -1)
        square = (drift**2).sum(axis=1)
        seen = _within_reach(own, np.sqrt(square), np.sqrt(variance))
        own, middle = own[:, seen], np.repeat(speed, len(self.faster), axis=1)[:, seen]
        towards = drift @ self.look.T
        exponent = own[:, :, None] * towards[:, None, :]
        exponent += ((own**2 + square[:, None]) / 2)[:, :, None]
        exponent /= -variance[:, None, None]
        np.maximum(exponent, _NOTHING, out=exponent)
        phase = np.exp(exponent, out=exponent)  # over n (2 pi variance)^-3/2
        scale = density * _CM_PER_KM / 2 * (2 * np.pi * variance) ** -1.5
        flux = scale[:, None] * own**4 * self.weight[seen] / _CM_PER_KM
        energy = np.stack([flux * middle**p * own**r for p in (-1, 0, 1) for r in (0, 1, 2)], axis=1)
        # elevation by elevation: products so small that the linear algebra does not start threads for them
        parted = phase.reshape(*phase.shape[:2], len(self.sides), -1).transpose(0, 2, 1, 3)
        table = (
            (energy[:, None] @ parted @ self.sides).sum(axis=1).reshape(-1, 3, 3, 4, 4)
        )  # of p, r, look of the middle, own look
        rows = np.concatenate(
            [table[:, :1, :, 0], -table[:, 1, :, 1:].transpose(0, 2, 1, 3), table[:, 2:, :, 0]], axis=1
        )
        total, along, squared = rows[:, :, 0, 0], rows[:, :, 1, 1:], rows[:, :, 2, 0]
        by_drift = -(along + total[:, :, None] * drift[:, None]) / variance[:, None, None]
        apart = squared + square[:, None] * total + 2 * np.einsum("nac,nc->na", along, drift)
        by_variance = apart / (2 * variance[:, None]) - 1.5 * total
        return total, np.concatenate([total[:, :, None], by_drift, by_variance[:, :, None]], axis=2)


@lru_cache(8)
def _grid(n_energies: int, step: float, of: Directions, nodes: int) -> _Grid:
    return _Grid(n_energies, step, of, nodes)


def _within_reach(speed: Floats, bulk: Floats, thermal: Floats) -> slice:
    """The nodes [k] where any of the Maxwellians is more than nothing. `speed [n, k]`, bulk and thermal speed [n]."""
    near = (np.abs(speed - bulk[:, None]) < _REACH * thermal[:, None]).any(axis=0)
    inside = np.flatnonzero(near)
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 1)


def _solve(theta: Floats, seen: Floats, scatter: Floats, speed: Floats, grid: _Grid) -> tuple[Floats, Floats]:
    """Newton's method: parameters [n, 5] and their covariance, NaN where it does not arrive."""
    theta, arrived = theta.copy(), np.zeros(len(theta), np.bool_)
    for _ in range(_STEPS):
        sums, slopes = grid.sums(theta, speed)
        left = seen - sums
        arrived = np.einsum("na,na->n", left, _solved(scatter, left)) < _DONE
        if arrived.all():
            break
        change = _solved(slopes, left)
        reach = np.exp(theta[:, 4] / 2)[:, None]
        change[:, 1:4] = np.clip(change[:, 1:4], -reach, reach)
        change[:, [0, 4]] = np.clip(change[:, [0, 4]], -1, 1)
        theta = np.where(arrived[:, None], theta, theta + change)
    inverse = _solved(slopes, np.broadcast_to(np.eye(_N), slopes.shape))
    covariance = inverse @ scatter @ inverse.transpose(0, 2, 1)
    theta[~arrived], covariance[~arrived] = np.nan, np.nan
    return theta, covariance


def _sums_of_counts(
    counts: Floats, let_in: Floats, speed: Floats, step: float, of: Directions
) -> tuple[Floats, Floats]:
    """The five sums [n, 5] and their covariance [n, 5, 5], as far as counting scatters."""
    look, solid_angle = of.middles()
    sides = np.concatenate([np.ones((*solid_angle.shape, 1)), -look], axis=2).reshape(-1, 4)
    sides = sides * solid_angle.reshape(-1, 1) * (step / _CM_PER_KM)
    flat = counts.reshape(*counts.shape[:2], -1)
    twice = (sides[:, :, None] * sides[:, None]).reshape(-1, 16)
    power = np.stack([speed**p for p in range(-2, 3)], axis=1)
    once = (power[:, 1:4] @ flat @ sides) / let_in[:, None, None]
    square = ((power @ flat @ twice) / let_in[:, None, None] ** 2).reshape(-1, 5, 4, 4)
    p, side = np.array([0, 1, 1, 1, 2]), np.array([0, 1, 2, 3, 0])
    return once[:, p, side], square[:, p[:, None] + p, side[:, None], side]


def _first_guess(seen: Floats, step: float, of: Directions) -> Floats:
    """Parameters [n, 5] as if every ion were in the middle of its bin, less what the width of the bins adds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = seen[:, 1:4] / seen[:, :1]
        square = (drift**2).sum(axis=1)
        variance = (seen[:, 4] / seen[:, 0] - square) / 3
        angles = (edges[1] - edges[0] for edges in (of.elevation, of.azimuth))
        wide = (step**2 / 4 + sum(angle**2 for angle in angles)) / 36
        variance = np.maximum(variance - square * wide, variance / 4)
        return np.column_stack([np.log(seen[:, 0]), drift, np.log(variance)])


def _enough(start: Floats, scatter: Floats) -> NDArray[np.bool_]:
    """Whether the counts of a scan are in so many bins that they tell five parameters."""
    size = np.sqrt(np.diagonal(scatter, axis1=1, axis2=2))
    fine = np.asarray(
        np.isfinite(start).all(axis=1) & np.isfinite(scatter).all(axis=(1, 2)) & (size > 0).all(axis=1)
    )
    size = np.where(fine[:, None], size, 1.0)
    scaled = np.where(fine[:, None, None], scatter / size[:, :, None] / size[:, None], np.eye(_N))
    return np.asarray(fine & (np.linalg.matrix_rank(scaled, hermitian=True) == _N))


def _is_cold(theta: Floats, limit: float = COLD) -> NDArray[np.bool_]:
    """Whether the thermal speed is below a share of the bulk speed; also where neither was found."""
    return np.asarray(~(np.exp(theta[:, 4]) >= limit**2 * (theta[:, 1:4] ** 2).sum(axis=1)))


def _all(theta: Floats) -> NDArray[np.bool_]:
    return np.ones(len(theta), np.bool_)


def _solved(matrix: Floats, right: Floats) -> Floats:
    """Solutions of matrix [n, 5, 5] for vectors [n, 5] or matrices [n, 5, 5]; NaN where there is none."""
    bad = ~(np.abs(np.linalg.det(matrix)) > 0)
    safe = np.where(bad[:, None, None], np.eye(_N), matrix)
    vectors = right.ndim == matrix.ndim - 1
    found = np.linalg.solve(safe, right[..., None] if vectors else right)
    found[bad] = np.nan
    return np.asarray(found[..., 0] if vectors else found)


def _nodes(edges: Floats, n: int) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Gauss-Legendre nodes of every bin between `edges`, their weights, and the number of each node's bin."""
    at, weight = np.polynomial.legendre.leggauss(n)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    places = (middle[:, None] + half[:, None] * at).ravel()
    return places, (half[:, None] * weight).ravel(), np.repeat(np.arange(len(middle)), n)


def _vectors(elevation: Floats, azimuth: Floats) -> Floats:
    """Unit vectors [e, a, 3]."""
    level, along = np.cos(elevation)[:, None], np.ones_like(azimuth)
    vectors = [level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)[:, None] * along]
    return np.stack(vectors, axis=-1)
