"""Packet descriptions as CSV."""

import pytest

from pipeline.dictionary.csv import read_csv
from pipeline.dictionary.decoder import Decoder
from pipeline.dictionary.plan import compile_plan
from pipeline.errors import ConfigError


@pytest.fixture
def decoded(batch, packet):
    def decode(text, *bodies):
        decoder = Decoder(compile_plan(read_csv(text.encode())))
        (found,) = decoder.decode(batch([packet(body, apid=7, seq_count=9) for body in bodies]))
        return found

    return decode


def test_each_row_is_a_field_behind_the_primary_header(decoded):
    found = decoded(
        "name,data_type,bit_length\nMODE,uint,3\nPAD,fill,5\nT,int,16\nV,float,32\nNAME,str,24\n",
        b"\xa0\xff\xfe\x3f\xc0\0\0abc",
    )
    assert found.columns["CCSDS_APID"].tolist() == [7]
    assert found.columns["CCSDS_SEQUENCE_COUNT"].tolist() == [9]
    assert found.columns["MODE"].tolist() == [5]
    assert found.columns["T"].tolist() == [-2]
    assert found.columns["V"].tolist() == [1.5]
    assert found.columns["NAME"].tolist() == ["abc"]


def test_a_bit_offset_counts_from_the_start_of_the_packet(decoded):
    found = decoded("name, data_type, bit_length, bit_offset\nB, uint, 8, 56\nA, uint, 8, 48\n", b"\1\2")
    assert (found.columns["A"].tolist(), found.columns["B"].tolist()) == ([1], [2])


def test_an_array_has_its_shape(decoded):
    found = decoded('name,data_type,bit_length,array_shape\nA,uint,8,"2,3"\n', bytes(range(6)))
    assert found.columns["A"].tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_an_array_may_be_sized_by_a_field(decoded):
    found = decoded(
        "name,data_type,bit_length,array_shape\nN,uint,8,\nA,uint,16,N\nB,uint,8,\n", b"\2\0\1\0\2\7", b"\0\x08"
    )
    assert found.columns["A"].values.tolist() == [1, 2]
    assert found.columns["A"].length.tolist() == [2, 0]
    assert found.columns["B"].tolist() == [7, 8]


def test_an_array_may_take_what_the_packet_holds(decoded):
    found = decoded("name,data_type,bit_length,array_shape\nA,uint,16,expand\nB,uint,8,\n", b"\0\1\0\2\7", b"\x08")
    assert found.columns["A"].length.tolist() == [2, 0]
    assert found.columns["A"].values.tolist() == [1, 2]
    assert found.columns["B"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name,bit_length\nA,8\n", 'packet.csv:1: column "data_type" is missing'),
        (
            "name,data_type,bit_length\nA,uint,99\n",
            'packet.csv:2: A: data_type "uint" of 99 bits is not implemented',
        ),
        ("name,data_type,bit_length\nA,uint,8\nA,uint,8\n", "packet.csv:3: A: is there twice"),
        ("name,data_type,bit_length\nA,uint,x\n", "packet.csv:2: A: bit_length"),
        ("name,data_type,bit_length,array_shape\nA,uint,8,M\n", "packet.csv:2: A: array_shape"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, problem):
    with pytest.raises(ConfigError) as caught:
        read_csv(text.encode())
    assert str(caught.value.problems[0]).startswith(problem)
