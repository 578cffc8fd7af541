"""Detects containers and symbols: a capture, KISS, one bit in a byte, or soft symbols."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from ..containers.kiss import FEND
from ..containers.pcap import is_capture
from ..containers.unwrapping import Unwrapping
from ..settings import LinkSettings
from .guess import Guess

_FEWEST_KISS_FRAMES = 4
_RIGHT = 0.9
_SMALLEST_SOFT, _LARGEST_SOFT = 1e-9, 1e6


def unwrapped(settings: LinkSettings, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Unwrap the bytes of a recording: uint8[n]."""
    wrapping = Unwrapping(settings)
    return wrapping.unwrap(ByteBatch.of(octets)).data if wrapping else octets


def container_of(octets: NDArray[np.uint8]) -> Guess:
    """Detect the container of a recording; "none" if it has none."""
    guess = Guess(LinkSettings("cadu"))
    if is_capture(octets[:4].tobytes()):
        text = "begins with the header of a capture file"
        guess = guess.having("container", "pcap", text)
        inside = kiss_frames(guess, unwrapped(guess.settings, octets))
        return guess.having("container", "kiss-in-pcap", f"{text}, and in it {inside}") if inside else guess
    inside = kiss_frames(guess, octets)
    return guess.having("container", "kiss", inside) if inside else guess


def kiss_frames(guess: Guess, octets: NDArray[np.uint8]) -> str:
    """Describe the KISS frames that the bytes are; empty if they are none."""
    if octets[:1].tolist() != [FEND]:
        return ""
    ends = np.flatnonzero(octets[:-1] == FEND)
    kinds = octets[ends + 1]
    kinds = kinds[kinds != FEND]
    right = (kinds & 0x0F == 0) | (kinds == guess.settings.kiss_time_port)
    if len(kinds) < _FEWEST_KISS_FRAMES or right.mean() < _RIGHT:
        return ""
    n_stamps = int(np.count_nonzero(kinds == guess.settings.kiss_time_port))
    text = f"{len(kinds):,} frames between FEND bytes"
    return text + (f", {n_stamps:,} of them time stamps" if n_stamps else "")


def hard_symbols(guess: Guess, octets: NDArray[np.uint8]) -> Guess:
    """Detect one bit in a byte: bytes have only two values."""
    values = np.unique(octets)
    if len(octets) < 64 or len(values) != 2 or (values[0] ^ values[1]) & 1 == 0:
        return guess
    return guess.having("symbols", "unpacked", f"every byte is {values[0]} or {values[1]}: one bit a byte")


def soft_symbols(guess: Guess, octets: NDArray[np.uint8]) -> list[Guess]:
    """Return the kinds of soft symbols that the bytes may be; only a marker can confirm one."""
    found = [guess.having("symbols", "int8", "signs of int8 hold markers")]
    values = octets[: len(octets) // 4 * 4].view("<f4")
    with np.errstate(invalid="ignore"):
        sane = np.isfinite(values) & (np.abs(values) < _LARGEST_SOFT)
    if len(values) and sane.mean() > _RIGHT:
        found.insert(0, guess.having("symbols", "float32", "signs of float32 hold markers"))
    return found


def looks_soft(octets: NDArray[np.uint8]) -> bool:
    """Whether the bytes are float32 with magnitudes of symbols, and with both signs."""
    values = octets[: len(octets) // 4 * 4].view("<f4")
    if len(values) < 64:
        return False
    with np.errstate(invalid="ignore"):
        size = np.abs(values)
        sane = np.isfinite(values) & (size > _SMALLEST_SOFT) & (size < _LARGEST_SOFT)
        signs = (values > 0).mean()
    return bool(sane.mean() > 0.99 and 0.2 < signs < 0.8)
