"""`downlink check --dictionary` says what the loader does, and ends as the loader would."""

import os
from pathlib import Path

import pytest
from downlink_pipeline.commands.dictionary_report import against
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from forked_commands import FORKED

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def check():
    def run(*arguments):
        done = FORKED.run("check", *arguments, env=os.environ | {"COLUMNS": "300"})
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def test_what_is_passed_over_is_listed_with_its_line_and_does_no_harm(check):
    xml = CASES / "07_algorithm_set/m/telemetry.xml"
    status, out, err = check("--dictionary", xml)
    assert (status, err) == (0, "")
    lines = xml.read_text().splitlines()
    line = next(i for i, text in enumerate(lines, 1) if "<AlgorithmSet>" in text)
    assert ["1", "passed", "over", "AlgorithmSet", f"{xml}:{line}"] in [each.split() for each in out.splitlines()]


def test_strict_makes_an_error_of_what_is_passed_over(check, tmp_path):
    xml = CASES / "07_algorithm_set/m/telemetry.xml"
    status, _, err = check("--dictionary", xml, "--strict")
    assert status == 2
    assert "AlgorithmSet" in err
    (tmp_path / "telemetry.xml").write_text(xml.read_text())
    text = (CASES / "07_algorithm_set/m/mission.toml").read_text()
    (tmp_path / "mission.toml").write_text(text)
    assert check(tmp_path)[0] == 0
    assert check(tmp_path, "--strict")[0] == 2
    (tmp_path / "mission.toml").write_text(text + "strict = true\n")
    assert check(tmp_path)[0] == 2


def test_what_the_loader_refuses_check_refuses(check, document, tmp_path):
    refused = document("", {"A": "U8"}, '<ParameterRefEntry parameterRef="A"/><StreamSegmentEntry streamRef="S"/>')
    (tmp_path / "t.xml").write_bytes(refused)
    status, out, err = check("--dictionary", tmp_path / "t.xml")
    assert status == 2
    assert "refused       StreamSegmentEntry" in out
    assert "StreamSegmentEntry is not implemented" in err


def test_what_only_compiling_finds_check_refuses_too(check, document, tmp_path):
    late = '<BinaryParameterType name="B"><BinaryDataEncoding><SizeInBits><DynamicValue>'
    late += '<ParameterInstanceRef parameterRef="N"/></DynamicValue></SizeInBits></BinaryDataEncoding>'
    xtce = document(late + "</BinaryParameterType>", {"X": "B", "N": "U8"})
    (tmp_path / "t.xml").write_bytes(xtce)
    status, _, err = check("--dictionary", tmp_path / "t.xml")
    assert status == 2
    assert '"X" depends on "N", which does not come before it' in err


def test_the_shortest_and_the_longest_packet_of_each_container_are_told(check, document, tmp_path):
    sized = '<StringParameterType name="S"><StringDataEncoding><Variable maxSizeInBits="160">'
    sized += '<LeadingSize sizeInBitsOfSizeTag="8"/></Variable></StringDataEncoding></StringParameterType>'
    (tmp_path / "t.xml").write_bytes(document(sized, {"X": "S", "A": "U16"}))
    status, out, _ = check("--dictionary", tmp_path / "t.xml")
    assert status == 0
    # 6 bytes of header, a size of one byte, 0 to 20 bytes of text, two bytes
    assert "container  PACKET: 9 to 29 bytes, 9 parameters" in out


def test_packets_are_tried_apid_by_apid(check, document, packet, tmp_path):
    (tmp_path / "t.xml").write_bytes(document("", {"A": "U16"}))
    packets = [packet(b"ab"), packet(b"a"), packet(b"cd"), packet(b"ef", apid=9)]
    (tmp_path / "p.packets").write_bytes(b"".join(packets))
    status, out, _ = check("--dictionary", tmp_path / "t.xml", "--against", tmp_path / "p.packets")
    assert status == 0
    assert "2 of 4 packets find a container" in out
    assert "APID 1: 2 of 3: 2 PACKET; not: 1 too short for PACKET" in out
    assert "APID 9: 0 of 1; not: 1 no container for APID 9" in out


