"""Random numbers from a seed: one independent stream for each purpose, so that further draws of one change no other."""

from __future__ import annotations

import zlib

import numpy as np

from .arrays import Reals


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The random numbers of this purpose, the same for the same seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])))


def random_course(
    chance: np.random.Generator, time_s: Reals, rms: float, shortest_s: float, longest_s: float
) -> Reals:
    """A smooth random course float64[n] of this rms: 24 sine waves, the slow ones stronger (power ~ period)."""
    periods_s = np.geomspace(shortest_s, longest_s, 24)
    weights = np.sqrt(periods_s)
    weights *= rms * np.sqrt(2.0 / np.sum(weights**2))
    phases = 2.0 * np.pi * chance.random(24)
    course = np.zeros(time_s.shape)
    for period_s, weight, phase in zip(periods_s, weights, phases, strict=True):
        course += weight * np.sin(2.0 * np.pi * time_s / period_s + phase)
    return course
