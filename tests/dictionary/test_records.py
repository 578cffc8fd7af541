"""Segments joined to records: whatever is missing, interleaved or split over batches."""

import dataclasses

import numpy as np
import pytest
from downlink_pipeline.dictionary.run.records import RecordJoiner
from downlink_pipeline.model.batches import PacketBatch, Quality

FIRST, CONTINUATION, LAST, WHOLE = 1, 0, 2, 3


@pytest.fixture
def record(packet):
    def segments(pieces, count=0, apid=1):
        flags = [FIRST, *[CONTINUATION] * (len(pieces) - 2), LAST]
        return [
            packet(piece, apid, (count + i) % 16384, flag)
            for i, (piece, flag) in enumerate(zip(pieces, flags, strict=True))
        ]

    return segments


def bodies(packets):
    return [
        packets.data[start + 6 : start + length].tobytes()
        for start, length in zip(packets.start.tolist(), packets.length.tolist(), strict=True)
    ]


def test_unsegmented_packets_pass_unchanged(batch, packet):
    packets = batch([packet(b"a"), packet(b"b")])
    assert RecordJoiner().join(packets) is packets


def test_the_segments_of_a_record_become_one_packet_with_the_first_header(batch, record):
    joiner = RecordJoiner()
    segments = record([b"abc", b"de", b"f"], count=7)
    joined = joiner.join(batch(segments))
    assert joined.data.tobytes() == segments[0][:6] + b"abcdef"
    assert (joined.seq_count.tolist(), joined.apid.tolist()) == ([7], [1])
    assert (joiner.joined, joiner.broken) == (1, 0)


def test_a_secondary_header_is_dropped_from_each_segment_but_the_first(batch, record):
    flagged = record([b"HHab", b"HHcd", b"HHe"], apid=0x801)  # with the secondary header flag
    joined = RecordJoiner(segment_header_bytes=2).join(batch(flagged))
    assert bodies(joined) == [b"HHabcde"]


def test_nothing_is_dropped_from_a_segment_without_a_secondary_header(batch, packet):
    flagged = [packet(b"HHab", 0x801, 0, FIRST), packet(b"HHcd", 0x801, 1, CONTINUATION)]
    joined = RecordJoiner(segment_header_bytes=2).join(batch([*flagged, packet(b"ef", 1, 2, LAST)]))
    assert bodies(joined) == [b"HHabcdef"]


@pytest.mark.parametrize("size", [1, 2, 6])
def test_segments_with_a_secondary_header_that_is_not_dropped_are_counted(batch, record, size):
    segments = [*record([b"T1ab", b"T1cd", b"T1ef"], apid=0x801), *record([b"T2gh", b"T2h", b"T2"], 3, apid=0x801)]
    joiner = RecordJoiner()
    for i in range(0, len(segments), size):
        joiner.join(batch(segments[i : i + size]))
    seen = joiner.headed.report()
    assert seen["headed_segments"] == 4
    assert seen.get("alike_bytes") in ({2} if size == 6 else {2, None})
    known = RecordJoiner(segment_header_bytes=2)
    known.join(batch(segments))
    assert known.headed.report() == {}


def test_one_flag_among_many_segments_is_no_header(batch, record, packet):
    segments = [*record([b"a", b"b", b"c", b"d"]), packet(b"a", 0x801, 4, FIRST), packet(b"b", 0x801, 5, LAST)]
    joiner = RecordJoiner()
    joiner.join(batch(segments))
    assert joiner.headed.report() == {}


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_record_that_misses_a_segment_is_dropped_and_counted_once(batch, record, missing):
    segments = record([b"a", b"b", b"c"])
    del segments[missing]
    joiner = RecordJoiner()
    joined = joiner.join(batch([*segments, *record([b"x", b"y"], count=3)]))
    joiner.flush()
    assert bodies(joined) == [b"xy"]
    assert (joiner.joined, joiner.broken) == (1, 1)


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_it_is_counted_once_whatever_the_batches_are(batch, record, missing, size):
    segments = record([b"a", b"b", b"c"])
    del segments[missing]
    segments += record([b"x", b"y"], count=3)
    joiner = RecordJoiner()
    found = [body for i in range(0, 4, size) for body in bodies(joiner.join(batch(segments[i : i + size])))]
    joiner.flush()
    assert found == [b"xy"]
    assert (joiner.joined, joiner.broken) == (1, 1)


def test_two_gaps_in_one_record_are_one_broken_record(batch, record):
    segments = record([b"a", b"b", b"c", b"d", b"e"])
    joiner = RecordJoiner()
    assert len(joiner.join(batch([segments[0], segments[2], segments[4]]))) == 0
    joiner.flush()
    assert joiner.broken == 1


