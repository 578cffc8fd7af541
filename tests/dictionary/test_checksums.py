"""Check words that a dictionary declares: values of the CRC catalogue, of RFC 1950, and counted by hand."""

import binascii
import random
import zlib

import numpy as np
import pytest

from pipeline.batches import Quality
from pipeline.dictionary.checksums import CheckValues
from pipeline.dictionary.decoder import Decoder
from pipeline.dictionary.encoder import encode
from pipeline.dictionary.encodings import Checksum, Crc, Parity
from pipeline.dictionary.plan import compile_plan
from pipeline.dictionary.xtce import read_xtce
from pipeline.errors import ConfigError

CCITT = Crc(16, 0x1021, 0xFFFF)
ETHERNET = Crc(32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, reflect_data=True, reflect_remainder=True)
DIGITS = b"123456789"
CRC_XML = '<CRC width="16" {}><Polynomial>1021</Polynomial><InitRemainder>FFFF</InitRemainder></CRC>'


def of(algorithm, spans):
    length = np.array([len(span) for span in spans], np.int64)
    start = np.cumsum(length) - length
    return CheckValues(algorithm).of(np.frombuffer(b"".join(spans), np.uint8), start, length).tolist()


def bit_by_bit(crc, octets):
    """The register as a shift register in the text books."""
    register = crc.initial
    for octet in octets:
        for i in range(8):
            bit = octet >> (i if crc.reflect_data else 7 - i) & 1
            top = register >> (crc.width_bits - 1) & 1
            register = register << 1 & (1 << crc.width_bits) - 1
            register ^= crc.polynomial if top ^ bit else 0
    if crc.reflect_remainder:
        register = int(f"{register:0{crc.width_bits}b}"[::-1], 2)
    return register ^ crc.final_xor


# The check column of the CRC catalogue (reveng): the CRC of the digits 1 to 9.
@pytest.mark.parametrize(
    ("crc", "check"),
    [
        (CCITT, 0x29B1),
        (Crc(16, 0x1021), 0x31C3),
        (Crc(16, 0x8005, reflect_data=True, reflect_remainder=True), 0xBB3D),
        (Crc(16, 0x1021, 0, 0xFFFF), 0xCE3C),
        (ETHERNET, 0xCBF43926),
        (Crc(32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF), 0xFC891918),
        (Crc(24, 0x864CFB, 0xB704CE), 0x21CF02),
        (Crc(8, 0x07), 0xF4),
        (Crc(5, 0x05, 0x1F, 0x1F, reflect_data=True, reflect_remainder=True), 0x19),
        (Crc(12, 0x80F), 0xF5B),
        (Crc(64, 0x42F0E1EBA9EA3693), 0x6C40DF5F0B497347),
        (Crc(3, 0x3, 0, 0x7), 0x4),
    ],
)
def test_crcs_of_the_catalogue_have_their_check_values(crc, check):
    assert of(crc, [DIGITS, DIGITS]) == [check, check]


def test_a_crc_of_a_long_span_is_that_of_the_standard_library():
    noise = random.Random(1).randbytes(70_000)
    spans = [noise[:n] for n in (0, 1, 2, 511, 512, 513, 1024, 5000, 70_000)]
    assert of(CCITT, spans) == [binascii.crc_hqx(span, 0xFFFF) for span in spans]
    assert of(ETHERNET, spans) == [zlib.crc32(span) for span in spans]


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 13, 31, 33, 64])
def test_a_crc_of_any_width_is_what_a_shift_register_leaves(width):
    noise = random.Random(width)
    numbers = [noise.getrandbits(width) for _ in range(3)]
    crc = Crc(width, numbers[0] | 1, *numbers[1:], reflect_data=width % 2 == 1, reflect_remainder=width % 3 == 1)
    spans = [noise.randbytes(n) for n in (3, 0, 20, 1030)]
    assert of(crc, spans) == [bit_by_bit(crc, span) for span in spans]


# Fletcher-16: the vectors of its description; 0xC8F0: 97 + ... + 101 = 495 = 240 mod 255,
# 5 * 97 + 4 * 98 + 3 * 99 + 2 * 100 + 101 = 1475 = 200 mod 255.
@pytest.mark.parametrize(
    ("name", "width", "octets", "expected"),
    [
        ("sum8", 8, b"\xff\x02", 0x01),
        ("sum16", 16, b"\xff\x02", 0x0101),
        ("sum24", 24, b"\xff" * 300, 300 * 255),
        ("sum32", 32, b"\xff" * 70_000, 70_000 * 255),
        ("fletcher16", 16, b"abcde", 0xC8F0),
        ("fletcher16", 16, b"abcdefgh", 0x0627),
        ("adler32", 32, b"Wikipedia", 0x11E60398),
    ],
)
def test_sums_are_those_of_their_definitions(name, width, octets, expected):
    assert of(Checksum(name, width), [octets, b"", octets])[::2] == [expected, expected]


def test_adler_is_that_of_the_standard_library():
    spans = [random.Random(2).randbytes(n) for n in (0, 1, 300, 70_000)]
    assert of(Checksum("adler32", 32), spans) == [zlib.adler32(span) for span in spans]


