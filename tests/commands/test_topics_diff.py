"""What subscribers would notice of a new dictionary: `downlink topics M --diff OLD.json`."""

import json

import pytest
from downlink_pipeline.cli.main import cli
from downlink_pipeline.model.errors import ConfigError

MISSION = """
name = "sat"
[link]
framing = "packets"
[dictionary]
xtce = "sat.xml"
"""
XTCE = """<SpaceSystem name="Sat" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
<ParameterTypeSet>
<IntegerParameterType name="U16" signed="false"><UnitSet>{unit}</UnitSet>
<IntegerDataEncoding sizeInBits="{bits}" encoding="unsigned"/></IntegerParameterType>
<FloatParameterType name="F32" sizeInBits="32"><UnitSet/><FloatDataEncoding sizeInBits="32"/></FloatParameterType>
</ParameterTypeSet>
<ParameterSet>{parameters}</ParameterSet>
<ContainerSet><SequenceContainer name="HK"><EntryList>{entries}</EntryList></SequenceContainer></ContainerSet>
</TelemetryMetaData></SpaceSystem>
"""
VOLT = "<Unit>V</Unit>"


def dictionary(names=("BUS", "CELL"), bits=16, unit=VOLT, floats=()):
    types = {name: "F32" if name in floats else "U16" for name in names}
    parameters = "".join(f'<Parameter name="{n}" parameterTypeRef="{t}"/>' for n, t in types.items())
    entries = "".join(f'<ParameterRefEntry parameterRef="{n}"/>' for n in names)
    return XTCE.format(unit=unit, bits=bits, parameters=parameters, entries=entries)


@pytest.fixture
def diff(tmp_path, capsys, monkeypatch):
    """The lines of a diff from the dictionary above to another one, and the exit status."""
    monkeypatch.setenv("COLUMNS", "200")
    mission, old = tmp_path / "sat", tmp_path / "old.json"
    mission.mkdir()
    (mission / "mission.toml").write_text(MISSION)
    (mission / "sat.xml").write_text(dictionary())
    assert cli(["topics", str(mission), "--json", "--out", str(old)], standalone_mode=False) in {None, 0}

    def run(*words, **how):
        (mission / "sat.xml").write_text(dictionary(**how))
        status = cli(["topics", str(mission), "--diff", str(old), *words], standalone_mode=False)
        return capsys.readouterr().out.splitlines(), status or 0

    return run


ROOT = "sat/{stream}"


def test_the_same_dictionary_changes_nothing(diff):
    assert diff() == (["no change that a subscriber would notice"], 0)


def test_a_new_parameter_is_an_array_and_a_topic_of_its_own(diff):
    lines, status = diff(names=("BUS", "CELL", "LOAD"))
    assert [line.split() for line in lines] == [
        ["added", f"{ROOT}/latest/telemetry/HK/LOAD"],
        ["added", f"{ROOT}/product/telemetry/HK", "LOAD"],
    ]
    assert status == 1


def test_a_parameter_that_is_gone_is_named(diff):
    lines, _ = diff(names=("BUS",))
    assert [line.split() for line in lines] == [
        ["removed", f"{ROOT}/latest/telemetry/HK/CELL"],
        ["removed", f"{ROOT}/product/telemetry/HK", "CELL"],
    ]


def test_another_unit_is_named_with_both(diff):
    lines, _ = diff(unit="<Unit>mV</Unit>")
    assert f"changed  {ROOT}/product/telemetry/HK BUS: unit V -> mV" in lines
    assert f"changed  {ROOT}/latest/telemetry/HK/BUS: unit V -> mV" in lines


def test_another_type_is_named_with_both(diff):
    lines, _ = diff(floats=("CELL",))
    assert f"changed  {ROOT}/product/telemetry/HK CELL: type <u2 -> <f4" in lines


def test_a_wider_encoding_is_another_type(diff):
    lines, _ = diff(bits=32)
    assert f"changed  {ROOT}/product/telemetry/HK BUS: type <u2 -> <u4" in lines


def test_changes_as_json(diff):
    [line], status = diff("--json", unit="")
    found = json.loads(line)["changes"]
    assert {"what": "changed", "topic": f"{ROOT}/latest/telemetry/HK/BUS", "array": "", "fact": "unit"} == {
        key: value for key, value in found[0].items() if key not in {"before", "after"}
    }
    assert status == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"asyncapi": "3.0.0"}'])
def test_what_is_no_description_of_topics_is_refused(diff, tmp_path, text):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(ConfigError, match=r"old\.json"):
        diff()
