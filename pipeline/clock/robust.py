"""Robust fit of a continuous, piecewise linear function to points with outliers.

In: points (x, y) and knots. Out: the values at the knots that minimise Huber's loss of the residuals (Huber 1964,
Ann. Math. Stat. 35, 73; k = 1.345 is 95 % efficient for normal noise), their scale, and the residuals. Method:
iteratively reweighted least squares, started from least absolute residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_HUBER_K = 1.345
_MAD_TO_SIGMA = 1.4826  # of a normal distribution
_SMALLEST_SCALE = 1e-7
_N_TURNS = 60
_SAME = 1e-3  # of the scale: the iteration ends at smaller changes


@dataclass(frozen=True, slots=True)
class BentLine:
    """Result of a fit: values float64[m] at the knots, their covariance [m, m], residuals float64[n].

    `scale`: one sigma of the residuals, for normal noise.
    """

    values: Floats
    covariance: Floats
    residual: Floats
    scale: float

    def slope_sigma(self, knots: Floats) -> Floats:
        """One sigma of the slope of each piece."""
        variance = np.diag(self.covariance)
        beside = np.diag(self.covariance, 1)
        return np.asarray(np.sqrt(np.maximum(variance[1:] + variance[:-1] - 2 * beside, 0)) / np.diff(knots))


def fit_bent_line(x: Floats, y: Floats, knots: Floats) -> BentLine:
    """Fit values at `knots` (ascending, at least two) to points, float64[n]; the outer pieces are extrapolated.

    Each piece must have points near both ends, as if knots are means of clusters.
    """
    piece = np.clip(np.searchsorted(knots, x, "right") - 1, 0, len(knots) - 2)
    part = (x - knots[piece]) / (knots[piece + 1] - knots[piece])
    weight = np.ones(len(x))
    values = _weighted(piece, part, y, weight, len(knots))
    residual = y - _at(values, piece, part)
    for _ in range(_N_TURNS // 2):  # least absolute residuals: a start that outliers hardly influence
        floor = scale_of(residual) / 10
        values = _weighted(piece, part, y, 1 / np.maximum(np.abs(residual), floor), len(knots))
        residual = y - _at(values, piece, part)
    for _ in range(_N_TURNS):
        scale = scale_of(residual)
        weight = np.minimum(1.0, _HUBER_K * scale / np.maximum(np.abs(residual), scale / 10))
        before, values = values, _weighted(piece, part, y, weight, len(knots))
        residual = y - _at(values, piece, part)
        if np.abs(values - before).max() < _SAME * scale:
            break
    scale = scale_of(residual)
    covariance = scale**2 * np.linalg.pinv(_normal(piece, part, weight, len(knots))).astype(np.float64)
    return BentLine(values, covariance, residual, scale)


def scale_of(residual: Floats) -> float:
    """One sigma of residuals, for normal noise, from their median absolute value."""
    return max(_MAD_TO_SIGMA * float(np.median(np.abs(residual))), _SMALLEST_SCALE)


def _at(values: Floats, piece: NDArray[np.int64], part: Floats) -> Floats:
    return np.asarray(values[piece] * (1 - part) + values[piece + 1] * part)


def _weighted(piece: NDArray[np.int64], part: Floats, y: Floats, weight: Floats, n_knots: int) -> Floats:
    """Weighted least squares."""
    target = np.bincount(piece, weight * (1 - part) * y, n_knots)
    target += np.bincount(piece + 1, weight * part * y, n_knots)
    return np.asarray(np.linalg.lstsq(_normal(piece, part, weight, n_knots), target)[0])


def _normal(piece: NDArray[np.int64], part: Floats, weight: Floats, n_knots: int) -> Floats:
    """Normal matrix. A point depends on two knots, so it is tridiagonal."""
    matrix = np.zeros((n_knots, n_knots))
    rows = np.arange(n_knots)
    diagonal = np.bincount(piece, weight * (1 - part) ** 2, n_knots)
    matrix[rows, rows] = diagonal + np.bincount(piece + 1, weight * part**2, n_knots)
    beside = np.bincount(piece, weight * part * (1 - part), n_knots)[:-1]
    matrix[rows[:-1], rows[1:]] = matrix[rows[1:], rows[:-1]] = beside
    return matrix
