"""Migration where velocity changes with depth: Kirchhoff's sum, and the phase shift of Gazdag.

In: analytic traces complex64 [n, m] at even distances that begin at two-way time `start_ns`, and the velocity as a
function of vertical two-way time, in layers. Out: the same shape, in vertical two-way time. In one velocity both agree
with Stolt's (`radar_migration`), which is the quicker one. Phases turn as e^(+j w t).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .radar_filters import SPEED_OF_LIGHT_M_NS, Floats, Samples, fast_length


@dataclass(frozen=True, slots=True)
class Velocity:
    """Layers from the top: velocity m/ns of each, and the vertical two-way time ns at which each begins (first: 0)."""

    speed_m_ns: Floats
    begins_ns: Floats

    @staticmethod
    def of(permittivity: Sequence[float], thickness_m: Sequence[float] = ()) -> Velocity:
        """Layers of a ground; the last has no end and no thickness."""
        speed = SPEED_OF_LIGHT_M_NS / np.sqrt(np.asarray(permittivity, np.float64))
        way_ns = 2 * np.asarray(thickness_m, np.float64) / speed[:-1]
        return Velocity(speed, np.concatenate([[0.0], np.cumsum(way_ns)]))

    def at(self, time_ns: Floats) -> Floats:
        """The velocity at vertical two-way times; before 0 that of the first layer."""
        return np.asarray(self.speed_m_ns[np.maximum(np.searchsorted(self.begins_ns, time_ns, "right") - 1, 0)])

    def rms(self, time_ns: Floats) -> Floats:
        """Dix' v with v^2 t = sum of v_k^2 dt_k: the hyperbola of a point at these times has it."""
        after = np.maximum(time_ns, 0.0)[:, None]
        ends = np.append(self.begins_ns[1:], np.inf)
        spent = np.clip(after - self.begins_ns, 0.0, ends - self.begins_ns)
        squares = (spent * self.speed_m_ns**2).sum(axis=1)
        mean = np.divide(squares, after[:, 0], out=np.zeros(len(squares)), where=after[:, 0] > 0)
        return np.asarray(np.sqrt(np.where(after[:, 0] > 0, mean, self.speed_m_ns[0] ** 2)))


def kirchhoff(
    analytic: Samples,
    trace_interval_m: float,
    sample_interval_ns: float,
    velocity: Velocity,
    start_ns: float,
    aperture_deg: float,
) -> Samples:
    """Sum along the hyperbola of each point (Schneider 1978, Geophysics 43, 49), in two dimensions.

        image(x, t0) = sum_x' dx sqrt(2 / (pi v^2 t)) (t0 / t) (-j w)^(1/2) a(x', t),  t^2 = t0^2 + 4 (x - x')^2 / v^2

    v is the rms velocity at t0. Summed are traces that see the point within `aperture_deg` of the vertical. A flat
    layer keeps its amplitude.
    """
    n, m = analytic.shape
    t0: Floats = start_ns + np.arange(m, dtype=np.float64) * sample_interval_ns
    rms = velocity.rms(t0)
    below = np.flatnonzero(t0 > 0)
    half = _half_derivative(analytic, sample_interval_ns)
    out = np.zeros_like(analytic)
    reach_m = np.tan(np.deg2rad(aperture_deg)) * rms * t0 / 2
    for apart in range(min(n - 1, int(reach_m.max(initial=0.0) / trace_interval_m)) + 1):
        offset_m = apart * trace_interval_m
        seen = below[reach_m[below] >= offset_m]
        t = np.sqrt(t0[seen] ** 2 + (2 * offset_m / rms[seen]) ** 2)
        weight = trace_interval_m * np.sqrt(2 / (np.pi * rms[seen] ** 2 * t)) * t0[seen] / t
        weight *= _fades_out(offset_m / reach_m[seen])
        place = (t - start_ns) / sample_interval_ns
        low = np.minimum(place.astype(np.intp), m - 1)
        part = np.where(place < m - 1, place - low, 0.0).astype(np.float32)
        inside = (np.where(place <= m - 1, weight, 0.0)).astype(np.float32)
        values = half[:, low] * ((1 - part) * inside) + half[:, np.minimum(low + 1, m - 1)] * (part * inside)
        out[apart:, seen] += values[: n - apart]
        if apart:
            out[: n - apart, seen] += values[apart:]
    return out


def _half_derivative(analytic: Samples, sample_interval_ns: float) -> Samples:
    """(-j w)^(1/2) of positive frequencies; no others are there."""
    length = fast_length(2 * analytic.shape[1])
    angular = 2 * np.pi * np.fft.fftfreq(length, sample_interval_ns)
    response = np.sqrt(np.maximum(angular, 0)) * np.exp(-0.25j * np.pi)
    spectrum = np.fft.fft(analytic, length, axis=1) * response.astype(np.complex64)
    return np.asarray(np.fft.ifft(spectrum, axis=1)[:, : analytic.shape[1]], np.complex64)


def _fades_out(share: Floats) -> Floats:
    """1 up to 0.7 of the aperture, then half a cosine to 0: its end is no echo."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip((share - 0.7) / 0.3, 0.0, 1.0)))


def phase_shift(
    analytic: Samples, trace_interval_m: float, sample_interval_ns: float, velocity: Velocity, start_ns: float
) -> Samples:
    """Continue the field downwards, a sample at a time (Gazdag 1978, Geophysics 43, 1342): exact for v of depth.

    Each step of vertical time dt turns w, k by dt sqrt(w^2 - (v k / 2)^2); the image is the field at time zero.
    Waves that would not propagate are left out.
    """
    n, m = analytic.shape
    width, length = fast_length(2 * n), fast_length(2 * m)
    frequency = np.asarray(np.fft.fftfreq(length, sample_interval_ns), np.float64)
    spectrum = np.fft.fft2(analytic, (width, length)).astype(np.complex64)
    strong = np.abs(spectrum).max(axis=0)
    used = np.flatnonzero((frequency > 0) & (strong > 1e-5 * strong.max(initial=0.0)))
    wave = np.asarray(np.fft.fftfreq(width, trace_interval_m), np.float64)[:, None]
    time_ns: Floats = start_ns + np.arange(m, dtype=np.float64) * sample_interval_ns
    field = spectrum[:, used] * _turn(frequency[used], wave, float(velocity.speed_m_ns[0]), start_ns, -start_ns)
    image = np.empty((width, m), np.complex64)
    speed, step = 0.0, np.empty(0, np.complex64)
    for k, here in enumerate(velocity.at(time_ns).tolist()):
        if here != speed:
            speed, step = here, _turn(frequency[used], wave, here, sample_interval_ns, 0.0)
        image[:, k] = field.sum(axis=1)
        field *= step
    return np.asarray(np.fft.ifft(image, axis=0)[:n] / length, np.complex64)


def _turn(frequency: Floats, wave: Floats, speed: float, step_ns: float, back_ns: float) -> Samples:
    """e^(2 pi j step sqrt(f^2 - (v k / 2)^2)) for k [rows] and f, and f itself turned by `back_ns`; 0 if evanescent."""
    square = frequency**2 - (speed * wave / 2) ** 2
    turned = np.exp(2j * np.pi * (np.sqrt(np.maximum(square, 0)) * step_ns + frequency * back_ns))
    return np.where(square > 0, turned, 0).astype(np.complex64)
