"""Blocks of one length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Blocks:
    """`data: uint8[n, block_length]`; `last: int64[n]`, byte of the stream with which each block is complete."""

    data: NDArray[np.uint8]
    last: NDArray[np.int64]
