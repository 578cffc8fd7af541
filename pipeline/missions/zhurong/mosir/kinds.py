"""MOSIR, the orbiter's sounding radar: products."""

from __future__ import annotations

from dataclasses import replace

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

_SIGMA = "one sigma of the noise, of all samples of the trace: by the median of its last quarter"

ECHOES = {
    "array": "amplitude_hann",
    "down": "range_m",
    "label": "range in free space",
    "unit": "km",
    "scale": 0.001,
}

ECHO_10_15 = ProductKind(
    "mosir",
    "echo_10_15",
    "2A",
    {
        "amplitude": ("f4", "row sample", "count", "matched filter"),
        "amplitude_hann": ("f4", "row sample", "count", "the same, low side lobes"),
        "amplitude_sigma": ("f4", "row", "count", _SIGMA),
        "amplitude_hann_sigma": ("f4", "row", "count", _SIGMA),
        "range_m": ("f8", "sample", "m", "from the first sample, in free space"),
        "window_range_m": ("f8", "row", "m", "of the first sample, from the antenna in free space"),
        "echo_range_m": ("f8", "row", "m", "of the strongest echo, in free space"),
        "echo_power_db": ("f8", "row", "dB", "of the strongest echo, against a count of 1"),
        "echo_range_m_sigma": ("f8", "row", "m", "one sigma: noise, and the step of range"),
        "echo_power_db_sigma": ("f8", "row", "dB", "one sigma: noise"),
    },
    latest=("echo_range_m", "echo_power_db"),
    view=(View("MOSIR, 10 to 15 MHz", "section", ECHOES),),
    file_word="MOSIR-LFA",
)
ECHO_15_20 = replace(ECHO_10_15, name="echo_15_20", view=(), file_word="MOSIR-LFB")
ECHO_30_50 = replace(ECHO_10_15, name="echo_30_50", view=(), file_word="MOSIR-HF")
ECHO_UNKNOWN = ProductKind(
    "mosir", "echo_unknown", "01", {"amplitude": ("f4", "row sample", "count", "not compressed")}
)

INSTRUMENT = InstrumentFolder(
    instruments={"mosir": "mosir:Mosir"},
    kinds=(ECHO_10_15, ECHO_15_20, ECHO_30_50, ECHO_UNKNOWN),
    archive=InstrumentArchive(platform="orbiter"),
)
