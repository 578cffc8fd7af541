"""What docs/dictionary.md shows runs as it stands there, and gives what it says."""

import re
from pathlib import Path

import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "dictionary.md").read_text()
TEMPERATURE = """<FloatParameterType name="T"><UnitSet><Unit>degC</Unit></UnitSet><IntegerDataEncoding sizeInBits="8">
<DefaultCalibrator><PolynomialCalibrator><Term coefficient="-20" exponent="0"/><Term coefficient="0.5" exponent="1"/>
</PolynomialCalibrator></DefaultCalibrator></IntegerDataEncoding></FloatParameterType>"""


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch, document, packet):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mission.toml").write_text(blocks("toml")[0])
    xtce = document(TEMPERATURE, {"TEMPERATURE": "T"}).replace(b'"PACKET"', b'"SCIENCE"')
    (tmp_path / "mine" / "telemetry.xml").write_bytes(xtce)
    packets = [packet(bytes([value]), seq_count=i) for i, value in enumerate((0, 40, 80))]
    (tmp_path / "recording.packets").write_bytes(b"".join(packets))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
def test_a_mission_is_decoded_in_ten_lines(capsys):
    mission, program = blocks("toml")[0], blocks("python")[0]
    lines = [
        line for line in (mission + program).splitlines() if line and not line.startswith(("from ", "import "))
    ]
    assert len(lines) <= 10
    exec(program, {})
    assert capsys.readouterr().out == "{'1': 3}\ndegC 0.0\n"


@pytest.mark.usefixtures("folder")
def test_the_decoder_alone_does_the_same(capsys):
    exec(blocks("python")[1], {})
    out = capsys.readouterr().out
    assert out.startswith("SCIENCE 3 {'VERSION'")
    assert "{'TEMPERATURE': 'degC'}" in out
    assert out.endswith("Counter() Counter() ()\n")
