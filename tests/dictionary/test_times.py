"""CCSDS time codes (301.0-B-4) and times offset from others; expected values counted by hand."""

import struct
from fractions import Fraction

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.model.timecodes import code_of
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import NO_TIME, Quality
from downlink_pipeline.model.errors import ConfigError

SECOND = 10**9
DAY = 86_400 * SECOND
EPOCH_1958 = -4383 * DAY  # 12 years of 365 days, and 1960, 1964 and 1968 have one more
EPOCH_GPS = 3657 * DAY  # 10 years of 365 days, two leap days, and five days of 1980


def coded(form, size_bits, p_field="", epoch="", kind="Absolute"):
    text = f'<AlgorithmText language="P-field">{p_field}</AlgorithmText>' if p_field else ""
    reference = f"<ReferenceTime>{epoch}</ReferenceTime>" if epoch else ""
    return f"""<{kind}TimeParameterType name="T"><Encoding><BinaryDataEncoding><SizeInBits>
    <FixedValue>{size_bits}</FixedValue></SizeInBits><FromBinaryTransformAlgorithm name="{form}">{text}
    </FromBinaryTransformAlgorithm></BinaryDataEncoding></Encoding>{reference}</{kind}TimeParameterType>"""


GPS = "<Epoch>GPS</Epoch>"


@pytest.mark.parametrize(
    ("p_field", "octets", "seconds", "epoch"),
    [
        # 1E: 001 epoch 1958, 11 four octets of seconds, 10 two of fraction: 1/2 s is 8000.
        ("1E", "00000001 8000", 1.5, ""),
        ("1C", "00000100", 256, ""),
        ("1F", "FFFFFFFF 400000", 4294967295.25, ""),
        # 2D: the agency's epoch, one octet of fraction.
        ("2D", "00000002 C0", 2.75, GPS),
        # AF 24: two octets; 3 + 1 + 1 of seconds, 3 + 1 of fraction.
        ("AF24", "0000000003 80000000", 3.5, GPS),
    ],
)
def test_cuc_is_whole_seconds_and_a_binary_fraction(column, p_field, octets, seconds, epoch):
    body = bytes.fromhex(octets)
    found = column(coded("CUC", len(body) * 8, p_field, epoch), [body])
    assert found.dtype == "int64"
    assert found.tolist() == [int(seconds * 4) * SECOND // 4 + (EPOCH_GPS if epoch else EPOCH_1958)]


def test_a_cuc_fraction_is_rounded_to_the_nearest_nanosecond(column):
    # 2**-24 s are 59.6 ns, three of them 178.8 ns; the largest fraction of 24 bits is 59.6 ns less than a second.
    bodies = [bytes.fromhex("00000000 000001"), bytes.fromhex("00000000 000003"), bytes.fromhex("00000000 FFFFFF")]
    found = column(coded("CUC", 56, "1F"), bodies)
    assert (found - EPOCH_1958).tolist() == [60, 179, 999_999_940]


@pytest.mark.parametrize(
    ("p_field", "octets", "nanoseconds", "epoch"),
    [
        # 40: 100 CDS, 0 epoch 1958, 0 sixteen bits of days, 00 no more than milliseconds.
        ("40", "1127 00000001", EPOCH_1958 + 4391 * DAY + 10**6, ""),
        # 41: sixteen bits of microseconds behind.
        ("41", "0001 05265BFF 03E7", EPOCH_1958 + 2 * DAY - 1000, ""),
        # 42: 32 bits of picoseconds: 1,500 of them are rounded to two nanoseconds.
        ("42", "0000 00000000 000005DC", EPOCH_1958 + 2, ""),
        # 4C: the agency's epoch, 24 bits of days.
        ("4C", "000064 00000000", EPOCH_GPS + 100 * DAY, GPS),
    ],
)
def test_cds_is_days_milliseconds_and_less(column, p_field, octets, nanoseconds, epoch):
    body = bytes.fromhex(octets)
    assert column(coded("CDS", len(body) * 8, p_field, epoch), [body]).tolist() == [nanoseconds]


def test_a_time_code_may_begin_within_a_byte(column):
    entries = '<ParameterRefEntry parameterRef="X"><LocationInContainerInBits referenceLocation="previousEntry">'
    entries += "<FixedValue>4</FixedValue></LocationInContainerInBits></ParameterRefEntry>"
    body = (0x0_00000001_8000_0).to_bytes(7, "big")
    assert column(coded("CUC", 48, "1E"), [body], entries=entries).tolist() == [EPOCH_1958 + 1_500_000_000]


def test_the_raw_column_of_a_time_code_holds_its_octets(column):
    assert column(coded("CUC", 40, "1D"), [b"\0\0\0\1\x80"], raw=True).tolist() == [[0, 0, 0, 1, 0x80]]


def test_a_relative_time_may_be_a_cuc(column):
    assert column(coded("CUC", 40, "1D", kind="Relative"), [b"\0\0\0\1\x80"]).tolist() == [1_500_000_000]


def test_a_p_field_in_the_packet_says_what_follows(document, packet, decode):
    # 1E: 4 + 2 octets from 1958; 2E: the same from the agency's epoch; 1B: 3 + 3; 7F: none that is known.
    bodies = ["1E 00000001 8000", "2E 00000001 8000", "1B 000002 400000", "7F 00000001 8000"]
    packets = [packet(bytes.fromhex(body)) for body in bodies]
    (found,) = decode(document(coded("CUC", 56, epoch=GPS), {"X": "T"}), packets)
    halves = [EPOCH_1958 + 1_500_000_000, EPOCH_GPS + 1_500_000_000, EPOCH_1958 + 2_250_000_000, 0]
    assert found.columns["X"].tolist() == halves
    assert found.quality.tolist() == [0, 0, 0, Quality.UNKNOWN_VALUE]
    assert found.units == {"X": "nanoseconds since 1970-01-01"}


def test_a_time_beyond_int64_is_flagged(document, packet, decode):
    packets = [packet(bytes.fromhex("FFFFFF 00000000")), packet(bytes.fromhex("000001 00000000"))]
    (found,) = decode(document(coded("CDS", 56, "44"), {"X": "T"}), packets)
    assert found.columns["X"].tolist() == [0, EPOCH_1958 + DAY]
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE, 0]


