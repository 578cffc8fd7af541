"""Packets of an instrument that the package does not know, by a dictionary as the mission's generator writes it."""

import struct

import numpy as np
import pytest
from downlink_pipeline import open_pass

HEADER = {
    "VERSION": 3,
    "TYPE": 1,
    "SEC_HDR_FLG": 1,
    "PKT_APID": 11,
    "SEQ_FLGS": 2,
    "SRC_SEQ_CTR": 14,
    "PKT_LEN": 16,
}
FIELDS = {**HEADER, "XYZ_SCI.SHCOARSE": 32, "XYZ_SCI.COUNT": 16}
GROUP = (1, 0, 0, 2)
"""Sequence flags of the packets of a group: first, two between, last."""


def dictionary(fields=FIELDS, apid=1500) -> str:
    types = "".join(
        f'<xtce:IntegerParameterType name="{name}" signed="false"><xtce:IntegerDataEncoding sizeInBits="{bits}" '
        'encoding="unsigned" /></xtce:IntegerParameterType>'
        for name, bits in fields.items()
    )
    parameters = "".join(f'<xtce:Parameter name="{name}" parameterTypeRef="{name}" />' for name in fields)
    header, own = (
        "".join(f'<xtce:ParameterRefEntry parameterRef="{name}" />' for name in names)
        for names in (HEADER, [name for name in fields if name not in HEADER])
    )
    return f"""<?xml version='1.0' encoding='utf-8'?>
<xtce:SpaceSystem xmlns:xtce="http://www.omg.org/space/xtce" name="Some Instrument">
<xtce:TelemetryMetaData><xtce:ParameterTypeSet>{types}</xtce:ParameterTypeSet><xtce:ParameterSet>{parameters}
</xtce:ParameterSet><xtce:ContainerSet><xtce:SequenceContainer name="CCSDSPacket" abstract="true">
<xtce:EntryList>{header}</xtce:EntryList></xtce:SequenceContainer><xtce:SequenceContainer name="XYZ_SCI">
<xtce:BaseContainer containerRef="CCSDSPacket"><xtce:RestrictionCriteria><xtce:Comparison parameterRef="PKT_APID"
value="{apid}" useCalibratedValue="false" /></xtce:RestrictionCriteria></xtce:BaseContainer>
<xtce:EntryList>{own}</xtce:EntryList></xtce:SequenceContainer></xtce:ContainerSet></xtce:TelemetryMetaData>
</xtce:SpaceSystem>"""


@pytest.fixture
def columns(tmp_path, monkeypatch):
    """Of a group of four packets, each with its own time."""
    folder = tmp_path / "dictionaries"
    folder.mkdir()
    (folder / "xyz.xml").write_text(dictionary())
    monkeypatch.setenv("IMAP_DICTIONARIES", str(folder))
    packets = [
        struct.pack(">HHHIH", 0x0800 | 1500, flags << 14 | k, 5, 464_880_095 + k, 100 + k)
        for k, flags in enumerate(GROUP)
    ]
    (tmp_path / "xyz.packets").write_bytes(b"".join(packets))
    return open_pass(tmp_path / "xyz.packets", mission="imap").to_columns("XYZ_SCI")


def test_packets_of_a_group_are_decoded_one_by_one(columns):
    assert np.asarray(columns.columns["XYZ_SCI.COUNT"]).tolist() == [100, 101, 102, 103]
    assert np.asarray(columns.columns["SEQ_FLGS"]).tolist() == [*GROUP]


def test_their_time_is_that_of_the_spacecrafts_clock(columns):
    assert columns.time_ns.tolist() == [(464_880_095 + k) * 1_000_000_000 for k in range(4)]


@pytest.mark.parametrize(
    ("names", "time_ns"),
    [
        ({"SC_SCLK_SEC": 32, "SC_SCLK_SUB_SEC": 8}, 464_880_095_250_000_000),  # I-ALiRT: seconds and 1/256 s
        ({"SCID_X252.OUT_SCIENCEDATA1HZ_TPSH_MET_SEC": 32, "SCID_X252.SUB": 8}, 464_880_095_000_000_000),
    ],
)
def test_packets_of_the_spacecraft_have_its_time(names, time_ns, tmp_path, monkeypatch):
    (tmp_path / "dictionaries").mkdir()
    (tmp_path / "dictionaries" / "x.xml").write_text(dictionary({**HEADER, **names}, 478))
    monkeypatch.setenv("IMAP_DICTIONARIES", str(tmp_path / "dictionaries"))
    packet = struct.pack(">HHHIB", 0x0800 | 478, 3 << 14, 4, 464_880_095, 64)
    (tmp_path / "x.packets").write_bytes(packet)
    assert open_pass(tmp_path / "x.packets", mission="imap").to_columns("XYZ_SCI").time_ns.tolist() == [time_ns]
