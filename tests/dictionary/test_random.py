"""Random dictionaries and random packets: the encoder, the decoder and a reader that goes bit by bit agree."""

import math
import struct

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.encoder_numbers import pattern
from downlink_pipeline.dictionary.model.conditions import Comparison, Dynamic, Reference
from downlink_pipeline.dictionary.model.definitions import (
    Container,
    Dictionary,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
    Repetition,
)
from downlink_pipeline.dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding
from downlink_pipeline.dictionary.model.parameter_types import ArrayType, BinaryType, NumberType, StringType
from downlink_pipeline.model.batches import Ragged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEADER = {"VERSION": 3, "TYPE": 1, "SHF": 1, "APID": 11, "FLAGS": 2, "COUNT": 14, "LENGTH": 16}
FORMS = ["unsigned", "twosComplement", "onesComplement", "signMagnitude", "BCD"]


@st.composite
def encodings(draw):
    kind = draw(st.sampled_from(["integer", "integer", "integer", "float", "1750a"]))
    mirrored = draw(st.booleans()) and draw(st.booleans())
    if kind == "float":
        size = draw(st.sampled_from([16, 32, 64]))
        return NumberEncoding(size, "IEEE754", draw(st.booleans()), mirrored)
    if kind == "1750a":
        return NumberEncoding(draw(st.sampled_from([32, 48])), "MILSTD_1750A", False, mirrored)
    form = draw(st.sampled_from(FORMS))
    size = draw(st.integers(1, 16)) * 4 if form == "BCD" else draw(st.integers(2, 64))
    return NumberEncoding(size, form, size % 8 == 0 and draw(st.booleans()), mirrored)


