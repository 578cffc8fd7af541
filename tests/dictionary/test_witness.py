"""The same document and the same packets, read by space_packet_parser and by us."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

spp = pytest.importorskip("space_packet_parser")

POLYNOMIAL = """<DefaultCalibrator><PolynomialCalibrator><Term coefficient="-5" exponent="0"/>
<Term coefficient="0.25" exponent="1"/></PolynomialCalibrator></DefaultCalibrator>"""
SPLINE = """<DefaultCalibrator><SplineCalibrator order="1" extrapolate="true"><SplinePoint raw="0" calibrated="-10"/>
<SplinePoint raw="600" calibrated="30"/><SplinePoint raw="4095" calibrated="100"/></SplineCalibrator>
</DefaultCalibrator>"""


def integer(name, size_bits, encoding="unsigned", inside="", tag="IntegerParameterType"):
    return (
        f'<{tag} name="{name}"><IntegerDataEncoding sizeInBits="{size_bits}" encoding="{encoding}">{inside}'
        f"</IntegerDataEncoding></{tag}>"
    )


TYPES = (
    integer("T3", 3)
    + integer("T13", 13, "twosComplement")
    + integer("T12P", 12, inside=POLYNOMIAL)
    + integer("T12S", 12, inside=SPLINE)
    + integer("T41", 41)
    + integer("T7", 7, "twosComplement")
    + """<FloatParameterType name="F32"><FloatDataEncoding sizeInBits="32"/></FloatParameterType>
    <FloatParameterType name="F1750"><FloatDataEncoding sizeInBits="32" encoding="MILSTD_1750A"/></FloatParameterType>
    <EnumeratedParameterType name="ENUM"><IntegerDataEncoding sizeInBits="2"/><EnumerationList>
    <Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/><Enumeration value="2" label="BROKEN"/>
    <Enumeration value="3" label="LOST"/></EnumerationList></EnumeratedParameterType>
    <BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="N" useCalibratedValue="false"/><LinearAdjustment slope="8" intercept="0"/>
    </DynamicValue></SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
)
PARAMETERS = {"A": "T3", "E": "ENUM", "B": "T13", "F": "F32", "P": "T12P", "S": "T12S", "L": "T41", "C": "T7"}
PARAMETERS |= {"M": "F1750", "PAD": "T3", "N": "T3", "X": "BLOB", "END": "T13", "REST": "T3"}


def test_unaligned_fields_calibrators_labels_and_blobs_equal_the_witness(document, packet, decode):
    random = np.random.default_rng(11)
    fixed_bits = 3 + 2 + 13 + 32 + 12 + 12 + 41 + 7 + 32 + 3
    packets = []
    for count in range(200):
        n = int(random.integers(0, 8))
        value = int.from_bytes(random.bytes(20), "big") >> (160 - fixed_bits)
        # A float of random bits may be a NaN, which equals nothing: its exponent is made small.
        value &= ~(1 << fixed_bits - 18 - 2)
        value = value << 3 | n
        blob = int.from_bytes(random.bytes(n), "big")
        value = (value << 8 * n | blob) << 16 | int(random.integers(0, 1 << 16))
        total = fixed_bits + 3 + 8 * n + 16
        body = (value << -total % 8).to_bytes((total + 7) // 8, "big")
        packets.append(packet(body, seq_count=count))
    xtce = document(TYPES, PARAMETERS).replace(b'"HEADER"', b'"CCSDSPacket"')  # the witness wants that root
    (found,) = decode(xtce, packets)
    definition = spp.load_xtce(io.BytesIO(xtce))
    expected = [definition.parse_bytes(each) for each in packets]
    for name in PARAMETERS:
        for row, theirs in enumerate(expected):
            column = found.columns[name]
            if name == "X":
                ours = column.values[column.start[row] : column.start[row] + column.length[row]].tobytes()
            else:
                ours = column[row].item()
            assert ours == pytest.approx(theirs[name]) if isinstance(ours, float) else ours == theirs[name], name


def test_the_longer_example_of_the_documentation_runs(real_data, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).resolve().parents[2] / "docs" / "dictionary.md").read_text()
    _, example = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine").mkdir()
    (tmp_path / "recording.packets").symlink_to(real_data / "jpss-1" / "J01_G011_LZ_2021-04-09.packets")
    (tmp_path / "mine" / "telemetry.xml").symlink_to(real_data / "jpss-1" / "geolocation.xml")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/dictionary.md", "exec"), {})
    assert "JPSS_ATT_EPHEM 7200" in capsys.readouterr().out
