"""Stripes to images by hand: what is lost, repeated, swapped or spoilt costs a stripe, never the picture."""

import io
import struct
import tomllib
import weakref
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.shared.image_codecs import decode_stripe
from downlink_pipeline.missions.zhurong.shared.images import mosaic
from downlink_pipeline.model.batches import Quality, Ragged
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

FILTERS = tomllib.loads((Path(__file__).parents[4] / "configs/zhurong/calibration/mscam.toml").read_text())[
    "filters"
]["filter"]

LINES, SAMPLES = 8, 6
COUNTS = np.arange(4 * LINES * SAMPLES, dtype=np.uint16).reshape(4 * LINES, SAMPLES) + 100
FILTER_650 = 0x33


def packed(counts):
    """Two samples of 12 bits in three bytes."""
    bits = [f"{count:012b}" for count in counts.ravel().tolist()]
    bits += ["0" * 12] * (len(bits) % 2)
    text = "".join(bits)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def jpeg_2000(counts, **options):
    stream = io.BytesIO()
    Image.fromarray(counts.astype(np.uint16)).save(stream, "JPEG2000", no_jp2=True, **options)
    return stream.getvalue()


def ragged(pieces):
    length = np.array([len(piece) for piece in pieces], np.int64)
    return Ragged(np.frombuffer(b"".join(pieces), np.uint8), np.cumsum(length) - length, length)


@pytest.fixture
def stripes(rows):
    """Rows of MSCAM: the stripes named, of an image of four."""

    def make(wanted, image_id=7, time_s=100.0, order=0, data=None, container="MSCAM", **columns):
        wanted = np.array(wanted)
        pieces = data or [packed(COUNTS[k * LINES : (k + 1) * LINES]) for k in wanted.tolist()]
        values = {
            "IMAGE_ID": image_id,
            "CAMERA": FILTER_650,
            "STRIPE": wanted,
            "N_STRIPES": 4,
            "FIRST_LINE": wanted * LINES,
            "N_LINES": LINES,
            "IMAGE_LINES": 4 * LINES,
            "IMAGE_SAMPLES": SAMPLES,
            "WINDOW_LINE": 1008,
            "WINDOW_SAMPLE": 1021,
            "BINNING": 1,
            "COMPRESS_MODE": "PACKED",
            "EXPOSURE": 10_000,
            "DETECTOR_TEMPERATURE": 20.0,
            "IMAGE_MODE": "SINGLE",
            "STRIPE_DATA": ragged(pieces),
            **columns,
        }
        n = len(wanted)
        return rows(
            container,
            np.full(n, time_s),
            order=order + np.arange(n),
            seq_count=order + np.arange(n),
            columns=values,
        )

    return make


@pytest.fixture
def images(suite):
    def make(*batches, name="mscam"):
        one = suite(name)
        made = [product for batch in batches for product in one.make_products([batch])]
        return [*made, *one.flush()]

    return make


def quality_of(product):
    return product.arrays["line_quality"].values[0].reshape(4, LINES).max(axis=1).tolist()


def counts_of(product):
    """Back from radiance: 20 degC, 10 ms, 11800 DN per s and radiance; vignetting is below 1e-4 here."""
    return np.rint(product.arrays["image"].values[0] * 118.0 + 64 + 0.08).tolist()


def test_four_stripes_are_the_image(images, stripes):
    (product,) = images(stripes(range(4)))
    assert counts_of(product) == COUNTS.tolist()
    assert quality_of(product) == [0, 0, 0, 0]
    assert not product.quality[0] & Quality.FRAGMENT


def test_radiance_by_hand(images, stripes):
    """1000 counts at 20 degC and 10 ms: (1000 - 64 - 8 * 0.01) / (11800 * 0.01), at the centre where F = 1."""
    data = [packed(np.full((LINES, SAMPLES), 1000, np.uint16))] * 4
    (product,) = images(stripes(range(4), data=data))
    assert product.arrays["image"].values[0, 15:17, 2:4] == pytest.approx((936 - 0.08) / 118, rel=1e-6)


def test_reflectance_is_pi_l_d2_over_e_cos_i(images, stripes):
    (product,) = images(stripes(range(4), time_s=170_338_801.0))
    values = {name: quantity.values for name, quantity in product.arrays.items()}
    incidence = np.deg2rad(values["solar_incidence_deg"][0])
    wanted = np.pi * values["image"] * values["sun_distance_au"] ** 2 / (1561.7 * np.cos(incidence))
    np.testing.assert_allclose(values["reflectance"], wanted, rtol=1e-5)
    assert values["solar_incidence_deg"][0] == pytest.approx(7.949, abs=0.02)  # genuine label of that instant


