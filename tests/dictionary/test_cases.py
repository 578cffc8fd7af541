"""Missions in files, as people have them, with packets made by another encoder: each holds one thing that files in the
field do. The right values are worked out from the bytes of the packets, which stand in `cases`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.run.records import RecordJoiner
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch
from pieces import rows
from pyarrow import parquet

CASES = Path(__file__).parent / "cases"


class Decoded:
    """Columns as lists by container, and what was told on the way."""

    def __init__(self, folder):
        mission = load_mission(str(folder / "m"))
        link = Receiver(mission.link, mission.channels)
        packets = link.receive(ByteBatch.of((folder / "p.packets").read_bytes())).packets
        joiner = RecordJoiner(segment_header_bytes=mission.segment_header_bytes)
        decoder = Decoder(mission.plan, mission.time_terms)
        batches = decoder.decode(joiner.join(packets))
        self.columns = {
            batch.container: {name: rows(column) for name, column in batch.columns.items()} for batch in batches
        }
        self.notices = [str(notice) for notice in mission.plan.notices]
        self.events = decoder.drain_events()
        self.set_aside = decoder.set_aside


EXPECTED = {
    "01_leading_size_bytes": {
        "C1": {"S": ["ab", "abcd"], "A": [258, 258]},
        "C2": {"F": ["abc", "abcdefgh"], "A": [258, 258]},
    },
    "02_abstract_groups": {"L1": {"X": [1]}, "L2": {"Y": [2]}},
    "04_base_per_packet_cosmos": {"PKT1": {"V1": [1]}, "PKT2": {"V2": [515]}},
    "05_segments_without_secondary_header": {"C": {"D": [list(b"abcdefGHIJKL")]}},
    "06_reference_root_first": {"C": {"V": [7]}},
    "07_algorithm_set": {"C": {"A": [7]}},
    "08_names_with_dots": {"HK": {"HK.A": [7]}},
    "10_prefix_on_root_only": {"C": {"A": [7]}},
    "11_unused_type": {"C": {"A": [7]}},
    "12_both_orders_least_first": {"C": {"V": [0x1234]}},
    "14_context_of_another_packet": {"SCI": {"X": [70.0]}},
    "15_starting_index_1": {"C": {"A": [[1, 2, 3, 4]]}},
    "16_prepended_binary": {"C": {"B": [[97, 98, 99]], "Z": [7]}},
    "19_boolean_alarm": {"C": {"X": [True, False]}},
    "22_mixed_byte_order": {"C": {"X": [1.5]}},
    "24_two_children_match": {"TLM": {"A": [1, 1]}},
    "25_multi_file": {"C": {"A": [7]}},
    "26_csv_of_ccsdspy": {"packet": {"N": [2], "D": [[5, 6]], "Z": [9]}},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_of_the_field_gives_what_its_bytes_say(name):
    found = Decoded(CASES / name)
    for container, columns in EXPECTED[name].items():
        assert {column: found.columns[container][column] for column in columns} == columns
    assert found.set_aside == {}


def test_there_is_a_right_value_for_every_case():
    assert {path.name for path in CASES.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("07_algorithm_set", "AlgorithmSet: element AlgorithmSet in TelemetryMetaData"),
        ("08_names_with_dots", 'Parameter "HK.A": a name with a character that references use'),
        ("12_both_orders_least_first", "bitOrder and byteOrder are both least significant first"),
        ("22_mixed_byte_order", "a mixed byteOrder is read as the places of the bytes"),
        ("24_two_children_match", 'SequenceContainer "DIAG": can never be reached'),
    ],
)
def test_what_is_passed_over_is_told_with_its_line(name, words):
    (told,) = [notice for notice in Decoded(CASES / name).notices if words in notice]
    assert "telemetry.xml:" in told


def test_an_alarm_of_a_boolean_is_an_event_at_the_packet_that_has_it():
    (event,) = Decoded(CASES / "19_boolean_alarm").events
    assert (event.severity, event.kind) == ("warning", "limit")
    assert (event.details["parameter"], event.details["value"], event.details["level"]) == ("X", False, "warning")


@pytest.mark.parametrize("file_format", ["npz", "parquet", "netcdf"])
def test_names_with_odd_characters_are_reached_in_files_of_every_format(tmp_path, file_format):
    shutil.copytree(CASES / "08_names_with_dots", tmp_path / "c")
    xml = tmp_path / "c/m/telemetry.xml"
    xml.write_text(xml.read_text().replace('"HK.A"', '"HK A[1]/x"').replace('name="HK"', 'name="TM(1,2) [x]/y.z"'))
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "downlink_pipeline",
        "decode",
        tmp_path / "c/p.packets",
        "--mission",
        tmp_path / "c/m",
    ]
    done = subprocess.run(
        [*map(str, command), "--out", str(out), "--format", file_format],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (file,) = [path for path in out.iterdir() if path.name.startswith("TM(1,2) [x]")]
    if file_format == "npz":
        assert np.load(file)["HK A[1]/x"].tolist() == [7]
    elif file_format == "parquet":
        assert parquet.read_table(file)["HK A[1]/x"].to_pylist() == [7]
    else:
        with netCDF4.Dataset(file) as found:
            assert found["HK A[1].x"][:].tolist() == [7]
