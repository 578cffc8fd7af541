"""Entries that another parameter names (PUS service 20: numbers of parameters, each with its value behind it)."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError
from pieces import rows


def aliased(xtce, **aliases):
    for name, alias in aliases.items():
        plain = f'<Parameter name="{name}" parameterTypeRef="'.encode()
        start = xtce.index(plain)
        end = xtce.index(b"/>", start)
        named = f'><AliasSet><Alias nameSpace="ID" alias="{alias}"/></AliasSet></Parameter>'.encode()
        xtce = xtce[:start] + xtce[start:end] + named + xtce[end + 2 :]
    return xtce


INDIRECT = """<IndirectParameterRefEntry aliasNameSpace="ID"><ParameterInstance parameterRef="WHICH"/>
</IndirectParameterRefEntry>"""
PARAMETERS = {"N": "U8", "WHICH": "U8", "VOLTAGE": "U16", "MODE": "U8", "Z": "U8"}


def test_the_parameter_whose_alias_is_the_value_stands_there(document, packet, batch):
    entries = f'<ParameterRefEntry parameterRef="WHICH"/>{INDIRECT}<ParameterRefEntry parameterRef="Z"/>'
    xtce = aliased(document("", PARAMETERS, entries), VOLTAGE="5", MODE="0x06")
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    (found,) = decoder.decode(batch([packet(b"\5\1\2\7"), packet(b"\6\3\x08"), packet(b"\x09\1\2\3")]))
    columns = {name: rows(column) for name, column in found.columns.items()}
    assert columns["VOLTAGE"] == [[0x102], []]
    assert columns["MODE"] == [[], [3]]
    assert columns["Z"] == [7, 8]
    # The third packet has a number that no parameter has: nobody knows what follows.
    assert decoder.set_aside == {"PACKET: goes on with what the dictionary does not describe": 1}


def test_pairs_of_number_and_value_come_as_often_as_the_packet_says(document, packet, decode):
    pair = f"""<SequenceContainer name="PAIR"><EntryList><ParameterRefEntry parameterRef="WHICH"/>{INDIRECT}</EntryList>
    </SequenceContainer>"""
    entries = """<ParameterRefEntry parameterRef="N"/><ContainerRefEntry containerRef="PAIR"><RepeatEntry><Count>
    <DynamicValue><ParameterInstanceRef parameterRef="N"/></DynamicValue></Count></RepeatEntry></ContainerRefEntry>
    <ParameterRefEntry parameterRef="Z"/>"""
    xtce = aliased(document("", PARAMETERS, entries, pair), VOLTAGE="5", MODE="6")
    (found,) = decode(xtce, [packet(b"\3\5\0\1\6\x09\5\0\2\7"), packet(b"\1\6\4\x08"), packet(b"\0\x09")])
    columns = {name: rows(column) for name, column in found.columns.items()}
    assert columns["WHICH"] == [[5, 6, 5], [6], []]
    assert columns["VOLTAGE"] == [[1, 2], [], []]
    assert columns["MODE"] == [[9], [4], []]
    assert columns["Z"] == [7, 8, 9]


def test_without_a_name_space_it_is_the_name_itself(document, packet, decode):
    kind = """<EnumeratedParameterType name="W"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
    <Enumeration value="1" label="VOLTAGE"/><Enumeration value="2" label="MODE"/></EnumerationList>
    </EnumeratedParameterType>"""
    entries = '<ParameterRefEntry parameterRef="WHICH"/>' + INDIRECT.replace(' aliasNameSpace="ID"', "")
    (found,) = decode(document(kind, PARAMETERS | {"WHICH": "W"}, entries), [packet(b"\2\7"), packet(b"\1\1\2")])
    assert rows(found.columns["MODE"]) == [[7], []]
    assert rows(found.columns["VOLTAGE"]) == [[], [0x102]]


def test_an_entry_that_can_be_no_parameter_is_an_error(document):
    xtce = document("", PARAMETERS, f'<ParameterRefEntry parameterRef="WHICH"/>{INDIRECT}')
    with pytest.raises(ConfigError, match='no parameter has a name that "WHICH" can have'):
        compile_plan(read_xtce(xtce))


def test_of_two_parameters_with_one_alias_the_first_stands_there(document, packet, decode):
    entries = f'<ParameterRefEntry parameterRef="WHICH"/>{INDIRECT}<ParameterRefEntry parameterRef="Z"/>'
    xtce = aliased(document("", PARAMETERS, entries), VOLTAGE="5", MODE="0x05")
    (found,) = decode(xtce, [packet(b"\5\1\2\7")])
    assert (rows(found.columns["VOLTAGE"]), found.columns["Z"].tolist()) == ([[0x102]], [7])