@pytest.mark.parametrize("p_field", ["", "00", "43", "9C", "9C80", "C000", "50", "1C00"])
def test_other_p_fields_are_unknown(p_field):
    assert code_of(bytes.fromhex(p_field)) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (coded("CUC", 48, "1D"), "describes 40 bits"),
        (coded("CUC", 48, "40"), "is no P-field of CUC"),
        (coded("CUC", 48, "2E"), "ReferenceTime is missing"),
        (coded("CUC", 48, "1E", GPS), "the epoch is 1958-01-01"),
        (coded("SPECIAL", 48), 'name="SPECIAL" is not implemented'),
        (coded("CDS", 48, "40", kind="Relative"), "CDS in a relative time"),
        (coded("CDS", 16), "take 16 bits together"),
        (coded("CUC", 44, "1E"), "whole octets"),
    ],
)
def test_time_codes_that_make_no_sense_are_errors(document, kind, text):
    with pytest.raises(ConfigError, match=text):
        read_xtce(document(kind, {"X": "T"}))


def piece(name, origin, scale="1", units="seconds", size_bits=32):
    return f"""<AbsoluteTimeParameterType name="{name}"><Encoding units="{units}" scale="{scale}">
    <IntegerDataEncoding sizeInBits="{size_bits}"/></Encoding><ReferenceTime>{origin}</ReferenceTime>
    </AbsoluteTimeParameterType>"""


def offset_from(name):
    return f'<OffsetFrom parameterRef="{name}"/>'


def test_integer_pieces_count_on_from_each_other_in_any_order(document, packet, decode):
    kinds = piece("TD", "<Epoch>TAI</Epoch>", units="days", size_bits=16)
    kinds += piece("TM", offset_from("DAYS"), "0.001") + piece("TU", offset_from("MS"), "1e-6", size_bits=16)
    xtce = document(kinds, {"US": "TU", "DAYS": "TD", "MS": "TM"})
    (found,) = decode(xtce, [packet(struct.pack(">HHI", 5, 4383, 1500)), packet(struct.pack(">HHI", 0, 0, 1))])
    assert found.columns["DAYS"].tolist() == [0, EPOCH_1958]
    assert found.columns["MS"].tolist() == [1_500_000_000, EPOCH_1958 + 10**6]
    assert found.columns["US"].tolist() == [1_500_005_000, EPOCH_1958 + 10**6]


def test_a_time_that_counts_from_what_is_not_there_has_none(document, packet, decode):
    kinds = piece("TS", "<Epoch>UNIX</Epoch>") + piece("TM", offset_from("S"), "0.001", size_bits=16)
    entries = """<ParameterRefEntry parameterRef="KIND"/><ParameterRefEntry parameterRef="S"><IncludeCondition>
    <Comparison parameterRef="KIND" value="1"/></IncludeCondition></ParameterRefEntry>
    <ParameterRefEntry parameterRef="MS"/>"""
    xtce = document(kinds, {"KIND": "U8", "S": "TS", "MS": "TM"}, entries)
    (found,) = decode(xtce, [packet(b"\1\0\0\0\2\0\5"), packet(b"\0\0\5")])
    assert found.columns["MS"].tolist() == [2_005_000_000, NO_TIME]


