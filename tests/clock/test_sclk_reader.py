"""A SPICE clock kernel says to us what it says to NAIF's own toolkit."""

import numpy as np
import pytest
from downlink_pipeline.clock.onboard import ClockSegment, OnboardClock
from downlink_pipeline.clock.sclk_kernel import kernel_text
from downlink_pipeline.clock.sclk_reader import read_kernel

S = 1_000_000_000
# The form of the kernels of NASA's missions of today: seconds and ticks of 20 us, dates of TDT, rates after launch
KERNEL = r"""KPL/SCLK
The clock; numbers between the markers alone count: SCLK01_COEFFICIENTS_9 = ( 1 )
\begindata
SCLK_KERNEL_ID         = ( @2009-07-09T12:20:32 )
SCLK_DATA_TYPE_43      = ( 1 )
SCLK01_TIME_SYSTEM_43  = ( 2 )
SCLK01_N_FIELDS_43     = ( 2 )
SCLK01_MODULI_43       = ( 4294967296 50000 )
SCLK01_OFFSETS_43      = ( 0 0 )
SCLK01_OUTPUT_DELIM_43 = ( 2 )
\begintext
\begindata
SCLK_PARTITION_START_43 = ( 0.00000000000000e+00 )
SCLK_PARTITION_END_43   = ( 2.14748364799999D+14 )
SCLK01_COEFFICIENTS_43  = (
                0     @01-JAN-2010-00:01:06.184000     1.00000000000
   24822451300000     @24-SEP-2025-22:31:35.831485     0.99999908000
   24978450000000     812000000.250000                 0.99999910000
)
\begintext
"""
COUNTS_S = [0, 79_000_000.5, 173_491_201, 496_449_026, 497_000_000.12344, 499_569_000, 520_000_000]


@pytest.fixture
def spice(furnish):
    spiceypy = pytest.importorskip("spiceypy")

    def utc_of(kernel, clock, ticks):
        furnish(kernel)
        found = [spiceypy.et2utc(spiceypy.sct2e(clock, tick), "ISOC", 6) for tick in ticks]
        return np.array(found, "datetime64[ns]").astype(np.int64)

    return utc_of


def ours(kernel, counts_s):
    counts_ns = np.rint(np.array(counts_s) * 1e9).astype(np.int64)
    return OnboardClock(0, read_kernel(kernel)).utc_ns(counts_ns)


def test_counts_become_the_utc_that_spice_gives_across_leap_seconds_and_pieces(spice):
    expected = spice(KERNEL, -43, [count * 50_000 for count in COUNTS_S])
    assert np.abs(ours(KERNEL, COUNTS_S) - expected).max() <= 2_000  # SPICE writes microseconds


def test_count_0_is_the_epoch():
    assert np.datetime64(int(ours(KERNEL, [0])[0]), "ns") == np.datetime64("2010-01-01T00:00:00")


def test_barycentric_time_is_read_too(spice):
    kernel = KERNEL.replace("SCLK01_TIME_SYSTEM_43  = ( 2 )", "SCLK01_TIME_SYSTEM_43  = ( 1 )")
    counts_s = [496_449_026, 496_500_000, 497_000_000.12344, 499_569_000, 499_600_000]
    expected = spice(kernel, -43, [count * 50_000 for count in counts_s])
    assert np.abs(ours(kernel, counts_s) - expected).max() <= 100_000  # it swings by 1.7 ms in a year


def test_the_kernel_that_we_write_is_the_correlation_that_we_read():
    utc = int(np.datetime64("2021-05-25T04:20:00", "ns").astype(np.int64))
    pieces = [ClockSegment(1000 * S, utc, 1 - 2.5e-6, 1, 9000 * S), ClockSegment(5 * S, utc + 90_000 * S, 1.0, 2)]
    clock = OnboardClock(0, tuple(pieces))
    again = OnboardClock(0, read_kernel(kernel_text(clock, "zhurong", -245)))
    assert [(one.partition, one.rate) for one in again.segments] == [(1, 1 - 2.5e-6), (2, 1.0)]
    assert abs(again.utc_ns(np.array([1500 * S]))[0] - clock.utc_ns(np.array([1500 * S]))[0]) <= 1
    assert again.segments[1].utc_ns == utc + 90_000 * S - 5 * S  # from count 0 on


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("SCLK01_COEFFICIENTS_43 ", "SCLK02_COEFFICIENTS_43 ", "no clocks of type 1"),
        ("SCLK01_MODULI_43", "SCLK01_MODULI_44", "no SCLK01_MODULI_43"),
        ("1.00000000000\n", "one\n", "'ONE' is not a number|'one' is not a number"),
        ("812000000.250000 ", " ", "not triples"),
        ("@24-SEP-2025-22:31:35.831485", "@yesterday", "yesterday"),
    ],
)
def test_what_is_no_kernel_of_one_clock_is_one_line(old, new, why):
    with pytest.raises(ValueError, match=why):
        read_kernel(KERNEL.replace(old, new))
