import os
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

DATA = Path(os.environ.get("DOWNLINK_REAL_DATA", Path(__file__).parents[5] / "shared/data")) / "zhurong-roper"
HF_FILE = "HX1-Ro_GRAS_RoPeR-HF-HH_SCI_N_20210525042001_20210525043243_00011_A.2B"
LF_FILE = "HX1-Ro_GRAS_RoPeR-LF-RI_SCI_N_20210525042000_20210525042951_00011_A.2B"
WORK_MODES = {0xFF: "SCIENCE", 0xCC: "SELF_TEST"}

# The label's own record layout (1-based bytes in the fact sheet): big-endian header, little-endian samples
HEAD = [("channel", ">u4"), ("seconds", ">u4"), ("milliseconds", ">u2"), ("count", "u1"), ("node", "u1")]
HF_RECORD = np.dtype(
    [
        *HEAD,
        ("mode", "u1"),
        ("trigger", "u1"),
        ("polarization", "u1"),
        ("switch", "u1"),
        ("length", ">u2"),
        ("samples", "<f4", 4096),
        ("block", "u1", 18),
        ("ground", "u1", 33),
    ]
)
LF_RECORD = np.dtype(
    [
        *HEAD,
        ("window", "u1"),
        ("mode", "u1"),
        ("trigger", "u1"),
        ("interval", "u1"),
        ("length", ">u2"),
        ("samples", "<f4", 3000),
        ("block", "u1", 18),
        ("ground", "u1", 33),
    ]
)


def records(name, layout):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the archived radar record {path} is not here")
    return np.fromfile(path, layout)


def columns_of(record):
    modes = [WORK_MODES[mode] for mode in record["mode"].tolist()]
    return {
        "CHANNEL": record["channel"],
        "ONBOARD_SECONDS": record["seconds"],
        "ONBOARD_MILLISECONDS": record["milliseconds"],
        "FRAME_COUNT": record["count"],
        "DATA_NODE": record["node"],
        "WORK_MODE": modes,
        "EFFECTIVE_LENGTH_BYTES": record["length"],
        "SAMPLES": record["samples"],
        "NAVIGATION_BLOCK": record["block"],
    }


@pytest.fixture
def high(rows):
    record = records(HF_FILE, HF_RECORD)
    return record, rows("GPR_HF", record["seconds"] + record["milliseconds"] / 1e3, columns=columns_of(record))


@pytest.fixture
def low(rows):
    record = records(LF_FILE, LF_RECORD)
    return record, rows("GPR_LF", record["seconds"] + record["milliseconds"] / 1e3, columns=columns_of(record))


@pytest.fixture
def run(suite):
    """All products of some rows, joined again by name: {product: {array: values}}, and their quality."""

    def make(batch, **context):
        one = suite("gpr", **context)
        made = [*one.make_products([batch]), *one.flush()]
        names = dict.fromkeys(p.product for p in made)
        joined = {
            name: {
                key: np.concatenate([p.arrays[key].values for p in made if p.product == name])
                for key, quantity in next(p for p in made if p.product == name).arrays.items()
                if quantity.dims[0] == "row"
            }
            for name in names
        }
        quality = {name: np.concatenate([p.quality for p in made if p.product == name]) for name in names}
        return joined, quality

    return make


def whole(one, batch):
    return [*one.make_products([batch]), *one.flush()]


def bits(samples):
    return np.ascontiguousarray(samples, np.float32).view(np.uint32)


def test_real_high_frequency_samples_come_through_bit_for_bit(high, run):
    record, batch = high
    science = record["samples"][record["mode"] == 0xFF].reshape(-1, 2048, 2)
    made, _ = run(batch)
    assert np.array_equal(bits(made["high_frequency"]["real"]), bits(science[..., 0]))
    assert np.array_equal(bits(made["high_frequency"]["imaginary"]), bits(science[..., 1]))


def test_real_low_frequency_samples_are_reals_then_imaginaries_bit_for_bit(low, run):
    record, batch = low
    science = record["samples"][record["mode"] == 0xFF]
    made, _ = run(batch)
    assert np.array_equal(bits(made["low_frequency"]["real"]), bits(science[:, :1500]))
    assert np.array_equal(bits(made["low_frequency"]["imaginary"]), bits(science[:, 1500:]))


def test_the_real_high_frequency_file_has_133_traces_and_3_self_tests(high, run):
    made, _ = run(high[1])
    assert (len(made["high_frequency"]["real"]), len(made["high_frequency_self_test"]["real"])) == (133, 3)


def test_the_real_low_frequency_file_has_13_traces_and_1_self_test(low, run):
    made, _ = run(low[1])
    assert (len(made["low_frequency"]["real"]), len(made["low_frequency_self_test"]["real"])) == (13, 1)


