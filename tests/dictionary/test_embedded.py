"""Containers inside others: their children apply there, and what is behind them stands where it should."""

import pytest
from downlink_pipeline.dictionary.compile.extents import extent_of
from downlink_pipeline.dictionary.compile.layout import lay_out
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from pieces import rows


def sub(name, base, criteria, entries, attributes=""):
    listed = "".join(f'<ParameterRefEntry parameterRef="{entry}"/>' for entry in entries.split())
    restriction = f"<RestrictionCriteria>{criteria}</RestrictionCriteria>" if criteria else ""
    base = f'<BaseContainer containerRef="{base}">{restriction}</BaseContainer>' if base else ""
    return f'<SequenceContainer name="{name}"{attributes}><EntryList>{listed}</EntryList>{base}</SequenceContainer>'


def equals(name, value):
    return f'<Comparison parameterRef="{name}" value="{value}"/>'


ABSTRACT = ' abstract="true"'
PARAMETERS = {"KIND": "U8", "A": "U8", "B": "U16", "C": "U8", "Z": "U8"}
INSIDE = '<ContainerRefEntry containerRef="SUB"/><ParameterRefEntry parameterRef="Z"/>'
CHILDREN = (
    sub("SUB", "", "", "KIND")
    + sub("SUB_A", "SUB", equals("KIND", 1), "A")
    + sub("SUB_B", "SUB", equals("KIND", 2), "B")
)


def columns(found, *names):
    return [rows(found.columns[name]) for name in names]


def test_the_child_that_applies_stands_inside_and_the_next_field_behind_it(document, packet, decode):
    xtce = document("", PARAMETERS, INSIDE, CHILDREN)
    (found,) = decode(xtce, [packet(b"\1\5\7"), packet(b"\2\1\2\x08"), packet(b"\3\x09")])
    assert columns(found, "KIND", "A", "B", "Z") == [[1, 2, 3], [[5], [], []], [[], [0x102], []], [7, 8, 9]]


def test_of_children_that_all_apply_it_is_the_first(document, packet, decode):
    both = CHILDREN + sub("SUB_C", "SUB", equals("KIND", 1), "C")
    (found,) = decode(document("", PARAMETERS, INSIDE, both), [packet(b"\1\5\7")])
    assert columns(found, "A", "C", "Z") == [[[5]], [[]], [7]]


def test_an_abstract_child_applies_where_one_below_it_does(document, packet, decode):
    groups = (
        sub("SUB", "", "", "KIND")
        + sub("G1", "SUB", "", "", ABSTRACT)
        + sub("G2", "SUB", "", "", ABSTRACT)
        + sub("SUB_A", "G1", equals("KIND", 1), "A")
        + sub("SUB_B", "G2", equals("KIND", 2), "B")
    )
    (found,) = decode(document("", PARAMETERS, INSIDE, groups), [packet(b"\2\1\2\x08"), packet(b"\1\5\7")])
    assert columns(found, "A", "B", "Z") == [[[], [5]], [[0x102], []], [8, 7]]


def test_children_of_children_apply_by_what_the_children_hold(document, packet, decode):
    deep = CHILDREN + sub("SUB_AA", "SUB_A", equals("A", 9), "C")
    (found,) = decode(document("", PARAMETERS, INSIDE, deep), [packet(b"\1\x09\4\7"), packet(b"\1\5\6")])
    assert columns(found, "A", "C", "Z") == [[[9], [5]], [[4], []], [7, 6]]


def test_a_child_without_criteria_always_stands_there(document, packet, decode):
    always = sub("SUB", "", "", "KIND") + sub("SUB_A", "SUB", "", "A")
    (found,) = decode(document("", PARAMETERS, INSIDE, always), [packet(b"\1\5\7")])
    assert columns(found, "KIND", "A", "Z") == [[1], [5], [7]]


def test_children_apply_in_each_repeat(document, packet, decode):
    repeated = """<ContainerRefEntry containerRef="SUB"><RepeatEntry><Count><FixedValue>2</FixedValue></Count>
    </RepeatEntry></ContainerRefEntry><ParameterRefEntry parameterRef="Z"/>"""
    (found,) = decode(document("", PARAMETERS, repeated, CHILDREN), [packet(b"\1\5\2\1\2\7")])
    assert columns(found, "KIND", "A", "B", "Z") == [[[1, 2]], [[5]], [[0x102]], [7]]


def test_a_packet_inside_a_packet_has_its_own_container(document, packet, decode):
    inner = sub("INNER", "HEADER", equals("APID", 2), "A")
    entries = '<ContainerRefEntry containerRef="HEADER"/><ParameterRefEntry parameterRef="Z"/>'
    (found,) = decode(document("", PARAMETERS, entries, inner), [packet(packet(b"\5", apid=2) + b"\7")])
    assert (found.container, columns(found, "A", "Z")) == ("PACKET", [[[5]], [7]])


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_the_encoder_writes_what_the_decoder_reads(document, decode, kind):
    xtce = document("", PARAMETERS, INSIDE, CHILDREN)
    octets = encode(read_xtce(xtce), "PACKET", {"KIND": kind, "A": 5, "B": 258, "Z": 7})
    (found,) = decode(xtce, [octets])
    assert columns(found, "KIND", "Z") == [[kind], [7]]
    assert columns(found, "A", "B") == [[[5] if kind == 1 else []], [[258] if kind == 2 else []]]