@pytest.mark.parametrize("band", FILTERS, ids=lambda band: band["name"])
def test_the_sun_of_each_filter_is_the_published_spectrum_over_its_band(band):
    """ASTM G173-03, extraterrestrial, as pvlib brings it: 11.6 % above a black body of 5772 K at 480 nm."""
    spectrum = pytest.importorskip("pvlib.spectrum").get_reference_spectra()["extraterrestrial"]
    nm, sun = spectrum.index.to_numpy(), spectrum.to_numpy() * 1000
    inside = np.abs(nm - band["wavelength_nm"]) <= band["bandwidth_nm"] / 2
    mean = np.trapezoid(sun[inside], nm[inside]) / np.ptp(nm[inside])
    assert band["sun_w_m2_um"] == pytest.approx(mean, rel=1e-4)


def test_an_open_image_does_not_keep_the_memory_of_earlier_batches(suite, stripes):
    one = suite("mscam")
    batch = stripes([0, 1, 2])
    octets = weakref.ref(batch.columns["STRIPE_DATA"].values)
    assert one.make_products([batch]) == []
    del batch
    assert one.make_products([]) == []
    assert octets() is None
    (product,) = one.make_products([stripes([3], order=3)])
    assert counts_of(product) == COUNTS.tolist()


def test_an_image_comes_as_soon_as_its_last_stripe_is_there(suite, stripes):
    one = suite("mscam")
    assert one.make_products([stripes([0, 1, 2])]) == []
    assert len(one.make_products([stripes([3], order=3)])) == 1


def test_a_missing_stripe_is_flagged_and_the_rest_comes_through(images, stripes):
    (product,) = images(stripes([0, 1, 3]))
    assert quality_of(product) == [0, 0, 1, 0]
    assert product.quality[0] & Quality.FRAGMENT
    assert np.isnan(product.arrays["image"].values[0, 16:24]).all()
    assert np.isfinite(product.arrays["image"].values[0, 24:]).all()
    assert product.arrays["n_stripes_missing"].values.tolist() == [1]


def test_an_image_whose_beginning_is_missing_comes_through(images, stripes):
    (product,) = images(stripes([2, 3]))
    assert quality_of(product) == [1, 1, 0, 0]


def test_swapped_and_repeated_stripes_are_put_in_place(images, stripes):
    (product,) = images(stripes([1, 0, 0, 3, 2]))
    assert counts_of(product) == COUNTS.tolist()
    assert product.arrays["n_stripes_repeated"].values.tolist() == [1]


def test_a_stripe_that_comes_after_its_image_was_told_is_set_aside(images, stripes):
    image, late = images(stripes([0, 1, 2, 3, 3]))
    assert (image.product, late.product) == ("image", "rejected")
    assert late.quality[0] & Quality.OUT_OF_RANGE


def test_a_stripe_that_does_not_decode_is_flagged_as_such(images, stripes):
    data = [packed(COUNTS[k * LINES : (k + 1) * LINES]) for k in range(4)]
    data[2] = data[2][:-1]
    (product,) = images(stripes(range(4), data=data))
    assert quality_of(product) == [0, 0, 2, 0]
    assert product.arrays["n_stripes_undecodable"].values.tolist() == [1]


def test_a_good_repeat_replaces_a_stripe_that_did_not_decode(images, stripes):
    data = [packed(COUNTS[k * LINES : (k + 1) * LINES]) for k in (0, 1, 1, 2, 3)]
    data[1] = b"\x00"
    (product,) = images(stripes([0, 1, 1, 2, 3], data=data))
    assert counts_of(product) == COUNTS.tolist()


def test_the_next_image_of_the_filter_ends_the_one_before(images, stripes):
    first, second = images(stripes([0, 1]), stripes(range(4), image_id=8, time_s=101.0, order=2))
    assert (quality_of(first), quality_of(second)) == ([0, 0, 1, 1], [0, 0, 0, 0])


def test_images_of_two_filters_may_come_in_turns(images, stripes):
    order = [
        stripes([k], order=2 * k + f, CAMERA=(0x11, 0x22)[f], time_s=100.0 + f) for k in range(4) for f in (0, 1)
    ]
    found = images(*order)
    assert [product.arrays["filter_nm"].values[0] for product in found] == [525.0, 480.0]
    assert [quality_of(product) for product in found] == [[0] * 4] * 2


