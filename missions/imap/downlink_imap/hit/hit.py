"""HIT: housekeeping with units.

In: HIT_HSKP_COUNTS, which is the mission's HIT_HSKP and the counts of its thermistors. Out: `hit/housekeeping`, a row a
packet. Voltages are those of the dictionary's calibrators; it has none for temperatures, which stay counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from downlink_pipeline.api import Calibration, ColumnBatch, Draft, Instrument, Source, Table
from numpy.typing import NDArray

from .kinds import HOUSEKEEPING, N_LEAKAGE, STATES, TEMPERATURES, VOLTAGES

_PREFIX = "HIT_HSKP."
_LEAKAGE = tuple(f"{_PREFIX}LEAK_I_{channel:02d}" for channel in range(N_LEAKAGE))
_COLUMNS = {
    **{name: _PREFIX + column for name, (column, _) in VOLTAGES.items()},
    **{name: column for name, (column, _) in TEMPERATURES.items()},
    **{name: _PREFIX + column for name, (column, *_) in STATES.items()},
}


class Words(Table):
    """Where the voltages come from."""

    source: Source


class HitCalibration(Calibration):
    """`hit/calibration.toml`."""

    dictionary: Words


class Hit(Instrument):
    """Housekeeping."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "HIT_HSKP_COUNTS": frozenset({*_LEAKAGE, *_COLUMNS.values()})
    }
    model = HitCalibration
    no_uncertainty = "monitors: not published"

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        leakage = np.stack([np.asarray(rows.columns[name]) for name in _LEAKAGE], axis=1)
        arrays: dict[str, NDArray[np.generic]] = {"leakage_v": leakage.astype(np.float64)}
        for name, column in _COLUMNS.items():
            arrays[name] = np.asarray(rows.columns[column]).astype(HOUSEKEEPING.arrays[name][0])
        yield Draft(HOUSEKEEPING, rows, rows.time_ns, arrays, rows.quality)
