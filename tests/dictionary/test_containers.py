"""Which container a packet belongs to, where its entries stand, and what becomes of packets that fit none."""

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder, TimeTerm
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import NO_TIME, PacketBatch, Quality
from downlink_pipeline.model.errors import ConfigError


def container(name, base, criteria, entries="", attributes=""):
    listed = "".join(f'<ParameterRefEntry parameterRef="{entry}"/>' for entry in entries.split())
    restriction = f"<RestrictionCriteria>{criteria}</RestrictionCriteria>" if criteria else ""
    return f"""<SequenceContainer name="{name}"{attributes}><EntryList>{listed}</EntryList>
    <BaseContainer containerRef="{base}">{restriction}</BaseContainer></SequenceContainer>"""


def equals(parameter, value, more=""):
    return f'<Comparison parameterRef="{parameter}" value="{value}"{more}/>'


ENUM = """<EnumeratedParameterType name="MODE_T"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="1" label="SLOW"/><Enumeration value="2" label="FAST"/></EnumerationList>
</EnumeratedParameterType>"""


def decoder_of(xtce, *terms):
    return Decoder(compile_plan(read_xtce(xtce)), terms)


def test_each_container_gets_its_rows_in_packet_order(document, packet, batch):
    xtce = document(
        "",
        {"A": "U8", "B": "U8"},
        '<ParameterRefEntry parameterRef="A"/>',
        container("OTHER", "HEADER", equals("APID", 2), "B"),
    )
    decoder = decoder_of(xtce)
    first, other = decoder.decode(batch([packet(bytes([i]), apid=1 + i % 2, seq_count=i) for i in range(7)]))
    assert (first.container, other.container) == ("PACKET", "OTHER")
    assert first.columns["A"].tolist() == [0, 2, 4, 6]
    assert other.columns["B"].tolist() == [1, 3, 5]
    assert first.order.tolist() == [0, 2, 4, 6]
    assert other.seq_count.tolist() == [1, 3, 5]
    assert other.apid.tolist() == [2, 2, 2]
    assert other.received_ns.tolist() == [1001, 1003, 1005]


