"""Expected values worked by hand from the tables of docs/zhurong-packets.md: 2^24 counts are 20,000 nT."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.momag.momag import half_band
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.products.rows import take

COUNTS_PER_NT = 2**24 / 20_000
OFFSET = {"OUTER": (12.40, -7.85, 3.20), "INNER": (-21.30, 15.70, 9.90)}


@pytest.fixture
def packet(rows):
    def make(time_s=(100.0,), rate=32, temperature=0.0, outer=(0.0, 0.0, 0.0), inner=(0.0, 0.0, 0.0), **columns):
        fields = {
            f"FIELD_{name}": np.rint((np.array(OFFSET[name]) + field) * COUNTS_PER_NT)
            for name, field in (("OUTER", np.asarray(outer)), ("INNER", np.asarray(inner)))
        }
        warm = {"TEMPERATURE_OUTER": temperature, "TEMPERATURE_INNER": temperature}
        return rows("MOMAG", time_s, columns={"SAMPLE_RATE": rate, **warm, **fields, **columns})

    return make


@pytest.fixture
def field(packet, products):
    def make(*args, product="field", **more):
        return products(packet(*args, **more), names=("momag",))[f"momag/{product}"]

    return make


def values(product, name):
    return product.arrays[name].values


def test_a_count_is_1_19_picotesla(field):
    """Published: 1.19 pT; 20,000 nT / 2^24 = 1.192 pT."""
    base = field()
    more = field(FIELD_OUTER=np.rint(np.array(OFFSET["OUTER"]) * COUNTS_PER_NT) + np.array([0, 0, 1]))
    step = values(more, "field_outer_nt")[0, 2] - values(base, "field_outer_nt")[0, 2]
    assert step * 1000 == pytest.approx(1.192, abs=0.001)


def test_a_field_along_x_goes_through_the_first_column_of_the_matrix(field):
    got = values(field(outer=(1000.0, 0.0, 0.0)), "field_outer_nt")[0]
    assert got == pytest.approx([1000.0, 4.0, -3.0], abs=0.002)


def test_a_warmer_sensor_has_another_offset(field):
    """10 degC: 0.06, -0.04, 0.08 nT are taken off, through the matrix."""
    got = values(field(temperature=10.0), "field_outer_nt")[0]
    assert got == pytest.approx([-0.06, 0.04 - 0.004 * 0.06, -0.08 + 0.003 * 0.06 + 0.006 * 0.04], abs=0.002)


def test_the_dipole_of_the_spacecraft_is_gone_from_the_ambient_field(field):
    """5 nT outside, and 100 nT m3 on the boom: 100/3.19^3 = 3.0805 and 100/2.29^3 = 8.3271 nT along z."""
    got = field(outer=(0.0, 0.0, 8.0805), inner=(0.0, 0.0, 13.3271))
    assert values(got, "field_ambient_nt")[0] == pytest.approx([0.0, 0.0, 5.0], abs=0.002)


@pytest.mark.parametrize(("rate", "step_ns"), [(1, 1_000_000_000), (32, 31_250_000), (128, 7_812_500)])
def test_samples_follow_one_another_at_the_packets_rate(field, rate, step_ns):
    assert set(np.diff(values(field(rate=rate), "time_onboard_ns"))) == {step_ns}


def test_a_rate_that_the_instrument_does_not_have_is_out_of_range(field):
    assert (field(rate=17).quality & Quality.OUT_OF_RANGE).all()


def test_the_filter_is_half_band_every_other_tap_zero_but_the_middle():
    taps = half_band()
    away = np.arange(-15, 16)
    assert np.abs(taps[(away % 2 == 0) & (away != 0)]).max() < 1e-15
    assert taps[15] == pytest.approx(0.5, abs=0.001)
    assert taps.sum() == pytest.approx(1.0)


def tone(hertz, n_packets=3):
    time_s = np.arange(128 * n_packets).reshape(n_packets, 128) / 128
    return np.stack([np.sin(2 * np.pi * hertz * time_s)] * 3, axis=2) * 1000


def test_32_hz_is_made_of_128_hz_with_its_own_time(field):
    """A slow tone comes through as it is, at the times given; the first packet has none before it."""
    product = field((100.0, 101.0, 102.0), rate=128, outer=tone(3.0), product="field_32hz")
    time_s = values(product, "time_onboard_ns") / 1e9
    good = (product.quality & Quality.AFTER_GAP) == 0
    assert set(np.diff(time_s[good]).round(6)) == {0.03125}
    assert good.sum() >= 64
    expected = 1000 * np.sin(2 * np.pi * 3.0 * (time_s[good] - 100))
    assert values(product, "field_outer_nt")[good, 0] == pytest.approx(expected, abs=0.5)


def test_what_would_fold_into_the_slower_band_is_filtered_out(field):
    """29 and 61 Hz would fold to 3 Hz at 32 Hz: at least 60 dB are taken off."""
    for hertz in (29.0, 61.0):
        product = field((100.0, 101.0, 102.0), rate=128, outer=tone(hertz), product="field_32hz")
        good = (product.quality & Quality.AFTER_GAP) == 0
        assert np.abs(values(product, "field_outer_nt")[good, 0]).max() < 1.0


def test_after_a_gap_the_filters_have_nothing_to_begin_with(field):
    product = field((100.0, 102.0), rate=128, product="field_32hz")
    good = (product.quality & Quality.AFTER_GAP) == 0
    first = values(product, "time_onboard_ns").reshape(2, 32)[1, good.reshape(2, 32)[1]][0]
    assert first == 102_000_000_000 + 45 * 7_812_500


def test_two_batches_give_what_one_gives(packet, suite):
    whole = packet((100.0, 101.0, 102.0), rate=128, outer=tone(3.0))
    one, other = suite("momag"), suite("momag")
    together = [*one.make_products([whole]), *one.flush()]
    apart = [
        *other.make_products([take(whole, slice(1))]),
        *other.make_products([take(whole, slice(1, None))]),
        *other.flush(),
    ]
    assert [p.id for p in together] == [p.id for p in apart]
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_array_equal(values(a, "field_ambient_nt"), values(b, "field_ambient_nt"))


def test_the_end_of_24_bits_is_saturated(field):
    counts = np.zeros((1, 128, 3))
    counts[0, 5, 1] = -(2**23)
    assert np.flatnonzero(field(FIELD_INNER=counts).quality & Quality.SATURATED).tolist() == [5]


def test_the_filtered_field_has_the_noise_that_its_filters_leave(packet, products):
    """Twelve packets at 128 Hz of noise of 2 nT: its scatter over theirs is the ratio of both sigmas."""
    rng = np.random.default_rng(4)
    noise = np.rint(rng.normal(0, 2, (12, 128 * 3)) * COUNTS_PER_NT).reshape(12, -1, 3)
    counts = np.rint(np.array(OFFSET["OUTER"]) * COUNTS_PER_NT) + noise
    made = products(packet(100.0 + np.arange(12), rate=128, FIELD_OUTER=counts), names=("momag",), window_s=20.0)
    fast, slow = (made[f"momag/{name}"] for name in ("field", "field_32hz"))
    ratio = values(slow, "field_outer_nt_sigma")[0] / values(fast, "field_outer_nt_sigma")[0]
    found = np.nanstd(values(slow, "field_outer_nt")[:, 0]) / np.std(values(fast, "field_outer_nt")[:, 0])
    assert found == pytest.approx(ratio, rel=0.1)
