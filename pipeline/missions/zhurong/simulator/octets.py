"""Numbers to big-endian bytes, as in Zhurong's packets.

Each function takes values [n, ...] and gives uint8[n, bytes]. A number that does not fit is a mistake of
the simulator and raises OverflowError; a sensor that saturates is clipped before.
"""

from __future__ import annotations

import numpy as np

from .arrays import Anything, Longs, Octets, Reals

EPOCH_UTC_NS = 1_451_577_600 * 1_000_000_000
"""2015-12-31T16:00:00 UTC, midnight in Beijing, from 1970; no leap second is counted (fact sheet 1.2)."""


def unsigned(values: Anything | int, n_bytes: int) -> Octets:
    """Unsigned integers of `n_bytes` each, concatenated: uint8[n, m * n_bytes]."""
    return _big_endian(values, n_bytes, 0, 256**n_bytes)


def signed(values: Anything | int, n_bytes: int) -> Octets:
    """As `unsigned`, in two's complement."""
    return _big_endian(values, n_bytes, -(256**n_bytes // 2), 256**n_bytes // 2)


def _big_endian(values: Anything | int, n_bytes: int, lowest: int, end: int) -> Octets:
    numbers = np.atleast_1d(np.asarray(values)).astype(np.int64)
    if numbers.size and (numbers.min() < lowest or numbers.max() >= end):
        raise OverflowError(f"{numbers.min()}..{numbers.max()} does not fit {n_bytes} bytes")
    octets = (
        np.ascontiguousarray(numbers, dtype=">i8").view(np.uint8).reshape(*numbers.shape, 8)[..., 8 - n_bytes :]
    )
    return octets.reshape(len(numbers), -1)


def sign_magnitude(values: Reals, step: float) -> Octets:
    """Steps in 16 bits: the sign, then 15 bits of magnitude, as the radar's navigation block has them.

    A small negative value is a minus zero, 0x8000, as in the genuine records (fact sheet 3.2).
    """
    magnitude = np.abs(counts(values, step))
    if magnitude.size and magnitude.max() > 0x7FFF:
        raise OverflowError(f"{magnitude.max()} does not fit 15 bits")
    return unsigned(np.where(np.signbit(values), magnitude | 0x8000, magnitude), 2)


def twelve_bits(values: Anything) -> Octets:
    """Pairs of 12-bit numbers in three bytes: values [n, even] -> uint8[n, 1.5 * even]."""
    numbers = np.asarray(values).astype(np.int64)
    if numbers.min() < 0 or numbers.max() > 0xFFF:
        raise OverflowError(f"{numbers.min()}..{numbers.max()} does not fit 12 bits")
    return unsigned(numbers[:, 0::2] << 12 | numbers[:, 1::2], 3)


def counts(values: Reals, step: float) -> Longs:
    """The nearest whole number of steps."""
    return np.rint(np.asarray(values) / step).astype(np.int64)


def temperature(values_degc: Reals) -> Octets:
    """T16: degC = -150 + 0.005 n, in two bytes."""
    return unsigned(counts(np.asarray(values_degc) + 150.0, 0.005), 2)


def onboard_time(utc_ns: Longs, drift_ppm: float) -> Octets:
    """Seconds u32 and milliseconds u16 of the rover's clock, (UTC - epoch) * (1 + drift): uint8[n, 6]."""
    elapsed_ns = np.atleast_1d(utc_ns) - EPOCH_UTC_NS
    counted_ns = elapsed_ns + np.rint(elapsed_ns * (drift_ppm * 1e-6)).astype(np.int64)
    elapsed_ms = (counted_ns + 500_000) // 1_000_000
    return np.hstack([unsigned(elapsed_ms // 1000, 4), unsigned(elapsed_ms % 1000, 2)])


def rows(*columns: Octets) -> list[bytes]:
    """Columns uint8[n, k] side by side; one `bytes` for each row."""
    return [row.tobytes() for row in np.hstack(columns)]


def constant(value: bytes, n: int) -> Octets:
    """The same bytes in each of n rows."""
    return np.tile(np.frombuffer(value, np.uint8), (n, 1))
