"""`downlink check --dictionary` says what the loader does, and ends as the loader would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"


@pytest.fixture
def check():
    def run(*arguments):
        command = [sys.executable, "-m", "downlink_pipeline", "check", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "300"}
        )
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
