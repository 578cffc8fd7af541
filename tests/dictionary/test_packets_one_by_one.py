"""Packets that come one by one give the columns that they give together."""

from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder, TimeTerm
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from hypothesis import given, settings
from hypothesis import strategies as st

MODE = (
    '<EnumeratedParameterType name="MODE"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>'
    '<Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/></EnumerationList>'
    "</EnumeratedParameterType>"
)
TEXT = (
    '<StringParameterType name="TEXT"><StringDataEncoding><SizeInBits><Fixed><FixedValue>64</FixedValue></Fixed>'
    "</SizeInBits></StringDataEncoding></StringParameterType>"
)
BLOB = (
    '<BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits><FixedValue>64</FixedValue></SizeInBits>'
    "</BinaryDataEncoding></BinaryParameterType>"
)
VOLTS = (
    '<FloatParameterType name="VOLTS"><IntegerDataEncoding sizeInBits="16"><DefaultCalibrator><PolynomialCalibrator>'
    '<Term coefficient="-5" exponent="0"/><Term coefficient="0.25" exponent="1"/></PolynomialCalibrator>'
    "</DefaultCalibrator></IntegerDataEncoding></FloatParameterType>"
)
FIXED = ("U2", "U8", "U14", "U16", "VOLTS")
KINDS = ("U2", "U8", "U14", "U16", "MODE", "TEXT", "BLOB", "VOLTS")


@pytest.fixture(scope="module")
def decoder(document):
    def make(kinds):
        parameters = {f"P{i}": kind for i, kind in enumerate(kinds)}
        return Decoder(compile_plan(read_xtce(document(MODE + TEXT + BLOB + VOLTS, parameters))))

    return make


def test_a_label_that_is_longer_than_those_known_is_told_in_full(decoder, batch, packet):
    one = decoder(["U8", "U8", "MODE"])
    labels = [one.decode(batch([packet(bytes([7, 7, mode]))]))[0].columns["P2"].tolist() for mode in (1, 200, 0)]
    assert labels[0] == ["ON"]
    assert labels[2] == ["OFF"]
    assert "200" in labels[1][0]


def test_packets_of_one_batch_and_of_batches_of_their_own_have_the_same_columns(decoder, batch, packet):
    octets = [packet(bytes(range(i, i + 24))) for i in range(5)]
    one, other = decoder(FIXED), decoder(FIXED)
    (together,) = one.decode(batch(octets))
    alone = [found for start, stop in pairwise(range(6)) for found in other.decode(batch(octets[start:stop]))]
    for name, column in together.columns.items():
        assert [row for each in alone for row in each.columns[name].tolist()] == column.tolist(), name


NUMBERS = ("U2", "U8", "U14", "U16")


@settings(max_examples=100, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=9),
    sizes=st.lists(st.integers(-3, 3), min_size=3, max_size=12),
    seed=st.integers(0, 2**32),
)
def test_packets_of_any_length_give_one_by_one_what_they_give_together(document, batch, packet, kinds, sizes, seed):
    rng = np.random.default_rng(seed)
    n_bytes = (sum(int(kind[1:]) for kind in kinds) + 7) // 8
    octets = [packet(rng.bytes(max(n_bytes + (size if size % 2 else 0), 1))) for size in sizes]
    xml = document("", {f"P{i}": kind for i, kind in enumerate(kinds)})
    terms = [TimeTerm("P0", 1e9), TimeTerm(f"P{len(kinds) - 1}", 2.5e6)][: int(rng.integers(3))]
    one, other = (Decoder(compile_plan(read_xtce(xml)), terms) for _ in range(2))
    together = [row for found in one.decode(batch(octets)) for row in rows_of(found)]
    alone = [row for each in octets for found in other.decode(batch([each])) for row in rows_of(found)]
    assert alone == together
    assert other.set_aside == one.set_aside


def rows_of(found):
    """Every field of each row, with its dtype, but for where its packet stood in the batch."""
    fields = {**found.columns, "time": found.time_ns, "quality": found.quality, "order": found.order}
    return [
        (found.container, *((name, one.dtype.str, one[i].tobytes()) for name, one in fields.items()))
        for i in range(len(found))
    ]
