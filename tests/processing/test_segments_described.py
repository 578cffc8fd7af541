"""Segments of packets that are described one by one, as the dictionaries of IMAP, EMM and others do it."""

import numpy as np
import pytest
from downlink_pipeline import open_pass

FIRST, GOES_ON, LAST = 1, 0, 2
TYPES = "".join(
    f'<IntegerParameterType name="u{n}"><IntegerDataEncoding sizeInBits="{n}"/></IntegerParameterType>'
    for n in (3, 1, 11, 2, 14, 16, 8)
)
HEADER = {"VERSION": 3, "TYPE": 1, "FLAG": 1, "APID": 11, "FLAGS": 2, "COUNT": 14, "LENGTH": 16}


def binary(name, of, intercept):
    size = f'<ParameterInstanceRef parameterRef="{of}"/><LinearAdjustment slope="8" intercept="{intercept}"/>'
    encoding = (
        f"<BinaryDataEncoding><SizeInBits><DynamicValue>{size}</DynamicValue></SizeInBits></BinaryDataEncoding>"
    )
    return f'<BinaryParameterType name="{name}">{encoding}</BinaryParameterType>'


def container(name, apid, entries):
    refs = "".join(f'<ParameterRefEntry parameterRef="{each}"/>' for each in entries)
    criteria = f'<RestrictionCriteria><Comparison parameterRef="APID" value="{apid}"/></RestrictionCriteria>'
    base = f'<BaseContainer containerRef="PACKET">{criteria}</BaseContainer>' if apid else ""
    return f'<SequenceContainer name="{name}"><EntryList>{refs}</EntryList>{base}</SequenceContainer>'


XTCE = (
    '<SpaceSystem xmlns="http://www.omg.org/spec/XTCE/20180204" name="S"><TelemetryMetaData><ParameterTypeSet>'
    + TYPES
    + binary("rest", "LENGTH", 0)  # the packet data field without its first byte
    + binary("told", "N", 0)
    + "</ParameterTypeSet><ParameterSet>"
    + "".join(f'<Parameter name="{name}" parameterTypeRef="u{bits}"/>' for name, bits in HEADER.items())
    + '<Parameter name="N" parameterTypeRef="u8"/><Parameter name="REST" parameterTypeRef="rest"/>'
    + '<Parameter name="TOLD" parameterTypeRef="told"/></ParameterSet><ContainerSet>'
    + container("PACKET", 0, HEADER)
    + container("EACH", 20, ["N", "REST"])
    + container("WHOLE", 21, ["N", "TOLD"])
    + "</ContainerSet></TelemetryMetaData></SpaceSystem>"
)


def packet(apid, count, flags, body):
    words = (apid, flags << 14 | count, len(body) - 1)
    return b"".join(word.to_bytes(2, "big") for word in words) + body


@pytest.fixture
def decoded(tmp_path):
    (tmp_path / "telemetry.xml").write_text(XTCE)
    pieces = [packet(20, 0, FIRST, b"\1abc"), packet(21, 0, FIRST, b"\6ab"), packet(20, 1, GOES_ON, b"\2de")]
    pieces += [packet(21, 1, GOES_ON, b"cd"), packet(20, 2, LAST, b"\3f"), packet(21, 2, LAST, b"ef")]
    (tmp_path / "some.packets").write_bytes(b"".join(pieces))

    def decode(setting=""):
        text = f'name = "s"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "telemetry.xml"\n{setting}\n'
        (tmp_path / "mission.toml").write_text(text)
        found = open_pass(tmp_path / "some.packets", mission=str(tmp_path))
        return {name: found.to_columns(name).columns for name in found.containers()}

    return decode


def test_packets_that_are_sized_by_their_length_field_are_decoded_one_by_one(decoded):
    each = decoded()["EACH"]
    assert np.asarray(each["N"]).tolist() == [1, 2, 3]
    rest = each["REST"]
    assert bytes(rest.values) == b"abcdef"
    assert rest.length.tolist() == [3, 2, 1]


def test_others_of_the_same_dictionary_are_joined(decoded):
    whole = decoded()["WHOLE"]
    assert np.asarray(whole["N"]).tolist() == [6]
    assert bytes(np.ravel(getattr(whole["TOLD"], "values", whole["TOLD"]))) == b"abcdef"


def test_a_mission_may_join_all_segments(decoded):
    assert np.asarray(decoded('segments = "join"')["EACH"]["N"]).tolist() == [1]


def test_a_mission_may_join_none(decoded):
    assert set(decoded('segments = "separate"')) == {"EACH"}  # no segment of WHOLE is as long as it says