def sized(container, bits):
    size = bits if isinstance(bits, str) else f"<FixedValue>{bits}</FixedValue>"
    encoding = f"<BinaryEncoding><SizeInBits>{size}</SizeInBits></BinaryEncoding>"
    return container.replace("<EntryList>", f"{encoding}<EntryList>", 1)


TOLD = '<DynamicValue><ParameterInstanceRef parameterRef="KIND"/><LinearAdjustment slope="8"/></DynamicValue>'


def test_behind_a_container_of_a_size_of_its_own_the_next_field_stands_there(document, packet, decode):
    inside = sized(sub("SUB", "", "", "KIND"), 24)
    (found,) = decode(document("", PARAMETERS, INSIDE, inside), [packet(b"\1..\7"), packet(b"\2..\x08")])
    assert columns(found, "KIND", "Z") == [[1, 2], [7, 8]]


def test_one_of_a_size_without_entries_is_a_gap(document, packet, decode):
    entries = '<ParameterRefEntry parameterRef="A"/>' + INSIDE
    (found,) = decode(document("", PARAMETERS, entries, sized(sub("SUB", "", "", ""), 24)), [packet(b"\1...\7")])
    assert columns(found, "A", "Z") == [[1], [7]]


def test_children_inside_do_not_change_its_size(document, packet, decode):
    children = sized(CHILDREN, 32)
    packets = [packet(b"\1\5..\7"), packet(b"\2\1\2.\x08"), packet(b"\3...\x09")]
    (found,) = decode(document("", PARAMETERS, INSIDE, children), packets)
    assert columns(found, "A", "B", "Z") == [[[5], [], []], [[], [0x102], []], [7, 8, 9]]


def test_its_size_may_be_told_by_the_packet(document, packet, decode):
    inside = sized(sub("SUB", "", "", "KIND A"), TOLD)
    (found,) = decode(document("", PARAMETERS, INSIDE, inside), [packet(b"\2\5\7"), packet(b"\4\6..\x08")])
    assert columns(found, "KIND", "A", "Z") == [[2, 4], [5, 6], [7, 8]]


def test_each_one_of_a_row_has_that_size(document, packet, decode):
    repeat = "<RepeatEntry><Count><FixedValue>2</FixedValue></Count></RepeatEntry>"
    entries = INSIDE.replace('"SUB"/>', f'"SUB">{repeat}</ContainerRefEntry>')
    for size, packets in [(24, [b"\1\2.\3\4.\7"]), (TOLD, [b"\3\2.\4\4..\7"])]:
        inside = sized(sub("SUB", "", "", "KIND A"), size)
        (found,) = decode(document("", PARAMETERS, entries, inside), [packet(each) for each in packets])
        assert columns(found, "A", "Z") == [[[2, 4]], [7]]


def test_a_sized_container_inside_is_written_as_it_is_read(document, packet, decode):
    for size, body in [(24, b"\1\5\0\7"), (TOLD, b"\4\5\0\0\7")]:
        xtce = document("", PARAMETERS, INSIDE, sized(sub("SUB", "", "", "KIND A"), size))
        (found,) = decode(xtce, [packet(body)])
        values = {name: found.columns[name][0].item() for name in ("KIND", "A", "Z")}
        assert encode(read_xtce(xtce), "PACKET", values)[6:] == body


def lengths(xtce):
    dictionary = read_xtce(xtce)
    low, high = extent_of(lay_out(dictionary.containers["PACKET"], dictionary), dictionary)
    return low // 8, high // 8


def test_of_children_inside_one_counts_for_the_length(document):
    assert lengths(document("", PARAMETERS, INSIDE, CHILDREN)) == (6 + 2, 6 + 4)


def test_a_size_of_its_own_counts_for_the_length(document):
    assert lengths(document("", PARAMETERS, INSIDE, sized(CHILDREN, 32))) == (6 + 5, 6 + 5)
    assert lengths(document("", PARAMETERS, INSIDE, sized(CHILDREN, TOLD)))[1] == 6 + 255 + 1


def test_what_is_counted_from_the_end_counts_once_for_the_length(document):
    place = '<LocationInContainerInBits referenceLocation="containerEnd"><FixedValue>0</FixedValue>'
    last = f'<ParameterRefEntry parameterRef="Z">{place}</LocationInContainerInBits></ParameterRefEntry>'
    child = sub("CHILD", "PACKET", equals("KIND", 1), "A B")
    entries = '<ParameterRefEntry parameterRef="KIND"/>' + last
    dictionary = read_xtce(document("", PARAMETERS, entries, child))
    found = [extent_of(lay_out(dictionary.containers[key], dictionary), dictionary) for key in ("PACKET", "CHILD")]
    assert found == [(8 * 8, 8 * 8), (8 * 11, 8 * 11)]
