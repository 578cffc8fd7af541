"""Raw counts beside calibrated values, where the mission file asks for them."""

import struct

import numpy as np
import pytest
from downlink_pipeline.commands.catalogue import catalogue
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.processing.chain import ProcessingChain

XTCE = """<?xml version="1.0"?>
<SpaceSystem name="SAT" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="head" signed="false"><UnitSet/><IntegerDataEncoding sizeInBits="48"/></IntegerParameterType>
<IntegerParameterType name="count" signed="false"><UnitSet/><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<FloatParameterType name="temp" sizeInBits="64"><UnitSet><Unit>degC</Unit></UnitSet>
<IntegerDataEncoding sizeInBits="16"><DefaultCalibrator><PolynomialCalibrator><Term coefficient="-50" exponent="0"/>
<Term coefficient="0.5" exponent="1"/></PolynomialCalibrator></DefaultCalibrator></IntegerDataEncoding>
</FloatParameterType>
<EnumeratedParameterType name="mode"><UnitSet/><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="3" label="SAFE"/><Enumeration value="7" label="NOMINAL"/></EnumerationList>
</EnumeratedParameterType></ParameterTypeSet><ParameterSet><Parameter name="HEAD" parameterTypeRef="head"/>
<Parameter name="COUNT" parameterTypeRef="count"/><Parameter name="TEMP" parameterTypeRef="temp"/>
<Parameter name="MODE" parameterTypeRef="mode"/></ParameterSet><ContainerSet><SequenceContainer name="HK"><EntryList>
<ParameterRefEntry parameterRef="HEAD"/><ParameterRefEntry parameterRef="COUNT"/>
<ParameterRefEntry parameterRef="TEMP"/><ParameterRefEntry parameterRef="MODE"/>
</EntryList></SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>
"""
ROWS = [(1, 140, 3), (2, 200, 7), (3, 90, 7)]
"""COUNT, TEMP and MODE as they stand in the packets; a TEMP of n is n / 2 - 50 degrees."""


@pytest.fixture(params=[False, True])
def mission(request, tmp_path):
    (tmp_path / "sat.xml").write_text(XTCE)
    raw = "\n[products]\nraw = true\n" if request.param else ""
    (tmp_path / "mission.toml").write_text(
        f'name = "sat"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "sat.xml"\n{raw}'
    )
    return load_mission(str(tmp_path))


def test_raw_counts_stand_beside_what_is_calibrated_to_another_type(mission):
    packets = b"".join(struct.pack(">HHHBHB", 0x0801, 0xC000 | i, 3, *row) for i, row in enumerate(ROWS))
    chain = ProcessingChain(mission)
    made = [*chain.process(ByteBatch.of(packets), complete=True).products, *chain.flush().products]
    arrays = {
        name: np.concatenate([one.arrays[name].values for one in made]).tolist()
        for name in made[0].arrays
        if not name.startswith("time_")
    }
    assert arrays["TEMP"] == [20.0, 50.0, -5.0]
    assert arrays["MODE"] == ["SAFE", "NOMINAL", "NOMINAL"]
    raw = {"TEMP.raw": [140, 200, 90], "MODE.raw": [3, 7, 7]} if mission.publish_raw else {}
    assert {name: values for name, values in arrays.items() if name.endswith(".raw")} == raw
    units = {name: one.unit for name, one in made[0].arrays.items()}
    assert units["TEMP"] == "degC"
    assert units.get("TEMP.raw", "") == ""
    latest = [message.topic.rsplit("/", 1)[1] for one in made for message in topics.latest_messages(one)]
    assert "TEMP" in latest
    assert not any(name.endswith(".raw") for name in latest)
    [declared] = catalogue(mission)
    assert declared.arrays.keys() == made[0].arrays.keys()
