"""Depths of absorption bands below a straight continuum between two shoulders, with their uncertainty.

In: reflectance spectra and one sigma of each channel. Out: for each band a depth and one sigma of it.

    depth = 1 - R_b / (a R_s + b R_l),  b = (l_b - l_s) / (l_l - l_s),  a = 1 - b         Clark & Roush 1984
    sigma^2 = (sigma_b / C)^2 + (R_b / C^2)^2 (a^2 sigma_s^2 + b^2 sigma_l^2),  C = a R_s + b R_l

R_s, R_b, R_l are means of the channels within half a window of the short shoulder, the centre and the long shoulder,
at the mean of their wavelengths.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from ....products.calibration import Positive, Source, Table
from ....products.rotations import Floats


class Band(Table):
    """Its name, what it marks, and the wavelengths of short shoulder, centre and long shoulder."""

    name: Annotated[str, Field(min_length=1, max_length=16)]
    marks: Annotated[str, Field(min_length=1, max_length=60)]
    short_nm: Positive
    centre_nm: Positive
    long_nm: Positive


class Bands(Table):
    """The bands, the window of each mean, and when a band counts as there."""

    source: Source
    window_nm: Positive
    n_sigma: Positive
    min_depth: Positive
    band: Annotated[list[Band], Field(min_length=1, max_length=64)]


def band_depths(bands: Bands, wavelength_nm: Floats, reflectance: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Depths and one sigma of each, float64[n, bands], of spectra [n, channels]; NaN where a band is not covered."""
    found = [_band(one, bands.window_nm / 2, wavelength_nm, reflectance, sigma**2) for one in bands.band]
    return np.stack([depth for depth, _ in found], axis=1), np.stack([left for _, left in found], axis=1)


def _band(
    one: Band, half_nm: float, wavelength_nm: Floats, reflectance: Floats, variance: Floats
) -> tuple[Floats, Floats]:
    (short, l_s, v_s), (centre, l_b, v_b), (long, l_l, v_l) = (
        _mean_around(nm, half_nm, wavelength_nm, reflectance, variance)
        for nm in (one.short_nm, one.centre_nm, one.long_nm)
    )
    b = (l_b - l_s) / (l_l - l_s)
    a = 1 - b
    continuum = a * short + b * long
    variance_of_depth = v_b / continuum**2 + (centre / continuum**2) ** 2 * (a * a * v_s + b * b * v_l)
    return np.asarray(1 - centre / continuum), np.sqrt(variance_of_depth)


def _mean_around(
    nm: float, half_nm: float, wavelength_nm: Floats, values: Floats, variance: Floats
) -> tuple[Floats, Floats, Floats]:
    """Mean, wavelength and variance of the mean [n] of the channels within `half_nm`; NaN where there is none."""
    near = np.abs(wavelength_nm - nm) <= half_nm
    n = np.where(near.any(axis=1), near.sum(axis=1), np.nan)
    mean, place = (np.where(near, part, 0.0).sum(axis=1) / n for part in (values, wavelength_nm))
    return mean, place, np.where(near, variance, 0.0).sum(axis=1) / n**2
