"""What the reader says, strictly, about documents that are wrong, unsafe or beyond it: every problem, with its line."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError


def problems(document, file="telemetry.xml"):
    with pytest.raises(ConfigError) as caught:
        compile_plan(read_xtce(document, file, strict=True))
    return [str(problem) for problem in caught.value.problems]


def line_of(document, text):
    return next(i for i, line in enumerate(document.decode().splitlines(), 1) if text in line)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>
<SpaceSystem name="&lol2;"/>"""
REMOTE = b"""<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://example.org/evil.dtd"><SpaceSystem name="A"/>"""


@pytest.mark.parametrize("unsafe", [BOMB, REMOTE], ids=["entity bomb", "remote DTD"])
def test_a_document_type_is_refused(unsafe):
    (problem,) = problems(unsafe)
    assert problem.startswith("telemetry.xml:1:")
    assert "refused" in problem


@pytest.mark.parametrize("octets", [b"", b"not xml", b"<a><b></a>", b"\xff\xfe\x00", b"\x00" * 100])
def test_what_is_no_xml_is_one_clear_problem(octets):
    assert len(problems(octets)) == 1


def test_what_is_no_space_system_is_named():
    assert problems(b"<html/>") == ["telemetry.xml:1: html: the root element is html, not SpaceSystem"]


def test_nesting_without_end_is_refused():
    assert "nested deeper" in problems(b"<SpaceSystem name='A'>" + b"<a>" * 5000)[0]


@pytest.mark.parametrize(
    "namespace",
    [
        "",
        "http://www.omg.org/space/xtce",
        "http://www.omg.org/spec/XTCE/20180204",
        "http://www.omg.org/spec/XTCE/20250214",
    ],
)
def test_all_versions_of_xtce_are_read(document, namespace):
    assert set(read_xtce(document(namespace=namespace)).containers) == {"HEADER", "PACKET"}


def test_another_namespace_is_a_problem(document):
    assert "namespace" in problems(document(namespace="http://example.org/other"))[0]


def test_an_element_that_is_not_implemented_is_named_with_its_line(document):
    xtce = document("", {"A": "U8"}, '<ParameterRefEntry parameterRef="A"/>\n<StreamSegmentEntry streamRef="S"/>')
    line = line_of(xtce, "StreamSegmentEntry")
    what = "StreamSegmentEntry: element StreamSegmentEntry is not implemented"
    assert problems(xtce) == [f"telemetry.xml:{line}: {what}"]


def test_an_attribute_that_is_not_implemented_is_named(document):
    kind = (
        '<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="8" colour="red"/></IntegerParameterType>'
    )
    (problem,) = problems(document(kind))
    assert 'attribute colour="red" is not implemented' in problem


def test_an_attribute_value_that_is_not_implemented_is_named(document):
    kind = '<IntegerParameterType name="T"><IntegerDataEncoding encoding="ternary"/></IntegerParameterType>'
    (problem,) = problems(document(kind))
    assert 'encoding="ternary" is not implemented' in problem


def test_elements_that_only_describe_are_read_past(document):
    kind = """<IntegerParameterType name="T" shortDescription="s"><LongDescription>long &amp; wide</LongDescription>
    <AliasSet><Alias nameSpace="x" alias="y"/></AliasSet><UnitSet/><IntegerDataEncoding/></IntegerParameterType>"""
    assert "A" in read_xtce(document(kind, {"A": "T"})).parameters


def test_all_problems_of_a_file_are_told_at_once_in_the_order_of_their_lines(document):
    kinds = """
<IntegerParameterType name="T1"><IntegerDataEncoding sizeInBits="65"/></IntegerParameterType>
<FloatParameterType name="T2"><FloatDataEncoding sizeInBits="33"/></FloatParameterType>"""
    xtce = document(kinds, {"A": "T1", "B": "NOWHERE"}, '<ParameterRefEntry parameterRef="LOST"/>')
    found = problems(xtce, "mission.xml")
    lines = [int(problem.split(":")[1]) for problem in found]
    assert len(found) == 4
    assert lines == sorted(lines)
    assert "65 is not within 1 to 64" in found[0]
    assert "a float of 33 bits" in found[1]
    assert 'parameterTypeRef="NOWHERE": there is no such parameter type' in found[2]
    assert 'parameterRef="LOST": there is no such parameter' in found[3]
    assert f"mission.xml:{line_of(xtce, 'NOWHERE')}" in found[2]


@pytest.mark.parametrize(
    ("extra", "where", "text"),
    [
        (
            '<IntegerParameterType name="U8"><IntegerDataEncoding/></IntegerParameterType>',
            "types",
            "a second parameter type",
        ),
        ('<SequenceContainer name="PACKET"><EntryList/></SequenceContainer>', "containers", "a second container"),
    ],
)
def test_duplicates_are_problems_that_name_the_first(document, extra, where, text):
    (problem,) = problems(document(**{where: extra}))
    assert text in problem
    assert "the first stands in line" in problem


