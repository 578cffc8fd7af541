"""The rover's penetrating radar: products, and the instruments that make them."""

from __future__ import annotations

from dataclasses import replace

from ....model.looks import Look
from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ArrayKind, ProductKind, View
from ....products.package import InstrumentFolder
from ..shared.declared import MARS_PLACE
from .kept_traces import RADARGRAM, TRACES

_END_OF_WINDOW = (
    "one sigma of the noise, of all samples of the trace: by the end of its window, where no echo is left"
)
_NOISE = "one sigma of the noise, of all samples of the trace"
_TOPOGRAPHIC = "as amplitude, over elevation; NaN above the ground and below the last sample"
_RECIPROCITY = "of HV with VH, 0 to 1; 1 where the ground is reciprocal and nothing is noise"
_CROSS = "mean power of HV and VH over that of HH, mean of a window"
_INTERPOLATED = "between two traces; the others are traces as they were received"

RAW = {"pair": ("real", "imaginary"), "down": "twt_ns", "label": "two-way time", "percent": (5, 99.5)}
PROCESSED = {"array": "envelope", "along": "distance_m", "down": "depth_m", "label": "depth", "percent": (50, 99.8)}
COHERENCE = {
    "array": "coherence_hh_vv",
    "along": "distance_m",
    "down": "twt_ns",
    "label": "two-way time",
    "range": (0, 1),
}

TOPOGRAPHIC = frozenset(["amplitude_topographic", "elevation_m"])
"""Arrays of a radargram that is laid on the ground."""
TRACE: dict[str, ArrayKind] = {
    "real": ("f4", "row sample", "1", "real part, counts as received"),
    "real_sigma": ("f8", "row", "1", _END_OF_WINDOW),
    "imaginary": ("f4", "row sample", "1", "imaginary part, counts as received"),
    "imaginary_sigma": ("f8", "row", "1", _END_OF_WINDOW),
    "twt_ns": ("f8", "sample", "ns", "two-way travel time of each bin"),
    "peak_amplitude_db": ("f8", "row", "dB", "20 log10 of the largest amplitude"),
    "velocity_m_s": ("f8", "row north_east_down", "m s-1", "north, east, down"),
    "position_m": ("f8", "row north_east_down", "m", "north, east, down from where it was last re-zeroed"),
    "attitude_deg": ("f8", "row roll_pitch_yaw", "degree", "roll, pitch, yaw"),
    "navigation_block": (
        "u1",
        "row byte",
        "1",
        "the same 18 bytes as sent: velocity, position, pitch, yaw, roll as big-endian sign-magnitude",
    ),
    "solar_incidence_deg": ("f8", "row", "degree", "of the Sun from the zenith, at the site"),
    "solar_azimuth_deg": ("f8", "row", "degree", "of the Sun clockwise from north, at the site"),
    "onboard_seconds": ("u4", "row", "s", ""),
    "onboard_milliseconds": ("u2", "row", "ms", ""),
    "channel": ("u4", "row", "", ""),
    "frame_count": ("u1", "row", "", ""),
    "data_node": ("u1", "row", "", ""),
    "work_mode": ("U", "row", "", ""),
    "trigger_mode": ("U", "row", "", ""),
    "effective_length_bytes": ("u2", "row", "byte", ""),
}
"""Arrays that the traces of both channels have."""

