"""Payloads of a container as one batch of bytes, with a receive time for each payload."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch

UNKNOWN = -1


def payload_batch(
    batch: ByteBatch, octets: NDArray[np.uint8], start: NDArray[np.int64], received_ns: NDArray[np.int64]
) -> ByteBatch:
    """Replace the bytes of `batch` by `octets: uint8[n]`.

    Payload i begins at `start[i]` and was received at `received_ns[i]` (0: unknown). A gap before the batch has an
    unknown number of payload bytes.
    """
    known = received_ns != 0
    missing = UNKNOWN if batch.missing else 0
    return replace(batch, data=octets, mark_start=start[known], mark_ns=received_ns[known], missing=missing)


def times_at(batch: ByteBatch, place: NDArray[np.int64], before_ns: int) -> NDArray[np.int64]:
    """Receive times of the bytes of a batch at `place: int64[n]`: int64[n]. `before_ns`: before its first mark."""
    times = np.concatenate(([before_ns], batch.mark_ns))
    return times[np.searchsorted(batch.mark_start, place, side="right")]
