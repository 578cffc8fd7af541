"""Numbers, labels and truth values that are written as text: what they say, and what says nothing."""

import math
import random

import numpy as np
import pytest
from downlink_pipeline.dictionary.run.spelled import integers_of, letters_of, reals_of
from downlink_pipeline.model.batches import Quality

FIXED = "<SizeInBits><Fixed><FixedValue>{}</FixedValue></Fixed><TerminationChar>00</TerminationChar></SizeInBits>"
SIGHT = '<Variable maxSizeInBits="8000"><TerminationChar>2C</TerminationChar></Variable>'


def spelled(kind, bits=64, attributes="", more="", size=""):
    encoding = f"<StringDataEncoding>{size or FIXED.format(bits)}</StringDataEncoding>"
    return f'<{kind}ParameterType name="T" {attributes}>{encoding}{more}</{kind}ParameterType>'


def padded(*texts, n=8):
    return [text.encode().ljust(n, b"\0") for text in texts]


def test_integers_are_read_as_they_are_written(column):
    found = column(spelled("Integer"), padded("0", "-17", "+42", "007", " 5 ", "0x1F", "12345678"))
    assert found.dtype == np.int64
    assert found.tolist() == [0, -17, 42, 7, 5, 31, 12345678]


def test_an_unsigned_integer_has_64_bits(column):
    found = column(spelled("Integer", 160, 'signed="false"'), padded("18446744073709551615", n=20))
    assert found.dtype == np.uint64
    assert found.tolist() == [18446744073709551615]


def test_reals_are_read_as_they_are_written(column):
    found = column(spelled("Float"), padded("1.5", "-.25", "2.", "1e3", "-1.5E-2", "7", "inf"))
    assert found.tolist() == [1.5, -0.25, 2.0, 1000.0, -0.015, 7.0, math.inf]


def test_what_is_no_number_is_flagged_and_never_raised(document, packet, decode):
    bodies = padded("", "abc", "1.5", "1 2", "--1", "0x", "\x80", "5", "5\0 x")
    (found,) = decode(document(spelled("Integer"), {"X": "T"}), list(map(packet, bodies)))
    assert found.columns["X"].tolist() == [0, 0, 0, 0, 0, 0, 0, 5, 5]
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE] * 7 + [0, 0]
    (found,) = decode(document(spelled("Float"), {"X": "T"}), [packet(b"1.2.3\0\0\0"), packet(b"1e\0\0\0\0\0\0")])
    assert np.isnan(found.columns["X"]).all()
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE] * 2


def test_integers_beyond_64_bits_are_flagged(document, packet, decode):
    bodies = [
        text.encode().ljust(24, b"\0")
        for text in (
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
        )
    ]
    (found,) = decode(document(spelled("Integer", 192), {"X": "T"}), list(map(packet, bodies)))
    assert found.columns["X"].tolist() == [2**63 - 1, 0, -(2**63), 0, 0]
    assert (found.quality != 0).tolist() == [False, True, False, True, True]


def test_a_negative_text_of_an_unsigned_integer_is_flagged(document, packet, decode):
    (found,) = decode(document(spelled("Integer", 64, 'signed="false"'), {"X": "T"}), [packet(padded("-1")[0])])
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE]


@pytest.mark.parametrize(
    ("text", "truth", "known"),
    [("yes!", True, True), ("nooo", False, True), ("NOOO", False, True), ("", False, True), ("0", False, True),
     ("1", True, True), ("what", True, False)],
)  # fmt: skip
def test_a_boolean_is_false_where_nothing_zero_or_its_word_stands(document, packet, decode, text, truth, known):
    kind = spelled("Boolean", 32, 'oneStringValue="yes!" zeroStringValue="nooo"')
    (found,) = decode(document(kind, {"X": "T"}), [packet(text.encode().ljust(4, b"\0"))])
    assert found.columns["X"].tolist() == [truth]
    assert found.quality.tolist() == [0 if known else Quality.UNKNOWN_VALUE]


LABELS = """<EnumerationList><Enumeration value="0" label="OFF"/><Enumeration value="3" maxValue="5" label="ON"/>
</EnumerationList>"""


def test_an_enumeration_may_be_written_by_number_or_by_label(document, packet, decode):
    kind = spelled("Enumerated", 64, "", LABELS)
    (found,) = decode(document(kind, {"X": "T"}), list(map(packet, padded("0", "4", "ON", "7", "huh"))))
    assert found.columns["X"].tolist() == ["OFF", "ON", "ON", "UNKNOWN_7", "UNKNOWN"]
    assert (found.quality != 0).tolist() == [False, False, False, True, True]