def test_self_tests_are_flagged_and_science_is_good(high, run):
    _, quality = run(high[1])
    assert quality["high_frequency_self_test"].tolist() == [Quality.SELF_TEST] * 3
    assert not quality["high_frequency"].any()


def test_the_real_counters_have_no_gap(high, low, run):
    for batch in (high[1], low[1]):
        assert not any((quality & Quality.AFTER_GAP).any() for quality in run(batch)[1].values())


def test_the_navigation_block_comes_through_bit_for_bit(high, run):
    record, batch = high
    made, _ = run(batch)
    assert np.array_equal(made["high_frequency"]["navigation_block"], record["block"][record["mode"] == 0xFF])


def test_the_first_real_record_is_of_the_utc_and_sol_in_its_label(high, suite):
    first = suite("gpr").make_products([high[1]])[0]
    assert np.datetime64(first.time.utc_ns[0], "ns") == np.datetime64("2021-05-25T04:20:01.081")
    assert first.time.sol == (11, 11)


def test_the_sun_of_the_real_traces_stands_as_in_their_records(high, run):
    """Solar_Incidence, the seventh of the little-endian floats that the ground added."""
    record, batch = high
    made, _ = run(batch)
    incidence = record["ground"][:, 24:28].copy().view("<f4")[:, 0][record["mode"] == 0xFF]
    assert np.abs(made["high_frequency"]["solar_incidence_deg"] - incidence).max() < 0.2


def test_low_frequency_bins_are_10_ns_of_two_way_time(rows, suite):
    product = whole(suite("gpr", window_s=0), rows("GPR_LF", [1], columns={"EFFECTIVE_LENGTH_BYTES": 12000}))[0]
    assert product.arrays["twt_ns"].values[[0, 21, 1499]].tolist() == [0.0, 210.0, 14990.0]


def test_a_shorter_window_has_its_imaginaries_earlier(rows, suite):
    """8000 bytes are 1000 complex samples: 1000 reals, then 1000 imaginaries, then zeros."""
    samples = np.concatenate([np.full(1000, 1), np.full(1000, 2), np.zeros(1000)])
    batch = rows("GPR_LF", [1], columns={"EFFECTIVE_LENGTH_BYTES": 8000, "SAMPLES": samples})
    product = whole(suite("gpr", window_s=0), batch)[0]
    assert product.arrays["real"].values.tolist() == [[1.0] * 1000]
    assert product.arrays["imaginary"].values.tolist() == [[2.0] * 1000]


def test_a_length_that_cannot_be_keeps_all_samples_and_is_flagged(rows, suite):
    batch = rows("GPR_HF", [1], columns={"EFFECTIVE_LENGTH_BYTES": 77})
    product = whole(suite("gpr", window_s=0), batch)[0]
    assert product.arrays["real"].values.shape == (1, 2048)
    assert product.quality.tolist() == [Quality.OUT_OF_RANGE]


def counted(rows, counts, modes="SCIENCE", nodes=0xA8):
    return rows(
        "GPR_HF",
        np.arange(len(counts)),
        columns={"EFFECTIVE_LENGTH_BYTES": 16384, "FRAME_COUNT": counts, "WORK_MODE": modes, "DATA_NODE": nodes},
    )


def test_a_skipped_frame_count_is_a_gap(rows, run):
    _, quality = run(counted(rows, [1, 5, 13, 17]))
    assert (quality["high_frequency"] & Quality.AFTER_GAP).tolist() == [0, 0, Quality.AFTER_GAP, 0]


def test_the_frame_count_wraps_at_256(rows, run):
    _, quality = run(counted(rows, [249, 253, 1, 5]))
    assert not quality["high_frequency"].any()


def test_a_self_test_at_1_begins_a_run_and_is_no_gap(rows, run):
    _, quality = run(counted(rows, [29, 1, 5], ["SCIENCE", "SELF_TEST", "SCIENCE"]))
    assert quality["high_frequency_self_test"].tolist() == [Quality.SELF_TEST]


def test_polarizations_share_the_counter_and_each_steps_by_four(rows, run):
    _, quality = run(counted(rows, [1, 2, 3, 4, 5, 6, 7, 8], nodes=[0xA8, 0xA9, 0xAA, 0xAB] * 2))
    assert not quality["high_frequency"].any()


def test_samples_that_are_no_numbers_come_through_flagged(rows, run):
    batch = counted(rows, [1, 5])
    batch.columns["SAMPLES"][1, 7] = np.nan
    made, quality = run(batch)
    assert np.isnan(made["high_frequency"]["imaginary"][1, 3])
    assert quality["high_frequency"].tolist() == [0, Quality.OUT_OF_RANGE]