def test_interleaved_apids_are_joined_apart_in_the_order_of_completion(batch, record):
    one, two = record([b"a", b"b", b"c"], apid=1), record([b"x", b"y"], apid=2)
    joined = RecordJoiner().join(batch([one[0], two[0], one[1], two[1], one[2]]))
    assert joined.apid.tolist() == [2, 1]
    assert bodies(joined) == [b"xy", b"abc"]


def test_the_sequence_count_goes_on_at_0_after_16383(batch, record):
    assert bodies(RecordJoiner().join(batch(record([b"a", b"b", b"c"], count=16382)))) == [b"abc"]


@pytest.mark.parametrize("size", range(1, 8))
def test_any_split_over_batches_gives_the_same_records(batch, record, packet, size):
    segments = [
        *record([b"a", b"b", b"c"]),
        packet(b"whole", 3),
        *record([b"x", b"y"], apid=2),
        *record([b"d", b"e"], count=3),
    ]
    joiner = RecordJoiner()
    found = [body for i in range(0, 8, size) for body in bodies(joiner.join(batch(segments[i : i + size])))]
    assert found == [b"abc", b"whole", b"xy", b"de"]
    assert (joiner.joined, joiner.broken) == (3, 0)


def test_unsegmented_packets_keep_their_place_among_records(batch, record, packet):
    one = record([b"a", b"b"], apid=2)
    joined = RecordJoiner().join(batch([one[0], packet(b"w1"), one[1], packet(b"w2")]))
    assert bodies(joined) == [b"w1", b"ab", b"w2"]


def test_an_unsegmented_packet_amid_a_record_of_its_apid_breaks_it(batch, record, packet):
    one = record([b"a", b"b"])
    joiner = RecordJoiner()
    assert bodies(joiner.join(batch([one[0], packet(b"w", 1, 1), one[1]]))) == [b"w"]
    assert joiner.broken == 2  # the record that breaks off, and one that ends without beginning


def test_quality_bits_of_all_segments_and_the_last_receive_time_are_kept(batch, record):
    quality = [Quality.AFTER_GAP, 0, Quality.CORRECTED]
    joined = RecordJoiner().join(batch(record([b"a", b"b", b"c"]), quality=quality, received=[10, 20, 30]))
    assert joined.quality.tolist() == [Quality.AFTER_GAP | Quality.CORRECTED]
    assert joined.received_ns.tolist() == [30]


def test_they_are_kept_over_batches(batch, record):
    joiner, segments = RecordJoiner(), record([b"a", b"b"])
    joiner.join(batch(segments[:1], quality=[Quality.AFTER_GAP], received=[10]))
    joined = joiner.join(batch(segments[1:], quality=[Quality.CORRECTED], received=[20]))
    assert joined.quality.tolist() == [Quality.AFTER_GAP | Quality.CORRECTED]
    assert joined.received_ns.tolist() == [20]


def test_a_batch_without_packets_leaves_an_unfinished_record_as_it_is(batch, record):
    joiner = RecordJoiner()
    first, *rest = record([b"a", b"b", b"c"])
    assert not len(joiner.join(batch([first])))
    assert not len(joiner.join(PacketBatch.empty()))
    assert bodies(joiner.join(batch(rest))) == [b"abc"]
    assert (joiner.joined, joiner.broken) == (1, 0)


def test_what_is_unfinished_at_the_end_is_broken(batch, record):
    joiner = RecordJoiner()
    assert len(joiner.join(batch(record([b"a", b"b", b"c"])[:2]))) == 0
    joiner.flush()
    assert (joiner.joined, joiner.broken) == (0, 1)


@pytest.mark.parametrize("size", [1, 4])
def test_a_record_without_end_is_dropped_and_counted(batch, record, size):
    joiner = RecordJoiner(max_record_bytes=20)
    segments = record([b"12345"] * 4)
    found = [len(joiner.join(batch(segments[i : i + size]))) for i in range(0, 4, size)]
    assert sum(found) == 0
    assert joiner.broken == 1


def test_other_virtual_channels_are_other_streams(batch, record):
    segments = batch(record([b"a", b"b"]))
    apart = dataclasses.replace(segments, vcid=np.array([1, 2], np.uint8))
    joiner = RecordJoiner()
    assert len(joiner.join(apart)) == 0


def test_random_losses_leave_exactly_the_records_that_are_whole(batch, record):
    random = np.random.default_rng(9)
    segments, whole, count = [], [], 0
    for number in range(300):
        pieces = [bytes([number % 256, i]) for i in range(int(random.integers(2, 6)))]
        kept = random.random(len(pieces)) > 0.1
        segments += [s for s, keep in zip(record(pieces, count % 16384), kept, strict=True) if keep]
        whole += [b"".join(pieces)] if kept.all() else []
        count += len(pieces)
    joiner = RecordJoiner()
    found = [body for i in range(0, len(segments), 13) for body in bodies(joiner.join(batch(segments[i : i + 13])))]
    assert found == whole
    assert joiner.joined == len(whole)
