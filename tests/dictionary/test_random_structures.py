"""Random structures that vary in size: the encoder, the decoder and a reader that goes bit by bit agree.

The reader below walks through the entries of one packet in plain Python; it shares nothing with the other two.
"""

import numpy as np
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.model.conditions import Comparison, Dynamic, Reference
from downlink_pipeline.dictionary.model.definitions import (
    Container,
    ContainerEntry,
    Dictionary,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
    Repetition,
)
from downlink_pipeline.dictionary.model.encodings import (
    BinaryEncoding,
    NumberEncoding,
    StringEncoding,
    Tagged,
    Terminated,
)
from downlink_pipeline.dictionary.model.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BooleanType,
    EnumeratedType,
    NumberType,
    SpelledType,
    StringType,
)
from downlink_pipeline.model.batches import Ragged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEADER = {"VERSION": 3, "TYPE": 1, "SHF": 1, "APID": 11, "FLAGS": 2, "COUNT": 14, "LENGTH": 16}
LABELS = ((0, 3, "LOW"), (4, 4, "FOUR"), (-9, -1, "BELOW"))
ASCII = st.text(st.characters(min_codepoint=48, max_codepoint=122), max_size=5)


def unsigned(bits):
    return NumberType("", NumberEncoding(bits))


def told(name):
    return Dynamic(Reference(name, calibrated=False))


def text_encoding(draw):
    return draw(
        st.sampled_from(
            [
                StringEncoding(Tagged(8, 800), "ascii", b"", 8),
                StringEncoding(Terminated(b"\0", 800), "ascii", b"\0"),
                StringEncoding(64, "ascii", b"\0"),
            ]
        )
    )


class Making:
    """A packet under construction: its entries, and how the values of its parameters are drawn."""

    def __init__(self, draw):
        self.draw = draw
        self.parameters, self.entries, self.makers, self.containers = {}, [], {}, {}
        for name, bits in HEADER.items():
            self.add(name, unsigned(bits), lambda _: 0)

    def know(self, name, kind):
        self.parameters[name] = Parameter(name, name, kind)

    def add(self, name, kind, maker, place=None):
        self.know(name, kind)
        gap = self.draw(st.sampled_from([0, 0, 3, 8])) if name not in HEADER and place is None else 0
        self.entries.append(ParameterEntry(name, place or Placement(Location(gap) if gap else None)))
        self.makers[name] = maker

    def count(self, name):
        self.add(f"N{name}", unsigned(5), lambda _: self.draw(st.integers(0, 4)))
        return told(f"N{name}")

    def spelled_integer(self, name):
        encoding = StringEncoding(Terminated(b";", 800), "ascii", b";")
        kind = SpelledType("", encoding, NumberType("", NumberEncoding(64, "twosComplement")))
        self.add(name, kind, lambda _: str(self.draw(st.integers(-(1 << 63), (1 << 63) - 1))))

    def spelled_real(self, name):
        kind = SpelledType(
            "", StringEncoding(240, "ascii"), NumberType("", NumberEncoding(64, "IEEE754"), real=True)
        )
        self.add(name, kind, lambda _: repr(self.draw(st.floats(allow_nan=False))))

    def spelled_label(self, name):
        kind = EnumeratedType("", NumberEncoding(64, "twosComplement"), LABELS)
        spelled = SpelledType("", text_encoding(self.draw), kind)
        self.add(name, spelled, lambda _: str(self.draw(st.integers(-9, 4))))

    def spelled_truth(self, name):
        kind = SpelledType("", text_encoding(self.draw), BooleanType("", NumberEncoding(1), "yes", "no"))
        self.add(name, kind, lambda _: self.draw(st.sampled_from(["yes", "no", "", "0"])))

    def texts(self, name):
        size = self.count(name)
        kind = ArrayType("", StringType("", text_encoding(self.draw)), (size,))
        self.add(name, kind, lambda row: [self.draw(ASCII) for _ in range(row[f"N{name}"])])

    def two_texts(self, name):
        kind = ArrayType("", StringType("", text_encoding(self.draw)), (2,))
        self.add(name, kind, lambda _: [self.draw(ASCII) for _ in range(2)])

    def blobs(self, name):
        size = self.count(name)
        self.know(f"{name}.n", unsigned(4))
        self.know(
            f"{name}.v", BinaryType("", BinaryEncoding(Dynamic(Reference(f"{name}.n", calibrated=False), 8.0)))
        )
        self._pairs(name, size, lambda n: self.draw(st.binary(min_size=n, max_size=n)))

    def arrays(self, name):
        size = self.count(name)
        self.know(f"{name}.n", unsigned(4))
        bits = self.draw(st.sampled_from([3, 8, 12, 16]))
        self.know(f"{name}.v", ArrayType("", unsigned(bits), (told(f"{name}.n"),)))
        values = st.integers(0, (1 << bits) - 1)
        self._pairs(name, size, lambda n: self.draw(st.lists(values, min_size=n, max_size=n)))

    def _pairs(self, name, size, draw_value):
        members = tuple((each, self.parameters[f"{name}.{each}"].type) for each in ("n", "v"))
        self.add(name, ArrayType("", AggregateType("", members), (size,)), lambda _: [])
        del self.makers[name]
        numbers = st.integers(0, 5)
        self.makers[f"{name}.n"] = lambda row: [self.draw(numbers) for _ in range(row[f"N{name}"])]
        self.makers[f"{name}.v"] = lambda row: [draw_value(n) for n in row[f"{name}.n"]]

    def spaced(self, name):
        self.add(f"G{name}", unsigned(4), lambda _: self.draw(st.integers(0, 15)))
        n = self.draw(st.integers(1, 3))
        place = Placement(None, Repetition(n, told(f"G{name}")))
        self.add(name, unsigned(7), lambda _: [self.draw(st.integers(0, 127)) for _ in range(n)], place)

    def container(self, name):
        """A container inside, its last entry counted from its start, one in the middle from the next."""
        for part, kind in (
            ("a", unsigned(8)),
            ("t", StringType("", StringEncoding(16, "ascii"))),
            ("z", unsigned(5)),
        ):
            self.know(f"{name}{part}", kind)
        for part, bits in (("a", 8), ("z", 5)):
            self.makers[f"{name}{part}"] = lambda _, bits=bits: self.draw(st.integers(0, (1 << bits) - 1))
        self.makers[f"{name}t"] = lambda _: "ok"
        there = Comparison(Reference(f"{name}a", calibrated=False), ">", "99")
        entries = (
            ParameterEntry(f"{name}a"),
            ParameterEntry(f"{name}t", Placement(Location(3, before_next=True))),
            ParameterEntry(f"{name}z", Placement(Location(40, from_start=True))),
        )
        if self.draw(st.booleans()):
            self.know(f"{name}c", unsigned(3))
            self.makers[f"{name}c"] = lambda row: 5 if row[f"{name}a"] > 99 else []
            entries = (entries[0], ParameterEntry(f"{name}c", Placement(None, None, there)), *entries[1:])
        self.containers[name] = Container(name, entries, abstract=True)
        self.entries.append(ContainerEntry(name))

    def row(self):
        row = {}
        for name, maker in self.makers.items():
            row[name] = maker(row)
        return row


