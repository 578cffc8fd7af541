"""The two magnetometers on the mast: products, and the instruments that make them."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

FIELD = ProductKind(
    "magnetometer",
    "field",
    "2C",
    {
        "field_a_sensor_nt": ("f8", "row axis=3", "nT", "sensor A, in its own axes, as measured"),
        "field_a_sensor_nt_sigma": ("f8", "axis", "nT", "one sigma along each axis, noise"),
        "field_a_rover_nt": ("f8", "row axis=3", "nT", "sensor A, X forward, Y right, Z down"),
        "field_a_rover_nt_sigma": ("f8", "axis", "nT", "one sigma along each axis: both parts"),
        "field_a_rover_nt_sigma_random": (
            "f8",
            "axis",
            "nT",
            "one sigma along each axis: noise and current, from sample to sample",
        ),
        "field_a_rover_nt_sigma_systematic": (
            "f8",
            "axis",
            "nT",
            "one sigma along each axis: what is not known of the rover's own field, the same in all samples",
        ),
        "field_a_enu_nt": ("f8", "row axis=3", "nT", "sensor A, local east, north, up"),
        "field_a_enu_nt_sigma": ("f8", "axis", "nT", "one sigma at most: both parts"),
        "field_a_enu_nt_sigma_random": (
            "f8",
            "axis",
            "nT",
            "one sigma at most: noise and current, from sample to sample",
        ),
        "field_a_enu_nt_sigma_systematic": (
            "f8",
            "axis",
            "nT",
            "one sigma at most: what is not known of the rover's own field, the same in all samples",
        ),
        "field_a_magnitude_nt": ("f8", "row", "nT", "sensor A, magnitude without interference"),
        "interference_a_rover_nt": (
            "f8",
            "row axis=3",
            "nT",
            "sensor A: what the rover adds, X forward, Y right, Z down; is not in the rover and local frames",
        ),
        "temperature_a_degc": ("f8", "row", "degC", "of sensor A"),
        "field_b_sensor_nt": ("f8", "row axis=3", "nT", "sensor B, in its own axes, as measured"),
        "field_b_sensor_nt_sigma": ("f8", "axis", "nT", "one sigma along each axis, noise"),
        "field_b_rover_nt": ("f8", "row axis=3", "nT", "sensor B, X forward, Y right, Z down"),
        "field_b_rover_nt_sigma": ("f8", "axis", "nT", "one sigma along each axis: both parts"),
        "field_b_rover_nt_sigma_random": (
            "f8",
            "axis",
            "nT",
            "one sigma along each axis: noise and current, from sample to sample",
        ),
        "field_b_rover_nt_sigma_systematic": (
            "f8",
            "axis",
            "nT",
            "one sigma along each axis: what is not known of the rover's own field, the same in all samples",
        ),
        "field_b_enu_nt": ("f8", "row axis=3", "nT", "sensor B, local east, north, up"),
        "field_b_enu_nt_sigma": ("f8", "axis", "nT", "one sigma at most: both parts"),
        "field_b_enu_nt_sigma_random": (
            "f8",
            "axis",
            "nT",
            "one sigma at most: noise and current, from sample to sample",
        ),
        "field_b_enu_nt_sigma_systematic": (
            "f8",
            "axis",
            "nT",
            "one sigma at most: what is not known of the rover's own field, the same in all samples",
        ),
        "field_b_magnitude_nt": ("f8", "row", "nT", "sensor B, magnitude without interference"),
        "interference_b_rover_nt": (
            "f8",
            "row axis=3",
            "nT",
            "sensor B: what the rover adds, X forward, Y right, Z down; is not in the rover and local frames",
        ),
        "temperature_b_degc": ("f8", "row", "degC", "of sensor B"),
        "gradient_rover_nt_m": (
            "f8",
            "row axis=3",
            "nT m-1",
            "A less B as measured, over their distance, X forward, Y right, Z down: mostly the rover's own field",
        ),
        "wing_current_a": ("f8", "row", "A", "of all solar wings"),
        "mast_yaw_deg": ("f8", "row", "degree", "positive from X to Y"),
        "mast_pitch_deg": ("f8", "row", "degree", "positive nose up"),
    },
    latest=("field_a_magnitude_nt", "field_b_magnitude_nt", "field_a_enu_nt", "temperature_a_degc"),
    files=("cdf", "quicklook", "zarr"),
    view=(
        View(
            "Magnetic field, sensor A",
            "vector",
            {"vector": "field_a_enu_nt", "magnitude": "field_a_magnitude_nt", "axes": ("east", "north", "up")},
        ),
    ),
    file_word="RoMAG",
)
SITE_VECTOR = ProductKind(
    "magnetometer",
    "site_vector",
    "2C",
    {
        "field_a_enu_nt": ("f8", "row axis=3", "nT", "sensor A, local east, north, up"),
        "field_a_enu_nt_sigma": ("f8", "row axis=3", "nT", "one sigma: both parts"),
        "field_a_enu_nt_sigma_random": (
            "f8",
            "row axis=3",
            "nT",
            "one sigma: noise, and the field's own changes while the mast turned",
        ),
        "field_a_enu_nt_sigma_systematic": (
            "f8",
            "row axis=3",
            "nT",
            "one sigma: what is not known of the rover's own field, the same wherever it stands",
        ),
        "horizontal_a_nt": ("f8", "row", "nT", "sensor A, horizontal intensity"),
        "horizontal_a_nt_sigma": ("f8", "row", "nT", "one sigma: both parts"),
        "horizontal_a_nt_sigma_random": (
            "f8",
            "row",
            "nT",
            "one sigma: noise, and the field's own changes while the mast turned",
        ),
        "horizontal_a_nt_sigma_systematic": (
            "f8",
            "row",
            "nT",
            "one sigma: what is not known of the rover's own field, the same wherever it stands",
        ),
        "declination_a_deg": ("f8", "row", "degree", "sensor A, clockwise from north"),
        "declination_a_deg_sigma": ("f8", "row", "degree", "one sigma: both parts"),
        "declination_a_deg_sigma_random": (
            "f8",
            "row",
            "degree",
            "one sigma: noise, and the field's own changes while the mast turned",
        ),
        "declination_a_deg_sigma_systematic": (
            "f8",
            "row",
            "degree",
            "one sigma: what is not known of the rover's own field, the same wherever it stands",
        ),
        "covariance_a_nt2": ("f8", "row axis axis_2", "nT2", "sensor A, of east, north, up: both parts"),
        "covariance_a_nt2_random": (
            "f8",
            "row axis axis_2",
            "nT2",
            "sensor A, of east, north, up: noise, and the field's own changes while the mast turned",
        ),
        "offset_a_mast_nt": (
            "f8",
            "row axis=3",
            "nT",
            "sensor A, of what turns with the mast, left by the calibration",
        ),
        "residual_a_nt": ("f8", "row", "nT", "sensor A, rms of what a field that stands still leaves"),
        "field_b_enu_nt": ("f8", "row axis=3", "nT", "sensor B, local east, north, up"),
        "field_b_enu_nt_sigma": ("f8", "row axis=3", "nT", "one sigma: both parts"),
        "field_b_enu_nt_sigma_random": (
            "f8",
            "row axis=3",
            "nT",
            "one sigma: noise, and the field's own changes while the mast turned",
        ),
        "field_b_enu_nt_sigma_systematic": (
            "f8",
            "row axis=3",
            "nT",
            "one sigma: what is not known of the rover's own field, the same wherever it stands",
        ),
        "horizontal_b_nt": ("f8", "row", "nT", "sensor B, horizontal intensity"),
        "horizontal_b_nt_sigma": ("f8", "row", "nT", "one sigma: both parts"),
        "horizontal_b_nt_sigma_random": (
            "f8",
            "row",
            "nT",
            "one sigma: noise, and the field's own changes while the mast turned",
        ),
        "horizontal_b_nt_sigma_systematic": (
            "f8",
            "row",
            "nT",
            "one sigma: what is not known of the rover's own field, the same wherever it stands",
        ),
        "declination_b_deg": ("f8", "row", "degree", "sensor B, clockwise from north"),
        "declination_b_deg_sigma": ("f8", "row", "degree", "one sigma: both parts"),
        "declination_b_deg_sigma_random": (
            "f8",
            "row",
            "degree",
            "one sigma: noise, and the field's own changes while the mast turned",
        ),
        "declination_b_deg_sigma_systematic": (
            "f8",
            "row",
            "degree",
            "one sigma: what is not known of the rover's own field, the same wherever it stands",
        ),
        "covariance_b_nt2": ("f8", "row axis axis_2", "nT2", "sensor B, of east, north, up: both parts"),
        "covariance_b_nt2_random": (
            "f8",
            "row axis axis_2",
            "nT2",
            "sensor B, of east, north, up: noise, and the field's own changes while the mast turned",
        ),
        "offset_b_mast_nt": (
            "f8",
            "row axis=3",
            "nT",
            "sensor B, of what turns with the mast, left by the calibration",
        ),
        "residual_b_nt": ("f8", "row", "nT", "sensor B, rms of what a field that stands still leaves"),
        "n_samples": ("i8", "row", "1", "samples that were fitted, each 8th"),
        "mast_yaw_range_deg": ("f8", "row", "degree", "how far the mast turned"),
        "mast_pitch_range_deg": ("f8", "row", "degree", "and how far it tilted"),
    },
    latest=("horizontal_a_nt", "declination_a_deg"),
    view=(),
    file_word="RoMAG-SITE",
)

INSTRUMENT = InstrumentFolder(
    instruments={"magnetometer": "magnetometer:Magnetometer", "site_field": "site_field:SiteField"},
    kinds=(FIELD, SITE_VECTOR),
    archive=InstrumentArchive(
        istp_type="Magnetic Fields (Planetary)",
        limits={"nT": (-65_000.0, 65_000.0)},  # Du et al. 2020, Space Sci. Rev. 216, 135
    ),
)
