"""What labels of images say of the camera, the rover, the mast, the ground and the grid of a panorama."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.archive.track import Track
from downlink_pipeline.model.batches import NO_TIME
from of_zhurong import origin

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
MARS_RADIUS_M = 3_396_190.0


@pytest.fixture(scope="module")
def labels(folder):
    return {path.name: ET.parse(path).getroot() for path in folder.iterdir() if path.name.endswith("L")}


@pytest.fixture
def label(labels):
    """The one label with this word in its name."""

    def find(word):
        (found,) = (root for name, root in labels.items() if word in name)
        return found

    return find


def found(root, *path):
    return root.find(".//" + "/".join(f"{{*}}{one}" for one in path))


def number(root, *path):
    return float(found(root, *path).text)


def one_of(products, instrument, product, number=0):
    return [one for one in products if (one.instrument, one.product) == (instrument, product)][number]


def utc_ns(root, tag):
    return np.datetime64(found(root, tag).text.removesuffix("Z"), "ns").astype(np.int64)


def test_natecams_camera_model_is_that_of_an_archived_label(label):
    """The 2C label of NaTeCam: pixel 5.5 um, focal length 13.174201 mm, principal point 0.010239, 0.022188 mm."""
    model = found(label("NaTeCamA-F-201_"), "Camera_Model_Parameters")
    names = (
        "focal_length",
        "pixel_width",
        "pixel_height",
        "principal_point_sample_offset",
        "principal_point_line_offset",
    )
    assert [number(model, name) for name in names] == [13.174201, 5.5, 5.5, 0.010239, 0.022188]
    assert [found(model, name).get("unit") for name in names] == ["mm", "micrometer", "micrometer", "mm", "mm"]
    assert found(model, "removed_from_image").text == "true"
    assert found(model, "basis").text.startswith("published")


def test_mscam_says_that_its_lens_is_still_in_the_image(label):
    model = found(label("MSCam-W-1-"), "Camera_Model_Parameters")
    assert (number(model, "focal_length"), number(model, "k1")) == (27.5, 0.012)
    assert number(model, "instantaneous_field_of_view") == pytest.approx(0.0055 / 27.5)
    assert found(model, "removed_from_image").text == "false"
    assert found(model, "basis").text.startswith("recalled")


@pytest.mark.parametrize("word", ["NaTeCamA-F-201_", "NaTeCamA-F-214_", "NaTeCamA-PAN_", "MSCam-W-9-"])
def test_the_rover_is_where_the_simulator_had_it(word, label, bundled):
    root, truth = label(word), np.load(bundled / "clean.cadu.truth.npz")
    at = utc_ns(root, "start_date_time")
    north, east, down = (np.interp(at, truth["rover_time_utc_ns"], one) for one in truth["rover_position_ned_m"].T)
    xyz = [number(root, "Rover_Location_xyz", axis) for axis in "xyz"]
    np.testing.assert_allclose(xyz, [east, north, -down], atol=0.05)
    assert all(0.05 < number(root, "Rover_Location_xyz", f"{axis}_one_sigma") < 1 for axis in "xyz")
    radius = MARS_RADIUS_M - 4918.556
    assert number(root, "Rover_Location", "latitude") == pytest.approx(
        25.083319 + np.rad2deg(north / radius), abs=2e-6
    )
    east_deg = np.rad2deg(east / radius / np.cos(np.deg2rad(25.083319)))
    assert number(root, "Rover_Location", "longitude") == pytest.approx(109.908440 + east_deg, abs=2e-6)


def test_rover_and_mast_stand_as_the_record_of_the_image_has_them(label, bundled):
    root, truth = label("NaTeCamA-F-203_"), np.load(bundled / "clean.cadu.truth.npz")
    at = utc_ns(root, "start_date_time")
    attitude = [np.interp(at, truth["rover_time_utc_ns"], one) for one in truth["rover_attitude_deg"].T]
    reported = [number(root, "Rover_Attitude", angle) for angle in ("yaw", "pitch", "roll")]
    turned = (np.array(reported) - attitude + 180) % 360 - 180
    assert np.abs(turned).max() < 0.1
    centre = [number(root, "Pointing_Vectors", "centre", axis) for axis in "xyz"]
    assert number(root, "instrument_azimuth") == pytest.approx(
        np.rad2deg(np.arctan2(centre[0], centre[1])) % 360, abs=1e-4
    )
    assert number(root, "instrument_elevation") == pytest.approx(np.rad2deg(np.arcsin(centre[2])), abs=1e-4)


def test_what_is_not_known_of_a_place_is_nil_and_says_so(products, tmp_path):
    """PDS4: xsi:nil with a nilReason; without navigation nothing is known of the place."""
    with product_files(tmp_path, origin("s", ("a",)), "pds4") as files:
        files.add([one_of(products, "mscam", "image")])
    (path,) = tmp_path.glob("*L")
    root = ET.parse(path).getroot()
    for tag in ("Rover_Location", "Rover_Location_xyz"):
        assert (found(root, tag).get(NIL), found(root, tag).get("nilReason")) == ("true", "unknown")
        assert found(root, tag).text is None


def test_an_image_without_a_time_has_nil_times(products, tmp_path):
    image = one_of(products, "mscam", "image")
    lost = replace(image.arrays["time_utc_ns"], values=np.array([np.iinfo(np.int64).min]))
    with product_files(tmp_path, origin("s", ("a",)), "pds4") as files:
        files.add([replace(image, arrays={**image.arrays, "time_utc_ns": lost})])
    (path,) = tmp_path.glob("*L")
    root = ET.parse(path).getroot()
    for tag in ("start_date_time", "stop_date_time"):
        assert (found(root, tag).get(NIL), found(root, tag).get("nilReason")) == ("true", "unknown")


def test_a_panorama_has_its_grid_in_the_words_of_the_cartography_dictionary(label, products):
    """cart:Cylindrical: pixels a degree, elevation of first and last line, azimuth of left and right edge."""
    root, product = label("NaTeCamA-PAN_"), one_of(products, "natecam", "panorama")
    n_lines, n_samples = product.arrays["image"].values.shape[1:3]
    azimuth, elevation = (product.arrays[f"{name}_deg"].values for name in ("azimuth", "elevation"))
    assert found(root, "lander_map_projection_name").text == "Cylindrical"
    assert number(root, "pixel_scale_x") == pytest.approx(5)  # 0.2 degree a pixel
    left, right = (number(root, f"{end}_azimuth") for end in ("start", "stop"))
    assert (right - left) % 360 == pytest.approx(n_samples / 5 % 360, abs=1e-6)
    assert (left + 0.1) % 360 == pytest.approx(azimuth[0], abs=1e-6)
    top, bottom = (number(root, f"{end}_elevation") for end in ("maximum", "minimum"))
    assert (top, bottom) == (pytest.approx(elevation[0], abs=1e-6), pytest.approx(elevation[-1], abs=1e-6))
    assert top - bottom == pytest.approx((n_lines - 1) / 5, abs=1e-6)
    level = number(root, "zero_elevation_line")  # lines count from 1
    assert np.interp(level, np.arange(1, n_lines + 1), elevation) == pytest.approx(0, abs=1e-5)
    assert found(root, "local_identifier_reference").text == "image"


def test_a_sweep_lasts_from_its_first_exposure_to_its_last(label):
    root = label("NaTeCamA-PAN_")
    first, last = (utc_ns(label(f"NaTeCamA-F-{number}_"), "start_date_time") for number in (201, 205))
    assert abs(utc_ns(root, "start_date_time") - first) <= 1000
    assert abs(utc_ns(root, "stop_date_time") - last) <= 1000


def test_an_image_lasts_as_long_as_its_exposure(label):
    root = label("MSCam-W-3-")
    span_ns = utc_ns(root, "stop_date_time") - utc_ns(root, "start_date_time")
    assert span_ns == pytest.approx(number(root, "exposure_duration") * 1e9, abs=2000)


@pytest.mark.parametrize(("camera", "ranges"), [("MoRIC", ["Visible"]), ("HiRIC", ["Visible"])])
def test_a_strip_of_the_orbiter_has_its_number_azimuth_and_the_time_of_its_last_line(
    camera, ranges, label, labels, products
):
    root, strip = label(f"{camera}-"), one_of(products, camera.lower(), "strip")
    (name,) = (one for one in labels if f"{camera}-" in one)
    arrays = {key: one.values for key, one in strip.arrays.items()}
    n_lines = arrays["image"].shape[1]
    span_s = (utc_ns(root, "stop_date_time") - utc_ns(root, "start_date_time")) / 1e9
    assert span_s == pytest.approx((n_lines - 1) * arrays["line_interval_s"][0] + arrays["exposure_s"][0], abs=2e-6)
    sequence = found(root, "sequence_id").text
    assert int(sequence) == arrays["transaction"][0]
    assert name.endswith(f"_{sequence}_A.2BL")
    assert number(root, "flight_azimuth") == arrays["flight_azimuth_deg"][0]
    assert number(root, "longitude") == pytest.approx(arrays["longitude_deg"][0])
    assert found(root, "map_projection").text.startswith("none")
    assert found(root, "focal_length").get(NIL) == "true"
    assert [one.text for one in root.iterfind(".//{*}wavelength_range")] == ranges
    assert ("near infrared" in arrays["band_name"].tolist()) == ("Near Infrared" in ranges)


S = 10**9


def track(seconds, east):
    enu = np.stack([np.array(east, float), np.zeros(len(east)), np.zeros(len(east))], axis=1)
    return Track(np.array(seconds, np.int64) * S, np.concatenate([enu, np.zeros((len(east), 9))], axis=1))


@pytest.mark.parametrize(
    ("at_s", "east"),
    [
        (100, 0.0),
        (101.5, 1.5),  # between two waypoints, on a straight line
        (500, 4.0),  # at rest, however long
        (90, 0.0),  # no more than 15 s before the first
        (84, np.nan),
        (1500, np.nan),  # it moved, and nothing is known between
        (2000, 9.0),
        (2015, 9.0),
        (2016, np.nan),
    ],
)
def test_a_place_is_reported_only_where_it_is_known(at_s, east):
    found = track([100, 101, 104, 1000, 2000], [0, 1, 4, 4, 9]).at(np.array([round(at_s * S)]))
    np.testing.assert_allclose(found.enu_m[0, 0], east)


def test_a_row_without_a_time_has_no_place():
    assert np.isnan(track([100, 101], [0, 1]).at(np.array([NO_TIME])).enu_m).all()
