"""Payloads taken out of a container, as one batch of bytes with a receive time for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch

UNKNOWN = -1


def payload_batch(
    batch: ByteBatch, octets: NDArray[np.uint8], start: NDArray[np.int64], received_ns: NDArray[np.int64]
) -> ByteBatch:
    """`batch` with `octets: uint8[n]` in place of its bytes.

    Payload i begins at `start[i]` and came at `received_ns[i]`.
    How many bytes of the payloads are in a stretch of missing bytes is not known.
    """
    known = received_ns != 0
    missing = UNKNOWN if batch.missing else 0
    return replace(batch, data=octets, mark_start=start[known], mark_ns=received_ns[known], missing=missing)


def times_at(batch: ByteBatch, place: NDArray[np.int64], before_ns: int) -> NDArray[np.int64]:
    """Receive times of the bytes of a batch at each place: int64[n]. `before_ns`: of what is before its first mark."""
    times = np.concatenate(([before_ns], batch.mark_ns))
    found: NDArray[np.int64] = times[np.searchsorted(batch.mark_start, place, side="right")]
    return found
