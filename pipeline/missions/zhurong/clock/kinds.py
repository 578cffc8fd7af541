"""Time correlation: products."""

from __future__ import annotations

from ....products.kinds import ProductKind
from ....products.package import InstrumentFolder

PAIRS = ProductKind(
    "clock",
    "pairs",
    "01",
    {
        "lock_onboard_ns": ("i8", "row", "ns", "count at frame lock, since the mission epoch"),
        "lock_utc_ns": ("i8", "row", "ns", "UTC at that count since 1970-01-01: receipt less delays"),
        "offset_s": ("f8", "row", "s", "UTC of the pair less UTC by the correlation in use"),
        "light_time_s": ("f8", "row", "s", "from the rover to the receiver"),
        "electronics_delay_s": ("f8", "row", "s", "of the receiver"),
        "clock_partition": ("i8", "row", "", "the rover's count of its clock's resets"),
        "method": ("U", "row", "", "who received"),
    },
    latest=("offset_s", "clock_partition"),
    view=(),
    file_word="Rover-CLK-PAIRS",
)
CORRELATION = ProductKind(
    "clock",
    "correlation",
    "2C",
    {
        "segment_utc_ns": ("i8", "row", "ns", "UTC at its start"),
        "rate": ("f8", "row", "1", "seconds of UTC per second of the clock"),
        "rate_sigma": ("f8", "row", "1", "from the scatter of the pairs"),
        "drift_ppm": ("f8", "row", "1e-6", "by which the clock runs fast"),
        "stop_onboard_ns": ("i8", "row", "ns", "last count of its partition"),
        "segment_utc_ns_sigma": ("i8", "row", "ns", "scatter of the pairs"),
        "partition": ("i8", "row", "", "grows with each reset"),
        "n_pairs": ("i8", "row", "1", "pairs of the partition that agree"),
        "n_outliers": ("i8", "row", "1", "pairs that do not"),
        "n_mended": ("i8", "row", "1", "pairs 65.536 s off, mended"),
    },
    latest=("drift_ppm", "n_outliers"),
    view=(),
    file_word="Rover-CLK",
)

INSTRUMENT = InstrumentFolder(
    instruments={"clock": "clock:Clock"},
    kinds=(PAIRS, CORRELATION),
)
