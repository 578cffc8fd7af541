"""Which container a packet belongs to: bases, restriction criteria, roots."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from pieces import container, decoder_of, equals

ENUM = """<EnumeratedParameterType name="MODE_T"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="1" label="SLOW"/><Enumeration value="2" label="FAST"/></EnumerationList>
</EnumeratedParameterType>"""


ABSTRACT = ' abstract="true"'


def test_inheritance_goes_over_several_levels(document, packet, decode):
    more = (
        container("MIDDLE", "HEADER", equals("APID", 2), "KIND", ' abstract="true"')
        + container("LEAF_A", "MIDDLE", equals("KIND", 1), "A")
        + container("LEAF_B", "MIDDLE", equals("KIND", 2), "B")
    )
    xtce = document("", {"KIND": "U8", "A": "U8", "B": "U16"}, '<ParameterRefEntry parameterRef="A"/>', more)
    leaf_a, leaf_b = decode(xtce, [packet(b"\2\1\0", apid=2), packet(b"\1\7", apid=2), packet(b"\3\3", apid=2)])
    assert (leaf_a.container, leaf_a.columns["A"].tolist()) == ("LEAF_A", [7])
    assert (leaf_b.container, leaf_b.columns["B"].tolist()) == ("LEAF_B", [256])


def test_a_packet_stays_with_a_concrete_base_when_no_child_wants_it(document, packet, decode):
    more = container("CHILD", "PACKET", equals("A", 5), "B")
    xtce = document("", {"A": "U8", "B": "U8"}, '<ParameterRefEntry parameterRef="A"/>', more)
    base, child = decode(xtce, [packet(b"\4"), packet(b"\5\6")])
    assert (base.container, base.columns["A"].tolist()) == ("PACKET", [4])
    assert (child.container, child.columns["B"].tolist()) == ("CHILD", [6])


def test_a_child_without_criteria_always_applies(document, packet, decode):
    xtce = document(
        "", {"A": "U8", "B": "U8"}, '<ParameterRefEntry parameterRef="A"/>', container("CHILD", "PACKET", "", "B")
    )
    (found,) = decode(xtce, [packet(b"\1\2")])
    assert found.container == "CHILD"


def test_every_comparison_of_a_list_must_hold(document, packet, decode):
    criteria = f"<ComparisonList>{equals('APID', 2)}{equals('VERSION', 0)}{equals('COUNT', 3)}</ComparisonList>"
    xtce = document("", {"A": "U8"}, "", container("PICKED", "HEADER", criteria, "A"))
    (found,) = decode(xtce, [packet(b"a", apid=2, seq_count=3), packet(b"b", apid=2, seq_count=4)])
    assert found.order.tolist() == [0]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("==", [5]), ("!=", [4, 6]), ("&lt;", [4]), ("&lt;=", [4, 5]), (">", [6]), (">=", [5, 6])],
)
def test_comparisons_know_six_operators(document, packet, decode, operator, expected):
    more = container("PICKED", "PACKET", equals("A", "5", f' comparisonOperator="{operator}"'), "")
    xtce = document("", {"A": "U8"}, containers=more)
    found = {each.container: each for each in decode(xtce, [packet(bytes([n])) for n in (4, 5, 6)])}
    assert found["PICKED"].columns["A"].tolist() == expected


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (equals("MODE", "FAST"), [2]),
        (equals("MODE", "FAST", ' comparisonOperator="!="'), [1, 3]),
        (equals("MODE", "2", ' useCalibratedValue="false"'), [2]),
    ],
)
def test_enumerations_are_compared_by_label_or_by_count(document, packet, decode, comparison, expected):
    xtce = document(ENUM, {"MODE": "MODE_T"}, containers=container("PICKED", "PACKET", comparison))
    found = {each.container: each for each in decode(xtce, [packet(bytes([n])) for n in (1, 2, 3)], raw=True)}
    assert found["PICKED"].raw["MODE"].tolist() == expected


def test_a_boolean_expression_nests(document, packet, decode):
    def check(name, operator, value):
        return f"""<Condition><ParameterInstanceRef parameterRef="{name}"/><ComparisonOperator>{operator}
        </ComparisonOperator><Value>{value}</Value></Condition>"""

    inner = f"<ANDedConditions>{check('A', '>', 10)}{check('B', '==', 1)}</ANDedConditions>"
    criteria = (
        f"<BooleanExpression><ORedConditions>{check('A', '==', 0)}{inner}</ORedConditions></BooleanExpression>"
    )
    xtce = document("", {"A": "U8", "B": "U8"}, containers=container("PICKED", "PACKET", criteria))
    found = {
        each.container: each for each in decode(xtce, [packet(bytes(ab)) for ab in ((0, 9), (11, 1), (11, 2))])
    }
    assert found["PICKED"].order.tolist() == [0, 1]


def test_two_parameters_may_be_compared_with_each_other(document, packet, decode):
    criteria = """<BooleanExpression><Condition><ParameterInstanceRef parameterRef="A"/>
    <ComparisonOperator>==</ComparisonOperator><ParameterInstanceRef parameterRef="B"/></Condition>
    </BooleanExpression>"""
    xtce = document("", {"A": "U8", "B": "U8"}, containers=container("SAME", "PACKET", criteria))
    found = {each.container: each for each in decode(xtce, [packet(b"ab"), packet(b"cc")])}
    assert found["SAME"].order.tolist() == [1]


def test_many_apids_find_their_containers(document, packet, decode):
    more = "".join(container(f"C{apid}", "HEADER", equals("APID", apid), "A") for apid in range(100, 200))
    xtce = document("", {"A": "U8"}, containers=more)
    apids = [100 + (i * 37) % 100 for i in range(500)]
    found = decode(xtce, [packet(bytes([i % 256]), apid=apid) for i, apid in enumerate(apids)])
    assert len(found) == 100
    for each in found:
        rows = [i for i, apid in enumerate(apids) if f"C{apid}" == each.container]
        assert each.order.tolist() == rows
        assert each.columns["A"].tolist() == [i % 256 for i in rows]


def test_the_next_sibling_is_tried_when_nothing_below_the_first_holds(document, packet, decode):
    more = (
        container("G1", "HEADER", "", "", ABSTRACT)
        + container("L1", "G1", equals("APID", 2), "A")
        + container("G2", "HEADER", equals("VERSION", 0), "", ABSTRACT)
        + container("L2", "G2", equals("APID", 3), "B")
        + container("L3", "G2", equals("APID", 4), "A")
    )
    xtce = document("", {"A": "U8", "B": "U8"}, '<ParameterRefEntry parameterRef="A"/>', more)
    found = decode(xtce, [packet(b"\7", apid=apid) for apid in (4, 3, 2, 1, 4)])
    assert {each.container: each.order.tolist() for each in found} == {
        "PACKET": [3],
        "L1": [2],
        "L2": [1],
        "L3": [0, 4],
    }


def test_a_group_that_is_not_abstract_does_not_keep_what_a_later_leaf_wants(document, packet, decode):
    more = (
        container("G1", "HEADER", "", "")
        + container("L1", "G1", equals("APID", 2), "A")
        + container("G2", "HEADER", "", "")
        + container("L2", "G2", equals("APID", 3), "B")
    )
    xtce = document("", {"A": "U8", "B": "U8"}, '<ParameterRefEntry parameterRef="A"/>', more)
    found = decode(xtce, [packet(b"\7", apid=apid) for apid in (3, 2, 9)])
    assert {each.container: each.order.tolist() for each in found} == {"G1": [2], "L1": [1], "L2": [0]}


def test_a_container_that_criteria_lead_to_goes_before_one_that_takes_anything(document, packet, decode):
    more = (
        container("ANY", "HEADER", "", "A")
        + container("HK", "HEADER", equals("APID", 2), "KIND")
        + container("HK_1", "HK", equals("KIND", 1), "B")
    )
    xtce = document("", {"KIND": "U8", "A": "U8", "B": "U8"}, '<ParameterRefEntry parameterRef="A"/>', more)
    found = decode(xtce, [packet(b"\1\7", apid=apid) for apid in (2, 5)] + [packet(b"\3\7", apid=2)])
    assert {each.container: each.order.tolist() for each in found} == {"ANY": [1], "HK": [2], "HK_1": [0]}


def test_a_packet_too_short_for_one_sibling_may_be_another(document, packet, batch):
    more = (
        container("LONG", "HEADER", "", "WORD", ABSTRACT)
        + container("LONG_1", "LONG", equals("WORD", 5), "A")
        + container("SHORT", "HEADER", equals("APID", 2), "A")
    )
    xtce = document("", {"WORD": "U16", "A": "U8"}, '<ParameterRefEntry parameterRef="A"/>', more)
    decoder = decoder_of(xtce)
    found = decoder.decode(batch([packet(b"\7", apid=2), packet(b"\0\5\7", apid=2), packet(b"\7", apid=9)]))
    assert {each.container: each.order.tolist() for each in found} == {"LONG_1": [1], "SHORT": [0]}
    assert decoder.set_aside == {"too short for LONG": 1}


def test_the_roots_are_all_containers_without_a_base_that_others_extend(document, packet, decode):
    header = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in ("VERSION", "TYPE", "SHF", "APID"))
    other = f"""<SequenceContainer name="OTHER_Base" abstract="true"><EntryList>{header}
    <ParameterRefEntry parameterRef="FLAGS"/><ParameterRefEntry parameterRef="COUNT"/>
    <ParameterRefEntry parameterRef="LENGTH"/><ParameterRefEntry parameterRef="B"/></EntryList></SequenceContainer>"""
    more = other + container("OTHER", "OTHER_Base", equals("APID", 2))
    xtce = document("", {"A": "U8", "B": "U16"}, '<ParameterRefEntry parameterRef="A"/>', more)
    first, second = decode(xtce, [packet(b"\1\2", apid=2), packet(b"\7"), packet(b"\0\3", apid=2)])
    assert (first.container, first.columns["A"].tolist()) == ("PACKET", [7])
    assert (second.container, second.columns["B"].tolist()) == ("OTHER", [0x102, 3])


def test_several_roots_are_told_apart_by_one_window_where_their_fields_are_near(document):
    more = """<SequenceContainer name="X" abstract="true"><EntryList><ParameterRefEntry parameterRef="WHAT"/>
    </EntryList></SequenceContainer>""" + container("X_1", "X", equals("WHAT", 7), "A")
    plan = compile_plan(read_xtce(document("", {"WHAT": "U16", "A": "U8"}, "", more)))
    assert plan.signature is not None
    assert [int(window.mask) for window in plan.signature.windows] == [0xFFFF]


def test_a_container_that_comes_after_its_like_is_told_and_others_are_not(document):
    more = (
        container("FIRST", "HEADER", equals("APID", 2), "A")
        + container("AGAIN", "HEADER", equals("APID", 2), "B")
        + container(
            "NARROW", "HEADER", f"<ComparisonList>{equals('APID', 2)}{equals('TYPE', 0)}</ComparisonList>", "A"
        )
        + container("OTHER", "HEADER", equals("APID", 3), "B")
        + container("GROUP", "HEADER", equals("APID", 4), "", ABSTRACT)
        + container("G1", "GROUP", equals("A", 1), "B")
        + container("G2", "GROUP", equals("A", 2), "B")
    )
    xtce = document("", {"A": "U8", "B": "U8"}, '<ParameterRefEntry parameterRef="B"/>', more)
    xtce = xtce.replace(
        b'name="GROUP" abstract="true"><EntryList>',
        b'name="GROUP" abstract="true"><EntryList><ParameterRefEntry parameterRef="A"/>',
    )
    told = [str(notice) for notice in compile_plan(read_xtce(xtce)).notices]
    names = ("FIRST", "AGAIN", "NARROW", "OTHER", "G1", "G2")
    assert [name for name in names if any(f'"{name}": can' in each for each in told)] == ["AGAIN", "NARROW"]


def test_bytes_are_compared_with_hexadecimal(document, packet, decode):
    kind = """<BinaryParameterType name="B"><BinaryDataEncoding><SizeInBits><FixedValue>16</FixedValue></SizeInBits>
    </BinaryDataEncoding></BinaryParameterType>"""
    more = container("FOUND", "PACKET", equals("SYNC", "A7F3"), "A")
    xtce = document(kind, {"SYNC": "B", "A": "U8"}, '<ParameterRefEntry parameterRef="SYNC"/>', more)
    base, child = decode(xtce, [packet(b"\xa7\xf3\7"), packet(b"\xa7\xf4\x08")])
    assert (child.container, child.columns["A"].tolist(), base.order.tolist()) == ("FOUND", [7], [1])
