"""What is written as XTCE says what was read: real dictionaries and samples, with no difference to a subscriber."""

from pathlib import Path

import pytest
from downlink_pipeline.conversion.differences import Compared, differences
from downlink_pipeline.conversion.formats import check_document, read_definition, write_definition
from downlink_pipeline.conversion.packets import make_packets
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import RunError

REAL = [
    "imap/hit.xml",
    "imap/mag.xml",
    "imap/swapi.xml",
    "jpss-1/geolocation.xml",
    "xtce/peaksat",
    "xtce/yamcs-quickstart.xml",
    "xtce/fprime-reference.xml",
    "xtce/strings-tm.xml",
    "xtce/ref-xtce.xml",
]
INDICES = """<SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="B"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<BinaryParameterType name="H"><BinaryDataEncoding><SizeInBits><FixedValue>48</FixedValue></SizeInBits>
</BinaryDataEncoding></BinaryParameterType><ArrayParameterType name="A" arrayTypeRef="B"><DimensionList><Dimension>
<StartingIndex><DynamicValue><ParameterInstanceRef parameterRef="FIRST"/></DynamicValue></StartingIndex>
<EndingIndex><DynamicValue><ParameterInstanceRef parameterRef="LAST"/></DynamicValue></EndingIndex></Dimension>
</DimensionList></ArrayParameterType></ParameterTypeSet><ParameterSet><Parameter name="HEAD" parameterTypeRef="H"/>
<Parameter name="FIRST" parameterTypeRef="B"/><Parameter name="LAST" parameterTypeRef="B"/>
<Parameter name="X" parameterTypeRef="A"/></ParameterSet><ContainerSet>
<SequenceContainer name="P"><EntryList>
<ParameterRefEntry parameterRef="HEAD"/><ParameterRefEntry parameterRef="FIRST"/>
<ParameterRefEntry parameterRef="LAST"/>
<ParameterRefEntry parameterRef="X"/></EntryList></SequenceContainer></ContainerSet></TelemetryMetaData>
</SpaceSystem>"""
SAMPLES = Path(__file__).parents[1] / "dictionary" / "data"


def compared(path):
    """Of what was read, and of what was written and read again."""
    converted = read_definition([path])
    document, losses = write_definition(converted, "xtce", str(path))
    check_document(document, "xtce")
    pair = [converted.dictionary, read_xtce(document)]
    return [Compared(each, compile_plan(each)) for each in pair], losses


@pytest.mark.parametrize("name", REAL)
def test_a_real_dictionary_is_written_as_it_was_read(real_data, name):
    sides, losses = compared(real_data / name)
    assert list(differences(*sides)) == []
    assert [loss for loss in losses if loss.kind == "parameter"] == []


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.xml")))
def test_the_samples_of_the_manuals_are_written_as_they_were_read(name):
    sides, _ = compared(SAMPLES / name)
    assert list(differences(*sides)) == []


def test_packets_of_the_reference_mission_find_their_containers():
    known = read_definition([Path(__file__).parents[2] / "configs" / "zhurong" / "telemetry.xml"]).dictionary
    made = make_packets(known, compile_plan(known), 120, 5)
    assert made.missing == ()
    assert len(made.packets) == 120


def test_what_no_table_can_say_is_no_table(tmp_path):
    path = tmp_path / "tlm.txt"
    path.write_text("TELEMETRY A B BIG_ENDIAN\n  APPEND_ITEM X 8 UINT\n")
    document, losses = write_definition(read_definition([path]), "csv", str(path))
    assert [loss.kind for loss in losses] == ["container"]
    with pytest.raises(RunError, match="by a table"):
        check_document(document, "csv")


def test_indices_that_a_packet_tells_are_written_as_they_were_read(tmp_path):
    path = tmp_path / "indices.xml"
    path.write_text(INDICES)
    sides, losses = compared(path)
    assert (list(differences(*sides)), losses) == ([], ())


def test_packets_are_made_whose_last_index_is_not_below_the_first():
    known = read_xtce(INDICES.encode())
    packets = make_packets(known, compile_plan(known), 40, 3, space_packets=False).packets
    assert len(packets) == 40
    assert {len(packet) - 9 - packet[7] + packet[6] for packet in packets} == {0}