@pytest.mark.parametrize(
    "columns",
    [
        {"IMAGE_LINES": 0},
        {"IMAGE_SAMPLES": 5000},
        {"IMAGE_LINES": 65535},
        {"N_STRIPES": 0},
        {"N_LINES": 0},
        {"FIRST_LINE": 65535},
        {"BINNING": 0},
        {"CAMERA": 0x12},
    ],
    ids=str,
)
def test_a_header_that_cannot_be_true_is_set_aside(images, stripes, columns):
    (product,) = images(stripes([0], **columns))
    assert product.product == "rejected"


def test_any_split_gives_the_same_images(images, stripes):
    parts = [[0, 2], [2], [3], [1], [3]]
    batches, n = [], 0
    for part in parts:
        batches.append(stripes(part, order=n))
        n += len(part)
    whole = images(stripes([k for part in parts for k in part]))
    assert [product.id for product in images(*batches)] == [product.id for product in whole]


def test_the_angles_of_the_record_point_the_camera(images, stripes):
    """Rover yaw 90 is east; mast yaw 90 more is south; pitch 30 is up: centre within half a pixel of the boresight."""
    (product,) = images(stripes(range(4), ROVER_YAW=90.0, MAST_YAW=90.0, MAST_PITCH=30.0))
    centre = product.arrays["pointing_enu"].values[0, 4]
    np.testing.assert_allclose(centre, [0.0, -np.cos(np.pi / 6), 0.5], atol=2e-3)
    assert np.isnan(product.arrays["navigation_apart_deg"].values[0])


@pytest.mark.parametrize(("mast_yaw_deg", "contradicts"), [(20.0, False), (30.0, True)])
def test_navigation_that_contradicts_the_record_is_flagged(suite, stripes, level, mast_yaw_deg, contradicts):
    """Navigation at 99, 100 and 101 s with the mast as told; the record of 100 s says 22 degrees; 6 may be apart."""
    one = suite("mscam")
    navigation = level(99, n=3, MAST_YAW=mast_yaw_deg)
    made = [*one.make_products([navigation, stripes(range(4), order=3, MAST_YAW=22.0)]), *one.flush()]
    (product,) = [product for product in made if product.instrument == "mscam"]
    assert product.arrays["navigation_apart_deg"].values[0] == pytest.approx(abs(mast_yaw_deg - 22.0), abs=1e-6)
    assert bool(product.quality[0] & Quality.NO_ATTITUDE) == contradicts


@pytest.mark.parametrize(("mode", "options"), [("LOSSLESS", {"irreversible": False}), ("LOSSY", {})])
def test_a_codestream_of_the_reversible_transform_decodes_to_the_same(mode, options):
    octets = np.frombuffer(jpeg_2000(COUNTS, **options), np.uint8)
    assert np.array_equal(decode_stripe(mode, octets, *COUNTS.shape), COUNTS)


def test_plain_samples_are_big_endian():
    octets = np.frombuffer(struct.pack(">4H", 1, 2, 300, 4095), np.uint8)
    assert decode_stripe("NONE", octets, 2, 2).tolist() == [[1, 2], [300, 4095]]


def test_an_odd_last_sample_is_packed_with_a_zero():
    assert decode_stripe("PACKED", np.array([0x12, 0x3F, 0xFF, 0xAB, 0xC0, 0], np.uint8), 1, 3).tolist() == [
        [0x123, 0xFFF, 0xABC]
    ]


@pytest.mark.parametrize("mode", ["NONE", "PACKED", "LOSSLESS", "LOSSY", "", "17"])
@given(octets=st.binary(max_size=400))
@settings(max_examples=60, deadline=None)
def test_garbage_gives_none_or_samples_of_the_size(mode, octets):
    found = decode_stripe(mode, np.frombuffer(octets, np.uint8), 4, 4)
    assert found is None or found.shape == (4, 4)


@given(at=st.integers(0, 500), value=st.integers(0, 255), cut=st.integers(0, 500))
@settings(max_examples=150, deadline=None)
def test_a_spoilt_codestream_never_raises(at, value, cut):
    stream = bytearray(jpeg_2000(COUNTS))
    stream[at % len(stream)] = value
    found = decode_stripe("LOSSY", np.frombuffer(bytes(stream[: len(stream) - cut]), np.uint8), *COUNTS.shape)
    assert found is None or found.shape == COUNTS.shape