def test_a_text_of_any_size_may_be_a_number(document, packet, decode):
    kind = spelled("Integer", size=SIGHT)
    bodies = [b"12,\7", b"-3,\x08", b"x,\x09", b"9" * 300 + b",\x0a"]
    (found,) = decode(document(kind, {"X": "T", "B": "U8"}), list(map(packet, bodies)), raw=True)
    assert found.columns["X"].tolist() == [12, -3, 0, 0]
    assert found.columns["B"].tolist() == [7, 8, 9, 10]
    assert (found.quality != 0).tolist() == [False, False, True, True]
    raw = found.raw["X"]
    assert raw.values[raw.start[1] : raw.start[1] + raw.length[1]].tobytes() == b"-3,"


def test_texts_in_utf_16_are_read_too(column):
    kind = spelled("Integer", 64).replace("<StringDataEncoding>", '<StringDataEncoding encoding="UTF-16BE">')
    kind = kind.replace("<TerminationChar>00</TerminationChar>", "")
    assert column(kind, ["-123".encode("utf-16-be")]).tolist() == [-123]


def test_what_is_written_as_text_may_tell_a_size(document, packet, decode):
    told = """<DynamicValue><ParameterInstanceRef parameterRef="N" useCalibratedValue="false"/>
    <LinearAdjustment slope="8"/></DynamicValue>"""
    kinds = (
        spelled("Integer", size=SIGHT)
        + f"""<BinaryParameterType name="B"><BinaryDataEncoding><SizeInBits>{told}
    </SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    )
    (found,) = decode(document(kinds, {"N": "T", "X": "B", "Y": "U8"}), [packet(b"2,ab\7"), packet(b"0,\x08")])
    assert found.columns["X"].length.tolist() == [2, 0]
    assert found.columns["Y"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("kind", "value", "raw", "body"),
    [
        (spelled("Integer"), "12", "false", "12"),
        (spelled("Float"), "1.5", "true", "1.50"),
        (spelled("Boolean", 64, 'oneStringValue="GO"'), "GO", "true", "GO"),
        (spelled("Enumerated", 64, "", LABELS), "ON", "true", "4"),
        (spelled("Enumerated", 64, "", LABELS), "5", "false", "3"),
    ],
)  # fmt: skip
def test_a_condition_may_look_at_it(document, packet, decode, kind, value, raw, body):
    there = f"""<IncludeCondition><Comparison parameterRef="X" value="{value}" useCalibratedValue="{raw}"/>
    </IncludeCondition>"""
    entries = f"""<ParameterRefEntry parameterRef="X"/><ParameterRefEntry parameterRef="A">{there}
    </ParameterRefEntry>"""
    xtce = document(kind, {"X": "T", "A": "U8"}, entries)
    (found,) = decode(xtce, [packet(padded(body)[0] + b"\7"), packet(padded("0")[0])])
    assert found.columns["A"].length.tolist() == [1, 0]


def test_its_range_and_alarms_are_checked(document, packet, decode):
    more = '<ValidRange minInclusive="10" maxInclusive="20" validRangeAppliesToCalibrated="false"/>'
    (found,) = decode(document(spelled("Integer", 64, "", more), {"X": "T"}), list(map(packet, padded("15", "21"))))
    assert found.quality.tolist() == [0, Quality.OUT_OF_RANGE]


def test_a_boolean_of_bytes_is_true_where_one_is_not_zero(column):
    kind = """<BooleanParameterType name="T"><BinaryDataEncoding><SizeInBits><FixedValue>16</FixedValue></SizeInBits>
    </BinaryDataEncoding></BooleanParameterType>"""
    assert column(kind, [b"\0\0", b"\0\1", b"\x80\0"]).tolist() == [False, True, True]


def test_a_boolean_may_be_a_float(column):
    kind = '<BooleanParameterType name="T"><FloatDataEncoding sizeInBits="32"/></BooleanParameterType>'
    assert column(kind, [b"\0\0\0\0", b"\x3f\0\0\0"]).tolist() == [False, True]


# Python's own int() and float() are the second opinion.
ALPHABET = "0123456789+-.eExX abcdfinINF"


def test_what_python_reads_as_a_number_is_one_and_nothing_else_is():
    noise = random.Random(5)
    texts = ["".join(noise.choices(ALPHABET, k=noise.randrange(8))) for _ in range(20_000)]
    letters = letters_of(np.array(texts))
    values, good = reals_of(letters)
    for text, value, is_number in zip(texts, values.tolist(), good.tolist(), strict=True):
        try:
            expected = float(text)
        except ValueError:
            assert not is_number, text
        else:
            assert is_number, text
            assert value == expected or (math.isnan(value) and math.isnan(expected)), text
    values, good = integers_of(letters, signed=True)
    for text, value, is_number in zip(texts, values.tolist(), good.tolist(), strict=True):
        stripped = text.strip()
        try:
            expected = int(stripped, 16) if stripped.lstrip("+-")[:2].lower() == "0x" else int(stripped)
        except ValueError:
            assert not is_number, text
        else:
            assert (value, is_number) == (expected, True), text