HIGH_FREQUENCY = ProductKind(
    "gpr",
    "high_frequency",
    "2B",
    {
        **TRACE,
        "polarization": ("U", "row", "", ""),
        "self_test_switch": ("u1", "row", "", ""),
    },
    latest=("peak_amplitude_db", "frame_count"),
    files=("netcdf", "quicklook", "zarr", "segy", "pds4"),
    view=(View("Radar, high frequency, as received", "section", RAW),),
    file_word="RoPeR-HF",
)
HIGH_FREQUENCY_SELF_TEST = replace(
    HIGH_FREQUENCY, name="high_frequency_self_test", level="01", view=(), file_word="RoPeR-HF-ST"
)
LOW_FREQUENCY = ProductKind(
    "gpr",
    "low_frequency",
    "2B",
    {
        **TRACE,
        "sampling_window": ("U", "row", "", ""),
        "trace_interval": ("f8", "row", "m", ""),
    },
    latest=("peak_amplitude_db", "frame_count"),
    files=("netcdf", "quicklook", "zarr", "segy", "pds4"),
    view=(View("Radar, low frequency, as received", "section", RAW),),
    file_word="RoPeR-LF-RI",
)
LOW_FREQUENCY_SELF_TEST = replace(
    LOW_FREQUENCY, name="low_frequency_self_test", level="01", view=(), file_word="RoPeR-LF-ST"
)
RADARGRAM_HIGH = ProductKind(
    "gpr",
    "radargram_high",
    "2C",
    {
        "amplitude": ("f4", "row sample", "1", "counts as received, filtered, without gain"),
        "quicklook": ("f4", "row sample", "1", "with gain (AGC): a picture"),
        "envelope": ("f4", "row sample", "1", "magnitude of the analytic signal, without gain"),
        "twt_ns": ("f8", "sample", "ns", "two-way travel time from the peak of the direct wave"),
        "depth_m": ("f8", "sample", "m", "with the permittivity of the calibration"),
        "depth_m_sigma": ("f8", "sample", "m", "one sigma, of permittivity and sample interval"),
        "amplitude_unaligned": (
            "f4",
            "row sample",
            "1",
            "as amplitude, the direct wave not aligned, nothing migrated",
        ),
        "amplitude_sigma": ("f8", "row", "1", _NOISE),
        "envelope_sigma": ("f8", "row", "1", _NOISE),
        "amplitude_unaligned_sigma": ("f8", "row", "1", _NOISE),
        "distance_m": ("f8", "row", "m", "along the track, from the first trace of the run"),
        "interpolated": ("?", "row", "", _INTERPOLATED),
        "position_enu_m": (
            "f8",
            "row east_north_up=3",
            "m",
            "east, north, up from where the position was last re-zeroed",
        ),
        "time_shift_ns": ("f8", "row", "ns", "how much later the direct wave was than the mean"),
        "amplitude_topographic": ("f4", "row level", "1", _TOPOGRAPHIC),
        "elevation_m": ("f8", "level", "m", "up from where the position was last re-zeroed"),
    },
    latest=("distance_m",),
    files=("netcdf", "quicklook", "zarr", "segy"),
    view=(View("Radargram, high frequency", "section", PROCESSED),),
    replaces="high_frequency",
    file_word="RoPeR-HF-HH",
    optional=TOPOGRAPHIC | {"amplitude_unaligned", "amplitude_unaligned_sigma"},
)
RADARGRAM_HIGH_HV = replace(
    RADARGRAM_HIGH,
    name="radargram_high_hv",
    view=(),
    replaces="",
    file_word="RoPeR-HF-HV",
    optional=TOPOGRAPHIC,
)
RADARGRAM_HIGH_VH = replace(RADARGRAM_HIGH_HV, name="radargram_high_vh", file_word="RoPeR-HF-VH")
RADARGRAM_HIGH_VV = replace(RADARGRAM_HIGH_HV, name="radargram_high_vv", file_word="RoPeR-HF-VV")
RADARGRAM_LOW = replace(
    RADARGRAM_HIGH,
    name="radargram_low",
    arrays={name: one for name, one in RADARGRAM_HIGH.arrays.items() if name not in RADARGRAM_HIGH.optional},
    view=(View("Radargram, low frequency", "section", PROCESSED),),
    replaces="low_frequency",
    file_word="RoPeR-LF-RI",
    optional=frozenset(),
)
LOSS_TANGENT_HIGH = ProductKind(
    "gpr",
    "loss_tangent_high",
    "2C",
    {
        "loss_tangent": ("f8", "row", "1", "of amplitudes that fall with time, spreading taken off"),
        "loss_tangent_sigma": ("f8", "row", "1", "one sigma, by what the fit leaves"),
        "loss_tangent_systematic": ("f8", "row", "1", "one sigma of the spreading's power, the same in every run"),
        "loss_tangent_spectral": ("f8", "row", "1", "of high frequencies that fall faster than low ones"),
        "loss_tangent_spectral_sigma": ("f8", "row", "1", "one sigma, by what the fit leaves"),
        "first_window_ns": ("f8", "row", "ns", "two-way time of the middle of the first window"),
        "last_window_ns": ("f8", "row", "ns", "two-way time of the middle of the last window"),
        "run_m": ("f8", "row", "m", "length of the run"),
    },
    latest=("loss_tangent",),
    view=(),
    file_word="RoPeR-HF-LOSS",
)
LOSS_TANGENT_LOW = replace(LOSS_TANGENT_HIGH, name="loss_tangent_low", file_word="RoPeR-LF-LOSS")
POLARIMETRY_HIGH = ProductKind(
    "gpr",
    "polarimetry_high",
    "2C",
    {
        "vv_over_hh_db": ("f4", "row sample", "dB", "power of VV over that of HH, mean of a window"),
        "vv_over_hh_db_sigma": ("f4", "row sample", "dB", "power of VV over that of HH, mean of a window"),
        "cross_over_hh_db": ("f4", "row sample", "dB", _CROSS),
        "cross_over_hh_db_sigma": ("f4", "row sample", "dB", _CROSS),
        "coherence_hh_vv": ("f4", "row sample", "1", "of HH with VV, 0 to 1"),
        "coherence_hh_vv_sigma": ("f4", "row sample", "1", "of HH with VV, 0 to 1"),
        "phase_hh_vv_deg": ("f4", "row sample", "degree", "of HH times the conjugate of VV"),
        "coherence_hv_vh": ("f4", "row sample", "1", _RECIPROCITY),
        "coherence_hv_vh_sigma": ("f4", "row sample", "1", _RECIPROCITY),
        "twt_ns": ("f8", "sample", "ns", "two-way travel time from the peak of the direct wave"),
        "distance_m": ("f8", "row", "m", "along the track, from the first trace of the run"),
    },
    latest=("distance_m",),
    view=(View("Radar, coherence of HH and VV", "section", COHERENCE),),
    file_word="RoPeR-HF-POL",
)
TRAVERSE_HIGH = ProductKind(
    "gpr",
    "traverse_high",
    "2C",
    {
        "amplitude": ("f4", "row sample", "1", "counts as received, filtered, without gain"),
        "amplitude_sigma": ("f8", "row", "1", _NOISE),
        "envelope": ("f4", "row sample", "1", "magnitude of the analytic signal, without gain"),
        "envelope_sigma": ("f8", "row", "1", _NOISE),
        "twt_ns": ("f8", "sample", "ns", "two-way travel time from the peak of the direct wave"),
        "depth_m": ("f8", "sample", "m", "with the permittivity of the calibration"),
        "depth_m_sigma": ("f8", "sample", "m", "one sigma, of permittivity and sample interval"),
        "distance_m": ("f8", "row", "m", "along the track, from the first trace"),
        "position_enu_m": ("f8", "row east_north_up=3", "m", "east, north, up of where the first frame began"),
        **MARS_PLACE,
        "run": ("i8", "row", "1", "number of the run, from 0"),
        "interpolated": ("?", "row", "", _INTERPOLATED),
        "amplitude_topographic": ("f4", "row level", "1", _TOPOGRAPHIC),
        "elevation_m": ("f8", "level", "m", "as altitude_m; of the first frame without a site"),
    },
    files=("netcdf", "quicklook", "zarr", "segy"),
    view=(View("Traverse by radar, high frequency", "section", PROCESSED),),
    file_word="RoPeR-HF-TRV-HH",
    published=False,
)
TRAVERSE_HIGH_HV = replace(TRAVERSE_HIGH, name="traverse_high_hv", view=(), file_word="RoPeR-HF-TRV-HV")
TRAVERSE_HIGH_VH = replace(TRAVERSE_HIGH, name="traverse_high_vh", view=(), file_word="RoPeR-HF-TRV-VH")
TRAVERSE_HIGH_VV = replace(TRAVERSE_HIGH, name="traverse_high_vv", view=(), file_word="RoPeR-HF-TRV-VV")
TRAVERSE_LOW = replace(
    TRAVERSE_HIGH,
    name="traverse_low",
    view=(View("Traverse by radar, low frequency", "section", PROCESSED),),
    file_word="RoPeR-LF-TRV-RI",
)