def test_order_counts_over_the_whole_stream(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    decoder.decode(batch([packet(b"a")] * 3))
    (found,) = decoder.decode(batch([packet(b"a"), packet(b"b", apid=9), packet(b"c")]))
    assert found.order.tolist() == [3, 5]


def test_packets_that_match_no_container_are_counted_by_apid(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    assert decoder.decode(batch([packet(b"a", apid=42), packet(b"b", apid=42), packet(b"c", apid=7)])) == []
    assert decoder.set_aside == {"no container for APID 42": 2, "no container for APID 7": 1}


def test_packets_too_short_for_their_container_are_set_aside(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U16", "B": "U16"}))
    (found,) = decoder.decode(batch([packet(b"abcd"), packet(b"abc"), packet(b"efgh")]))
    assert found.columns["B"].tolist() == [0x6364, 0x6768]
    assert found.order.tolist() == [0, 2]
    assert decoder.set_aside == {"too short for PACKET": 1}


def test_packets_too_short_to_tell_their_container_are_set_aside(document, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    assert decoder.decode(batch([b"\x00"])) == []
    assert decoder.set_aside == {"too short for HEADER": 1}


def test_longer_packets_are_decoded_and_flagged(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    packets = batch([packet(b"a"), packet(b"bb")], quality=[Quality.CORRECTED, Quality.AFTER_GAP])
    (found,) = decoder.decode(packets)
    assert found.quality.tolist() == [Quality.CORRECTED, Quality.AFTER_GAP | Quality.UNDESCRIBED]
    assert packets.quality.tolist() == [Quality.CORRECTED, Quality.AFTER_GAP]


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


def test_an_entry_may_lie_over_others_counted_from_the_start_of_the_packet(document, packet, decode):
    types = """<BinaryParameterType name="BLOB_T"><BinaryDataEncoding><SizeInBits><FixedValue>24</FixedValue>
    </SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    entries = """<ParameterRefEntry parameterRef="A"/><ParameterRefEntry parameterRef="B"/>
    <ParameterRefEntry parameterRef="BLOB"><LocationInContainerInBits referenceLocation="containerStart">
    <FixedValue>48</FixedValue></LocationInContainerInBits></ParameterRefEntry>"""
    xtce = document(types, {"A": "U8", "B": "U16", "BLOB": "BLOB_T"}, entries)
    (found,) = decode(xtce, [packet(b"\1\2\3")])
    assert found.columns["BLOB"].tolist() == [[1, 2, 3]]
    assert found.columns["B"].tolist() == [0x0203]
    assert found.quality.tolist() == [0]


def test_an_entry_may_go_back_from_the_one_before(document, packet, decode):
    entries = """<ParameterRefEntry parameterRef="A"/><ParameterRefEntry parameterRef="B">
    <LocationInContainerInBits><FixedValue>-16</FixedValue></LocationInContainerInBits></ParameterRefEntry>"""
    (found,) = decode(document("", {"A": "U16", "B": "U8"}, entries), [packet(b"\1\2")])
    assert found.columns["B"].tolist() == [1]


def test_the_entries_of_a_container_inside_stand_in_its_place(document, packet, decode):
    inside = """<SequenceContainer name="TIME" abstract="true"><EntryList><ParameterRefEntry parameterRef="S"/>
    <ParameterRefEntry parameterRef="F"/></EntryList></SequenceContainer>"""
    entries = '<ContainerRefEntry containerRef="TIME"/><ParameterRefEntry parameterRef="A"/>'
    xtce = document("", {"S": "U16", "F": "U8", "A": "U8"}, entries, inside)
    (found,) = decode(xtce, [packet(b"\1\2\3\4")])
    assert list(found.columns)[7:] == ["S", "F", "A"]
    assert [found.columns[name].tolist() for name in ("S", "F", "A")] == [[0x0102], [3], [4]]


def test_the_onboard_time_is_the_sum_of_its_terms(document, packet, batch):
    xtce = document("", {"S": "U16", "MS": "U16"}, "", container("NO_TIME", "HEADER", equals("APID", 2)))
    decoder = decoder_of(xtce, TimeTerm("S", 1e9), TimeTerm("MS", 1e6))
    timed, untimed = decoder.decode(batch([packet(b"\0\5\3\xe7"), packet(b"", apid=2)]))
    assert timed.time_ns.tolist() == [5_999_000_000]
    assert untimed.time_ns.tolist() == [NO_TIME]


def test_a_fraction_of_a_nanosecond_is_rounded(document, packet, batch):
    decoder = decoder_of(document("", {"F": "U16"}), TimeTerm("F", 1e9 / 65536))
    (found,) = decoder.decode(batch([packet(b"\x80\0"), packet(b"\0\1")]))
    assert found.time_ns.tolist() == [500_000_000, 15259]


def test_a_time_term_that_no_container_has_is_a_configuration_error(document):
    with pytest.raises(ConfigError, match="CLOCK"):
        decoder_of(document("", {"A": "U8"}), TimeTerm("CLOCK", 1.0))


def test_units_stand_beside_the_columns(document, packet, decode):
    types = """<FloatParameterType name="V"><UnitSet><Unit>m</Unit><Unit power="-1">s</Unit></UnitSet>
    <IntegerDataEncoding sizeInBits="8"/></FloatParameterType>"""
    (found,) = decode(document(types, {"SPEED": "V"}), [packet(b"\1")])
    assert found.units == {"SPEED": "m s^-1"}


def test_a_parameter_that_comes_twice_has_both_values(document, packet, decode):
    entries = '<ParameterRefEntry parameterRef="A"/><ParameterRefEntry parameterRef="A"/>'
    (found,) = decode(document("", {"A": "U8"}, entries), [packet(b"\1\2"), packet(b"\3\4")])
    assert found.columns["A"].tolist() == [[1, 2], [3, 4]]


def test_the_same_name_in_two_systems_is_a_plain_column_in_each(packet, decode):
    def system(name, apid):
        return f"""<SpaceSystem name="{name}"><TelemetryMetaData><ParameterSet>
        <Parameter name="KIND" parameterTypeRef="U8"/></ParameterSet><ContainerSet>
        <SequenceContainer name="{name}_C"><EntryList><ParameterRefEntry parameterRef="KIND"/></EntryList>
        <BaseContainer containerRef="/ROOT/HEAD"><RestrictionCriteria>
        <Comparison parameterRef="/APID" value="{apid}"/></RestrictionCriteria></BaseContainer>
        </SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""

    xtce = f"""<SpaceSystem name="ROOT"><TelemetryMetaData><ParameterTypeSet>
    <IntegerParameterType name="U8"><IntegerDataEncoding/></IntegerParameterType>
    <IntegerParameterType name="U16"><IntegerDataEncoding sizeInBits="16"/></IntegerParameterType>
    </ParameterTypeSet>
    <ParameterSet><Parameter name="APID" parameterTypeRef="U16"/><Parameter name="REST" parameterTypeRef="U16"/>
    <Parameter name="LENGTH" parameterTypeRef="U16"/></ParameterSet>
    <ContainerSet><SequenceContainer name="HEAD" abstract="true"><EntryList><ParameterRefEntry parameterRef="APID"/>
    <ParameterRefEntry parameterRef="REST"/><ParameterRefEntry parameterRef="../ROOT/LENGTH"/>
    </EntryList></SequenceContainer></ContainerSet>
    </TelemetryMetaData>{system("LIBS", 1)}{system("SWIR", 2)}</SpaceSystem>"""
    xtce = xtce.replace("../ROOT/LENGTH", "./LENGTH")
    libs, swir = decode(xtce.encode(), [packet(b"\5", apid=2), packet(b"\6", apid=1)])
    assert (libs.container, libs.columns["KIND"].tolist()) == ("LIBS_C", [6])
    assert (swir.container, swir.columns["KIND"].tolist()) == ("SWIR_C", [5])


def test_packets_apart_in_the_data_are_read_where_they_are(document, packet, batch):
    whole = batch([packet(bytes([i, i + 1, i + 2, i + 3])) for i in range(6)])
    mixed = PacketBatch(whole.data, *(getattr(whole, name)[[4, 0, 5, 1]] for name in PacketBatch.__slots__[1:]))
    (found,) = decoder_of(document("", {"A": "U16", "B": "U16"})).decode(mixed)
    assert found.columns["A"].tolist() == [i * 256 + i + 1 for i in (4, 0, 5, 1)]
    assert found.columns["B"].tolist() == [(i + 2) * 256 + i + 3 for i in (4, 0, 5, 1)]


def test_any_bytes_give_counts_and_never_an_exception(document, batch):
    types = """<BinaryParameterType name="BLOB_T"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="A"/></DynamicValue></SizeInBits></BinaryDataEncoding>
    </BinaryParameterType>"""
    random = np.random.default_rng(4)
    decoder = decoder_of(document(types, {"A": "U16", "BLOB": "BLOB_T", "B": "U8"}))
    packets = [b"\x00\x01" + random.bytes(int(random.integers(0, 40))) for _ in range(500)]
    n_decoded = sum(len(each) for each in decoder.decode(batch(packets)))
    assert n_decoded + decoder.set_aside.total() == 500


def test_any_split_of_a_batch_gives_the_same_columns(document, packet, batch):
    packets = [packet(bytes([i, 255 - i]), apid=1 + (i % 3 == 0), seq_count=i) for i in range(40)]
    xtce = document("", {"A": "U8", "B": "U8"}, "", container("OTHER", "HEADER", equals("APID", 2), "B"))
    whole = {each.container: each for each in decoder_of(xtce).decode(batch(packets))}
    decoder = decoder_of(xtce)
    parts = [each for i in range(0, 40, 7) for each in decoder.decode(batch(packets[i : i + 7]))]
    for name, expected in whole.items():
        got = [each for each in parts if each.container == name]
        assert np.concatenate([each.order for each in got]).tolist() == expected.order.tolist()
        for column, values in expected.columns.items():
            assert np.concatenate([each.columns[column] for each in got]).tolist() == values.tolist()


def test_an_empty_batch_gives_nothing(document, batch):
    assert decoder_of(document("", {"A": "U8"})).decode(batch([])) == []


ABSTRACT = ' abstract="true"'


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