def test_a_container_that_can_never_be_reached_is_told(check):
    status, out, _ = check("--dictionary", CASES / "24_two_children_match/m/telemetry.xml")
    assert status == 0
    assert 'SequenceContainer "DIAG": can never be reached' in out


def tried(document, packets, tmp_path):
    path = tmp_path / "p.packets"
    path.write_bytes(packets)
    return against(path, compile_plan(read_xtce(document)))


def test_a_file_that_holds_no_packets_is_said_to_be_none(document, tmp_path):
    lines, n_lost = tried(document("", {"A": "U8"}), b"<?xml version='1.0'?>", tmp_path)
    assert (lines[0].partition(": ")[2], n_lost) == ("0 of 0 packets find a container", 0)
    assert lines[1] == "  21 bytes are no whole packets: is this a file of packets?"


def test_bytes_behind_the_last_packet_are_counted(document, packet, tmp_path):
    lines, _ = tried(document("", {"A": "U8"}), packet(b"a") + b"\0\1\2", tmp_path)
    assert lines[-1] == "  3 bytes are no whole packets"


def test_a_packet_that_is_lost_by_the_value_of_another_has_a_reason(document, packet, tmp_path):
    hk = """<SequenceContainer name="HK"><EntryList><ParameterRefEntry parameterRef="SIZE"/></EntryList>
    <BaseContainer containerRef="HEADER"><RestrictionCriteria><Comparison parameterRef="APID" value="2"/>
    </RestrictionCriteria></BaseContainer></SequenceContainer>"""
    entries = """<ParameterRefEntry parameterRef="A"><RepeatEntry><Count><DynamicValue><ParameterInstanceRef
    parameterRef="SIZE"/></DynamicValue></Count></RepeatEntry></ParameterRefEntry>"""
    xtce = document("", {"A": "U8", "SIZE": "U8"}, entries, hk)
    xtce = xtce.replace(b'<Parameter name="SIZE"', b'<Parameter initialValue="1" name="SIZE"')
    lines, n_lost = tried(xtce, packet(b"\7", apid=2) + packet(b"a"), tmp_path)
    assert (lines[1:], n_lost) == (
        ["  APID 1: 0 of 1; not: 1 by values of other packets", "  APID 2: 1 of 1: 1 HK"],
        1,
    )


@pytest.mark.parametrize(
    "criteria",
    [
        '<Comparison parameterRef="A" value="300"/>',
        '<Comparison parameterRef="A" value="-1"/>',
        "<ComparisonList>{}{}</ComparisonList>".format(
            *(f'<Comparison parameterRef="A" value="{value}"/>' for value in (1, 2))
        ),
    ],
)
def test_criteria_that_no_packet_can_fulfil_are_told(document, criteria):
    def child(name, base, restriction):
        return f"""<SequenceContainer name="{name}"><EntryList/><BaseContainer containerRef="{base}">
        <RestrictionCriteria>{restriction}</RestrictionCriteria></BaseContainer></SequenceContainer>"""

    others = child("GOOD", "PACKET", '<Comparison parameterRef="A" value="255"/>')
    plan = compile_plan(read_xtce(document("", {"A": "U8"}, "", others + child("BAD", "PACKET", criteria))))
    (notice,) = map(str, plan.notices)
    assert 'SequenceContainer "BAD": can never be reached: "A" never has the value' in notice


def test_a_child_whose_criteria_contradict_those_of_its_base_is_told(document):
    child = """<SequenceContainer name="{}"><EntryList/><BaseContainer containerRef="{}"><RestrictionCriteria>
    <Comparison parameterRef="A" value="{}"/></RestrictionCriteria></BaseContainer></SequenceContainer>"""
    more = child.format("ONE", "PACKET", 1) + child.format("TWO", "ONE", 2)
    (notice,) = map(str, compile_plan(read_xtce(document("", {"A": "U8"}, "", more))).notices)
    assert 'SequenceContainer "TWO": can never be reached' in notice