LOOK = {
    HIGH_FREQUENCY.topic: TRACES,
    LOW_FREQUENCY.topic: TRACES,
    RADARGRAM_HIGH.topic: RADARGRAM,
    RADARGRAM_LOW.topic: RADARGRAM,
}
INSTRUMENT = InstrumentFolder(
    instruments={"gpr": "gpr:Gpr", "radargram": "radargram:Radargram"},
    kinds=(
        HIGH_FREQUENCY,
        HIGH_FREQUENCY_SELF_TEST,
        LOW_FREQUENCY,
        LOW_FREQUENCY_SELF_TEST,
        RADARGRAM_HIGH,
        RADARGRAM_HIGH_HV,
        RADARGRAM_HIGH_VH,
        RADARGRAM_HIGH_VV,
        RADARGRAM_LOW,
        LOSS_TANGENT_HIGH,
        LOSS_TANGENT_LOW,
        POLARIMETRY_HIGH,
        TRAVERSE_HIGH,
        TRAVERSE_HIGH_HV,
        TRAVERSE_HIGH_VH,
        TRAVERSE_HIGH_VV,
        TRAVERSE_LOW,
    ),
    looks=(Look("Radar", "radar_look:RadarLook", LOOK),),
    joins="radar_traverse:TraverseRadargram",
    archive=InstrumentArchive(title="Mars Rover Penetrating Radar", tables="archive_tables:plan_radar"),
)
KINDS = {kind.name: kind for kind in INSTRUMENT.kinds}
