"""LIBS: plasma spectra of the titanium target and two points, darks first, then shots (fact sheet 6).

Emission lines stand at their vacuum wavelengths, converted from the air values of the fact sheet where it gives
no other; strengths, widths, what the wavelengths have drifted and the detector are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Longs, Reals
from .octets import constant, counts, onboard_time, rows, temperature, unsigned
from .packets import Measurement, Record, photon_noise, records_at
from .timeline import Timeline

APID = 321
DARKS, SHOTS = 5, 15
TITANIUM_DARKS, TITANIUM_SHOTS = 3, 8
_PIXELS = 1800
_EXPOSURE_US = 1000
_READ_DN, _PHOTON_DN = 8.0, 0.2
_TRUTH_STEP_DN = 2.0**-6
_DUST = (0.6, 0.3, 0.1)
"""Share of dust in the signal of the first shots."""

_SPECTROMETERS = (
    # start nm, span nm, bend nm, pixels per degC, line width (FWHM) nm
    (240.0, 102.0, -2.0, 0.030, 0.2),
    (340.0, 203.0, -3.0, 0.022, 0.3),
    (540.0, 318.0, -8.0, 0.018, 0.5),
)

_LINES = (
    # vacuum nm, line; peak DN in basalt, in soil, in dust; extra width nm
    (247.931, "C I", 3500, 3300, 3000, 0.0),
    (251.687, "Si I", 5200, 4100, 3600, 0.0),
    (279.635, "Mg II", 9800, 12500, 8000, 0.0),
    (280.353, "Mg II", 7200, 9100, 6000, 0.0),
    (285.297, "Mg I", 5200, 6900, 4300, 0.0),
    (288.243, "Si I", 11000, 8600, 7200, 0.0),
    (308.305, "Al I", 3600, 2800, 2400, 0.0),
    (335.037, "Ti II", 1700, 1100, 1300, 0.0),
    (393.477, "Ca II", 21000, 26000, 17000, 0.0),
    (394.513, "Al I", 4600, 3500, 3000, 0.0),
    (396.264, "Al I", 6800, 5100, 4300, 0.0),
    (396.959, "Ca II", 16000, 20000, 13000, 0.0),
    (403.190, "Mn I", 1500, 1200, 900, 0.0),
    (404.695, "Fe I", 2600, 3200, 3400, 0.0),
    (407.886, "Sr II", 1200, 700, 500, 0.0),
    (422.792, "Ca I", 7600, 9400, 6200, 0.0),
    (438.477, "Fe I", 3100, 3900, 4200, 0.0),
    (589.158, "Na I", 18500, 11500, 9500, 0.0),
    (589.755, "Na I", 12500, 7800, 6400, 0.0),
    (656.460, "H alpha", 900, 3800, 4600, 1.6),
    (670.976, "Li I", 700, 300, 200, 0.0),
    (766.701, "K I", 6900, 4200, 3300, 0.0),
    (770.108, "K I", 4800, 2900, 2300, 0.0),
    (777.408, "O I", 6400, 6200, 6000, 0.0),
    (777.631, "O I", 4500, 4400, 4200, 0.0),
    (777.753, "O I", 2700, 2600, 2500, 0.0),
)
_BASALT, _SOIL, _MARS_DUST, _TITANIUM = 2, 3, 4, -1

_TITANIUM_LINES = (
    # vacuum nm, peak DN: isolated ones, and at the end some that are not, and what else is in the alloy
    (252.636, 2100), (284.278, 1800), (288.495, 1500), (307.386, 4200), (308.893, 5200), (316.944, 2600),
    (323.012, 2300), (324.292, 5600), (332.390, 4400), (335.036, 14500), (336.218, 12800), (337.377, 11600),
    (338.473, 9400), (350.589, 5100), (368.624, 13200), (390.165, 5900), (391.457, 7400), (416.481, 3300),
    (439.627, 6800), (444.505, 6100), (446.974, 5700), (450.253, 5500), (455.090, 6000), (457.325, 5400),
    (498.312, 7900), (499.246, 7600), (521.183, 3100), (551.606, 1300), (564.570, 1600), (566.372, 1200),
    (586.808, 2300), (590.094, 2500), (592.375, 1700), (595.481, 2200), (598.020, 1500), (612.792, 1400),
    (626.283, 2600), (721.143, 900), (724.686, 1200), (734.674, 1100), (841.467, 1000), (842.882, 1300),
    (308.305, 900), (394.513, 1300), (396.264, 1900), (323.545, 9800), (323.750, 8600), (376.037, 14800),
    (376.239, 14100), (430.180, 5200), (430.314, 4700), (437.924, 1800), (500.890, 4200), (842.600, 500),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Point:
    point_id: int
    phase: str
    target: int
    distance_mm: int

    @property
    def n_darks(self) -> int:
        return TITANIUM_DARKS if self.target == _TITANIUM else DARKS

    @property
    def n_shots(self) -> int:
        return TITANIUM_SHOTS if self.target == _TITANIUM else SHOTS


_POINTS = (
    _Point(1100, "STANDING", _TITANIUM, 1600),
    _Point(1101, "LIBS POINT 1", _BASALT, 2460),
    _Point(1102, "LIBS POINT 2", _SOIL, 3175),
)


def shoot_targets(timeline: Timeline, seed: int, drift_ppm: float) -> Measurement:
    """The titanium target, then five darks and fifteen shots at each of two points."""
    draw = chance.stream(seed, "libs")
    drift = _drift_px(seed)
    points = [_shoot_point(timeline, point, drift, draw, drift_ppm) for point in _POINTS]
    truth = {name: np.concatenate([truth[name] for _, truth in points]) for name in points[0][1]}
    truth["drift_px"] = drift
    records = [record for records, _ in points for record in records]
    return Measurement("libs", records, truth, photon_noise("spectrum_dn", _READ_DN, _PHOTON_DN))


def _drift_px(seed: int) -> Reals:
    """Drift of each spectrometer's wavelengths since calibration: shift and stretch, px."""
    draw = chance.stream(seed, "libs drift")
    shift = draw.uniform(0.4, 1.6, 3) * draw.choice([-1.0, 1.0], 3)
    return np.stack([shift, draw.uniform(-0.25, 0.25, 3)], axis=1)


