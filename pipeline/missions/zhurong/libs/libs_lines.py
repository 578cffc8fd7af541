"""Lines of a LIBS spectrum by name: which of a list are there, where, how strong, and how sure that is.

    confidence = position * strength * width * share, each 0 to 1:
    position = exp(-(d / s)^2 / 2)                 d: found - listed, s a share of the instrument's line width
    strength = snr^2 / (snr^2 + half_snr^2)
    width    = exp(-(ln(w / w0) / s_w)^2 / 2)      w: width found, w0: expected
    share    = position / sum of the positions of all lines of the list that claim the same peak

A measure for sorting, not a probability. The form is ours: how MarSCoDe's pipeline names lines is not published.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats
from .libs_calibration import Lines, Wavelength
from .libs_wavelength import starts
from .peaks import fit_peaks

_SAME_PEAK_PX = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """Of n lines: the list's name and wavelength, what was found of it, one sigma of the noise, and the confidence."""

    species: NDArray[np.str_]
    listed_nm: Floats
    found_nm: Floats
    height: Floats
    area: Floats
    fwhm_nm: Floats
    snr: Floats
    confidence: Floats
    channel: NDArray[np.int64]
    found_nm_sigma: Floats
    height_sigma: Floats
    area_sigma: Floats
    fwhm_nm_sigma: Floats


def find_lines(lines: Lines, model: Wavelength, wavelength_nm: Floats, signal: Floats, sigma: Floats) -> Found:
    """What of the list is in one spectrum without continuum: all [channels]. In order of wavelength."""
    parts = []
    for one, start in zip(model.spectrometer, starts(model.spectrometer), strict=False):
        part = slice(start + one.edge_pixels, start + one.n_pixels - one.edge_pixels)
        found = _find(lines, one.fwhm_nm, wavelength_nm[part], signal[part], sigma[part])
        parts.append(replace(found, channel=found.channel + part.start))
    order = np.argsort(np.concatenate([part.listed_nm for part in parts]), kind="stable")
    return Found(*(np.concatenate([getattr(part, one.name) for part in parts])[order] for one in fields(Found)))


def _find(lines: Lines, fwhm_nm: float, nm: Floats, signal: Floats, sigma: Floats) -> Found:
    """What of the list is in one spectrometer's part."""
    mine = [one for one in lines.line if len(nm) and nm[0] <= one.nm <= nm[-1]]
    species = np.array([one.species for one in mine], "U8")
    listed = np.array([one.nm for one in mine], np.float64)
    channel = np.arange(len(nm), dtype=np.float64)
    expected = np.interp(listed, nm, channel)
    step_nm = np.interp(expected, channel, np.gradient(nm) if len(nm) > 1 else np.ones(len(nm)))
    wanted_nm = np.hypot(fwhm_nm, np.array([one.extra_fwhm_nm for one in mine]))
    peaks = fit_peaks(signal, expected, lines.search_fwhm * fwhm_nm / step_nm, wanted_nm / step_nm)
    found_nm = np.interp(peaks.place, channel, nm)
    fwhm = peaks.fwhm * step_nm
    snr = peaks.height / sigma[peaks.channel] if mine else peaks.height
    position = np.exp(-0.5 * ((found_nm - listed) / (lines.position_sigma_fwhm * fwhm_nm)) ** 2)
    position = np.where(snr >= lines.min_snr, position, 0.0)
    strength = snr**2 / (snr**2 + lines.half_snr**2)
    width = np.exp(-0.5 * (np.log(fwhm / wanted_nm) / lines.width_sigma) ** 2)
    same = np.abs(peaks.place[:, None] - peaks.place) < _SAME_PEAK_PX
    share = position / np.maximum((same * position).sum(axis=1), 1e-300)
    confidence = np.nan_to_num(position * strength * width * share)
    area = peaks.height * fwhm * np.sqrt(np.pi / (4 * np.log(2)))
    sure = confidence >= lines.min_confidence
    sure &= confidence > 0
    noise = sigma[peaks.channel] if mine else peaks.height
    whole = (
        species, listed, found_nm, peaks.height, area, fwhm, snr, confidence, peaks.channel,
        noise * peaks.place_spread * step_nm, noise * peaks.height_spread * peaks.height,
        noise * peaks.area_spread * area, noise * peaks.fwhm_spread * fwhm,
    )  # fmt: skip
    return Found(*(part[sure] for part in whole))