@pytest.mark.parametrize(
    ("first", "text"), [("X", "offset from itself"), ("N", "no time from which one could count")]
)
def test_an_offset_from_nothing_useful_is_an_error(document, first, text):
    with pytest.raises(ConfigError, match=text):
        compile_plan(read_xtce(document(piece("T", offset_from(first)), {"N": "U8", "X": "T"})))


def test_counts_of_64_bits_keep_their_highest(column):
    kind = piece("T", "<Epoch>UNIX</Epoch>", scale="2.3283064365386962890625e-10", size_bits=64)
    # 2**-32 s: the second half of the range of 32 bits of seconds.
    assert column(kind, [struct.pack(">II", 1 << 31, 1 << 31)]).tolist() == [(1 << 31) * SECOND + SECOND // 2]


@pytest.mark.parametrize("seconds", [1e9 + 0.123456789, 700_000_000.1, -0.000000001, 0.5, 1234.000000001])
def test_a_time_in_a_float_is_exact_to_the_nanosecond(column, seconds):
    kind = """<AbsoluteTimeParameterType name="T"><Encoding><FloatDataEncoding sizeInBits="64"/></Encoding>
    <ReferenceTime><Epoch>J2000</Epoch></ReferenceTime></AbsoluteTimeParameterType>"""
    expected = round(Fraction(seconds) * 10**9) + 946_728_000 * 10**9
    assert column(kind, [struct.pack(">d", seconds)]).tolist() == [expected]


MJD_EPOCH = -40587 * DAY  # 1858-11-17: MJD 40587 is 1970-01-01


@pytest.mark.parametrize("count", [59000.123456789, 4e13 + 0.25, -700_000_000.7, 3.0000000000000004])
@pytest.mark.parametrize(
    ("encoding", "unit_ns", "offset_ns"),
    [
        ('units="days"', Fraction(DAY), 0),
        ('scale="1.52587890625E-5" offset="-10.25"', Fraction(SECOND, 65536), -10_250_000_000),
        ('scale="0.001"', Fraction(10**6), 0),
        ('scale="1e-7" offset="0.3"', Fraction(100), 300_000_000),
    ],
)
def test_a_scaled_time_in_a_float_is_the_nearest_nanosecond_or_flagged(
    document, packet, decode, count, encoding, unit_ns, offset_ns
):
    kind = f"""<AbsoluteTimeParameterType name="T"><Encoding {encoding}><FloatDataEncoding sizeInBits="64"/></Encoding>
    <ReferenceTime><Epoch>1858-11-17</Epoch></ReferenceTime></AbsoluteTimeParameterType>"""
    (found,) = decode(document(kind, {"X": "T"}), [packet(struct.pack(">d", count))])
    expected = round(Fraction(count) * unit_ns) + offset_ns + MJD_EPOCH
    fits = -(2**63) <= expected < 2**63
    assert found.columns["X"].tolist() == [expected if fits else 0]
    assert found.quality.tolist() == [0 if fits else Quality.UNKNOWN_VALUE]


def test_an_integer_time_that_int64_cannot_hold_is_flagged(document, packet, decode):
    xtce = document(piece("T", "<Epoch>UNIX</Epoch>", size_bits=64), {"X": "T"})
    (found,) = decode(xtce, [packet(struct.pack(">Q", seconds)) for seconds in (9_223_372_037, 1 << 63, 7)])
    assert found.columns["X"].tolist() == [0, 0, 7 * SECOND]
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE, Quality.UNKNOWN_VALUE, 0]


def test_an_epoch_may_be_written_to_the_nanosecond(column):
    kind = piece("T", "<Epoch>1970-01-01T00:00:02.123456789Z</Epoch>")
    assert column(kind, [b"\0\0\0\1"]).tolist() == [3_123_456_789]


def test_a_time_that_is_not_a_number_is_flagged(document, packet, decode):
    kind = """<RelativeTimeParameterType name="T"><Encoding><FloatDataEncoding sizeInBits="64"/></Encoding>
    </RelativeTimeParameterType>"""
    bodies = [struct.pack(">d", seconds) for seconds in (float("nan"), 1.5, 1e300)]
    (found,) = decode(document(kind, {"X": "T"}), [packet(body) for body in bodies])
    assert found.columns["X"].tolist() == [0, 1_500_000_000, 0]
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE, 0, Quality.UNKNOWN_VALUE]


def test_an_absolute_time_without_an_epoch_is_an_error(document):
    kind = """<AbsoluteTimeParameterType name="T"><Encoding><IntegerDataEncoding sizeInBits="32"/></Encoding>
    </AbsoluteTimeParameterType>"""
    with pytest.raises(ConfigError, match="nothing says from when it counts"):
        read_xtce(document(kind, {"X": "T"}))