def _shoot_point(
    timeline: Timeline, point: _Point, drift: Reals, draw: np.random.Generator, drift_ppm: float
) -> tuple[list[Record], dict[str, Reals | Longs]]:
    degc = -12.0 + 3.0 * draw.random()
    wavelength = wavelengths(degc, drift)
    net = _net_spectra(wavelength, point, draw)
    pixel = np.arange(net.shape[1], dtype=np.float64)
    dark = 900.0 + chance.random_course(draw, pixel, 35.0, 4.0, 900.0)
    level = np.vstack([np.zeros((point.n_darks, net.shape[1])), net])
    noise = np.sqrt(_READ_DN**2 + _PHOTON_DN * level) * draw.standard_normal(level.shape)
    time_ns = _times(timeline, point)
    kind = np.repeat([0, 1], [point.n_darks, point.n_shots])
    shot = np.concatenate([np.arange(1, point.n_darks + 1), np.arange(1, point.n_shots + 1)])
    octets = rows(
        onboard_time(time_ns, drift_ppm),
        constant(point.point_id.to_bytes(2, "big"), len(kind)),
        unsigned(kind, 1),
        unsigned(shot, 1),
        temperature(np.full(len(kind), degc)),
        constant(_EXPOSURE_US.to_bytes(4, "big"), len(kind)),
        constant(point.distance_mm.to_bytes(2, "big"), len(kind)),
        constant(net.shape[1].to_bytes(2, "big") + bytes([point.target == _TITANIUM, 0, 0]), len(kind)),
        unsigned(np.clip(counts(dark + level + noise, 1.0), 0, 65535), 2),
    )
    truth: dict[str, Reals | Longs] = {
        "time_utc_ns": time_ns,
        "point_id": np.full(len(kind), point.point_id),
        "kind": kind,
        "shot": shot,
        "detector_temperature_degc": np.full(len(kind), degc),
        "shot_point_id": np.full(point.n_shots, point.point_id),
        "net_spectrum_dn": net,
        "wavelength_nm": wavelength[None, :],
    }
    return records_at(APID, time_ns, octets), truth


def _times(timeline: Timeline, point: _Point) -> Longs:
    """All spectra of a point, spread over its phase, after the mast has come to rest."""
    begin, end = timeline.phase(point.phase)
    return timeline.at_seconds(np.linspace(begin + 2.5, end - 0.5, point.n_darks + point.n_shots))


def wavelengths(degc: float, drift_px: Reals | None = None) -> Reals:
    """Vacuum wavelength of each of the 5,400 pixels, nm, for a detector of this temperature.

    `drift_px float64[3, 2]`: shift and stretch of each spectrometer; none as calibrated on the ground.
    """
    pixel = np.arange(_PIXELS)
    spans = []
    drifts = np.zeros((3, 2)) if drift_px is None else drift_px
    for (start, span, bend, pixels_per_k, _), (shift, stretch) in zip(_SPECTROMETERS, drifts, strict=True):
        drifted = shift + stretch * (pixel / 900.0 - 1.0)
        u = (pixel - pixels_per_k * (degc + 10.0) - drifted) / _PIXELS
        spans.append(start + span * u + bend * u**2)
    return np.concatenate(spans)


def _net_spectra(wavelength_nm: Reals, point: _Point, draw: np.random.Generator) -> Reals:
    """Signal of each shot above the dark: float64[shots, 5400], on a grid of 2^-6 DN."""
    bare, dusty = (_plasma(wavelength_nm, kind) for kind in (point.target, _MARS_DUST))
    dust = np.append(_DUST, np.zeros(point.n_shots - len(_DUST)))[:, None]
    brightness = (1.0 + 0.06 * np.clip(draw.standard_normal(point.n_shots), -3, 3))[:, None]
    net: Reals = np.round(brightness * (bare * (1.0 - dust) + dusty * dust) / _TRUTH_STEP_DN) * _TRUTH_STEP_DN
    return net


def _plasma(wavelength_nm: Reals, material: int) -> Reals:
    """Continuum and Gaussian lines of one material, DN per pixel; a line shows in one spectrometer only."""
    spectrum = 350.0 + 900.0 * np.exp(-(((wavelength_nm - 430.0) / 170.0) ** 2))
    pixel = np.arange(len(wavelength_nm))
    for k, (start, span, bend, _, width) in enumerate(_SPECTROMETERS):
        part = pixel // _PIXELS == k
        for centre, peak, extra in _lines(material):
            if start <= centre < start + span + bend:
                sigma = np.hypot(width, extra) / 2.3548
                distance = (wavelength_nm[part] - centre) / sigma
                spectrum[part] += peak * np.exp(-0.5 * distance**2)
    return spectrum


def _lines(material: int) -> list[tuple[float, float, float]]:
    """Vacuum nm, peak DN and extra width of the lines that a material shows."""
    if material == _TITANIUM:
        air = [(line[0], float(line[_MARS_DUST]), line[5]) for line in _LINES if line[1] in ("C I", "O I")]
        return air + [(centre, float(peak), 0.0) for centre, peak in _TITANIUM_LINES]
    return [(line[0], float(line[material]), line[5]) for line in _LINES]
