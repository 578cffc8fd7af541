"""Detects the type of transfer frames by version, spacecraft id and counts in their headers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..coding.codewords import passes_fecf
from ..frames.frame_types import header_reader
from ..settings import FrameType, LinkSettings

TYPES: tuple[FrameType, ...] = ("aos", "tm", "uslp")
_ROWS = 400
_HEAD_BYTES = 12
SHORTEST = 24
"""Frame that is looked for, in bytes."""


@dataclass(frozen=True, slots=True)
class HeaderScore:
    """How well n frames fit a type. `n_followed`: frames whose count is one more than that before in their channel.

    `n_valid`: frames of the right version; `n_checked`: frames with a valid FECF.
    """

    frame_type: FrameType
    n: int
    n_valid: int
    n_followed: int
    n_checked: int

    @property
    def fecf(self) -> bool:
        """Whether frames end with an FECF."""
        return self.n_checked >= max(1, self.n // 4)

    @property
    def good(self) -> bool:
        """Whether these are frames of this type."""
        if self.fecf and self.n_valid >= 0.5 * self.n:
            return True
        return self.n_valid >= 0.75 * self.n and self.n_followed >= max(2, 0.25 * (self.n - 1))

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Sort key for scores of different settings."""
        return self.good, self.n_checked + self.n_followed, self.n_valid


def score_headers(frames: NDArray[np.uint8], frame_type: FrameType) -> HeaderScore:
    """Score the first _ROWS of `frames: uint8[n, L]`."""
    some = np.ascontiguousarray(frames[:_ROWS])
    n, length = some.shape
    if not n or length < _HEAD_BYTES:
        return HeaderScore(frame_type, n, 0, 0, 0)
    reader = header_reader(LinkSettings("frames", frame_type, length))
    headers = reader.read(some)
    valid = reader.valid(headers)
    key = headers.scid << 8 | headers.vcid
    modulus = reader.count_modulus(some[0])
    followed = _n_followed(key[valid], headers.vc_count[valid], modulus)
    if frame_type == "tm":
        master = some[valid][:, 2].astype(np.int64)
        followed = min(followed, _n_followed(headers.scid[valid], master, 256))
    n_checked = int(np.count_nonzero(np.array(passes_fecf(some)) & some.any(axis=1)))
    return HeaderScore(frame_type, n, int(valid.sum()), followed, n_checked)


def best_type(frames: NDArray[np.uint8]) -> HeaderScore:
    """Return the score of the frame type that `frames: uint8[n, L]` fit best."""
    return max((score_headers(frames, kind) for kind in TYPES), key=lambda score: score.rank)


def checked_length(frames: NDArray[np.uint8]) -> int:
    """Return the length below L at which most of `frames: uint8[n, L]` have a valid FECF; 0: there is none."""
    some = frames[: min(len(frames), 64)]
    table = _crc_table()
    value = np.full(len(some), 0xFFFF, np.uint16)
    for length in range(some.shape[1]):  # one octet further in all frames
        if length >= SHORTEST - 2:
            expected = some[:, length].astype(np.uint16) << 8
            if length + 1 < some.shape[1]:
                expected |= some[:, length + 1]
                if (value == expected).mean() > 0.5 and len(np.unique(value)) > 1:
                    return length + 2
        value = (value << np.uint16(8)) ^ table[(value >> np.uint16(8)) ^ some[:, length]]
    return 0


def _crc_table() -> NDArray[np.uint16]:
    """Table of the CRC-16 of one octet (732.0-B 4.1.6.2): uint16[256]."""
    value = np.arange(256, dtype=np.uint32) << 8
    for _ in range(8):
        value = (value << 1) ^ np.where(value & 0x8000, 0x1021, 0)
    return (value & 0xFFFF).astype(np.uint16)


def _n_followed(key: NDArray[np.int64], count: NDArray[np.int64], modulus: int) -> int:
    """Number of frames whose count is one more than that of the frame before with their key."""
    if modulus <= 1 or len(key) < 2:
        return 0
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    return int(np.count_nonzero(same & (np.diff(count[order]) % modulus == 1)))
