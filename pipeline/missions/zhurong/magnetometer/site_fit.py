"""The field of a place and the offset of a sensor, from a mast that turned while the field itself wandered.

    seen_k = R_k^T (B + w_k) + O + noise

R_k turns from the axes of the mast's head to the rover's; w is the field's own course, of which differences matter:

    var(w(t + r) - w(t)) = lambda sigma^2 (r - tau (1 - e^-x) - tau / 2 (1 - (1 + x) e^-x)),    x = r / tau

a random walk that is smooth below tau, as slow changes of a field are (power f^-2 (1 + (2 pi f tau)^2)^-2). `lambda`
and `tau` are those of the largest restricted likelihood, sigma^2 follows from them. The field of the place is the mean
of B + w over the samples. Its covariance is that of the best linear unbiased prediction, so what of a wandering field
looks like an offset is in it (Cressie 1993, Statistics for Spatial Data, 3.4: universal kriging of a mean).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ....products.rotations import Floats, MastTurn

FEWEST_BLOCKS, MOST_BLOCKS = 8, 72
_SMOOTH_S = (1.0, 3.0, 8.0)
"""`tau` is one of these, seconds."""
_CLEARLY = 3.84
"""By so much must twice the logarithm of the likelihood grow: one parameter more, 5 % of the time by chance."""
_RATIOS = np.geomspace(1e-5, 1e3, 12)
"""`lambda` is one of these, per second."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Field along the rover's axes and offset along the mast's, nT [3] each (z NaN where only yaw turned).

    `covariance_nt2 [3, 3]` of the field, of what scatters; `residual_nt`: rms of what a field that stands still leaves.
    """

    field_nt: Floats
    offset_nt: Floats
    covariance_nt2: Floats
    residual_nt: float


@dataclass(frozen=True, slots=True)
class _Walk:
    """What one course of the field gives. `criterion`: minus twice the logarithm of its likelihood."""

    criterion: float
    field: Floats
    offset: Floats
    covariance: Floats


class Rotations:
    """Turns of a mast, for the fits of several sensors on it.

    `turn [n, 3, 3]` from the head's axes to the rover's; samples are in order, at least `n_block` of them are averaged;
    `time_s [n]` of each, a second apart where it is not given. `tilts`: pitch turned as well.
    """

    def __init__(self, turn: Floats, n_block: int, *, tilts: bool, time_s: Floats | None = None) -> None:
        self._axes = 3 if tilts else 2
        self._design = np.swapaxes(turn, 1, 2)[:, : self._axes, : self._axes]
        self._tells = _tells(self._design)
        n = len(turn)
        time_s = np.arange(n, dtype=np.float64) if time_s is None else time_s
        n_block = max(min(n_block, n // FEWEST_BLOCKS), -(-n // MOST_BLOCKS), 1)
        self._blocks = _Blocks(self._design, time_s, n_block) if self._tells else None

    def fit(self, head_nt: Floats) -> Fit | None:
        """Field and offset from what was seen in the axes of the mast's head, `head_nt [n, 3]`.

        None where the rotations do not tell one from the other.
        """
        axes, seen = self._axes, head_nt[:, : self._axes]
        if self._blocks is None:
            return None
        try:
            best = self._blocks.likeliest(seen)
        except np.linalg.LinAlgError:  # the means of the blocks tell less than the samples
            return None
        left = seen - self._design @ best.field - best.offset
        field, offset, covariance = np.full(3, np.nan), np.full(3, np.nan), np.full((3, 3), np.nan)
        field[:axes], offset[:axes], covariance[:axes, :axes] = best.field, best.offset, best.covariance
        return Fit(field, offset, covariance, float(np.sqrt(np.mean(left**2))))


def mast_matrices(yaw_deg: Floats, pitch_deg: Floats) -> Floats:
    """Rotations [n, 3, 3] from the axes of the mast's head to those of the rover."""
    axes = np.broadcast_to(np.eye(3), (len(yaw_deg), 3, 3))
    turned = MastTurn.of(yaw_deg[:, None], pitch_deg[:, None]).rotate(axes)
    return np.swapaxes(turned, 1, 2)


def _tells(design: Floats) -> bool:
    """Whether turns [n, m, m] tell a field that turns from an offset that does not."""
    whole = np.concatenate([design, np.broadcast_to(np.eye(design.shape[1]), design.shape)], axis=2)
    normal = np.einsum("nij,nik->jk", whole, whole)
    return bool(np.linalg.matrix_rank(normal, hermitian=True) == len(normal))


class _Course(NamedTuple):
    """A course of the field: covariance of its w over sigma^2 between blocks [k, k], the Cholesky factor of that of
    what is seen [k m, k m], and the covariance of what is seen with the mean of w [k m, m].
    """

    alike: Floats
    factor: Floats
    towards: Floats


