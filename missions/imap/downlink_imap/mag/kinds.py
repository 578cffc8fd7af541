"""MAG: products of level 0 (a row a packet) and 1A (a row a vector), for each mode and sensor."""

from __future__ import annotations

from downlink_pipeline.api import Curves, InstrumentFolder, Look, ProductKind, View

MODES = {"P_MAG_SCI_NORM": "norm", "P_MAG_SCI_BURST": "burst"}
"""Word of the mode by container; the words of the mission's own files."""
_WORDS = {"norm": "normal mode", "burst": "burst mode"}
_SENSORS = {"mago": "outboard sensor, MAGo", "magi": "inboard sensor, MAGi"}


def _vectors(mode: str, sensor: str) -> ProductKind:
    return ProductKind(
        "mag",
        f"{mode}_{sensor}",
        "1A",
        {
            "field_counts": (
                "i4",
                "row axis=3",
                "count",
                f"{_SENSORS[sensor]}, x, y, z in its own axes, not calibrated",
            ),
            "range_index": ("u1", "row", "1", "measuring range, 0 to 3"),
            "rate_hz": ("f8", "row", "Hz", "vectors per second of this sensor"),
            "is_primary": ("u1", "row", "1", "1: of the primary sensor of its packet, 0: of the secondary one"),
            "is_active": ("u1", "row", "1", "1: the sensor was active"),
            "compression": ("u1", "row", "1", "1: the packet was compressed"),
            "width_bits": ("u1", "row", "1", "bits of a component in a compressed packet, 0 in others"),
            "sequence_count": ("u2", "row", "1", "of the packet"),
            "packet_coarse_s": (
                "u4",
                "row",
                "s",
                "of the packet's first vector of this sensor: seconds of the clock",
            ),
            "packet_fine": ("u2", "row", "count", "the same: fraction, 1/65535 s"),
        },
        latest=("field_counts", "range_index"),
        files=("netcdf", "cdf", "quicklook"),
        view=(
            View(
                f"MAG {_WORDS[mode]}, {sensor.replace('mag', 'MAG')}",
                "vector",
                {"vector": "field_counts", "axes": ("x", "y", "z")},
            ),
        ),
        file_word=f"MAG-{mode.upper()}-{sensor.upper()}",
    )


def _packets(mode: str) -> ProductKind:
    return ProductKind(
        "mag",
        f"{mode}_packets",
        "0",
        {
            "sequence_count": ("u2", "row", "1", "of the packet"),
            "met_s": ("u4", "row", "s", "mission elapsed time of the packet"),
            "service_type": ("u1", "row", "1", "PUS service"),
            "service_subtype": (
                "u1",
                "row",
                "1",
                "PUS service subtype: seconds of vectors in the packet, less one",
            ),
            "compression": ("u1", "row", "1", "1: the vectors are compressed"),
            "mago_active": ("u1", "row", "1", "1: MAGo is active"),
            "magi_active": ("u1", "row", "1", "1: MAGi is active"),
            "primary_sensor": ("u1", "row", "1", "0: MAGo, 1: MAGi"),
            "primary_rate_hz": ("f8", "row", "Hz", "vectors per second of the primary sensor"),
            "secondary_rate_hz": ("f8", "row", "Hz", "the same of the secondary sensor"),
            "primary_coarse_s": ("u4", "row", "s", "first vector of the primary sensor: seconds of the clock"),
            "primary_fine": ("u2", "row", "count", "the same: fraction, 1/65535 s"),
            "secondary_coarse_s": ("u4", "row", "s", "first vector of the secondary sensor: seconds of the clock"),
            "secondary_fine": ("u2", "row", "count", "the same: fraction, 1/65535 s"),
        },
        files=("netcdf", "cdf"),
        view=(),
        file_word=f"MAG-{mode.upper()}-RAW",
    )


VECTORS = {(mode, sensor): _vectors(mode, sensor) for mode in _WORDS for sensor in _SENSORS}
PACKETS = {mode: _packets(mode) for mode in _WORDS}

LOOK = Look(
    "MAG",
    curves=tuple(
        Curves(f"{name}, {_WORDS[mode]}", f"mag/{mode}_{sensor}", ("field_counts",), "count", ("x", "y", "z"))
        for mode in _WORDS
        for sensor, name in (("mago", "MAGo"), ("magi", "MAGi"))
    ),
)

INSTRUMENT = InstrumentFolder(
    instruments={"mag": "mag:Mag"},
    kinds=(*VECTORS.values(), *PACKETS.values()),
    looks=(LOOK,),
)
