"""A Whittaker smoother, and what it does to noise: z = H y, H = A^-1 W, A = W + l D'D (Eilers 2003).

W is the diagonal matrix of the weights of n channels, D takes second differences. A has five diagonals: each function
takes time in proportion to n, in banded solvers of LAPACK, and no [n, n] matrix is made. Where A is singular (weight
on fewer than two channels) the result is NaN.

SciPy is imported where it is used: missions without such an instrument do not load it (`Instrument.libraries`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats

LIBRARY = "scipy.linalg.lapack"


class _Factor(NamedTuple):
    """Lower Cholesky factor of A [n]: its diagonal, and the first and second diagonal below it, zeros at their ends."""

    diagonal: Floats
    first: Floats
    second: Floats


def smooth(values: Floats, weight: Floats, smoothness: float) -> Floats:
    """H y of `values` y [n] and `weight` [n], with l = `smoothness`; n >= 3."""
    return _solve(_system(weight, smoothness), weight * values)


def transposed(values: Floats, weight: Floats, smoothness: float) -> Floats:
    """H' u of `values` u [n]: the sum of u * (H y) is the sum of (H' u) * y."""
    return weight * _solve(_system(weight, smoothness), values)


def noise_through(weight: Floats, smoothness: float, variance: Floats) -> tuple[Floats, Floats]:
    """The diagonal of H [n], and the variance [n] of H y where y has independent noise of `variance` [n].

    With S = A^-1 these are diag(S) W and diag(S B S), B = W V W. S B S is minus the derivative of S as A grows by B.
    Elements of S near its diagonal follow from each other by the Cholesky factor (Takahashi et al. 1973; Rue and Held
    2005, section 2.4); the derivatives of the factor and of S follow from the same equations differentiated.
    """
    from scipy.linalg.lapack import dpbtrf  # noqa: PLC0415 - see above

    (diagonal, first, second), status = dpbtrf(_system(weight, smoothness), lower=1)
    if status:
        return np.full(len(weight), np.nan), np.full(len(weight), np.nan)
    first[-1:], second[-2:] = 0.0, 0.0
    factor = _Factor(diagonal, first, second)
    growth = _factor_growth(factor, weight**2 * variance)
    nothing = np.zeros(len(weight))
    inverse = _near_diagonal(factor, np.stack([1 / diagonal, nothing, nothing], axis=1))
    right = -_factor_times(growth, inverse)
    right[:, 0] -= growth.diagonal / diagonal**2
    return weight * inverse[:, 0], -_near_diagonal(factor, right)[:, 0]


def _system(weight: Floats, smoothness: float) -> Floats:
    """A as LAPACK wants it: its diagonal and the two below, [3, n]."""
    bands = _penalty(len(weight), smoothness).copy()
    bands[0] += weight
    return bands


@lru_cache(maxsize=8)
def _penalty(n: int, smoothness: float) -> Floats:
    """The part l D'D of A, [3, n]; not to be changed."""
    second_difference = np.array([1.0, -2.0, 1.0])
    bands = np.zeros((3, n))
    for band in range(3):
        for k, product in enumerate(second_difference[: 3 - band] * second_difference[band:]):
            bands[band, k : k + n - 2] += smoothness * product
    return bands


def _solve(bands: Floats, right: Floats) -> Floats:
    from scipy.linalg.lapack import dpbsv  # noqa: PLC0415 - see above

    _, solution, status = dpbsv(bands, right, lower=1, overwrite_ab=1)
    return np.full(len(right), np.nan) if status else np.asarray(solution, np.float64)


def _factor_growth(factor: _Factor, growth: Floats) -> _Factor:
    """Derivative of the Cholesky factor where the diagonal of A grows by `growth` [n].

    A[i,i]   = d[i]^2 + e[i-1]^2 + f[i-2]^2
    A[i+1,i] = e[i] d[i] + f[i-1] e[i-1]
    A[i+2,i] = f[i] d[i]

    differentiated: a lower triangular system in (d', e', f')[i], interleaved, with five diagonals.
    """
    d, e, f = factor
    bands = np.zeros((5, len(d), 3))  # [k, i, c]: of unknown c of channel i, in the equation k further down
    bands[0] = np.stack([2 * d, d, d], axis=1)
    bands[1, :, 0], bands[2, :, 0] = e, f
    bands[2, :, 1], bands[3, :, 1] = 2 * e, f
    bands[2, :, 2], bands[4, :, 2] = e, 2 * f
    right = np.zeros((len(d), 3))
    right[:, 0] = growth
    d_growth, e_growth, f_growth = _triangular(bands, right, "L").T
    return _Factor(d_growth, _ending(e_growth, 1), _ending(f_growth, 2))


def _near_diagonal(factor: _Factor, right: Floats) -> Floats:
    """[n, 3]: the X[i,i], X[i+1,i], X[i+2,i] of a symmetric X whose `_factor_times` is `right` [n, 3]."""
    d, e, f = factor
    bands = np.zeros((5, len(d), 3))  # [4 - k, i, c]: of unknown c of channel i, in the equation k further up
    bands[4] = d[:, None]
    bands[3, :, 1], bands[2, :, 2] = e, f
    bands[2, 1:, 0], bands[1, 1:, 1] = e[:-1], f[:-1]
    bands[2, 1:, 1], bands[0, 2:, 0] = e[:-1], f[:-2]
    return _triangular(bands, right, "U")


def _factor_times(factor: _Factor, near: Floats) -> Floats:
    """(X L)[j,j], [j+1,j], [j+2,j] as [n, 3], of a symmetric X by its elements near the diagonal [n, 3]."""
    d, e, f = factor
    x0, x1, x2 = near.T
    x0_next, x1_next = np.append(x0[1:], 0.0), np.append(x1[1:], 0.0)
    x0_after = np.append(x0[2:], np.zeros(2))
    return np.stack(
        [d * x0 + e * x1 + f * x2, d * x1 + e * x0_next + f * x1_next, d * x2 + e * x1_next + f * x0_after], axis=1
    )


def _triangular(bands: Floats, right: Floats, half: str) -> Floats:
    from scipy.linalg.lapack import dtbtrs  # noqa: PLC0415 - see above

    solution, _ = dtbtrs(bands.reshape(5, -1), right.reshape(-1, 1), uplo=half)
    return np.asarray(solution, np.float64).reshape(right.shape)


def _ending(values: Floats, n: int) -> Floats:
    """The same with its last n elements zero, which stand beyond the matrix."""
    ended: NDArray[np.float64] = values.copy()
    ended[-n:] = 0.0
    return ended