class _Blocks:
    """Means over k blocks of samples, and what does not depend on what was seen in them."""

    def __init__(self, design: Floats, time_s: Floats, n_block: int) -> None:
        self._first = np.arange(0, len(design), n_block)
        self._count = np.diff(np.append(self._first, len(design))).astype(np.float64)
        self._turn, when = self._means(design), self._means(time_s)
        k, m = self._turn.shape[:2]
        self._apart_s = np.abs(when[:, None] - when)
        self._turns = np.einsum("kij,lnj->inkl", self._turn, self._turn)
        both = np.concatenate([self._turn, np.broadcast_to(np.eye(m), self._turn.shape)], axis=2)
        self._design = both.reshape(k * m, 2 * m)
        self._noise = np.repeat(1 / self._count, m)
        self._share = self._count / self._count.sum()
        self._courses: dict[tuple[float, float], _Course] = {}

    def _means(self, values: Floats) -> Floats:
        return np.add.reduceat(values, self._first) / self._count.reshape(-1, *[1] * (values.ndim - 1))

    def likeliest(self, seen: Floats) -> _Walk:
        """That of a field that stands still, unless a course is clearly likelier. `seen [n, m]` of the samples."""
        seen = self._means(seen).ravel()
        still = self._walk(seen, 0.0, 0.0)
        middle = [self._walk(seen, _SMOOTH_S[1], ratio) for ratio in _RATIOS.tolist()]
        best = int(np.argmin([walk.criterion for walk in middle]))
        near = _RATIOS[max(best - 1, 0) : best + 2].tolist()
        beside = [self._walk(seen, tau, ratio) for tau in (_SMOOTH_S[0], _SMOOTH_S[2]) for ratio in near]
        course = min([*middle, *beside], key=lambda walk: walk.criterion)
        return course if course.criterion < still.criterion - _CLEARLY else still

    def _alike(self, tau: float, ratio: float) -> Floats:
        """Covariance of w over sigma^2, but for a constant, which the unknown field takes up; 0: it stands still."""
        if not ratio:
            return np.zeros_like(self._apart_s)
        rough = self._apart_s - _smoothed(self._apart_s, tau)
        return np.asarray(ratio * (rough.max() - rough / 2))

    def _course(self, tau: float, ratio: float) -> _Course:
        """Computed once: several sensors turn alike."""
        if (tau, ratio) not in self._courses:
            from scipy.linalg import cho_factor  # noqa: PLC0415 -- slow to import

            k, m = self._turn.shape[:2]
            alike = self._alike(tau, ratio)
            covariance = np.empty((k * m, k * m))
            for i in range(m):
                for j in range(m):
                    np.multiply(self._turns[i, j], alike, out=covariance[i::m, j::m])
            np.einsum("ii->i", covariance)[:] += self._noise
            factor = cho_factor(covariance.T, lower=True, overwrite_a=True, check_finite=False)  # it is symmetric
            towards = (self._turn * (alike @ self._share)[:, None, None]).reshape(k * m, m)
            self._courses[tau, ratio] = _Course(alike, factor[0], towards)
        return self._courses[tau, ratio]

    def _walk(self, seen: Floats, tau: float, ratio: float) -> _Walk:
        """The best linear unbiased prediction of the mean field."""
        from scipy.linalg import cho_solve  # noqa: PLC0415 -- slow to import

        k, m = self._turn.shape[:2]
        alike, factor, towards = self._course(tau, ratio)
        known = np.column_stack([seen, self._design, towards])
        products = known.T @ cho_solve((factor, True), known, check_finite=False)
        of_seen, normal, of_mean = (
            products[1 : 2 * m + 1, 0],
            products[1 : 2 * m + 1, 1 : 2 * m + 1],
            products[:, 2 * m + 1 :],
        )
        inverse = np.linalg.inv(normal)
        found = inverse @ of_seen
        freedom = max(k * m - 2 * m, 1)
        variance = max(float(products[0, 0] - of_seen @ found), 1e-300) / freedom
        missed = np.eye(2 * m, m) - of_mean[1 : 2 * m + 1]
        field = found[:m] + of_mean[0] - found @ of_mean[1 : 2 * m + 1]
        own = self._share @ alike @ self._share * np.eye(m) - of_mean[2 * m + 1 :]
        volume = 2 * np.log(np.diagonal(factor)).sum() + np.linalg.slogdet(normal)[1]
        return _Walk(
            float(freedom * np.log(variance) + volume),
            field,
            found[m:],
            variance * (own + missed.T @ inverse @ missed),
        )


def _smoothed(apart_s: Floats, tau: float) -> Floats:
    """How much less a random walk of power f^-2 (1 + (2 pi f tau)^2)^-2 has moved after some seconds."""
    x = apart_s / tau
    return np.asarray(-tau * np.expm1(-x) + tau / 2 * (1 - (1 + x) * np.exp(-x)))
