"""The kernel says to NAIF's own toolkit what the correlation says to us."""

import numpy as np
import pytest
from downlink_pipeline.clock.onboard import ClockSegment, OnboardClock
from downlink_pipeline.clock.sclk_kernel import kernel_text

spiceypy = pytest.importorskip("spiceypy")

S = 1_000_000_000
EPOCH_NS = 1_451_577_600 * S
CLOCK = -245
START = 170_338_800 * S
CORRELATION = OnboardClock(
    EPOCH_NS,
    (
        ClockSegment(START, EPOCH_NS + START - 425_000_000, 1 - 2.5e-6, 1, START + 200_000 * S),
        ClockSegment(START + 90_000 * S, EPOCH_NS + START + 89_999 * S + 350_000_000, 1 + 1e-6, 1, START + 200_000 * S),
        ClockSegment(5 * S, EPOCH_NS + START + 300_000 * S, 1.0, 2, 5_000 * S),
    ),
)  # fmt: skip


@pytest.fixture
def loaded(furnish):
    furnish(kernel_text(CORRELATION, "zhurong", CLOCK))


def utc_of(string):
    return np.datetime64(spiceypy.et2utc(spiceypy.scs2e(CLOCK, string), "ISOC", 6), "ns").astype(np.int64)


@pytest.mark.parametrize(
    ("string", "count_ns"),
    [
        ("1/170338800:000", START),
        ("1/170338801:081", START + S + 81_000_000),
        ("1/170428799:999", START + 89_999 * S + 999_000_000),
        ("1/170428800:000", START + 90_000 * S),
        ("1/170538799:500", START + 199_999 * S + 500_000_000),
        ("2/5:000", 5 * S),
        ("2/4321:250", 4321 * S + 250_000_000),
    ],
)
@pytest.mark.usefixtures("loaded")
def test_spice_turns_a_count_into_the_utc_that_we_do(string, count_ns):
    assert abs(utc_of(string) - CORRELATION.utc_ns(np.array([count_ns]))[0]) <= 2_000


@pytest.mark.usefixtures("loaded")
def test_spice_turns_utc_back_into_the_count():
    et = spiceypy.str2et("2021-05-25T04:20:00.000000")
    partition, rest = spiceypy.sce2s(CLOCK, et).split("/")
    seconds, milliseconds = map(int, rest.split(":"))
    back = CORRELATION.utc_ns(np.array([seconds * S + milliseconds * 1_000_000]))[0]
    expected = np.datetime64("2021-05-25T04:20:00", "ns").astype(np.int64)
    assert (partition, abs(back - expected) <= 1_000_000) == ("1", True)


def test_the_real_stamp_of_zhurongs_radar_is_the_utc_of_its_label_where_the_clock_is_right(furnish):
    """170338800 s + 601 ms is 2021-05-25T04:20:00.601Z in the archived label."""
    plain = OnboardClock(EPOCH_NS, (ClockSegment(START, EPOCH_NS + START),))
    furnish(kernel_text(plain, "zhurong", CLOCK))
    assert spiceypy.et2utc(spiceypy.scs2e(CLOCK, "1/170338800:601"), "ISOC", 3) == "2021-05-25T04:20:00.601"


@pytest.mark.parametrize(("clock", "spacecraft"), [(OnboardClock(0), -1), (CORRELATION, 245)])
def test_what_no_kernel_can_tell_is_refused(clock, spacecraft):
    with pytest.raises(ValueError, match="a kernel needs"):
        kernel_text(clock, "zhurong", spacecraft)
