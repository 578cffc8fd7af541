"""Pictures of a whole and of a torn pass meet what the simulator saw, on the lines that arrived."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Faults, Scenario, simulate
from downlink_pipeline.model.batches import Quality

Decoded = Any


@pytest.fixture(scope="module")
def torn(decode_pass: Callable[..., Decoded], tmp_path_factory: pytest.TempPathFactory) -> Decoded:
    """A pass with so many frames lost that many a stripe is."""
    path = tmp_path_factory.mktemp("torn") / "torn.cadu"
    simulate(path, Scenario(duration_s=60.0, seed=3, orbiter=True, faults=Faults(lost_frames=90)))
    return decode_pass(path)


@pytest.fixture(params=["clean", "torn"])
def decoded(request: pytest.FixtureRequest) -> Decoded:
    """What holds of the clean pass holds of what is left of the torn one."""
    return request.getfixturevalue(request.param)


def test_stripes_are_torn_from_many_pictures(torn: Decoded) -> None:
    torn_ones = [one for name in ("mscam", "natecam") for one in torn.of(name, "image") if one.quality[0] & 1024]
    assert len(torn_ones) > 6


def images(decoded: Decoded, instrument: str) -> list[tuple[int, Any]]:
    """Each picture with the number of its truth; those of which at least a stripe arrived, and no others."""
    truth = decoded.truth
    arrived = np.unique(truth[f"{instrument}_image_of_record"][decoded.arrived(instrument)])
    times = truth[f"{instrument}_time_utc_ns"][arrived]
    found = {one.arrays["time_utc_ns"].values[0]: one for one in decoded.of(instrument, "image")}
    assert sorted(found) == sorted(times.tolist())
    return [(int(i), found[time]) for i, time in zip(arrived, times, strict=True)]


def value(product: Any, name: str) -> Any:
    return product.arrays[name].values[0]


@pytest.mark.parametrize("instrument", ["mscam", "natecam"])
def test_lines_that_are_flagged_are_those_whose_stripe_did_not_arrive(decoded: Decoded, instrument: str) -> None:
    of_record = decoded.truth[f"{instrument}_image_of_record"]
    for i, product in images(decoded, instrument):
        arrived = decoded.arrived(instrument)[of_record == i]
        assert value(product, "n_stripes_missing") == np.count_nonzero(~arrived)
        assert bool(product.quality[0] & Quality.FRAGMENT) == (not arrived.all())
        if instrument == "mscam":
            assert value(product, "line_quality").tolist() == np.repeat(~arrived, 32).astype(int).tolist()
    assert decoded.of(instrument, "rejected") == []


def test_radiance_is_the_truth_within_noise(decoded: Decoded) -> None:
    truth, noise = decoded.truth, decoded.told["noise"]["mscam"]["image_dn"]
    kept = truth["mscam_kept"]
    response = [9000, 7400, 11800, 11200, 8900, 6100, 4700, 3300, 2900]
    for i, product in images(decoded, "mscam"):
        true = truth["mscam_kept_radiance_w_m2_sr_um"][i]
        dn_per_radiance = response[i] * value(product, "exposure_s")
        sigma = np.sqrt(noise["read"] ** 2 + noise["photon"] * true * dn_per_radiance + 1 / 12) / dn_per_radiance
        here = value(product, "line_quality")[kept] == 0
        scale = ((value(product, "image")[np.ix_(kept, kept)] - true) / sigma)[here] * 0.95  # vignetting: 0.9 to 1
        if str(value(product, "compress_mode")) == "LOSSY":
            assert np.abs(np.median(scale)) < 0.5
        else:
            assert np.abs(scale).max() < 6
            assert np.std(scale) == pytest.approx(1, abs=0.15)


def test_reflectance_is_the_truth_within_the_simulators_own_sun(decoded: Decoded) -> None:
    """Its Sun is good to a quarter of a degree and 0.01 %; noise of a grid point is below 3 %."""
    kept = decoded.truth["mscam_kept"]
    for i, product in images(decoded, "mscam"):
        here = value(product, "line_quality")[kept] == 0
        true = decoded.truth["mscam_kept_reflectance"][i][here]
        found = value(product, "reflectance")[np.ix_(kept, kept)][here]
        assert np.median(found / true) == pytest.approx(1, abs=0.004)
        assert value(product, "sun_distance_au") == pytest.approx(
            decoded.truth["mscam_sun_distance_au"][i], rel=3e-4
        )


@pytest.mark.parametrize("instrument", ["mscam", "natecam"])
def test_corners_and_centre_look_where_they_looked(decoded: Decoded, instrument: str) -> None:
    for i, product in images(decoded, instrument):
        apart = value(product, "pointing_enu") - decoded.truth[f"{instrument}_pointing_enu"][i]
        assert np.abs(apart).max() < 4e-4, i  # five angles in steps of 0.01 deg


def test_colours_are_the_truth_where_there_is_no_edge(decoded: Decoded) -> None:
    truth = decoded.truth
    for i, product in images(decoded, "natecam"):
        kept = truth["natecam_kept"][i]
        linear = truth["natecam_kept_linear"][i]
        srgb = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        smooth = truth["natecam_kept_smooth"][i] & (value(product, "line_quality")[kept] == 0)[:, None]
        apart = (value(product, "image")[np.ix_(kept, kept)] - srgb)[smooth]
        lossy = str(value(product, "compress_mode")) == "LOSSY"
        assert np.abs(apart.mean()) < 0.5
        assert np.percentile(np.abs(apart), 95) < (4 if lossy else 2)


def test_a_stereo_pair_names_its_other_image(clean: Decoded) -> None:
    right, left = (one for _, one in images(clean, "natecam") if value(one, "image_mode") == "STEREO")
    assert (value(right, "camera"), value(left, "camera")) == ("A", "B")
    assert value(right, "pair_id") == value(left, "pair_id") == 33
    assert value(left, "pair_image_id") == value(right, "image_id")
    assert value(left, "pair_interval_s") == 17.0


def test_a_panorama_shows_the_horizon_where_it_is(clean: Decoded) -> None:
    """In the simulator's scene the sky is bluer than the ground, and the hills between them below 2.6 degrees."""
    (product,) = clean.of("natecam", "panorama")
    image, seen = value(product, "image").astype(float), value(product, "n_views") > 0
    elevation = product.arrays["elevation_deg"].values
    blue = image[..., 2] / np.maximum(image[..., 0], 1)
    sky, ground = (elevation > 3) & (elevation < 5), (elevation < -1) & (elevation > -3)
    whole = seen[sky | ground].all(axis=0)
    assert whole.sum() > 300
    border = (np.median(blue[sky][:, whole]) + np.median(blue[ground][:, whole])) / 2
    assert (blue[sky][:, whole] > border).mean() > 0.99
    assert (blue[ground][:, whole] < border).mean() > 0.95