def test_a_container_that_is_its_own_base_is_a_problem(document):
    loop = "".join(
        f'<SequenceContainer name="{a}"><EntryList/><BaseContainer containerRef="{b}"/></SequenceContainer>'
        for a, b in (("A", "B"), ("B", "A"))
    )
    assert [p for p in problems(document(containers=loop)) if "is its own base" in p]


def test_a_container_inside_itself_is_a_problem(document):
    loop = "".join(
        f'<SequenceContainer name="{a}"><EntryList><ContainerRefEntry containerRef="{b}"/></EntryList>'
        "</SequenceContainer>"
        for a, b in (("A", "B"), ("B", "A"))
    )
    assert "is inside itself" in problems(document(containers=loop))[0]


def test_an_array_of_itself_is_a_problem(document):
    assert "refers to itself" in problems(document('<ArrayParameterType name="T" arrayTypeRef="T"/>'))[0]


def test_containers_that_multiply_without_end_are_refused(document):
    double = "".join(
        f'<SequenceContainer name="C{i}" abstract="true"><EntryList>'
        + f'<ContainerRefEntry containerRef="C{i + 1}"/>' * 10
        + "</EntryList></SequenceContainer>"
        for i in range(12)
    )
    last = '<SequenceContainer name="C12" abstract="true"><EntryList/></SequenceContainer>'
    xtce = document("", {}, '<ContainerRefEntry containerRef="C0"/>', double + last)
    assert "fields" in problems(xtce)[0]


def test_a_packet_of_absurd_length_is_refused(document):
    kind = """<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits><FixedValue>99999999999</FixedValue>
    </SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    assert "is not within" in problems(document(kind))[0]


def test_a_size_that_stands_behind_what_it_measures_is_a_problem(document):
    kind = """<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="N"/></DynamicValue></SizeInBits></BinaryDataEncoding>
    </BinaryParameterType>"""
    (problem,) = problems(document(kind, {"X": "T", "N": "U8"}))
    assert '"X" depends on "N"' in problem


def test_criteria_on_what_the_base_does_not_hold_are_a_problem(document):
    child = """<SequenceContainer name="C"><EntryList/><BaseContainer containerRef="PACKET"><RestrictionCriteria>
    <Comparison parameterRef="A" value="1"/></RestrictionCriteria></BaseContainer></SequenceContainer>"""
    (problem,) = problems(document("", {"A": "U8"}, " ", child))
    assert '"A"' in problem


def test_a_label_that_the_enumeration_does_not_have_is_a_problem(document):
    kind = """<EnumeratedParameterType name="T"><IntegerDataEncoding/><EnumerationList>
    <Enumeration value="0" label="OFF"/></EnumerationList></EnumeratedParameterType>"""
    child = """<SequenceContainer name="C"><EntryList/><BaseContainer containerRef="PACKET"><RestrictionCriteria>
    <Comparison parameterRef="A" value="ONN"/></RestrictionCriteria></BaseContainer></SequenceContainer>"""
    (problem,) = problems(document(kind, {"A": "T"}, containers=child))
    assert 'no label "ONN"' in problem


def test_two_labels_for_one_value_are_a_problem(document):
    kind = """<EnumeratedParameterType name="T"><IntegerDataEncoding/><EnumerationList>
    <Enumeration value="0" label="OFF"/><Enumeration value="0" label="ON"/></EnumerationList>
    </EnumeratedParameterType>"""
    assert 'has the label "OFF" already' in problems(document(kind))[0]


def test_a_root_that_is_not_there_is_a_problem(document):
    with pytest.raises(ConfigError, match="no such container"):
        compile_plan(read_xtce(document()), "NOWHERE")


def test_all_containers_without_a_base_are_roots(document):
    more = "".join(
        f"""<SequenceContainer name="{name}"><EntryList/></SequenceContainer><SequenceContainer name="{name}_CHILD">
        <EntryList/><BaseContainer containerRef="{name}"/></SequenceContainer>"""
        for name in ("X", "Y")
    )
    plan = compile_plan(read_xtce(document(containers=more)))
    assert [root.key for root in plan.roots] == ["HEADER", "X", "Y"]


def test_a_container_that_nothing_extends_is_not_taken_for_the_root(document):
    lonely = '<SequenceContainer name="LONELY"><EntryList/></SequenceContainer>'
    assert compile_plan(read_xtce(document(containers=lonely))).root.key == "HEADER"


def test_a_named_root_is_where_decoding_starts(document):
    assert compile_plan(read_xtce(document()), "PACKET").root.key == "PACKET"


def test_a_type_takes_over_what_its_base_type_says(document, packet, decode):
    kinds = """<IntegerParameterType name="BASE"><UnitSet><Unit>V</Unit></UnitSet>
    <IntegerDataEncoding sizeInBits="16"/>
    </IntegerParameterType><IntegerParameterType name="T" baseType="BASE"/>"""
    (found,) = decode(document(kinds, {"A": "T"}), [packet(b"\1\2")])
    assert found.columns["A"].tolist() == [0x0102]
    assert found.units == {"A": "V"}


def test_base_types_that_go_in_circles_are_a_problem(document):
    kinds = """<IntegerParameterType name="T1" baseType="T2"/><IntegerParameterType name="T2" baseType="T1"/>"""
    assert "its own base type" in problems(document(kinds))[0]


def test_commands_are_read_past(document):
    xtce = document("", {"A": "U8"}).replace(
        b"</SpaceSystem>",
        b"<CommandMetaData><MetaCommandSet><Unheard/></MetaCommandSet></CommandMetaData></SpaceSystem>",
    )
    assert "PACKET" in read_xtce(xtce).containers


def test_an_empty_reference_is_a_problem(document):
    (problem,) = problems(document("", {"A": "U8"}, '<ParameterRefEntry parameterRef=""/>'))
    assert "attribute parameterRef is empty" in problem


def test_what_decides_must_be_one_value(document):
    kind = """<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="N"/></DynamicValue></SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    entries = """<ParameterRefEntry parameterRef="N">
    <RepeatEntry><Count><FixedValue>2</FixedValue></Count></RepeatEntry></ParameterRefEntry>
    <ParameterRefEntry parameterRef="X"/>"""
    (problem,) = problems(document(kind, {"N": "U8", "X": "T"}, entries))
    assert '"N", which has more than one value' in problem


