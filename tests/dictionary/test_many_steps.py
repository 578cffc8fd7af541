"""Packets with thousands of records or conditions: what they hold, and that no function is called for each record."""

import gc
import struct
import sys

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError

U16 = (
    '<IntegerParameterType name="U16" signed="false"><IntegerDataEncoding sizeInBits="16"/></IntegerParameterType>'
)
U8 = '<IntegerParameterType name="U8" signed="false"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>'
N = '<Parameter name="N" parameterTypeRef="U16"/>'
BY_N = '<RepeatEntry><Count><DynamicValue><ParameterInstanceRef parameterRef="N"/></DynamicValue></Count></RepeatEntry>'


def entry(name, inside=""):
    return f'<ParameterRefEntry parameterRef="{name}">{inside}</ParameterRefEntry>'


def document(types, parameters, entries):
    return f"""<SpaceSystem name="X" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
    <ParameterTypeSet>{U16}{U8}{types}</ParameterTypeSet><ParameterSet>{N}{parameters}</ParameterSet><ContainerSet>
    <SequenceContainer name="P"><EntryList>{entries}</EntryList></SequenceContainer></ContainerSet>
    </TelemetryMetaData></SpaceSystem>""".encode()


SIZE = """<DynamicValue><ParameterInstanceRef parameterRef="R.L"/><LinearAdjustment slope="8" intercept="0"/>
</DynamicValue>"""
BLOB = f"""<BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits>{SIZE}</SizeInBits></BinaryDataEncoding>
</BinaryParameterType><AggregateParameterType name="RECORD"><MemberList><Member name="L" typeRef="U8"/>
<Member name="D" typeRef="BLOB"/></MemberList></AggregateParameterType>"""
RECORDS = document(BLOB, '<Parameter name="R" parameterTypeRef="RECORD"/>', entry("N") + entry("R", BY_N))


def records(sizes, seed=0):
    """A packet of blobs behind their lengths, and the blobs."""
    random = np.random.default_rng(seed)
    blobs = [random.bytes(int(size)) for size in sizes]
    return struct.pack(">H", len(blobs)) + b"".join(bytes([len(blob)]) + blob for blob in blobs), blobs


def blobs_of(column, sizes, row):
    """The blobs of one packet, from NAME and NAME.sizes."""
    here = sizes.values[sizes.start[row] : sizes.start[row] + sizes.length[row]]
    start = column.start[row] + np.cumsum(here) - here
    return [column.values[at : at + n].tobytes() for at, n in zip(start.tolist(), here.tolist(), strict=True)]


@pytest.mark.parametrize(
    "sizes",
    [
        [3, 0, 0, 255, 1],
        [0] * 5000,
        np.random.default_rng(1).integers(0, 9, 6000),
        [255] * 200,
        [*([0] * 3000), *([200] * 50), *([1] * 2000)],
    ],
)
def test_records_that_tell_their_size_are_all_read(decode, sizes):
    packet, blobs = records(sizes)
    found = decode(RECORDS, [packet])[0].columns
    assert blobs_of(found["R.D"], found["R.D.sizes"], 0) == blobs
    assert found["R.L"].values.tolist() == [len(blob) for blob in blobs]


def test_packets_of_few_and_of_many_records_are_read_together(decode):
    pieces = [
        records(np.random.default_rng(i).integers(0, 40, n), i) for i, n in enumerate([1, 900, 0, 3, 2500, 40])
    ]
    (found,) = decode(RECORDS, [packet for packet, _ in pieces])
    for row, (_, blobs) in enumerate(pieces):
        assert blobs_of(found.columns["R.D"], found.columns["R.D.sizes"], row) == blobs


def test_a_record_that_stands_over_the_end_sets_only_its_packet_aside(decode):
    good, blobs = records([2] * 2000)
    short = good[:-1]
    (found,) = decode(RECORDS, [good, short, good])
    assert found.order.tolist() == [0, 2]
    assert blobs_of(found.columns["R.D"], found.columns["R.D.sizes"], 1) == blobs


TEXT = """<StringParameterType name="TEXT"><StringDataEncoding><Variable maxSizeInBits="4000"><TerminationChar>00
</TerminationChar></Variable></StringDataEncoding></StringParameterType>"""
TEXTS = document(TEXT, '<Parameter name="S" parameterTypeRef="TEXT"/>', entry("N") + entry("S", BY_N))


def test_thousands_of_texts_are_cut_at_their_terminators(decode):
    words = [("x" * (i % 5)) + str(i % 7) * (i % 2) for i in range(9000)]
    packet = struct.pack(">H", len(words)) + b"".join(word.encode() + b"\0" for word in words)
    (found,) = decode(TEXTS, [packet])
    assert found.columns["S"].values.tolist() == words


