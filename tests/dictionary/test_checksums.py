"""Check words that a dictionary declares: values of the CRC catalogue, of RFC 1950, and counted by hand."""

import binascii
import random
import zlib

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.model.encodings import Checksum, Crc, Parity
from downlink_pipeline.dictionary.run.checksums import CheckValues
from downlink_pipeline.dictionary.run.digits import DIGIT_CHECKS
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.model.errors import ConfigError

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
        # Fletcher-32: its published vectors take words least significant byte first; here the bytes are changed round.
        ("fletcher32", 32, b"badc\0e", 0xF04FC729),
        ("fletcher32", 32, b"badcfe", 0x56502D2A),
        ("fletcher32", 32, b"badcfehg", 0xEBE19591),
        # Half bytes 1, 2, 3, 4: 10; 1 + 3 + 6 + 10 = 20 = 5 mod 15.
        ("fletcher8", 8, b"\x12\x34", 0x5A),
        # Quarters 0, 1, 2, 3: 6 = 0; 0 + 1 + 3 + 6 = 10 = 1 mod 3.
        ("fletcher4", 4, b"\x1b", 0x4),
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


def test_a_word_of_odd_bytes_is_filled_with_zeros():
    # 0x0102 and 0x0300.
    assert of(Checksum("fletcher32", 32), [b"\1\2\3"]) == [(0x0102 + 0x0402) << 16 | 0x0402]


@pytest.mark.parametrize("name", ["fletcher4", "fletcher8", "fletcher16", "fletcher32"])
def test_fletchers_sums_are_what_two_registers_leave(name):
    half = int(name.removeprefix("fletcher")) // 2
    spans = [random.Random(8).randbytes(n) for n in (0, 1, 2, 7, 300, 5000, 70_001)]
    expected = []
    for span in spans:
        text = "".join(f"{octet:08b}" for octet in span)
        first = second = 0
        for i in range(0, len(text), half):
            first = (first + int(text[i : i + half].ljust(half, "0"), 2)) % (2**half - 1)
            second = (second + first) % (2**half - 1)
        expected.append(second << half | first)
    assert of(Checksum(name, 2 * half), spans) == expected


# The examples of their descriptions: Luhn 7992739871-3, Verhoeff 236-3, Damm 572-4.
@pytest.mark.parametrize(("name", "good"), [("luhn", "79927398713"), ("verhoeff", "2363"), ("damm", "5724")])
def test_a_check_digit_of_a_text_is_checked(document, packet, decoder, name, good):
    kind = f"""<StringParameterType name="T"><StringDataEncoding><ErrorDetectCorrect><Checksum name="{name}"
    reference="end"/></ErrorDetectCorrect><Variable maxSizeInBits="800"><TerminationChar>00</TerminationChar></Variable>
    </StringDataEncoding></StringParameterType>"""
    texts = [good, "", good[:-1] + "x", *(good[:-1] + str(digit) for digit in range(10))]
    found, (columns,) = decoder(document(kind, {"X": "T"}), [packet(text.encode() + b"\0") for text in texts])
    passed = [text for text, quality in zip(texts, columns.quality.tolist(), strict=True) if not quality]
    assert passed == [good, "", good]
    assert found.failed_checks == {f"{name} in X": 10}


@pytest.mark.parametrize(("name", "good"), [("luhn", 0x79927398713), ("verhoeff", None), ("damm", 0x5724)])
def test_a_check_digit_of_a_bcd_number_is_checked(document, packet, decoder, name, good):
    # Verhoeff gives leading zeros a weight: here 12 digits, by its own rule.
    good = 0x79927398713 if good is None else good
    kind = f"""<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="48" encoding="BCD"><ErrorDetectCorrect>
    <Checksum name="{name}" reference="end"/></ErrorDetectCorrect></IntegerDataEncoding></IntegerParameterType>"""
    numbers = [good & ~0xF | digit for digit in range(10)]
    _, (columns,) = decoder(document(kind, {"X": "T"}), [packet(number.to_bytes(6, "big")) for number in numbers])
    passed = [number for number, quality in zip(numbers, columns.quality.tolist(), strict=True) if not quality]
    assert len(passed) == 1
    assert name == "verhoeff" or passed == [good]


def test_every_single_wrong_digit_and_every_swap_is_found_by_damm_and_verhoeff():
    number = np.frombuffer(b"5724", np.uint8) - 48
    for name, digits in (("damm", number), ("verhoeff", np.frombuffer(b"2363", np.uint8) - 48)):
        assert not DIGIT_CHECKS[name](digits[None, :]).any()
        for place in range(4):
            wrong = np.tile(digits, (9, 1))
            wrong[:, place] = [digit for digit in range(10) if digit != digits[place]]
            assert DIGIT_CHECKS[name](wrong).all()
        for place in range(3):
            swapped = digits.copy()
            swapped[[place, place + 1]] = swapped[[place + 1, place]]
            assert DIGIT_CHECKS[name](swapped[None, :]).all() or (swapped == digits).all()


def test_a_field_of_four_bits_may_be_a_check_word(document, packet, decoder):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="4"><ErrorDetectCorrect><Checksum
    name="fletcher4"/></ErrorDetectCorrect></IntegerDataEncoding></IntegerParameterType>"""
    head = packet(b"\x1b\0")[:-1]
    first = second = 0
    for octet in head:
        for shift in (6, 4, 2, 0):
            first = (first + (octet >> shift & 3)) % 3
            second = (second + first) % 3
    word = second << 2 | first
    packets = [head + bytes([word << 4]), head + bytes([(word ^ 1) << 4])]
    _, (columns,) = decoder(document(kind, {"A": "U8", "X": "T"}), packets)
    assert columns.quality.tolist() == [0, Quality.FAILED_CHECK]


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
        ('<Checksum name="luhn" reference="end"/>', 'luhn of "PACKET" is not implemented: only text and BCD'),
        ('<Checksum name="unix_sum" reference="end"/>', 'name="unix_sum" is not implemented: the programs'),
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
        '<Checksum name="fletcher8" reference="end"/>',
        '<Checksum name="fletcher32" reference="end"/>',
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