KINDS = [name for name in vars(Making) if not name.startswith("_") and name not in {"know", "add", "count", "row"}]


@st.composite
def packets(draw):
    making = Making(draw)
    for i, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))):
        getattr(making, kind)(f"P{i}")
    making.add("LAST", unsigned(9), lambda _: draw(st.integers(0, 511)))
    rows = [making.row() for _ in range(draw(st.integers(1, 4)))]
    containers = {"PACKET": Container("PACKET", tuple(making.entries)), **making.containers}
    return Dictionary("RANDOM", making.parameters, containers), rows


class Naive:
    """Reads one packet, bit by bit, and lists what it finds by parameter."""

    def __init__(self, dictionary, octets, bits):
        self.dictionary, self.octets, self.bits = dictionary, octets, bits
        self.at, self.found, self.sizes = 0, {}, {}
        self.container(dictionary.containers["PACKET"])

    def take(self, n):
        value, self.at = self.bits(self.octets, self.at, n), self.at + n
        return value

    def number(self, size):
        return (
            size if isinstance(size, int) else int(self.found[size.of.parameter][-1] * size.slope + size.intercept)
        )

    def container(self, container):
        begin, entries = self.at, container.entries
        for i, entry in enumerate(entries):
            place = entry.place
            if place.condition is not None and self.found[place.condition.left.parameter][-1] <= 99:
                continue
            if place.location is not None and place.location.before_next:
                kind = self.dictionary.parameters[entry.parameter].type
                self.at = begin + entries[i + 1].place.location.bits - place.location.bits - kind.encoding.size
            elif place.location is not None:
                self.at = (begin if place.location.from_start else self.at) + place.location.bits
            for k in range(place.repetition.count if place.repetition else 1):
                self.at += self.number(place.repetition.gap) if k else 0
                if isinstance(entry, ContainerEntry):
                    self.container(self.dictionary.containers[entry.container])
                else:
                    self.value(entry.parameter, self.dictionary.parameters[entry.parameter].type)

    def value(self, key, kind):
        if isinstance(kind, ArrayType):
            n = self.number(kind.dimensions[0])
            self.sizes.setdefault(key, []).append(n)
            for _ in range(n):
                self.value(key, kind.element)
        elif isinstance(kind, AggregateType):
            for name, member in kind.members:
                self.value(f"{key}.{name}", member)
        elif isinstance(kind, BinaryType):
            n = self.number(kind.encoding.size) // 8
            self.sizes.setdefault(key, []).append(n)
            self.found.setdefault(key, []).extend(self.take(8) for _ in range(n))
        else:
            scalar = self.take(kind.encoding.size_bits) if isinstance(kind, NumberType) else self.text(kind)
            self.found.setdefault(key, []).append(scalar)

    def text(self, kind):
        encoding = kind.encoding
        if isinstance(encoding.size, Tagged):
            text = bytes(self.take(8) for _ in range(self.take(8) // 8))
        elif isinstance(encoding.size, Terminated):
            text = b""
            while not text.endswith(encoding.terminator):
                text += bytes([self.take(8)])
            text = text[:-1]
        else:
            text = bytes(self.take(8) for _ in range(encoding.size // 8)).split(b"\0")[0]
        text = text.decode("ascii")
        if not isinstance(kind, SpelledType):
            return text
        if isinstance(kind.value, BooleanType):
            return text not in {"", "0", "no"}
        if isinstance(kind.value, EnumeratedType):
            return next(label for low, high, label in kind.value.labels if low <= int(text) <= high)
        return float(text) if kind.value.real else int(text)


def plain(column, row):
    if isinstance(column, Ragged):
        return column.values[column.start[row] : column.start[row] + column.length[row]].ravel().tolist()
    return np.asarray(column[row]).ravel().tolist()


def flat(value):
    if isinstance(value, bytes):
        return list(value)
    return [each for part in value for each in flat(part)] if isinstance(value, list) else [value]


RELAXED = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(packets())
def test_the_decoder_finds_what_a_reader_finds_that_goes_bit_by_bit(batch, bits, case):
    dictionary, rows = case
    octets = [encode(dictionary, "PACKET", row) for row in rows]
    decoder = Decoder(compile_plan(dictionary, "PACKET"))
    (found,) = decoder.decode(batch(octets))
    assert decoder.set_aside == {}
    assert found.quality.tolist() == [0] * len(rows)
    for i, each in enumerate(octets):
        naive = Naive(dictionary, each, bits)
        for name, column in found.columns.items():
            expected = naive.sizes if name.endswith(".sizes") else naive.found
            assert plain(column, i) == expected.get(name.removesuffix(".sizes"), []), name


@RELAXED
@given(packets())
def test_what_the_encoder_writes_a_reader_reads_that_goes_bit_by_bit(bits, case):
    dictionary, rows = case
    for row in rows:
        naive = Naive(dictionary, encode(dictionary, "PACKET", row), bits)
        for name, value in row.items():
            kind = dictionary.parameters[name].type
            if name not in HEADER and not isinstance(kind, SpelledType):
                assert naive.found.get(name, []) == flat(value), name


@RELAXED
@given(packets(), st.integers(1, 3))
def test_any_split_of_a_batch_gives_the_same_columns(batch, case, cut):
    dictionary, rows = case
    octets = [encode(dictionary, "PACKET", row) for row in rows]
    plan = compile_plan(dictionary, "PACKET")
    (whole,) = Decoder(plan, raw=True).decode(batch(octets))
    parted = Decoder(plan, raw=True)
    parts = [found for part in (octets[:cut], octets[cut:]) for found in parted.decode(batch(part))]
    for table in ("columns", "raw"):
        for name, column in getattr(whole, table).items():
            got = [plain(getattr(part, table)[name], i) for part in parts for i in range(len(part))]
            assert got == [plain(column, i) for i in range(len(rows))], name


@RELAXED
@given(packets(), st.binary(max_size=60), st.integers(0, 200), st.data())
def test_damaged_packets_never_raise_and_none_is_lost(batch, case, noise, cut, data):
    dictionary, rows = case
    octets = [encode(dictionary, "PACKET", row) for row in rows]
    hit = bytearray(octets[0])
    for place in data.draw(st.lists(st.integers(6, len(hit) - 1), max_size=4)):
        hit[place] ^= data.draw(st.integers(1, 255))
    damaged = [each for each in (*octets, octets[0][:cut], noise, octets[0][:6] + noise, bytes(hit)) if each]
    decoder = Decoder(compile_plan(dictionary, "PACKET"))
    found = decoder.decode(batch(damaged))
    assert sum(map(len, found)) + decoder.set_aside.total() == len(damaged)
