"""The record of Zhurong's archived radar products (levels 2B and 2C), byte for byte.

In: arrays of `gpr` products. Out: structured records. Bytes 1 to `effective length` and the navigation block are those
that the rover sent, unchanged. What follows was appended on the ground: the rover's position, east, north and up of the
mission's site, the attitude, turned as in the archived records, and the Sun. The position is that of the record plus
the origin of its frame (`frame_origin_m`, from the pass's waypoints); MISSING where that is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....model.batches import DOUBTFUL
from ....model.errors import RunError

LEVEL = "2B"
"""Of the tables, self-test records among the others."""
MISSING = -9999.0
_HEAD = [("channel", ">u4"), ("onboard_seconds", ">u4"), ("onboard_milliseconds", ">u2"), ("frame_count", "u1")]
_TAIL = [("navigation_block", "u1", (18,)), ("ground", "<f4", (8,)), ("quality", "u1")]
_CODES = {
    "work_mode": {"SCIENCE": 0xFF, "SELF_TEST": 0xCC},
    "trigger_mode": {"FIXED_DISTANCE": 0x0F},
    "polarization": {"HH": 0xEE, "HV": 0xE1, "VH": 0x1E, "VV": 0x11},  # HH genuine, the others assumed
    "sampling_window": {"WINDOW_15_US": 0xAA},
}
_UNKNOWN = "UNKNOWN_"  # prefix of numbers without a label in the dictionary


@dataclass(frozen=True, slots=True)
class Layout:
    """One channel: its record, how samples lie in it, and its words in names and labels."""

    word: str
    record: np.dtype[Any]
    in_pairs: bool
    channel: str
    content: str


def _record(own: list[str], n_samples: int) -> np.dtype[Any]:
    octets = [(name, "u1") for name in own]
    length = [("effective_length_bytes", ">u2"), ("samples", "<f4", (n_samples,))]
    return np.dtype([*_HEAD, *octets, *length, *_TAIL])


HIGH = Layout(
    "RoPeR-HF",
    _record(["data_node", "work_mode", "trigger_mode", "polarization", "self_test_switch"], 4096),
    in_pairs=True,
    channel="High_Frequency_Mode",
    content="HF_Raw_Data",
)
LOW = Layout(
    "RoPeR-LF-RI",
    _record(["data_node", "sampling_window", "work_mode", "trigger_mode", "trace_interval"], 3000),
    in_pairs=False,
    channel="Low_Frequency_Mode",
    content="LF_Real_and_Imaginary Data",
)
LAYOUTS = {"GPR_HF": HIGH, "GPR_LF": LOW}
"""By the container that the products came from."""


def records(layout: Layout, arrays: Mapping[str, NDArray[Any]], quality: NDArray[np.uint32]) -> NDArray[Any]:
    """The rows as records. Samples beyond the effective length are zeros; RunError for a label without a code."""
    out = np.zeros(len(quality), layout.record)
    for name in layout.record.names or ():
        if name in arrays:
            out[name] = _octets(name, arrays[name])
    real, imaginary = arrays["real"], arrays["imaginary"]
    n = real.shape[1]
    if layout.in_pairs:
        out["samples"][:, 0 : 2 * n : 2], out["samples"][:, 1 : 2 * n : 2] = real, imaginary
    else:
        out["samples"][:, :n], out["samples"][:, n : 2 * n] = real, imaginary
    out["ground"] = _ground(arrays)
    out["quality"] = _quality_byte(quality)
    return out


def _octets(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as they are, labels as the codes they stand for, the distance between traces in centimetres."""
    if name == "trace_interval":
        return np.asarray(np.rint(values * 100))
    if values.dtype.kind != "U":
        return values
    labels, which = np.unique(values, return_inverse=True)
    return np.array([_code(name, label) for label in labels.tolist()], np.uint8)[which]


def _code(name: str, label: str) -> int:
    number = label.removeprefix(_UNKNOWN)
    if number != label and number.isdecimal():
        return int(number)
    if label not in _CODES.get(name, {}):
        raise RunError(f"{name} {label!r} has no code in the radar's record")
    return _CODES[name][label]


def _quality_byte(quality: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """What makes a row doubtful, 0 where nothing does: bits 2 to 7 of the quality word; bit 0 for all higher ones."""
    doubt = quality & np.uint32(DOUBTFUL)
    return np.asarray((doubt & 0xFC) | (doubt > 0xFF), np.uint8)


def _ground(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Place (3), roll, pitch, yaw to east-north-up, incidence and azimuth of the Sun.

    roll + 180, -pitch, 90 - yaw: read off the archived records of sol 11, to 0.01 degree.
    """
    roll, pitch, yaw = arrays["attitude_deg"].T
    place = np.full((len(roll), 3), MISSING)
    if "frame_origin_m" in arrays and "position_m" in arrays:
        north, east, down = np.asarray(arrays["position_m"], np.float64).T
        sum_m = np.stack([east, north, -down], axis=1) + arrays["frame_origin_m"]
        place = np.where(np.isfinite(sum_m), sum_m, MISSING)
    attitude = np.stack([_half_turn(roll + 180), -pitch, _half_turn(90 - yaw)], axis=1)
    nothing = np.full(len(roll), MISSING)
    sun = [arrays.get(f"solar_{which}_deg", nothing) for which in ("incidence", "azimuth")]
    return np.concatenate([place, attitude, np.stack(sun, axis=1)], axis=1).astype(np.float32)


def _half_turn(degrees: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((degrees + 180) % 360 - 180)
