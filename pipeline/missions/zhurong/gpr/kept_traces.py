"""What the live page keeps of radar traces: their amplitude in dB over the distance driven."""

from __future__ import annotations

import numpy as np

from ....model.looks import Kept, Rows

_JUMP_M = 2.0  # farther between two radar records, and the position was re-zeroed
_SILENT_DB = -20.0


def _of_traces(rows: Rows, before: Rows) -> Rows:
    """Amplitude in dB, and the distance along the traces from the positions in the records."""
    amplitude = np.hypot(rows.pop("real"), rows.pop("imaginary")).astype(np.float32)
    with np.errstate(divide="ignore"):
        rows["amplitude_db"] = np.maximum(20 * np.log10(amplitude), np.float32(_SILENT_DB))
    last = before["position_m"][-1:] if before else rows["position_m"][:1]
    steps = np.linalg.norm(np.diff(rows["position_m"][:, :2], axis=0, prepend=last[:, :2]), axis=1)
    start = before["distance_m"][-1] if before else 0.0
    rows["distance_m"] = start + np.cumsum(np.where(steps < _JUMP_M, steps, 0.0))
    return rows


def _of_radargram(rows: Rows, before: Rows) -> Rows:
    """The envelope in dB; runs, of which each begins at 0 m, one after the other."""
    with np.errstate(divide="ignore"):
        decibel = 20 * np.log10(rows.pop("envelope").astype(np.float32))
    rows["amplitude_db"] = np.maximum(decibel, np.float32(_SILENT_DB))
    if before:
        step = float(np.median(np.diff(rows["distance_m"]))) if len(rows["distance_m"]) > 1 else 0.0
        rows["distance_m"] = rows["distance_m"] - rows["distance_m"][0] + before["distance_m"][-1] + step
    return rows


_COLUMNS = ("real", "imaginary", "position_m")
TRACES = Kept(600, _COLUMNS, ("twt_ns",), _of_traces)
RADARGRAM = Kept(1024, ("envelope", "distance_m"), ("twt_ns",), _of_radargram)
