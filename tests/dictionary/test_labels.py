"""Enumerations and booleans."""

import numpy as np
import pytest

from pipeline.batches import Quality


def enumeration(size_bits, *labels, encoding="unsigned"):
    listed = "".join(
        f'<Enumeration value="{low}" label="{label}"' + (f' maxValue="{high[0]}"/>' if high else "/>")
        for low, label, *high in labels
    )
    return (
        f'<EnumeratedParameterType name="T"><IntegerDataEncoding sizeInBits="{size_bits}" encoding="{encoding}"/>'
        f"<EnumerationList>{listed}</EnumerationList></EnumeratedParameterType>"
    )


def test_an_enumeration_is_a_column_of_labels(column):
    found = column(enumeration(8, (0, "STOPPED"), (1, "DRIVING")), [b"\1", b"\0"])
    assert found.dtype.kind == "U"
    assert found.tolist() == ["DRIVING", "STOPPED"]


def test_the_raw_column_of_an_enumeration_holds_integers(column):
    assert column(enumeration(8, (0, "A"), (1, "B")), [b"\1", b"\7"], raw=True).tolist() == [1, 7]


@pytest.mark.parametrize("size_bits", [8, 32])
def test_a_value_without_label_is_kept_and_its_row_flagged(document, packet, decode, size_bits):
    width = size_bits // 8
    xtce = document(enumeration(size_bits, (0, "OFF"), (1, "ON")), {"X": "T"})
    (found,) = decode(xtce, [packet(n.to_bytes(width, "big")) for n in (1, 201, 0)])
    assert found.columns["X"].tolist() == ["ON", "UNKNOWN_201", "OFF"]
    assert found.quality.tolist() == [0, Quality.UNKNOWN_VALUE, 0]


def test_a_label_may_stand_for_a_range(column):
    kind = enumeration(8, (0, "LOW", 9), (10, "HIGH", 20))
    assert column(kind, [bytes([n]) for n in (0, 9, 10, 20)]).tolist() == ["LOW", "LOW", "HIGH", "HIGH"]


@pytest.mark.parametrize("size_bits", [8, 24])
def test_labels_of_negative_values_are_found(column, size_bits):
    kind = enumeration(size_bits, (-2, "BACK"), (2, "AHEAD"), encoding="twosComplement")
    bodies = [n.to_bytes(size_bits // 8, "big", signed=True) for n in (-2, 2)]
    assert column(kind, bodies).tolist() == ["BACK", "AHEAD"]


def test_a_label_for_a_value_that_the_bits_cannot_hold_names_nothing(column):
    assert column(enumeration(8, (300, "NEVER"), (44, "FORTY-FOUR")), [bytes([44])]).tolist() == ["FORTY-FOUR"]


def test_a_boolean_is_true_when_not_zero(column):
    kind = '<BooleanParameterType name="T"><IntegerDataEncoding sizeInBits="2"/></BooleanParameterType>'
    found = column(kind, [b"\x00", b"\x40", b"\x80", b"\xc0"])
    assert found.dtype == np.bool_
    assert found.tolist() == [False, True, True, True]
    assert column(kind, [b"\x80"], raw=True).tolist() == [2]


def test_labels_of_every_value_are_as_wide_as_the_longest_of_them(column):
    found = column(enumeration(1, (0, "OFF"), (1, "ON")), [b"\x00", b"\x80", b"\x80"])
    assert found.tolist() == ["OFF", "ON", "ON"]
    assert found.dtype.itemsize == 4 * 4  # code points of four bytes; items of 16 are copied in one instruction
