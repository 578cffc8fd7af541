"""`dictionary make-packets`: packets that a dictionary's conditions allow, one file for one seed, with every edge."""

import math
import struct

import pytest
from downlink_pipeline.cli.main import cli
from test_differences import DOCUMENT
from typer.testing import CliRunner

RUN = CliRunner()
TYPES = """<FloatParameterType name="F"><FloatDataEncoding sizeInBits="32"/></FloatParameterType>
<IntegerParameterType name="I"><IntegerDataEncoding sizeInBits="16" encoding="twosComplement"/></IntegerParameterType>
<BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits><DynamicValue><ParameterInstanceRef parameterRef="N"/>
<LinearAdjustment slope="8" intercept="0"/></DynamicValue></SizeInBits></BinaryDataEncoding></BinaryParameterType>
</ParameterTypeSet>"""
PARAMETERS = """<Parameter name="F" parameterTypeRef="F"/><Parameter name="I" parameterTypeRef="I"/>
<Parameter name="N" parameterTypeRef="B"/><Parameter name="BLOB" parameterTypeRef="BLOB"/></ParameterSet>"""
CONTAINERS = """<SequenceContainer name="SCIENCE"><EntryList><ParameterRefEntry parameterRef="F"/>
<ParameterRefEntry parameterRef="I"/><ParameterRefEntry parameterRef="N"/><ParameterRefEntry parameterRef="BLOB"/>
</EntryList><BaseContainer containerRef="HEADER"><RestrictionCriteria><BooleanExpression><ANDedConditions>
<Condition><ParameterInstanceRef parameterRef="ID"/><ComparisonOperator>&gt;=</ComparisonOperator><Value>16</Value>
</Condition><Condition><ParameterInstanceRef parameterRef="ID"/><ComparisonOperator>&lt;</ComparisonOperator>
<Value>20</Value></Condition></ANDedConditions></BooleanExpression></RestrictionCriteria></BaseContainer>
</SequenceContainer></ContainerSet>"""
WHOLE = (
    DOCUMENT.replace("</ParameterTypeSet>", TYPES)
    .replace("</ParameterSet>", PARAMETERS)
    .replace("</ContainerSet>", CONTAINERS)
)


@pytest.fixture
def made(tmp_path):
    def make(*options, document=WHOLE, name="made.packets"):
        path, out = tmp_path / "telemetry.xml", tmp_path / name
        path.write_text(document)
        done = RUN.invoke(cli, ["dictionary", "make-packets", str(path), "--out", str(out), *options])
        return done, out.read_bytes() if out.exists() else b""

    return make


def packets_of(octets):
    """By the length field of CCSDS 133.0-B alone."""
    found = []
    while octets:
        length = int.from_bytes(octets[4:6], "big") + 7
        found.append(octets[:length])
        octets = octets[length:]
    return found


def test_each_packet_meets_the_criteria_of_its_container(made):
    done, octets = made("--count", "200")
    assert done.exit_code == 0
    ids = [int.from_bytes(each[:2], "big") for each in packets_of(octets)]
    assert len(ids) == 200
    assert ids.count(5) == 100
    assert sum(16 <= each < 20 for each in ids) == 100


def test_sizes_that_a_packet_tells_are_its_own(made):
    science = [each for each in packets_of(made("--count", "200")[1]) if each[1] >= 16]
    assert all(len(each) == 6 + 4 + 2 + 1 + each[12] for each in science)
    assert len({each[12] for each in science}) > 5


def test_every_edge_is_there(made):
    science = [each for each in packets_of(made("--count", "400")[1]) if each[1] >= 16]
    floats = [each[6:10].hex() for each in science]
    assert {"00000000", "80000000", "7f7fffff", "ff7fffff", "7f800000", "ff800000"} <= set(floats)
    assert any(math.isnan(struct.unpack(">f", bytes.fromhex(text))[0]) for text in floats)
    integers = {struct.unpack(">h", each[10:12])[0] for each in science}
    assert {0, -1, 1, 32767, -32768} <= integers


def test_packets_are_unsegmented_and_none_is_idle(made):
    packets = packets_of(made("--count", "300")[1])
    assert all(each[2] >> 6 == 3 for each in packets)
    assert all(int.from_bytes(each[:2], "big") & 0x7FF != 0x7FF for each in packets)


def test_one_seed_gives_one_file(made):
    one = made("--seed", "7", name="one.packets")[1]
    assert one == made("--seed", "7", name="same.packets")[1]
    assert one != made("--seed", "8", name="other.packets")[1]


def test_a_container_that_cannot_be_is_told_and_ends_with_1(made):
    once = '<Comparison parameterRef="ID" value="5"/>'
    document = WHOLE.replace(once, f"<ComparisonList>{once}{once.replace('5', '6')}</ComparisonList>")
    done, octets = made("--count", "20", document=document)
    assert done.exit_code == 1
    assert "too few packets of HK" in done.stderr
    assert len(packets_of(octets)) == 10


def test_no_packets_are_made_of_containers_that_are_no_space_packets(made):
    document = DOCUMENT.replace('"LENGTH" parameterTypeRef="W"', '"LENGTH" parameterTypeRef="B"')
    done, octets = made(document=document)
    assert done.exit_code == 1
    assert "CCSDS primary header" in done.stderr
    assert octets == b""


def test_a_header_whose_fields_are_members_of_structures_is_filled_as_one_of_plain_fields(made):
    """As Yamcs' quickstart has it: every packet is whole (sequence flags 3), and counts go on."""
    members = {"F": (2, "FLAGS"), "C": (14, "NUMBER")}
    types = "".join(
        f'<IntegerParameterType name="{kind}"><IntegerDataEncoding sizeInBits="{bits}"/></IntegerParameterType>'
        for kind, (bits, _) in members.items()
    )
    listed = "".join(f'<Member name="{name}" typeRef="{kind}"/>' for kind, (_, name) in members.items())
    types += f'<AggregateParameterType name="S"><MemberList>{listed}</MemberList></AggregateParameterType>'
    document = DOCUMENT.replace("</ParameterTypeSet>", f"{types}</ParameterTypeSet>")
    document = document.replace('name="SEQ" parameterTypeRef="W"', 'name="SEQ" parameterTypeRef="S"')
    _, octets = made("--count", "40", document=document)
    sequence = [int.from_bytes(each[2:4], "big") for each in packets_of(octets)]
    assert sequence == [3 << 14 | k for k in range(40)]