def test_parity_counts_ones():
    assert of(Parity(), [b"\x01", b"\x03", b"", b"\x80\x80\x01"]) == [1, 0, 0, 1]


def encoded(check, size=16):
    return f"""<BinaryEncoding><SizeInBits>{size}</SizeInBits>
    <ErrorDetectCorrect>{check}</ErrorDetectCorrect></BinaryEncoding>"""


TELLS = """<DynamicValue><ParameterInstanceRef parameterRef="LENGTH"/>
<LinearAdjustment slope="8" intercept="56"/></DynamicValue>"""


def with_encoding(document, check, size=TELLS, **inside):
    return document(**inside).replace(
        b'<SequenceContainer name="PACKET">', b'<SequenceContainer name="PACKET">' + encoded(check, size).encode()
    )


def with_crc(packet, body, damage=False):
    """A packet that ends with the CRC of all before it."""
    whole = packet(body + b"\0\0")[:-2]
    whole += binascii.crc_hqx(whole, 0xFFFF).to_bytes(2, "big")
    return whole[:-3] + bytes([whole[-3] ^ damage]) + whole[-2:]


@pytest.fixture
def decoder(batch):
    def run(xtce, packets):
        decoder = Decoder(compile_plan(read_xtce(xtce)))
        return decoder, decoder.decode(batch(packets))

    return run


def test_a_packet_that_ends_with_its_crc_is_checked(document, packet, decoder):
    xtce = with_encoding(document, CRC_XML.format('reference="end"'), parameters={"A": "U8"})
    packets = [with_crc(packet, b"\1"), with_crc(packet, b"\2", damage=True), with_crc(packet, b"\3\4\5")]
    found, (columns,) = decoder(xtce, packets)
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK, 0]
    assert columns.columns["A"].tolist() == [1, 3, 3]
    assert found.failed_checks == {"CRC-16 of PACKET": 1}
    (event,) = found.drain_events()
    assert (event.severity, event.kind, event.time_ns) == ("warning", "checksum", 1001)
    assert event.details == {"container": "PACKET", "check": "CRC-16 of PACKET", "packets": 1}


def test_the_check_word_of_a_base_covers_the_whole_packet(document, packet, decoder):
    base = b'<SequenceContainer name="HEADER" abstract="true">'
    xtce = document("", {"A": "U8", "CRC": "U16"})
    xtce = xtce.replace(
        base, base + encoded(CRC_XML.format('reference="end" bitsFromReference="0"'), TELLS).encode()
    )
    _, (columns,) = decoder(xtce, [with_crc(packet, b"\1"), with_crc(packet, b"\1", damage=True)])
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]


def test_a_check_word_may_stand_bits_from_the_start(document, packet, decoder):
    xtce = with_encoding(document, '<Checksum name="sum8" bitsFromReference="64"/>', parameters={"A": "U8"})
    # 00 01 C0 00 00 03 05 06 add up to 207.
    packets = [packet(b"\5\6\xcf\x09"), packet(b"\5\6\xd0\x09")]
    assert sum(packets[0][:8]) == 0xCF
    _, (columns,) = decoder(xtce, packets)
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]


def test_a_parity_bit_of_a_packet_is_checked(document, packet, decoder):
    xtce = with_encoding(document, '<Parity type="Odd" bitsFromReference="56"/>', parameters={"A": "U8"})
    packets = [packet(b"\3"), packet(b"\1")]
    ones = [int.from_bytes(each, "big").bit_count() % 2 for each in packets]
    _, (columns,) = decoder(xtce, packets)
    assert ones == [1, 0]
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]


CHECK_WORD = """<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="16"{}><ErrorDetectCorrect>
{}</ErrorDetectCorrect></IntegerDataEncoding></IntegerParameterType>"""


def test_a_field_that_is_a_check_word_covers_the_packet_before_it(document, packet, decoder):
    kind = CHECK_WORD.format("", CRC_XML.format(""))
    packets = [with_crc(packet, b"\1"), with_crc(packet, b"\1", damage=True)]
    found, (columns,) = decoder(document(kind, {"A": "U8", "X": "T"}), packets)
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]
    assert found.failed_checks == {"CRC-16 in X": 1}


def test_it_does_so_least_significant_byte_first(document, packet, decoder):
    kind = CHECK_WORD.format(' byteOrder="leastSignificantByteFirst"', CRC_XML.format(""))
    whole = with_crc(packet, b"\1")
    _, (columns,) = decoder(document(kind, {"A": "U8", "X": "T"}), [whole[:-2] + whole[:-3:-1], whole])
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]


BLOB = """<BinaryParameterType name="{}"><BinaryDataEncoding><SizeInBits>{}</SizeInBits>
<ErrorDetectCorrect>{}</ErrorDetectCorrect></BinaryDataEncoding></BinaryParameterType>"""


