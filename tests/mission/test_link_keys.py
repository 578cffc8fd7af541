"""Keys of [link] for real spacecraft and recorders: what fits together is taken, all else is told with its line."""

from pathlib import Path

import pytest
from downlink_pipeline.link.settings import InsertZoneTime, RecordTime
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError

HEAD = 'name = "test"\n[link]\n'
TM = HEAD + 'framing = "frames"\nframe_type = "tm"\nframe_length_bytes = 128\n'
CODED = HEAD + 'framing = "codeblocks"\nframe_type = "tm"\nframe_length_bytes = 446\n'
CODE = 'reed_solomon = { parity = 32, interleave = 2, basis = "dual"'
AOS = HEAD + 'framing = "frames"\nframe_length_bytes = 128\n'
PACKETS = HEAD + 'framing = "packets"\n'
CHANNEL = '[[channel]]\nspacecraft_id = 5\nvirtual_channel = 1\nname = "x"\n'


def load(tmp_path: Path, text: str):
    (tmp_path / "mission.toml").write_text(text)
    return load_mission(str(tmp_path))


def test_a_record_with_a_time_is_read_with_its_epoch(tmp_path):
    text = TM + 'record_prefix_bytes = 10\nrecord_suffix_bytes = 4\nrecord_time_epoch = "2000-01-01"\n'
    text += 'record_time = [{ offset = 2, bytes = 8, unit = "us", byte_order = "little" }]\n'
    link = load(tmp_path, text + CHANNEL).link
    assert (link.record_prefix_bytes, link.record_suffix_bytes) == (10, 4)
    assert link.record_time == (RecordTime(2, 8, "us", "little"),)
    assert link.record_time_epoch_ns == 946_684_800 * 10**9


STAMPED = AOS + "insert_zone_bytes = 8\n"
STAMP = 'insert_zone_time = { bytes = 6, per_second = 10_000, epoch = "2015-12-31T16:00:00Z" }\n'


def test_a_time_stamp_in_the_insert_zone_is_laid_out_in_the_mission_file(tmp_path):
    link = load(tmp_path, STAMPED + STAMP + CHANNEL).link
    assert link.insert_zone_time == InsertZoneTime(6, 10_000, 1_451_577_600 * 10**9)


def test_a_name_of_before_stands_for_the_layout_that_a_package_brings(tmp_path):
    named = load(tmp_path, STAMPED + 'insert_zone_codec = "tianwen-1"\n' + CHANNEL).link
    assert named == load(tmp_path, STAMPED + STAMP + CHANNEL).link


def test_a_name_that_no_package_brings_is_told_with_what_to_write(tmp_path):
    with pytest.raises(ConfigError) as told:
        load(tmp_path, STAMPED + 'insert_zone_codec = "x"\n' + CHANNEL)
    [line] = str(told.value).splitlines()
    assert "no package brings 'x' (change-5, tianwen-1, tianwen-2): give its layout as insert_zone_time" in line


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        (STAMPED + STAMP + 'insert_zone_codec = "tianwen-1"\n' + CHANNEL, 7, "link.insert_zone_codec"),
        (STAMPED + STAMP.replace("2015-12-31T16", "2015-31-12T16") + CHANNEL, 6, "link.insert_zone_time.epoch"),
        (STAMPED.replace("= 8", "= 5") + STAMP + CHANNEL, 6, "link.insert_zone_time"),
        (STAMPED + STAMP.replace("6", "9", 1) + CHANNEL, 6, "link.insert_zone_time.bytes"),
        (PACKETS + "record_prefix_bytes = 8\n", 4, "link.record_prefix_bytes"),
        (PACKETS + "record_suffix_bytes = 8\n", 4, "link.record_suffix_bytes"),
        (PACKETS + "secondary_header_bytes = 4\n", 4, "link.secondary_header_bytes"),
        (PACKETS + "mpdu_header = false\n", 4, "link.mpdu_header"),
        (PACKETS + "udp_port = 5000\n", 4, "link.udp_port"),
        (TM + "kiss_time_port = 3\n" + CHANNEL, 6, "link.kiss_time_port"),
        (TM + "mpdu_header = false\n" + CHANNEL, 6, "link.mpdu_header"),
        (TM + CHANNEL + "mpdu_header = false\n", 10, "channel.0.mpdu_header"),
        (AOS + "secondary_header_bytes = 4\n" + CHANNEL, 5, "link.secondary_header_bytes"),
        (AOS + CHANNEL + "secondary_header_bytes = 4\n", 9, "channel.0.secondary_header_bytes"),
        (AOS + "ignore_synchronization_flag = true\n" + CHANNEL, 5, "link.ignore_synchronization_flag"),
        (AOS + CHANNEL + "security_trailer_bytes = 120\n", 9, "channel.0.security_trailer_bytes"),
        (TM + 'container = "kiss"\nsymbols = "unpacked"\n' + CHANNEL, 7, "link.symbols"),
        (TM + 'record_time_epoch = "2000-01-01"\n' + CHANNEL, 6, "link.record_time_epoch"),
        (
            TM + 'record_prefix_bytes = 4\nrecord_time = [{ offset = 1, bytes = 4, unit = "s" }]\n' + CHANNEL,
            7,
            "link.record_time.0.offset",
        ),
        (CODED + CHANNEL, 3, "link.framing"),
        (TM + CODE + " }\n" + CHANNEL, 6, "link.reed_solomon"),
        (CODED + CODE + ", fill_value = 7 }\n" + CHANNEL, 6, "link.reed_solomon.fill_value"),
        (
            CODED.replace("446", "223") + CODE.replace("= 2", "= 1") + ', codewords = "consecutive" }\n' + CHANNEL,
            6,
            "link.reed_solomon.codewords",
        ),
    ],
)
def test_a_key_that_does_not_belong_to_the_others_is_told_with_its_line(tmp_path, text, line, key):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [(line, key)]


@pytest.mark.parametrize(
    "text",
    [
        TM + "secondary_header_bytes = 4\nignore_synchronization_flag = true\n" + CHANNEL,
        TM + "secondary_header_bytes = 0\nsecurity_header_bytes = 6\nsecurity_trailer_bytes = 16\n" + CHANNEL,
        TM + 'container = "pcap"\nudp_port = 5000\n' + CHANNEL,
        TM + 'container = "kiss"\nkiss_time_port = 3\n' + CHANNEL,
        AOS + "mpdu_header = false\n" + CHANNEL.replace("= 5", "= 1023"),
        CODED + CODE + ', codewords = "consecutive", check = false }\n' + CHANNEL,
        CODED + "randomizer = true\n" + CHANNEL,
        PACKETS + 'container = "pcap"\n',
    ],
)
def test_what_fits_together_is_taken(tmp_path, text):
    assert load(tmp_path, text).name == "test"
