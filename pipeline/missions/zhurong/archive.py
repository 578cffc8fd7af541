"""How the archive of Zhurong and Tianwen-1 names and labels files: the grammar of GRAS with our own producer word.

    HX1-Ro_DOWNLINK_<instrument>_SCI_N_<start>_<stop>_<sol>_<version>.<level>     label: the same and "L"
    HX1-Or_DOWNLINK_<instrument>_SCI_P_<start>_<stop>_00000_<version>.<level>     of the orbiter; images: of the file
    ..._SIM_...                                                                   of a simulated pass

The grammar and the names of the radar are those of archived products; how GRAS names the files of other instruments
has not been published, so their words (`file_word` of each kind) are assumed. The orbiter's one genuine name has P
where the rover's have N; its last number is not the sol, and not known. GRAS has assigned none of these names and
identifiers.
"""

from __future__ import annotations

from ...products.archive_rules import (
    ArchiveRules,
    Attitude,
    FileNames,
    ImageName,
    Pds4Rules,
    PlaceElements,
    Platform,
)

_PARAMETERS = {
    "Instrument_Parm": (
        ("central_wavelength", "filter_nm", "nm"),
        ("full_width_half_max", "filter_width_nm", "nm"),
        ("camera", "camera", ""),
        ("exposure_duration", "exposure_s", "s"),
        ("exposure_mode", "exposure_mode", ""),
        ("focusing_mode", "focus_mode", ""),
        ("defocusing_compensation_gear", "focus_gear", ""),
        ("temperature", "detector_temperature_degc", "degC"),
        ("compress_mode", "compress_mode", ""),
        ("compress_ratio", "compress_ratio", ""),
        ("image_mode", "image_mode", ""),
        ("window_first_line", "window_line", "pixel"),
        ("window_first_sample", "window_sample", "pixel"),
        ("binning", "binning", "pixel"),
        ("images", "n_images", ""),
    ),
    "Ground_Scale": (
        ("pixel_scale", "pixel_scale_m", "m/pixel"),
        ("swath", "swath_m", "m"),
        ("altitude", "altitude_m", "m"),
        ("longitude", "longitude_deg", "deg"),
        ("latitude", "latitude_deg", "deg"),
    ),
    "Solar_Geometry": (
        ("incidence_angle", "solar_incidence_deg", "deg"),
        ("azimuth_angle", "solar_azimuth_deg", "deg"),
        ("distance", "sun_distance_au", "au"),
    ),
}
_ANGLES = ("roll", "pitch", "yaw")

ARCHIVE = ArchiveRules(
    names=FileNames(
        "HX1-{craft}_{producer}_{word}_{data}_{kind}_{start}_{stop}_{sol:05d}_{version}.{level}",
        images=(
            ImageName(
                ("filter_position", "sequence_id", "frame_count"),
                "-W-{filter_position}-{sequence_id:02d}-{frame_count:04d}-01",
                last_digits={"sequence_id": 2},
            ),
            ImageName(("camera", "frame_count"), "{camera}-F-{frame_count:03d}", last_digits={"frame_count": 3}),
            ImageName(("transaction",), "-{transaction:05d}"),
            ImageName(("camera",), "{camera}-PAN", word="NaTeCam"),
        ),
    ),
    pds4=Pds4Rules(
        investigation="HX-1",
        target=("Mars", "Planet"),
        parameters=_PARAMETERS,
        place=PlaceElements(
            "Rover_Location",
            "Rover_Location_xyz",
            "east, north, up of the site; the first frame of the pass begins there",
            arrays=("rover_yaw_deg", "azimuth_deg"),
        ),
        attitudes=(
            Attitude(
                "Rover_Attitude",
                {angle: f"rover_{angle}_deg" for angle in _ANGLES},
                "body (X forward, Y right, Z down) to north, east, down",
            ),
            Attitude("Mast_Rotation_Angle", {angle: f"mast_{angle}_deg" for angle in _ANGLES}),
        ),
        projection="Topocentric at the rover: azimuth clockwise from north (right-handed about the nadir), elevation "
        "above the level. Lines count from 1; scale, elevations and azimuths are of the centres of pixels but "
        "start_azimuth and stop_azimuth, which are those of the left and right edge.",
    ),
    platforms={
        "rover": Platform("Rover", {"craft": "Ro", "kind": "N"}),
        "orbiter": Platform("Orbiter", {"craft": "Or", "kind": "P"}),
    },
    levels="GRAS",
    frames={"rover": ("X forward", "Y right", "Z down")},
    position_origin="where the rover last re-zeroed its position",
)
