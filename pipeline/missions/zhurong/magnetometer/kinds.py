"""The two magnetometers on the mast: products, and the instruments that make them."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ArrayKind, ProductKind, View
from ....products.package import InstrumentFolder

_RANDOM = "noise and current, from sample to sample"
_SYSTEMATIC = "what is not known of the rover's own field, the same in all samples"
_SITE_RANDOM = "one sigma: noise, and the field's own changes while the mast turned"
_SITE_SYSTEMATIC = "one sigma: what is not known of the rover's own field, the same wherever it stands"
_ROVER_AXES = "X forward, Y right, Z down"


def _field_of(sensor: str) -> dict[str, ArrayKind]:
    """Arrays of one sensor in a product of samples."""
    of, own = f"sensor {sensor.upper()}", f"field_{sensor}"
    return {
        f"{own}_sensor_nt": ("f8", "row axis=3", "nT", f"{of}, in its own axes, as measured"),
        f"{own}_sensor_nt_sigma": ("f8", "axis", "nT", "one sigma along each axis, noise"),
        f"{own}_rover_nt": ("f8", "row axis=3", "nT", f"{of}, {_ROVER_AXES}"),
        f"{own}_rover_nt_sigma": ("f8", "axis", "nT", "one sigma along each axis: both parts"),
        f"{own}_rover_nt_sigma_random": ("f8", "axis", "nT", f"one sigma along each axis: {_RANDOM}"),
        f"{own}_rover_nt_sigma_systematic": ("f8", "axis", "nT", f"one sigma along each axis: {_SYSTEMATIC}"),
        f"{own}_enu_nt": ("f8", "row axis=3", "nT", f"{of}, local east, north, up"),
        f"{own}_enu_nt_sigma": ("f8", "axis", "nT", "one sigma at most: both parts"),
        f"{own}_enu_nt_sigma_random": ("f8", "axis", "nT", f"one sigma at most: {_RANDOM}"),
        f"{own}_enu_nt_sigma_systematic": ("f8", "axis", "nT", f"one sigma at most: {_SYSTEMATIC}"),
        f"{own}_magnitude_nt": ("f8", "row", "nT", f"{of}, magnitude without interference"),
        f"interference_{sensor}_rover_nt": (
            "f8",
            "row axis=3",
            "nT",
            f"{of}: what the rover adds, {_ROVER_AXES}; is not in the rover and local frames",
        ),
        f"temperature_{sensor}_degc": ("f8", "row", "degC", f"of {of}"),
    }


def _site_field_of(sensor: str) -> dict[str, ArrayKind]:
    """Arrays of one sensor in a product of a site."""
    of = f"sensor {sensor.upper()}"
    quantities = {
        f"field_{sensor}_enu_nt": ("row axis=3", "nT", "local east, north, up"),
        f"horizontal_{sensor}_nt": ("row", "nT", "horizontal intensity"),
        f"declination_{sensor}_deg": ("row", "degree", "clockwise from north"),
    }
    found: dict[str, ArrayKind] = {}
    for name, (axes, unit, words) in quantities.items():
        found[name] = ("f8", axes, unit, f"{of}, {words}")
        found[f"{name}_sigma"] = ("f8", axes, unit, "one sigma: both parts")
        found[f"{name}_sigma_random"] = ("f8", axes, unit, _SITE_RANDOM)
        found[f"{name}_sigma_systematic"] = ("f8", axes, unit, _SITE_SYSTEMATIC)
    covariance, random = f"{of}, of east, north, up: ", _SITE_RANDOM.removeprefix("one sigma: ")
    left = f"{of}, of what turns with the mast, left by the calibration"
    return found | {
        f"covariance_{sensor}_nt2": ("f8", "row axis axis_2", "nT2", f"{covariance}both parts"),
        f"covariance_{sensor}_nt2_random": ("f8", "row axis axis_2", "nT2", f"{covariance}{random}"),
        f"offset_{sensor}_mast_nt": ("f8", "row axis=3", "nT", left),
        f"residual_{sensor}_nt": ("f8", "row", "nT", f"{of}, rms of what a field that stands still leaves"),
    }


FIELD = ProductKind(
    "magnetometer",
    "field",
    "2C",
    {
        **_field_of("a"),
        **_field_of("b"),
        "gradient_rover_nt_m": (
            "f8",
            "row axis=3",
            "nT m-1",
            f"A less B as measured, over their distance, {_ROVER_AXES}: mostly the rover's own field",
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
        **_site_field_of("a"),
        **_site_field_of("b"),
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
