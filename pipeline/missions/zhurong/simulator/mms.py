"""MMS: reflected sunlight and thermal emission of dust, in two spectra (fact sheet 9).

A scene is a reflectance that rises to the red with an iron edge and the bands of carbon dioxide, lit by a Sun of
5,772 K, and a surface that glows. All numbers assumed but the wavelengths.
"""

from __future__ import annotations

import numpy as np

from . import chance
from .arrays import Longs, Octets, Reals
from .octets import constant, counts, rows, temperature, unsigned
from .orbit import clock_ticks, sample_times
from .packets import Measurement, records_at

APID = 1300
_PERIOD_S = 4.0
_DARK_EACH = 10
_WAVELENGTHS_NM: dict[str, Reals] = {
    "visible": 379.0 + 2.73 * np.arange(256.0),
    "infrared": 1033.0 + 7.5 * np.arange(320.0),
}
_EXPOSURE_S = {"visible": 0.012, "infrared": 0.030}
_READ_DN = 6.0
_DN_PER_ELECTRON = 0.05
_SUN_SR_AT_MARS = 6.80e-5 / 1.52**2


def scan_surface(start_ns: int, stop_ns: int, seed: int) -> Measurement:
    """A spectrum each 4 s, the first and each tenth of them dark."""
    time_ns = sample_times(start_ns, stop_ns, _PERIOD_S)
    draw = chance.stream(seed, "mms")
    dark = np.arange(len(time_ns)) % _DARK_EACH == 0
    place = np.arange(len(time_ns)) % 26
    degc = -62.0 + chance.random_course(draw, (time_ns - start_ns) / 1e9, 0.5, 100.0, 3000.0)
    octets: list[Octets] = []
    truth: dict[str, Reals | Longs] = {"time_utc_ns": time_ns, "dark": dark, "bin": place}
    bright = 1.0 + 0.15 * np.sin(np.arange(len(time_ns)) / 7.0)
    for name, wavelength in _WAVELENGTHS_NM.items():
        radiance = _scene(wavelength / 1000.0, bright) * ~dark[:, None]
        net = radiance * _response(name, wavelength / 1000.0, degc) * _EXPOSURE_S[name]
        background = 900.0 + 40.0 * np.cos(wavelength / 50.0)
        sigma = np.sqrt(_READ_DN**2 + _DN_PER_ELECTRON * np.clip(net, 0.0, None))
        octets.append(unsigned(counts(background + net + sigma * draw.standard_normal(net.shape), 1.0), 2))
        error = np.sqrt(sigma**2 + _READ_DN**2 + 1 / 6)  # the dark that is taken off has noise of its own
        truth[f"{name}_radiance"] = radiance[~dark]
        truth[f"{name}_sigma"] = (error * radiance_per_dn(name, wavelength, degc))[~dark]
    exposure = [
        constant(round(_EXPOSURE_S[name] * 1e6).to_bytes(4, "big"), len(time_ns)) for name in _WAVELENGTHS_NM
    ]
    packets = rows(
        clock_ticks(time_ns), unsigned(~dark, 1), unsigned(place, 1), *exposure, temperature(degc), *octets
    )
    noise = {"read_dn": _READ_DN, "dn_per_electron": _DN_PER_ELECTRON}
    return Measurement("mms", records_at(APID, time_ns, packets), truth, noise)


def radiance_per_dn(name: str, wavelength_nm: Reals, temperature_degc: Reals) -> Reals:
    """W m-2 sr-1 um-1 of one count: [n, k]."""
    return 1.0 / (_response(name, wavelength_nm / 1000.0, temperature_degc) * _EXPOSURE_S[name])


def _response(name: str, wavelength_um: Reals, temperature_degc: Reals) -> Reals:
    """Counts per second of one W m-2 sr-1 um-1: [n, k]."""
    if name == "visible":
        return np.broadcast_to(
            40_000.0 * (1.0 - 2.0 * (wavelength_um - 0.7) ** 2), (len(temperature_degc), len(wavelength_um))
        )
    warm = 1.0 + 0.002 * (temperature_degc + 60.0)
    return 30_000.0 * np.outer(warm, 1.0 - 0.1 * (wavelength_um - 2.2) ** 2)


def _scene(wavelength_um: Reals, bright: Reals) -> Reals:
    """Radiance [n, k] of dusty ground with the Sun 40 deg from overhead, 245 K warm."""
    reflectance = 0.04 + 0.26 / (1.0 + np.exp(-(wavelength_um - 0.56) / 0.05))
    for middle, wide, deep in ((0.86, 0.07, 0.06), (2.01, 0.05, 0.45), (2.70, 0.07, 0.85)):
        reflectance = reflectance * (1.0 - deep * np.exp(-((wavelength_um - middle) ** 2) / (2.0 * wide**2)))
    lit = np.cos(np.radians(40.0)) / np.pi * _SUN_SR_AT_MARS * _planck(wavelength_um, 5_772.0)
    return np.outer(bright, reflectance * lit) + _planck(wavelength_um, 245.0) * (1.0 - reflectance)


def _planck(wavelength_um: Reals, kelvin: float) -> Reals:
    """A black body's W m-2 sr-1 um-1."""
    return 1.191_043e8 / wavelength_um**5 / np.expm1(14_387.77 / (wavelength_um * kelvin))
