"""What a dictionary says of a parameter reaches whoever opens a file, a Dataset, a message or the page of topics."""

import json
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.commands import asyncapi
from downlink_pipeline.commands import recordings as app
from downlink_pipeline.commands.catalogue import catalogue
from downlink_pipeline.commands.topic_page import page
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission

WORDS = "how warm the box is"
DICTIONARY = f"""<?xml version="1.0"?>
<SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204">
 <TelemetryMetaData>
  <ParameterTypeSet>
   <IntegerParameterType name="U8" signed="false">
    <UnitSet><Unit>K</Unit></UnitSet><IntegerDataEncoding sizeInBits="8"/>
   </IntegerParameterType>
   <BinaryParameterType name="HEAD">
    <UnitSet/>
    <BinaryDataEncoding><SizeInBits><FixedValue>48</FixedValue></SizeInBits></BinaryDataEncoding>
   </BinaryParameterType>
  </ParameterTypeSet>
  <ParameterSet>
   <Parameter name="HEADER" parameterTypeRef="HEAD"/>
   <Parameter name="BOX" parameterTypeRef="U8" shortDescription="{WORDS}"/>
  </ParameterSet>
  <ContainerSet>
   <SequenceContainer name="HK">
    <EntryList><ParameterRefEntry parameterRef="HEADER"/><ParameterRefEntry parameterRef="BOX"/></EntryList>
   </SequenceContainer>
  </ContainerSet>
 </TelemetryMetaData>
</SpaceSystem>
"""


@pytest.fixture
def mission(tmp_path: Path) -> Path:
    folder = tmp_path / "described"
    folder.mkdir()
    (folder / "telemetry.xml").write_text(DICTIONARY)
    (folder / "mission.toml").write_text(
        'name = "described"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "telemetry.xml"\n'
    )
    packets = b"".join(bytes([0, 5, 0xC0, k, 0, 0, 20 + k]) for k in range(4))
    (tmp_path / "hk.packets").write_bytes(packets)
    return folder


def test_a_dataset_has_descriptions_as_long_names(mission: Path, tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    found = open_pass(tmp_path / "hk.packets", mission=str(mission)).to_xarray("HK")
    assert found["BOX"].attrs == {"units": "K", "long_name": WORDS}
    assert "long_name" not in found["HEADER"].attrs
    np.testing.assert_array_equal(found["BOX"], [20, 21, 22, 23])


def test_decoded_files_have_descriptions(mission: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    known = load_mission(str(mission))
    recording = tmp_path / "hk.packets"
    app.decode([recording], known, tmp_path / "out", lambda _: None, file_format="parquet", raw=False)
    field = parquet.read_schema(tmp_path / "out/HK.parquet").field("BOX")
    assert field.metadata == {b"unit": b"K", b"description": WORDS.encode()}
    reported = json.loads((tmp_path / "out/decode.json").read_text())
    assert reported["containers"]["HK"]["descriptions"] == {"BOX": WORDS}
    assert (reported["mission"], reported["recordings"]) == ("described", [{"name": "hk.packets", "bytes": 28}])


def test_the_arrays_of_a_product_message_have_descriptions(mission: Path, tmp_path: Path) -> None:
    [product] = open_pass(tmp_path / "hk.packets", mission=str(mission)).products()
    message = topics.product_message(product)
    assert topics.unpack_product(message.payload)["arrays"]["BOX"]["description"] == WORDS


def test_the_document_and_the_page_of_topics_have_descriptions(mission: Path) -> None:
    known = load_mission(str(mission))
    document = asyncapi.document(known, catalogue(known, ()))
    assert WORDS in json.dumps(document)
    assert f"| {WORDS} |" in page(document)