def test_a_check_word_of_two_bytes_is_found_behind_a_field_of_any_size(document, packet, decoder):
    told = '<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8"/></DynamicValue>'
    kinds = BLOB.format("T", "<FixedValue>16</FixedValue>", CRC_XML.format(""))
    kinds += BLOB.format("B", told, "").replace("<ErrorDetectCorrect></ErrorDetectCorrect>", "")
    packets = [with_crc(packet, b"\2ab"), with_crc(packet, b"\0"), with_crc(packet, b"\5abcde", damage=True)]
    _, (columns,) = decoder(document(kinds, {"N": "U8", "B": "B", "X": "T"}), packets)
    assert columns.quality.tolist() == [0, 0, Quality.FAILED_CHECK]


@pytest.mark.parametrize("size", ["<FixedValue>56</FixedValue>", None])
def test_a_blob_may_end_with_its_own_check_word(document, packet, decoder, size):
    told = '<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8"/></DynamicValue>'
    kind = BLOB.format("T", size or told, '<Checksum name="fletcher16" reference="end"/>')
    packets = [packet(b"\7abcde\xc8\xf0"), packet(b"\7abcdf\xc8\xf0")]
    _, (columns,) = decoder(document(kind, {"N": "U8", "X": "T"}), packets)
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]


def test_a_number_may_have_a_parity_bit(document, packet, decoder):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="5" encoding="twosComplement">
    <ErrorDetectCorrect><Parity type="Even" bitsFromReference="4"/></ErrorDetectCorrect></IntegerDataEncoding>
    </IntegerParameterType>"""
    packets = [packet(bytes([value << 3])) for value in (0b00011, 0b11101, 0b10000)]
    _, (columns,) = decoder(document(kind, {"X": "T"}), packets)
    assert columns.quality.tolist() == [0, 0, Quality.FAILED_CHECK]


def test_a_packet_too_short_for_what_its_container_says_is_set_aside(document, packet, decoder):
    size = "<FixedValue>72</FixedValue>"
    plain = encoded("", size).replace("<ErrorDetectCorrect></ErrorDetectCorrect>", "").encode()
    xtce = document("", {"A": "U8"}).replace(
        b'<SequenceContainer name="PACKET">', b'<SequenceContainer name="PACKET">' + plain
    )
    found, (columns,) = decoder(xtce, [packet(b"\1\2\3"), packet(b"\1\2"), packet(b"\1\2\3\4")])
    assert columns.quality.tolist() == [0, Quality.UNDESCRIBED]
    assert found.set_aside == {"too short for PACKET": 1}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ('<Checksum name="luhn" reference="end"/>', 'name="luhn" is not implemented'),
        ('<Checksum name="custom" reference="end"><InputAlgorithm/></Checksum>', "element InputAlgorithm"),
        ('<CRC width="16" reference="end"/>', "Polynomial is missing"),
        (CRC_XML.format(""), "bitsFromReference is missing"),
        (CRC_XML.format('bitsFromReference="3"'), "no whole bytes"),
        ('<CRC width="8" reference="end"><Polynomial>107</Polynomial></CRC>', "is not hexadecimal of 8 bits"),
    ],
)
def test_checks_beyond_us_are_errors_by_name(document, check, text):
    with pytest.raises(ConfigError, match=text):
        compile_plan(read_xtce(with_encoding(document, check)))


def test_any_noise_gives_flags_and_never_an_exception(document, batch):
    xtce = with_encoding(document, CRC_XML.format('reference="end"'), parameters={"A": "U8"})
    noise = random.Random(3)
    packets = [bytes([8, 1, 0xC0, 0]) + noise.randbytes(noise.randrange(40)) for _ in range(300)]
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    rows = sum(len(found) for found in decoder.decode(batch(packets)))
    assert rows + sum(decoder.set_aside.values()) == 300


@pytest.mark.parametrize(
    "check",
    [
        CRC_XML.format('reference="end"'),
        '<Checksum name="fletcher16" reference="end"/>',
        '<Checksum name="adler32" reference="end"/>',
        '<Checksum name="sum24" reference="end"/>',
        """<CRC width="32" reference="end" reflectData="true" reflectRemainder="true"><Polynomial>04C11DB7</Polynomial>
        <InitRemainder>FFFFFFFF</InitRemainder><FinalXOR>FFFFFFFF</FinalXOR></CRC>""",
    ],
)
def test_the_encoder_writes_check_words_that_hold(document, decoder, check):
    xtce = with_encoding(document, check, parameters={"A": "U16", "B": "U16", "ROOM1": "U16", "ROOM2": "U16"})
    packets = [encode(read_xtce(xtce), "PACKET", {"A": a, "B": 7}) for a in range(50)]
    found, (columns,) = decoder(xtce, packets)
    assert columns.columns["A"].tolist() == list(range(50))
    assert not columns.quality.any()
    assert not found.failed_checks


def test_the_encoder_fills_a_field_that_is_a_check_word(document):
    kind = CHECK_WORD.format(' byteOrder="leastSignificantByteFirst"', CRC_XML.format(""))
    octets = encode(read_xtce(document(kind, {"A": "U8", "X": "T"})), "PACKET", {"A": 1})
    assert octets[:-3:-1] == binascii.crc_hqx(octets[:-2], 0xFFFF).to_bytes(2, "big")
