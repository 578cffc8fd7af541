"""CCSDS time codes (301.0-B-4) to int64 nanoseconds: CUC (3.2) and CDS (3.3), their P-field implicit or in the packet.

No leap seconds are put in or out: a CDS day has 86,400 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parameter_types import TimeCode

Array = NDArray[Any]
NANOSECONDS: np.dtype[Any] = np.dtype(np.int64)
CCSDS_EPOCH_NS = -378_691_200 * 10**9
"""1958-01-01, seen from 1970-01-01."""
DAY_NS = 86_400 * 10**9
MAX_SECONDS, MAX_DAYS = 8_000_000_000, 92_000
"""Beyond, int64 has no nanoseconds: 250 years."""
CUC_CCSDS, CUC_AGENCY, CDS = 0b001, 0b010, 0b100
SUBMILLISECOND_OCTETS = {0b00: 0, 0b01: 2, 0b10: 4}


def code_of(p_field: bytes) -> TimeCode | None:
    """What a P-field of one octet, or of two where the first says so, tells of the T-field; None: nothing known."""
    if not p_field or len(p_field) != 1 + (p_field[0] >> 7):
        return None
    first, identification = p_field[0], p_field[0] >> 4 & 0b111
    if identification == CDS and len(p_field) == 1:
        fine = SUBMILLISECOND_OCTETS.get(first & 0b11)
        return None if fine is None else TimeCode("CDS", 3 if first & 0b100 else 2, fine, bool(first & 0b1000))
    if identification not in {CUC_CCSDS, CUC_AGENCY}:
        return None
    coarse, fine = (first >> 2 & 0b11) + 1, first & 0b11
    if len(p_field) == 2:
        if p_field[1] >> 7:
            return None  # a third octet, which the standard does not have
        coarse, fine = coarse + (p_field[1] >> 5 & 0b11), fine + (p_field[1] >> 2 & 0b111)
    return TimeCode("CUC", coarse, fine, identification == CUC_AGENCY)


def codes_of_size(form: str, n_octets: int) -> Iterator[tuple[bytes, TimeCode]]:
    """Every P-field that with its T-field takes so many octets."""
    fields = [bytes([first]) for first in range(128)]
    fields += [bytes([first, second]) for first in range(128, 256) for second in range(128)]
    for p_field in fields:
        code = code_of(p_field)
        if code is not None and code.form == form and len(p_field) + code.n_octets == n_octets:
            yield p_field, code


@dataclass(frozen=True, slots=True)
class ToCodedTime:
    """Octets uint8[..., k] to nanoseconds. An unknown P-field, or a time that int64 cannot hold, gives 0 and a flag."""

    codes: tuple[tuple[bytes, TimeCode], ...]
    epoch_ns: int
    absolute: bool
    dtype: np.dtype[Any] = NANOSECONDS

    def fill(self, raw: Array, out: Array) -> NDArray[np.bool_] | None:
        wrong = np.ones(out.shape, np.bool_)
        out[...] = 0
        for p_field, code in self.codes:
            if not p_field:
                out[...], wrong = self._times(raw, code)
                break
            here = (raw[..., : len(p_field)] == np.frombuffer(p_field, np.uint8)).all(axis=-1)
            if here.any():
                out[here], wrong[here] = self._times(raw[here][..., len(p_field) :], code)
        return wrong if wrong.any() else None

    def _times(self, octets: Array, code: TimeCode) -> tuple[Array, NDArray[np.bool_]]:
        count, rest = octets[..., : code.coarse], octets[..., code.coarse :]
        coarse = _number(count)
        most, unit_ns = (MAX_DAYS, DAY_NS) if code.form == "CDS" else (MAX_SECONDS, 10**9)
        wrong = coarse > most
        fraction = _of_day(rest, code.fine) if code.form == "CDS" else _of_second(rest)
        epoch_ns = (self.epoch_ns if code.agency_epoch else CCSDS_EPOCH_NS) if self.absolute else 0
        return np.where(wrong, 0, np.minimum(coarse, most) * unit_ns + fraction + epoch_ns), wrong


def _number(octets: Array) -> NDArray[np.int64]:
    """At most seven octets, the most significant first."""
    total = np.zeros(octets.shape[:-1], np.int64)
    for i in range(octets.shape[-1]):
        total = total << 8 | octets[..., i]
    return total


def _of_second(octets: Array) -> NDArray[np.int64]:
    """A binary fraction of a second, rounded; what stands behind 2**-56 s is left out."""
    first, behind = _number(octets[..., :4]), _number(octets[..., 4:7])
    first <<= 8 * (4 - min(octets.shape[-1], 4))
    behind <<= 8 * (3 - min(max(octets.shape[-1] - 4, 0), 3))
    return first * 10**9 + (behind * 10**9 >> 24) + (1 << 31) >> 32


def _of_day(octets: Array, fine: int) -> NDArray[np.int64]:
    milliseconds, rest = _number(octets[..., :4]) * 10**6, _number(octets[..., 4:])
    return milliseconds + (rest * 1000 if fine == 2 else (rest + 500) // 1000)