def test_a_panorama_spans_the_sweep(clean: Decoded) -> None:
    """From the middles of the first and the last image, 17.8 degrees to each side: half of 192 x 8 pixels of 5.5 um."""
    (product,) = clean.of("natecam", "panorama")
    assert value(product, "n_images") == 5
    east, north = clean.truth["natecam_pointing_enu"][[0, 4], 4, :2].T
    ends = np.degrees(np.arctan2(east, north))
    azimuth = product.arrays["azimuth_deg"].values
    for found, wanted in zip((azimuth[-1], azimuth[0]), (ends[0] + 17.8, ends[1] - 17.8), strict=True):
        assert abs((found - wanted + 180) % 360 - 180) < 1.5


@pytest.mark.parametrize("camera", ["moric", "hiric"])
def test_a_strip_of_the_orbiter_is_the_truth_within_noise(decoded: Decoded, camera: str) -> None:
    truth = {key.removeprefix(f"{camera}_pdu_"): one for key, one in decoded.truth.items() if camera in key}
    noise = decoded.told["noise"][f"{camera}_pdu"]["image_dn"]
    (product,) = decoded.of(camera, "strip")
    assert not product.quality[0] & ~np.uint32(Quality.CORRECTED)
    assert value(product, "checksum") == 1
    assert value(product, "time_utc_ns") == truth["taken_utc_ns"][0]
    for name in ("pixel_scale_m", "swath_m"):
        assert value(product, name) == pytest.approx(truth[name][0], rel=1e-4)
    response = np.array({"moric": [1200.0, 1350.0, 980.0], "hiric": [21000.0]}[camera]) * value(
        product, "exposure_s"
    )
    true = truth["kept_radiance_w_m2_sr_um"]
    sigma = np.sqrt(noise["read"] ** 2 + noise["photon"] * true * response + 1 / 12) / response
    found = value(product, "image")[np.ix_(truth["kept_line"], truth["kept_sample"])]
    scale = (found - true) / sigma
    assert np.abs(scale).max() < 6
    assert np.std(scale) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("camera", ["moric", "hiric"])