def test_a_range_is_no_alarm_for_labels(document):
    kind = """<EnumeratedParameterType name="T"><IntegerDataEncoding/><EnumerationList>
    <Enumeration value="0" label="OFF"/></EnumerationList><DefaultAlarm><StaticAlarmRanges>
    <WarningRange maxInclusive="1"/></StaticAlarmRanges></DefaultAlarm></EnumeratedParameterType>"""
    (problem,) = problems(document(kind))
    assert "is no alarm for labels" in problem


def test_a_scale_beyond_all_reason_is_a_problem(document):
    kind = """<RelativeTimeParameterType name="T"><Encoding scale="1e400"><IntegerDataEncoding/></Encoding>
    </RelativeTimeParameterType>"""
    assert "is not a number within" in problems(document(kind))[0]


@pytest.mark.parametrize("reference", ["P.b", "P/b", "APID.x", "P.a.c", "P..a", "/", "_yamcs_ignore"])
def test_a_member_that_is_not_there_is_a_problem(document, reference):
    kind = """<AggregateParameterType name="G"><MemberList><Member name="a" typeRef="U8"/></MemberList>
    </AggregateParameterType>"""
    entries = f"""<ParameterRefEntry parameterRef="P"/><ParameterRefEntry parameterRef="Q"><IncludeCondition>
    <Comparison parameterRef="{reference}" value="1"/></IncludeCondition></ParameterRefEntry>"""
    (problem,) = problems(document(kind, {"P": "G", "Q": "U8"}, entries))
    assert f'parameterRef="{reference}": there is no such parameter' in problem


def nested(kind, n):
    return "".join(kind.format(i, f"A{i + 1}" if i < n - 1 else "U8") for i in range(n))


@pytest.mark.parametrize(
    "kind",
    [
        """<AggregateParameterType name="A{}"><MemberList><Member name="m" typeRef="{}"/></MemberList>
        </AggregateParameterType>""",
        """<ArrayParameterType name="A{}" arrayTypeRef="{}"><DimensionList><Dimension><StartingIndex><FixedValue>0
        </FixedValue></StartingIndex><EndingIndex><FixedValue>0</FixedValue></EndingIndex></Dimension></DimensionList>
        </ArrayParameterType>""",
        '<IntegerParameterType name="A{}" baseType="{}"/>',
    ],
)
def test_types_nested_too_deep_are_an_error(document, kind):
    with pytest.raises(ConfigError, match="nested deeper than 50"):
        read_xtce(document(nested(kind, 2000), {"X": "A0"}))


def test_containers_nested_too_deep_are_an_error(document):
    inside = '<SequenceContainer name="C{}" abstract="true"><EntryList>{}</EntryList></SequenceContainer>'
    reference = '<ContainerRefEntry containerRef="C{}"/>'
    containers = "".join(inside.format(i, reference.format(i + 1)) for i in range(2000)) + inside.format(2000, "")
    with pytest.raises(ConfigError, match="containers nested deeper than 50"):
        compile_plan(read_xtce(document("", {"X": "U8"}, reference.format(0), containers)))