def test_a_codestream_that_says_another_size_is_not_opened():
    """Claims 60,000 x 60,000: nothing of that size is made."""
    stream = bytearray(jpeg_2000(COUNTS))
    stream[8:16] = struct.pack(">II", 60_000, 60_000)
    assert decode_stripe("LOSSY", np.frombuffer(bytes(stream), np.uint8), *COUNTS.shape) is None


def test_the_quarters_of_a_picture_become_a_mosaic():
    quarters = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]], np.uint16)
    assert mosaic(quarters).tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]] * 2


def test_a_grey_scene_is_grey_and_as_bright_as_it_is(images, stripes):
    """Signals of white balance 1 / w of each colour; M's rows add up to 1."""
    grey = 60 + 1700 / np.array([[1.52, 1.0], [1.0, 1.83]])
    counts = np.rint(np.tile(grey, (4, 3))).astype(np.uint16)
    data = [packed(counts)] * 4
    (product,) = images(stripes(range(4), data=data, container="NATECAM", CAMERA=0x0A), name="natecam")
    image = product.arrays["image"].values[0].astype(int)
    assert np.ptp(image.reshape(-1, 3).mean(axis=0)) < 1.5
    linear = ((image.mean() / 255 + 0.055) / 1.055) ** 2.4
    assert linear == pytest.approx(0.5, abs=0.005)


@pytest.fixture
def sweep(stripes):
    """Grey images of a mast sweep, 32 x 32 pixels of 64 x 64 detector pixels, so 46 degrees wide, at these yaws."""
    grey = np.tile(np.rint(60 + np.array([[1118, 1700], [1700, 929]])).astype(np.uint16), (16, 16))
    data = [packed(grey[at : at + 8]) for at in range(0, 32, 8)]

    def make(yaws, first=0, **columns):
        told = {
            "IMAGE_SAMPLES": 32,
            "BINNING": 64,
            "WINDOW_LINE": 0,
            "WINDOW_SAMPLE": 0,
            "CAMERA": 0x0A,
            "IMAGE_MODE": "PANORAMA",
            "SEQUENCE_ID": 5,
            **columns,
        }
        return [
            stripes(range(4), k, 100.0 + k, 4 * k, data, "NATECAM", **{**told, "MAST_YAW": yaw})
            for k, yaw in enumerate(yaws, first)
        ]

    return make


@pytest.fixture
def panoramas(images):
    return lambda *batches: [one for one in images(*batches, name="natecam") if one.product == "panorama"]


def test_a_sweep_becomes_one_strip_of_azimuth_and_elevation(panoramas, sweep):
    """Middles at 350 and 30 degrees, 22.4 to each side: 327.6 to 52.4, both see 7.6 to 12.4."""
    (product,) = panoramas(*sweep([-10.0, 30.0]))
    azimuth = product.arrays["azimuth_deg"].values
    assert (azimuth[0], azimuth[-1]) == (pytest.approx(327.6, abs=0.5), pytest.approx(52.4, abs=0.5))
    middle = product.arrays["n_views"].values[0][np.abs(product.arrays["elevation_deg"].values).argmin()]
    twice = azimuth[middle == 2]
    assert (twice.min(), twice.max()) == (pytest.approx(7.6, abs=0.5), pytest.approx(12.4, abs=0.5))


def test_the_next_sequence_ends_a_sweep(panoramas, sweep):
    found = panoramas(*sweep([0.0, 20.0]), *sweep([0.0], first=2, SEQUENCE_ID=6))
    assert [product.arrays["n_images"].values[0] for product in found] == [2, 1]


@pytest.mark.parametrize("pitch_deg", [0.0, 80.0, -85.0])
def test_a_sweep_may_cross_south_and_look_to_zenith_or_nadir(panoramas, sweep, pitch_deg):
    (product,) = panoramas(*sweep([160.0, 200.0], MAST_PITCH=pitch_deg))
    assert (product.arrays["n_views"].values > 0).mean() > 0.5
    assert np.abs(product.arrays["elevation_deg"].values).max() < 90


def test_large_images_are_kept_no_larger_than_the_strip_needs(suite, sweep):
    """0.2 degrees a pixel of the strip, 0.048 of an image binned by 2: each four become one."""
    one = suite("natecam")
    for batch in sweep([0.0, 20.0], BINNING=2):
        one.make_products([batch])
    ((_, views),) = one._instruments["natecam"]._sweeps.values()
    assert (views[0].picture.shape, views[0].window.binning) == ((8, 8, 3), 8)
