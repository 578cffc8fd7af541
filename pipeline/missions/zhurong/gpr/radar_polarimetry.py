"""What the four polarisations of a run tell together: ratios of power, coherence and phase, with their errors.

In: analytic traces complex64 [n, m] of HH, HV, VH and VV at the same places. Out: arrays [n, m]; < > is the mean of a
window:

    VV over HH, cross over HH: 10 log10 <|b|^2> / <|a|^2>
    coherence |<a b*>| / sqrt(<|a|^2> <|b|^2>), phase arg <a b*>, of HH with VV and of HV with VH

The cross-polar power is the mean of HV and VH, which are equal where the ground is reciprocal. Errors are those of L
independent looks (Touzi et al. 1999, IEEE Trans. Geosci. Remote Sens. 37, 135; Joughin et al. 1994, ibid. 32, 562).
Gains of the antennas are not calibrated: ratios compare places with each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .radar_filters import Floats, Samples

POLARIZATIONS = ("HH", "HV", "VH", "VV")
_DB_PER_NEPER = 10 / np.log(10)
Reals = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Polarimetry:
    """Arrays float32 [n, m]; ratios in dB, phases in degrees, sigmas of one sigma; NaN where nothing was received."""

    vv_over_hh_db: Reals
    vv_over_hh_db_sigma: Reals
    cross_over_hh_db: Reals
    cross_over_hh_db_sigma: Reals
    coherence_hh_vv: Reals
    coherence_hh_vv_sigma: Reals
    phase_hh_vv_deg: Reals
    coherence_hv_vh: Reals
    coherence_hv_vh_sigma: Reals


def polarimetry(traces: Mapping[str, Samples], n_traces: int, n_samples: int, n_looks: float) -> Polarimetry:
    """Ratios and coherences of `traces` by polarisation, in windows of `n_traces` by `n_samples`; edges are mirrored.

    `n_looks`: how many independent values a window has (a pulse is longer than a sample).
    """
    hh, hv, vh, vv = (traces[name] for name in POLARIZATIONS)
    size = (n_traces, n_samples)
    power = {name: _mean(np.square(np.abs(traces[name])), size) for name in POLARIZATIONS}
    co, phase = _coherence(hh, vv, power["HH"], power["VV"], size)
    cross, _ = _coherence(hv, vh, power["HV"], power["VH"], size)
    hh_cross, _ = _coherence(hh, (hv + vh) / 2, power["HH"], _mean(np.square(np.abs(hv + vh)) / 4, size), size)
    with np.errstate(divide="ignore", invalid="ignore"):
        vv_db = 10 * np.log10(power["VV"] / power["HH"])
        cross_db = 10 * np.log10((power["HV"] + power["VH"]) / (2 * power["HH"]))
    cross_looks = 2 * n_looks / (1 + cross**2)  # HV and VH are two looks where they do not cohere
    ratio_sigma = _DB_PER_NEPER * np.sqrt((1 / n_looks + 1 / cross_looks) * np.clip(1 - hh_cross**2, 0, 1))
    return Polarimetry(
        vv_over_hh_db=_single(vv_db),
        vv_over_hh_db_sigma=_single(_DB_PER_NEPER * np.sqrt(2 / n_looks * (1 - co**2))),
        cross_over_hh_db=_single(cross_db),
        cross_over_hh_db_sigma=_single(ratio_sigma),
        coherence_hh_vv=_single(co),
        coherence_hh_vv_sigma=_single((1 - co**2) / np.sqrt(2 * n_looks)),
        phase_hh_vv_deg=_single(np.rad2deg(phase)),
        coherence_hv_vh=_single(cross),
        coherence_hv_vh_sigma=_single((1 - cross**2) / np.sqrt(2 * n_looks)),
    )


def looks(n_traces: int, n_samples: int, sample_interval_ns: float, band_mhz: tuple[float, float]) -> float:
    """Independent values of a window: traces times duration times bandwidth, at least one a trace."""
    return n_traces * max(1.0, n_samples * sample_interval_ns * (band_mhz[1] - band_mhz[0]) * 1e-3)


def same_cycle(time_ns: NDArray[np.int64], first_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """Which trace [k] of a polarisation, of times [n, ascending], belongs to the cycle that begins at each `first_ns`.

    Within a cycle it comes the same while after the first, the median of what it is: where it is missing, the nearest.
    """
    after = np.minimum(np.searchsorted(time_ns, first_ns), len(time_ns) - 1)
    delay_ns = int(np.median(np.maximum(time_ns[after] - first_ns, 0)))
    return nearest(time_ns, first_ns + delay_ns)


def nearest(time_ns: NDArray[np.int64], wanted_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """The index of the time [n, ascending] nearest to each wanted one [k]: no trace is a mean of two."""
    after = np.clip(np.searchsorted(time_ns, wanted_ns), 1, max(len(time_ns) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(time_ns) - 1)
    return np.where(wanted_ns - time_ns[before] <= time_ns[after] - wanted_ns, before, after)


def _coherence(
    a: Samples, b: Samples, power_a: Floats, power_b: Floats, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    together = a * np.conj(b)
    real, imaginary = _mean(together.real, size), _mean(together.imag, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.hypot(real, imaginary) / np.sqrt(power_a * power_b)
    return np.clip(share, 0, 1), np.arctan2(imaginary, real)


def _mean(values: Floats | Reals, size: tuple[int, int]) -> Floats:
    from scipy.ndimage import uniform_filter  # noqa: PLC0415 - slow to import, and only where it is asked for

    return np.asarray(np.maximum(uniform_filter(values.astype(np.float64), size, mode="reflect"), _floor(values)))


def _floor(values: Floats | Reals) -> float:
    """Powers have none below 0 by round-off; products may be negative."""
    return 0.0 if (values >= 0).all() else -np.inf


def _single(values: Floats) -> Reals:
    return np.asarray(values, np.float32)
