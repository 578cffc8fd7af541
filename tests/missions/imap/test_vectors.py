"""Vectors of MAG's packets, as they are and compressed."""

import encode
import numpy as np
import pytest
from downlink_imap.mag.vectors import decompress, unpack
from hypothesis import given, settings
from hypothesis import strategies as st

PRIMARY = np.array([[516, 2064, 4128], [519, 2077, 4154], [522, 2090, 4180], [-32768, 32767, -1]])
SECONDARY = np.array([[515, 2063, 4127], [519, 2076, 4153]])


def found(unpacked, row=0):
    return [
        (each.counts[row].tolist(), each.range_index[row].tolist())
        for each in (unpacked.primary, unpacked.secondary)
    ]


def test_fifty_bits_are_three_components_and_a_range():
    data, n_bytes = encode.rows(encode.plain(PRIMARY, [3, 0, 1, 2]) + encode.plain(SECONDARY, [1, 2]))
    unpacked = unpack(data, n_bytes, 4, 2)
    assert found(unpacked) == [(PRIMARY.tolist(), [3, 0, 1, 2]), (SECONDARY.tolist(), [1, 2])]
    assert unpacked.whole.tolist() == [True]


def test_the_published_code_of_six_steps_is_read():
    """imap_processing, test_padding_uncompressed: steps of 0 are 11, one of -2 is 1011."""
    first = (
        "00000010000001000000100000010000000100000010000011",
        "00000010000000110000100000001111000100000001111111",
    )
    data, n_bytes = encode.rows("01000000" + "".join(each + "11111111111011" for each in first))
    assert found(decompress(data, n_bytes, 3, 3)) == [
        ([[516, 2064, 4128], [516, 2064, 4128], [516, 2064, 4126]], [3, 3, 3]),
        ([[515, 2063, 4127], [515, 2063, 4127], [515, 2063, 4125]], [3, 3, 3]),
    ]


@pytest.mark.parametrize(("step", "code"), [(0, "11"), (-1, "011"), (1, "0011"), (-2, "1011"), (2, "00011")])
def test_steps_are_zigzag_numbers_in_the_code_of_fibonacci(step, code):
    assert encode.fibonacci(encode.zigzag(step) + 1) == code  # 1, 2, 3, 4 = 1 + 3, 5
    one = encode.two(16, 6) + "00" + encode.two(0, 50) + code + "11" * 2 + encode.two(0, 50)
    unpacked = decompress(*encode.rows(one), 2, 1)
    assert unpacked.primary.counts[0, 1].tolist() == [step, 0, 0]


@pytest.mark.parametrize("ranges", [False, True])
def test_behind_a_vector_of_more_than_sixty_bits_others_are_not_differences(ranges):
    walk = np.array([[0, 0, 0], [30_000, -30_000, 30_000], [5, 6, 7], [-8, 9, 10]])
    text = encode.compressed((walk, [2, 2, 2, 2]), (walk[:3], [1, 1, 1]), 16, ranges)
    assert found(decompress(*encode.rows(text), 4, 3)) == [
        (walk.tolist(), [2, 2, 2, 2]),
        (walk[:3].tolist(), [1, 1, 1]),
    ]


def test_ranges_that_follow_are_of_all_vectors_but_the_first():
    text = encode.compressed((PRIMARY, [3, 0, 1, 2]), (SECONDARY, [1, 2]), 17, ranges=True)
    assert found(decompress(*encode.rows(text), 4, 2)) == [
        (PRIMARY.tolist(), [3, 0, 1, 2]),
        (SECONDARY.tolist(), [1, 2]),
    ]


def test_packets_of_one_call_may_have_another_width_length_and_end():
    small = np.cumsum(np.full((6, 3), 3), axis=0)
    texts = [
        encode.compressed((small, [1] * 6), (small[:2], [0, 0]), 12),
        encode.compressed((PRIMARY[[0, 1, 2, 0, 1, 2]], [1, 2, 3, 0, 1, 2]), (SECONDARY, [2, 2]), 20, ranges=True),
        encode.compressed((small * 400, [0] * 6), (small[:2] * -900, [3, 3]), 16),
    ]
    unpacked = decompress(*encode.rows(*texts), 6, 2)
    assert unpacked.whole.tolist() == [True] * 3
    assert unpacked.width_bits.tolist() == [12, 20, 16]
    assert found(unpacked, 1)[0] == (PRIMARY[[0, 1, 2, 0, 1, 2]].tolist(), [1, 2, 3, 0, 1, 2])
    assert found(unpacked, 2)[1] == ((small[:2] * -900).tolist(), [3, 3])


counts = st.integers(-(1 << 15), (1 << 15) - 1)
series = st.lists(st.tuples(counts, counts, counts, st.integers(0, 3)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(series, series, st.booleans(), st.integers(16, 20))
def test_what_is_compressed_comes_back(primary, secondary, ranges, width):
    parts = [(np.array([each[:3] for each in part]), [each[3] for each in part]) for part in (primary, secondary)]
    if not ranges:
        parts = [(walk, [some[0]] * len(some)) for walk, some in parts]
    unpacked = decompress(*encode.rows(encode.compressed(*parts, width, ranges)), len(primary), len(secondary))
    assert unpacked.whole.all()
    assert found(unpacked) == [(walk.tolist(), some) for walk, some in parts]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3), st.integers(1, 9), st.integers(1, 9))
def test_any_bytes_give_flags_and_no_exception(texts, n_primary, n_secondary):
    most = max(map(len, texts))
    data = np.stack([np.pad(np.frombuffer(each, np.uint8), (0, most - len(each))) for each in texts])
    n_bytes = np.array([len(each) for each in texts])
    for read in (decompress, unpack):
        unpacked = read(data, n_bytes, n_primary, n_secondary)
        assert unpacked.primary.counts.shape == (len(texts), n_primary, 3)
        assert not unpacked.secondary.counts[~unpacked.whole].any()


def test_a_packet_that_is_too_short_has_no_vectors_and_is_flagged():
    whole = encode.plain(PRIMARY, [0] * 4)
    data, n_bytes = encode.rows(whole, whole[:104])
    unpacked = unpack(data, n_bytes, 2, 2)
    assert unpacked.whole.tolist() == [True, False]
    assert not unpacked.primary.counts[1].any()


@pytest.mark.parametrize("n_lost", [1, 3, 9])
def test_a_compressed_packet_whose_last_codes_are_missing_is_flagged(n_lost):
    small = np.cumsum(np.full((20, 3), 3), axis=0)
    data, n_bytes = encode.rows(encode.compressed((small, [1] * 20), (small, [2] * 20), 12))
    unpacked = decompress(data[:, :-n_lost], n_bytes - n_lost, 20, 20)
    assert unpacked.whole.tolist() == [False]
    assert not unpacked.secondary.counts.any()


@pytest.mark.parametrize("bit", range(17))
def test_steps_up_to_those_across_sixteen_bits_are_read(bit):
    """Codes of up to 24 bits; one vector of such steps has more than 60, so the one behind it is whole."""
    step = (1 << bit) - 1
    walk = np.array([[0, 5, -5], [step, 5 - step, -5], [step, 5, -5]])
    text = encode.compressed((walk, [0] * 3), (walk, [3] * 3), 18)
    unpacked = decompress(*encode.rows(text), 3, 3)
    assert found(unpacked) == [(walk.tolist(), [0] * 3), (walk.tolist(), [3] * 3)]