def numbers(encoding):
    size = encoding.size_bits
    if encoding.form == "IEEE754":
        return st.floats(width=size, allow_nan=False)
    if encoding.form == "MILSTD_1750A":
        return st.integers(-(1 << 22), (1 << 22) - 1).map(float)
    if encoding.form == "BCD":
        return st.integers(0, 10 ** (size // 4) - 1)
    low, high = {"unsigned": (0, (1 << size) - 1), "twosComplement": (-(1 << size - 1), (1 << size - 1) - 1)}.get(
        encoding.form, (1 - (1 << size - 1), (1 << size - 1) - 1)
    )
    return st.integers(low, high)


class Making:
    """A container under construction, and how the values of each of its parameters are drawn."""

    def __init__(self, draw):
        self.draw = draw
        self.parameters, self.entries, self.makers = {}, [], {}
        for name, bits in HEADER.items():
            self.add(name, NumberType("", NumberEncoding(bits)), st.just(0))

    def add(self, name, kind, maker, *, repetition=None, condition=None):
        gap = self.draw(st.sampled_from([0, 0, 0, 1, 5, 8, 13])) if name not in HEADER and not condition else 0
        place = Placement(Location(gap) if gap else None, repetition, condition)
        self.parameters[name] = Parameter(name, name, kind)
        self.entries.append(ParameterEntry(name, place))
        self.makers[name] = maker

    def many(self, encoding, n):
        return st.lists(numbers(encoding), min_size=n, max_size=n)

    def scalar(self, name, encoding):
        self.add(name, NumberType("", encoding), numbers(encoding))

    def array(self, name, encoding):
        sizes = tuple(self.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
        self.add(name, ArrayType("", NumberType("", encoding), sizes), self.many(encoding, math.prod(sizes)))

    def repeat(self, name, encoding):
        n, space = self.draw(st.integers(1, 5)), self.draw(st.integers(0, 9))
        self.add(name, NumberType("", encoding), self.many(encoding, n), repetition=Repetition(n, space))

    def string(self, name, _):
        text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6)
        self.add(name, StringType("", StringEncoding(48, "ascii")), text)

    def blob(self, name, _):
        bits = self.draw(st.integers(1, 40))
        octets = st.integers(0, (1 << bits) - 1).map(lambda n: n.to_bytes((bits + 7) // 8, "big"))
        self.add(name, BinaryType("", BinaryEncoding(bits)), octets)

    def counted(self, name, encoding):
        self.add(f"N{name}", NumberType("", NumberEncoding(5)), st.integers(0, 6))
        size = Dynamic(Reference(f"N{name}", calibrated=False))
        self.add(name, ArrayType("", NumberType("", encoding), (size,)), (lambda told: told, encoding))

    def optional(self, name, encoding):
        self.add(f"N{name}", NumberType("", NumberEncoding(5)), st.integers(0, 6))
        there = Comparison(Reference(f"N{name}", calibrated=False), ">", "2")
        self.add(name, NumberType("", encoding), (lambda told: int(told > 2), encoding), condition=there)

    def row(self):
        row = {}
        for name, maker in self.makers.items():
            if isinstance(maker, tuple):
                n = maker[0](row[f"N{name}"])
                row[name] = self.draw(self.many(maker[1], n))
            else:
                row[name] = self.draw(maker)
        return row


KINDS = ["scalar", "scalar", "array", "repeat", "string", "blob", "counted", "optional"]


@st.composite
def packets(draw):
    """A dictionary of one container, and the raw values of some packets."""
    making = Making(draw)
    for i, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))):
        getattr(making, kind)(f"P{i}", draw(encodings()))
    rows = [making.row() for _ in range(draw(st.integers(1, 4)))]
    container = Container("PACKET", tuple(making.entries))
    return Dictionary("RANDOM", making.parameters, {"PACKET": container}), rows


def plain(column, row):
    if isinstance(column, Ragged):
        return column.values[column.start[row] : column.start[row] + column.length[row]].ravel().tolist()
    value = column[row]
    return np.asarray(value).ravel().tolist() if np.ndim(value) else value.item()


RELAXED = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(packets())
def test_what_the_encoder_writes_the_decoder_reads(batch, case):
    dictionary, rows = case
    octets = [encode(dictionary, "PACKET", row) for row in rows]
    decoder = Decoder(compile_plan(dictionary), raw=True)
    (found,) = decoder.decode(batch(octets))
    assert decoder.set_aside == {}
    assert found.quality.tolist() == [0] * len(rows)
    for i, row in enumerate(rows):
        for name, value in row.items():
            if name in HEADER:
                continue
            got = plain(found.columns[name], i)
            expected = list(value) if isinstance(value, bytes) else value
            assert got == expected, name


@RELAXED
@given(encodings().flatmap(lambda e: st.tuples(st.just(e), numbers(e))), st.integers(0, 20))
def test_a_reader_that_goes_bit_by_bit_finds_what_the_encoder_writes(bits, pair, offset):
    encoding, value = pair
    place = Placement(Location(offset))
    parameters = {"X": Parameter("X", "X", NumberType("", encoding))}
    container = Container("PACKET", (ParameterEntry("X", place),))
    dictionary = Dictionary("ONE", parameters, {"PACKET": container})
    octets = encode(dictionary, "PACKET", {"X": value}, space_packet=False)
    sent = bits(octets, offset, encoding.size_bits)
    assert sent == pattern(value, encoding)
    if encoding.mirrored or encoding.little_endian:
        return
    size = encoding.size_bits
    negative = sent >> (size - 1)
    rest = sent & ((1 << size - 1) - 1)
    meanings = {
        "unsigned": lambda: sent,
        "twosComplement": lambda: sent - (negative << size),
        "onesComplement": lambda: sent - (negative << size) + negative,
        "signMagnitude": lambda: -rest if negative else rest,
        "BCD": lambda: int(f"{sent:x}"),
        "IEEE754": lambda: struct.unpack({16: ">e", 32: ">f", 64: ">d"}[size], sent.to_bytes(size // 8, "big"))[0],
        "MILSTD_1750A": lambda: value,
    }
    assert meanings[encoding.form]() == value


@RELAXED
@given(packets(), st.binary(max_size=60), st.integers(0, 200))
def test_damaged_packets_never_raise_and_none_is_lost(batch, case, noise, cut):
    dictionary, rows = case
    octets = [encode(dictionary, "PACKET", row) for row in rows]
    damaged = [*octets, octets[0][:cut], noise, octets[0][:6] + noise]
    decoder = Decoder(compile_plan(dictionary))
    found = decoder.decode(batch([each for each in damaged if each]))
    assert sum(map(len, found)) + decoder.set_aside.total() == len([each for each in damaged if each])


def test_a_value_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        pattern(256, NumberEncoding(8))


@RELAXED
@given(packets())
def test_a_packet_alone_is_read_as_it_is_among_others(batch, case):
    dictionary, rows = case
    octets = [encode(dictionary, "PACKET", row) for row in rows]
    plan = compile_plan(dictionary)
    (together,) = Decoder(plan).decode(batch(octets))
    alone = Decoder(plan)
    for i, each in enumerate(octets):
        (found,) = alone.decode(batch([each]))
        assert found.order.tolist() == [i]
        for name, column in together.columns.items():
            assert plain(found.columns[name], 0) == plain(column, i)
            assert getattr(found.columns[name], "dtype", None) == getattr(column, "dtype", None)
