"""The public samples of Yamcs' documentation, told anew in `data`: they load, and decode to what one counts by hand."""

from pathlib import Path

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.survey import PASSED_OVER, REFUSED, examine
from downlink_pipeline.dictionary.xtce.reader import Source, read_xtce
from downlink_pipeline.model.batches import Quality, Ragged

DATA = Path(__file__).parent / "data"
SECOND = 10**9


def rows(column):
    if not isinstance(column, Ragged):
        return column.tolist()
    bounds = zip(column.start.tolist(), column.length.tolist(), strict=True)
    return [column.values[start : start + length].tolist() for start, length in bounds]


@pytest.fixture
def decoder():
    return lambda name, root=None: Decoder(compile_plan(read_xtce((DATA / f"{name}.xml").read_bytes()), root))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.xml")), ids=lambda path: path.stem)
def test_everything_that_a_sample_uses_is_supported(path):
    found = examine([Source(path.read_bytes())])
    assert found.rows
    assert [row.element for row in found.rows if row.status in {PASSED_OVER, REFUSED}] == []


def test_the_example_of_the_green_book(decoder, batch):
    with_time = bytes.fromhex("18 81 000A 0000003C 01F4 00C8 0001")
    without = bytes.fromhex("18 01 0004 FFF8 0002")
    (found,) = decoder("green_book", "Header").decode(batch([with_time, without]))
    assert found.container == "Health"
    epoch = -378_691_200  # 1958-01-01, 4,383 days before 1970
    assert rows(found.columns["Seconds"]) == [[(epoch + 60) * SECOND], []]
    assert rows(found.columns["MilliSeconds"]) == [[(epoch + 60) * SECOND + 500_000_000], []]
    # 200 / 4 - 40.5 + 200**2 / 1024, and -8 / 4 - 40.5 + 64 / 1024
    assert rows(found.columns["Temperature"]) == [48.5625, -42.4375]
    assert rows(found.columns["Timer"]) == ["RUNNING", "DONE"]
    assert found.units["Temperature"] == "degC"


def test_the_data_types_of_the_manual(decoder, batch):
    first = bytes.fromhex("0064 3E8F") + bytes(range(16)) + b"\3abc" + bytes.fromhex("00000E10 0004")
    first += bytes.fromhex("01 0002 3FC00000") + b"\1\2\3\4\5\6" + bytes.fromhex("0007 0008")
    second = bytes.fromhex("0063 C800") + bytes(16) + b"\0" + bytes.fromhex("00000000 0003")
    second += bytes.fromhex("00 0000 C0000000") + bytes(6)
    subject = decoder("data_types")
    (found,) = subject.decode(batch([first, second]))
    columns = {name: rows(column) for name, column in found.columns.items()}
    assert columns["RANGED"] == [100, 99]
    assert columns["TEMPERATURE"] == pytest.approx([0x3E8 * 0.025 - 20, 0xC80 * 0.025 - 20])
    assert columns["SPARE"] == [15, 0]
    assert columns["BLOB"] == [list(range(16)), [0] * 16]
    assert columns["SIZED"] == [[97, 98, 99], []]
    assert columns["TIME"] == [946_681_200 * SECOND, 946_677_600 * SECOND]
    assert columns["EVEN"] == ["four", "UNKNOWN_3"]
    assert columns["RECORD.flag"] == [True, False]
    assert columns["RECORD.count"] == [2, 0]
    assert columns["RECORD.level"] == [1.5, -2.0]
    assert columns["SIX"] == [[1, 2, 3, 4, 5, 6], [0] * 6]
    assert columns["TOLD"] == [[7, 8], []]
    assert found.quality.tolist() == [0, Quality.OUT_OF_RANGE | Quality.UNKNOWN_VALUE]
    levels = [(event.details["parameter"], event.details["level"]) for event in subject.drain_events()]
    assert levels == [("TEMPERATURE", "warning"), ("TEMPERATURE", "critical")]


def test_the_strings_of_the_manual(decoder, batch):
    first = b"abc\0zzsix ch" + b"term\0" + b"\0\5\2hi??" + b"\0\3end" + b"\0\7"
    second = b"abcdef123456" + b"\0" + b"\0\3\2no" + b"\0\0" + b"\0\x08"
    (found,) = decoder("strings").decode(batch([first, second]))
    columns = {name: rows(column) for name, column in found.columns.items()}
    assert columns["S1"] == ["abc", "abcdef"]
    assert columns["S2"] == ["six ch", "123456"]
    assert columns["S3"] == ["term", ""]
    assert columns["S4"] == ["hi", "no"]
    assert columns["S5"] == ["end", ""]
    assert columns["END"] == [7, 8]


def test_the_numbers_and_booleans_of_the_manual_that_are_text(decoder, batch):
    first, second = b"1234\0zyes!" + b"-1.25e1\0" + b"\0012", b"999999nooo" + b"3\0" + b"\0013"
    (found,) = decoder("as_text").decode(batch([first, second]))
    columns = {name: rows(column) for name, column in found.columns.items()}
    assert columns["Integer"] == [1234, 999999]
    assert columns["Boolean"] == [True, False]
    assert columns["Float"] == [-12.5, 3.0]
    assert columns["Label"] == ["two", "UNKNOWN_3"]
    assert found.units == {"Float": "V"}
    assert found.quality.tolist() == [0, Quality.UNKNOWN_VALUE]


def test_headers_of_aggregates_and_systems_below(decoder, batch):
    # 08 07: version 0, telemetry, secondary header, APID 7; C0 05: stand-alone, the fifth.
    present = bytes.fromhex("0807 C005 0004 11 FFFE 0003")
    absent = bytes.fromhex("0008 4001 0003 0001 8000")
    command = bytes.fromhex("1007 C000 0003 0000 0000")
    other = bytes.fromhex("0009 C000 0003 0000 0000")
    subject = decoder("header")
    (found,) = subject.decode(batch([present, absent, command, other]))
    columns = {name: rows(column) for name, column in found.columns.items()}
    assert found.container == "Wheels"
    assert columns["Packet_ID.APID"] == [7, 8]
    assert columns["Packet_ID.SecHdrFlag"] == [True, False]
    assert columns["Sequence.GroupFlags"] == ["Standalone", "First"]
    assert columns["Sequence.Count"] == [5, 1]
    assert columns["Service"] == [[0x11], []]
    assert columns["Wheel"] == [[-2, 3], [1, -32768]]
    assert found.units == {"Length": "Octets"}
    assert sum(subject.set_aside.values()) == 2