def test_a_strips_file_is_the_one_that_was_sent(clean: Decoded, camera: str) -> None:
    """Counts laid out again as the page has them."""
    (product,) = clean.of(camera, "strip")
    image = value(product, "image").astype(float)
    response = np.array({"moric": [1200.0, 1350.0, 980.0], "hiric": [21000.0]}[camera])
    counts = np.rint(image * response * value(product, "exposure_s") + 70).astype(">u2")
    transaction = clean.truth[f"{camera}_pdu_transaction"][0]
    assert value(product, "transaction") == transaction
    body = counts.transpose(0, 2, 1).tobytes()
    ticks = (clean.truth[f"{camera}_pdu_taken_utc_ns"][0] - 1_451_577_600_000_000_000) // 100_000
    place = np.rint(clean.truth[f"{camera}_pdu_longitude_latitude_deg"] * 1e6).astype(int)
    code, lines_us = {"moric": (33, 340_000), "hiric": (34, 2_000)}[camera]
    lines, samples, bands = image.shape
    numbers = [(ticks, 6), (code, 1), (bands, 1), (lines, 2), (samples, 2), (value(product, "binning"), 2), (0, 2)]
    numbers += [(lines_us, 4), (round(value(product, "exposure_s") * 1e6), 4), (value(product, "altitude_m"), 4)]
    numbers += [(place[0], 4), (place[1], 4), (17_800, 2), (70, 2), (0, 4)]
    head = b"TW1S" + b"".join(int(number).to_bytes(n_bytes, "big") for number, n_bytes in numbers)
    assert zlib.crc32(head + body) == clean.truth[f"{camera}_pdu_file_crc32"][0]


@pytest.fixture(scope="module")
def holed(bundled: Path, decode_pass: Callable[..., Decoded], tmp_path_factory: pytest.TempPathFactory) -> Decoded:
    """The clean pass without every fortieth frame of the orbiter's channel, which the frame's second byte tells."""
    cadus = np.fromfile(bundled / "clean.cadu", np.uint8).reshape(-1, 1024)
    of_orbiter = np.flatnonzero((cadus[:, 5] ^ 0x48) & 0x3F == 1)  # the randomiser begins FF 48
    path = tmp_path_factory.mktemp("holed") / "clean.cadu"
    np.delete(cadus, of_orbiter[40::40], axis=0).tofile(path)
    for ending in (".truth.npz", ".truth.json"):
        shutil.copy(f"{bundled / 'clean.cadu'}{ending}", f"{path}{ending}")
    return decode_pass(path)


@pytest.mark.parametrize("camera", ["moric", "hiric"])
def test_lost_pdus_are_holes_in_a_strip_and_the_rest_is_what_was_sent(
    holed: Decoded, clean: Decoded, camera: str
) -> None:
    (product,), (whole,) = holed.of(camera, "strip"), clean.of(camera, "strip")
    image, true = value(product, "image"), value(whole, "image")
    missing = np.isnan(image)
    assert 0.5 < value(product, "received_share") < 0.99
    assert missing.mean() == pytest.approx(1 - value(product, "received_share"), abs=0.002)
    assert np.array_equal(image[~missing], true[~missing])
    assert value(product, "line_quality").tolist() == missing.any(axis=(1, 2)).astype(int).tolist()
    assert product.quality[0] & Quality.FRAGMENT
    assert value(product, "checksum") == -1
