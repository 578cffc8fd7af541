"""`dictionary diff`: each kind of change that a subscriber would notice, and those that nobody would."""

import json
from pathlib import Path

import pytest
from downlink_pipeline.cli.main import cli
from typer.testing import CliRunner

RUN = CliRunner()
ENTRY = '<ParameterRefEntry parameterRef="{}"/>'
AT_56 = (
    '<LocationInContainerInBits referenceLocation="containerStart"><FixedValue>56</FixedValue>'
    "</LocationInContainerInBits>"
)
DOCUMENT = """<?xml version="1.0"?>
<SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="W" signed="false"><IntegerDataEncoding sizeInBits="16"/></IntegerParameterType>
<IntegerParameterType name="B" signed="false"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<FloatParameterType name="T"><UnitSet><Unit>degC</Unit></UnitSet><IntegerDataEncoding sizeInBits="8"><DefaultCalibrator>
<PolynomialCalibrator><Term coefficient="-5" exponent="0"/><Term coefficient="0.5" exponent="1"/></PolynomialCalibrator>
</DefaultCalibrator></IntegerDataEncoding></FloatParameterType>
<EnumeratedParameterType name="M"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/></EnumerationList></EnumeratedParameterType>
</ParameterTypeSet><ParameterSet>
<Parameter name="ID" parameterTypeRef="W"/><Parameter name="SEQ" parameterTypeRef="W"/>
<Parameter name="LENGTH" parameterTypeRef="W"/><Parameter name="TEMP" parameterTypeRef="T"/>
<Parameter name="MODE" parameterTypeRef="M"/><Parameter name="COUNT" parameterTypeRef="B"/></ParameterSet><ContainerSet>
<SequenceContainer name="HEADER" abstract="true"><EntryList><ParameterRefEntry parameterRef="ID"/>
<ParameterRefEntry parameterRef="SEQ"/><ParameterRefEntry parameterRef="LENGTH"/></EntryList></SequenceContainer>
<SequenceContainer name="HK"><EntryList><ParameterRefEntry parameterRef="TEMP"/><ParameterRefEntry parameterRef="MODE"/>
<ParameterRefEntry parameterRef="COUNT"/></EntryList><BaseContainer containerRef="HEADER"><RestrictionCriteria>
<Comparison parameterRef="ID" value="5"/></RestrictionCriteria></BaseContainer></SequenceContainer>
</ContainerSet></TelemetryMetaData></SpaceSystem>"""


@pytest.fixture
def compared(tmp_path):
    def differ(before, after):
        paths = [tmp_path / "a.xml", tmp_path / "b.xml"]
        for path, text in zip(paths, (before, after), strict=True):
            path.write_text(text)
        done = RUN.invoke(cli, ["dictionary", "diff", *map(str, paths), "--json"])
        found = json.loads(done.stdout)["differences"]
        return done.exit_code, {(each["kind"], each["parameter"]) for each in found}

    return differ


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("degC", "K", {("unit", "TEMP")}),
        ('coefficient="0.5"', 'coefficient="0.25"', {("calibration", "TEMP")}),
        ('label="ON"', 'label="RUNNING"', {("labels", "MODE")}),
        ('value="1" label', 'value="2" label', {("labels", "MODE")}),
        ('ID" value="5"', 'ID" value="6"', {("criteria", "")}),
        (f"{ENTRY.format('COUNT')}", f"{ENTRY.format('COUNT')}{ENTRY.format('X')}", {("parameter added", "X")}),
        ('<ParameterRefEntry parameterRef="COUNT"/>', "", {("parameter removed", "COUNT")}),
        (
            '"COUNT" parameterTypeRef="B"',
            '"COUNT" parameterTypeRef="T"',
            {("type", "COUNT"), ("unit", "COUNT"), ("calibration", "COUNT")},
        ),
        ('"COUNT" parameterTypeRef="B"', '"COUNT" parameterTypeRef="W"', {("encoding", "COUNT")}),
        (
            '<ParameterRefEntry parameterRef="TEMP"/><ParameterRefEntry parameterRef="MODE"/>',
            '<ParameterRefEntry parameterRef="MODE"/><ParameterRefEntry parameterRef="TEMP"/>',
            {("position", "TEMP"), ("position", "MODE")},
        ),
        ('name="HK"', 'name="HOUSEKEEPING"', {("container removed", ""), ("container added", "")}),
    ],
)  # fmt: skip
def test_what_a_subscriber_would_notice_is_a_difference(compared, old, new, expected):
    before = DOCUMENT.replace("</ParameterSet>", '<Parameter name="X" parameterTypeRef="B"/></ParameterSet>')
    assert old in before
    assert compared(before, before.replace(old, new)) == (1, expected)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="TEMP" ', 'name="TEMP" shortDescription="a temperature" '),
        ('"T"', '"TEMPERATURE_TYPE"'),
        ("</ContainerSet>", "<!-- a remark -->\n\n</ContainerSet>"),
        ('value="5"', 'value="0x5"'),
        ('exponent="1"/>', 'exponent="1"/><Term coefficient="0" exponent="2"/>'),
        (ENTRY.format("MODE"), ENTRY.format("MODE").replace("/>", f">{AT_56}</ParameterRefEntry>")),
    ],
)  # fmt: skip
def test_what_nobody_would_notice_is_none(compared, old, new):
    assert old in DOCUMENT
    assert compared(DOCUMENT, DOCUMENT.replace(old, new)) == (0, set())


def test_two_real_dictionaries_equal_themselves(real_data):
    for path in sorted((Path(real_data) / "imap").glob("*.xml")):
        assert RUN.invoke(cli, ["dictionary", "diff", str(path), str(path)]).exit_code == 0