NESTED = document(
    BLOB.replace('name="RECORD"', 'name="INNER"')
    + """<ArrayParameterType name="INNERS" arrayTypeRef="INNER"><DimensionList><Dimension><StartingIndex><FixedValue>0
    </FixedValue></StartingIndex><EndingIndex><DynamicValue><ParameterInstanceRef parameterRef="G"/>
    <LinearAdjustment slope="1" intercept="-1"/></DynamicValue></EndingIndex></Dimension></DimensionList>
    </ArrayParameterType>""",
    '<Parameter name="G" parameterTypeRef="U8"/><Parameter name="R" parameterTypeRef="INNERS"/>',
    f"""{entry("N")}<ContainerRefEntry containerRef="GROUP">{BY_N}</ContainerRefEntry>""",
).replace(
    b"</ContainerSet>",
    f'<SequenceContainer name="GROUP"><EntryList>{entry("G")}{entry("R")}</EntryList></SequenceContainer>'.encode()
    + b"</ContainerSet>",
)


def test_repeats_inside_of_repeats_are_read_in_order(decode):
    groups = [[b"a", b"bc"], [], [b"", b"def", b"g"]]
    packet = struct.pack(">H", 3) + b"".join(
        bytes([len(group)]) + b"".join(bytes([len(blob)]) + blob for blob in group) for group in groups
    )
    (found,) = decode(NESTED, [packet])
    assert found.columns["R.D"].values.tobytes() == b"abcdefg"
    assert found.columns["R.L"].values.tolist() == [1, 2, 0, 3, 1]


def conditions(n, criterion):
    parameters = "".join(f'<Parameter name="P{i}" parameterTypeRef="U16"/>' for i in range(n))
    inside = (f"<IncludeCondition>{criterion(i)}</IncludeCondition>" for i in range(n))
    return document("", parameters, entry("N") + "".join(entry(f"P{i}", one) for i, one in enumerate(inside)))


def equals(value):
    return f'<Comparison parameterRef="N" value="{value}"/>'


def test_of_many_entries_for_one_value_each_only_those_for_it_are_there(decode):
    many = conditions(600, lambda i: equals(i % 50))
    packets = [struct.pack(">H", n) + struct.pack(">12H", *range(n, n + 12)) for n in (7, 49, 7)]
    found = decode(many, packets)[0].columns
    there = {name: column.length.tolist() for name, column in found.items() if name != "N" and column.length.any()}
    wanted = {f"P{i}": [1, 0, 1] for i in range(7, 600, 50)} | {f"P{i}": [0, 1, 0] for i in range(49, 600, 50)}
    assert there == wanted
    assert found["P57"].values.tolist() == [8, 8]
    assert found["P0"].values.dtype == np.uint16


def calls(act):
    n = 0

    def count(_, event, __):
        nonlocal n
        n += event in {"call", "c_call"}

    gc.disable()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
        gc.enable()
    return n


@pytest.fixture
def cost(batch):
    """Give the calls that the second decoding of a packet takes."""

    def of(body, packet):
        decoder, one = Decoder(compile_plan(read_xtce(body))), batch([packet])
        decoder.decode(one)
        return calls(lambda: decoder.decode(one))

    return of


def test_ten_times_the_records_take_no_ten_times_the_calls(cost):
    few, many = (cost(RECORDS, records([3] * n)[0]) for n in (1000, 10_000))
    assert many < 2 * few


def test_an_entry_that_is_not_there_takes_a_few_calls(cost):
    packet = struct.pack(">H", 60_000)
    few, many = (cost(conditions(n, equals), packet) for n in (100, 200))
    assert many - few < 100 * 20


def test_texts_written_by_the_thousand_take_no_calls_each(cost):
    few, many = (cost(TEXTS, struct.pack(">H", n) + bytes(n)) for n in (3000, 30_000))
    assert many - few < (30_000 - 3000) / 12


def test_plans_of_such_packets_are_made_of_one_step_for_all_conditions():
    plan = compile_plan(read_xtce(conditions(300, equals)))
    assert len(plan.root.program.steps) == 2


UNIT = """<AggregateParameterType name="A0"><MemberList><Member name="v" typeRef="U8"/></MemberList>
</AggregateParameterType>"""


def aggregates(n, *members, order=1):
    """Aggregates of the aggregate before, and one parameter of the last. `order`: -1: the last one first."""
    types = "".join(
        f'<AggregateParameterType name="A{i + 1}"><MemberList>'
        + "".join(f'<Member name="{name}" typeRef="A{i}"/>' for name in members)
        + "</MemberList></AggregateParameterType>"
        for i in range(n)[::order]
    )
    return document(UNIT + types, f'<Parameter name="X" parameterTypeRef="A{n}"/>', entry("N") + entry("X"))


@pytest.mark.parametrize(
    ("n", "members", "text"), [(30, "ab", "more than [0-9]+ members"), (600, "a", "nested deeper than 50")]
)
@pytest.mark.parametrize("order", [1, -1])
def test_aggregates_without_end_are_one_problem(n, members, text, order):
    with pytest.raises(ConfigError, match=text) as caught:
        read_xtce(aggregates(n, *members, order=order))
    assert len(caught.value.problems) == 1


def test_aggregates_of_thousands_of_members_are_read(decode):
    found = decode(aggregates(8, *"abc"), [bytes(2) + bytes(i % 251 for i in range(3**8))])[0].columns
    assert len(found) == 1 + 3**8
    assert found["X.a.a.a.a.a.a.a.b.v"].tolist() == [1]
