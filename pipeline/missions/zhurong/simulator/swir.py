"""SWIR: a dark, the white panel and three targets through the acousto-optic filter (fact sheet 6).

Radio frequency to wavelength, responsivity and panel are the assumed numbers of the packets' page; the light is
that of a 5,772 K sun at Mars with the carbon dioxide band at 2.0 um.
"""

from __future__ import annotations

import numpy as np

from . import chance
from .arrays import Reals
from .octets import constant, counts, onboard_time, rows, temperature, unsigned
from .packets import Measurement, photon_noise, records_at
from .timeline import Timeline

APID = 337
_CHANNELS = 321
_RF_START_KHZ, _RF_STEP_KHZ = 170_000, 343
_EXPOSURE_US = 10_000
_GAIN = 1
_POINT_ID = 1101
_READ_DN, _PHOTON_DN = 4.0, 0.05
_DARK, _PANEL, _TARGET = 0, 1, 2
_KINDS = (_DARK, _PANEL, _TARGET, _TARGET, _TARGET)


def take_spectra(timeline: Timeline, seed: int, drift_ppm: float) -> Measurement:
    """Five spectra of one point."""
    draw = chance.stream(seed, "swir")
    degc = 4.0 + 4.0 * draw.random()
    wavelength = _wavelengths(degc)
    panel = 0.93 - 0.02 * (wavelength / 1000.0 - 1.6)
    reflectance = np.vstack([np.full(_CHANNELS, np.nan), panel, *_targets(wavelength)])
    radiance = np.nan_to_num(reflectance) * _sunlight(wavelength)
    dn_per_radiance = _responsivity(wavelength, degc) * (_EXPOSURE_US * 1e-6) * _GAIN
    net = radiance * dn_per_radiance
    sigma_dn = np.sqrt(_READ_DN**2 + _PHOTON_DN * net)
    dark = 1200.0 + chance.random_course(draw, np.arange(float(_CHANNELS)), 20.0, 3.0, 200.0)
    seen = dark + net + sigma_dn * draw.standard_normal(net.shape)
    begin, end = timeline.phase("SWIR")
    n = len(_KINDS)
    time_ns = timeline.at_seconds(np.linspace(begin + 0.5, max(end - 3.5, begin + 2.5), n))
    octets = rows(
        onboard_time(time_ns, drift_ppm),
        constant(_POINT_ID.to_bytes(2, "big"), n),
        unsigned(np.array(_KINDS), 1),
        constant(bytes([_GAIN]), n),
        temperature(np.full(n, degc)),
        constant(_EXPOSURE_US.to_bytes(4, "big") + _RF_START_KHZ.to_bytes(4, "big"), n),
        constant(_RF_STEP_KHZ.to_bytes(2, "big"), n),
        unsigned(np.clip(counts(seen, 1.0), 0, 65535), 2),
    )
    relative = _relative_sigma(net, sigma_dn)
    truth = {
        "time_utc_ns": time_ns,
        "kind": np.array(_KINDS),
        "wavelength_nm": wavelength,
        "radiance_w_m2_sr_um": radiance,
        "radiance_sigma_w_m2_sr_um": np.hypot(sigma_dn, sigma_dn[0]) / dn_per_radiance,
        "reflectance": reflectance,
        "reflectance_sigma": reflectance * np.hypot(relative, relative[1]),
        "aotf_temperature_degc": np.full(n, degc),
    }
    noise = photon_noise("spectrum_dn", _READ_DN, _PHOTON_DN)
    return Measurement("swir", records_at(APID, time_ns, octets), truth, noise)


def _relative_sigma(net_dn: Reals, sigma_dn: Reals) -> Reals:
    """Sigma of a dark-subtracted spectrum over its level; not a number for the dark itself."""
    level = np.where(net_dn > 0.0, net_dn, np.nan)
    relative: Reals = np.hypot(sigma_dn, sigma_dn[0]) / level
    return relative


def _wavelengths(degc: float) -> Reals:
    """nm, from the filter's radio frequency in MHz."""
    frequency = (_RF_START_KHZ - _RF_STEP_KHZ * np.arange(_CHANNELS)) / 1000.0
    return 2.0 + 144_500.0 / frequency - 500.0 / frequency**2 + 0.02 * (degc - 20.0)


def _responsivity(wavelength_nm: Reals, degc: float) -> Reals:
    """DN per second of W m-2 sr-1 um-1."""
    x = wavelength_nm / 1000.0 - 1.6
    return (60_000.0 + 20_000.0 * x - 30_000.0 * x**2) * (1.0 + 0.0015 * (degc - 20.0))


def _sunlight(wavelength_nm: Reals) -> Reals:
    """Radiance of a white surface, W m-2 sr-1 um-1: Planck at 5,772 K, 1.57 au, 8 deg from the zenith, CO2 band."""
    x = wavelength_nm / 1000.0
    planck = 1.191043e8 / (x**5 * np.expm1(14_387.77 / (x * 5772.0)))
    dilution = (0.00465047 / 1.57) ** 2 * np.cos(np.radians(8.0))
    carbon_dioxide = 1.0 - 0.35 * _band(x, 2.01, 0.035)
    sunlit: Reals = planck * dilution * carbon_dioxide
    return sunlit


def _targets(wavelength_nm: Reals) -> list[Reals]:
    """Reflectance of basalt (pyroxene), dusty soil and a hydrated duricrust."""
    x = wavelength_nm / 1000.0
    basalt = 0.16 + 0.01 * (x - 1.6) - 0.03 * _band(x, 1.0, 0.15) - 0.02 * _band(x, 2.1, 0.22)
    soil = 0.31 + 0.02 * (x - 1.6) - 0.04 * _band(x, 0.9, 0.10) - 0.01 * _band(x, 1.93, 0.04)
    crust = 0.27 - 0.01 * (x - 1.6) - 0.02 * _band(x, 1.42, 0.03) - 0.06 * _band(x, 1.93, 0.04)
    return [basalt, soil, crust - 0.025 * _band(x, 2.21, 0.025)]


def _band(x_um: Reals, centre_um: float, width_um: float) -> Reals:
    return np.exp(-0.5 * ((x_um - centre_um) / width_um) ** 2)
