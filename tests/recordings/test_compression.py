"""Recordings read as they are, whatever packed them."""

import bz2
import gzip
import random
import subprocess
import sys

import pytest
import zstandard
from downlink_pipeline.recordings.reader import read_pass

CONTENT = bytes(range(256)) * 40
PACKED = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": lambda content: zstandard.ZstdCompressor().compress(content),
    "plain": bytes,
}


def whole(path, chunk_bytes=1000):
    return b"".join(batch.data.tobytes() for batch in read_pass(path, chunk_bytes))


@pytest.mark.parametrize("packing", PACKED)
def test_a_recording_is_read_whatever_packed_it(tmp_path, packing):
    (tmp_path / "pass").write_bytes(PACKED[packing](CONTENT))
    assert whole(tmp_path / "pass") == CONTENT


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
def test_a_packed_recording_that_is_cut_short_gives_what_it_has(tmp_path, packing):
    content = random.Random(1).randbytes(4_000_000)
    packed = PACKED[packing](content)
    (tmp_path / "pass").write_bytes(packed[: len(packed) // 2])
    found = whole(tmp_path / "pass", 1 << 20)
    assert content.startswith(found)
    assert len(found) > 1_000_000  # all but the last block of the packing


def test_receive_times_count_unpacked_bytes(tmp_path):
    (tmp_path / "pass").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "pass.times").write_bytes(
        b"".join(word.to_bytes(8, "little") for word in (0, 1_000, len(CONTENT) - 1, 2_000))
    )
    *_, last = read_pass(tmp_path / "pass", 1000)
    assert last.mark_ns.tolist() == [1_000, 2_000]


def test_a_dash_is_standard_input():
    code = (
        "import sys; from pathlib import Path; from downlink_pipeline.recordings.reader import read_pass\n"
        "sys.stdout.buffer.write(b''.join(b.data.tobytes() for b in read_pass(Path('-'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=CONTENT, capture_output=True, check=True)
    assert done.stdout == CONTENT


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "zstd"])
@pytest.mark.parametrize("n_bytes", [4, 9, 50, 2000, -1])
def test_a_packed_recording_that_is_cut_short_says_so_once(tmp_path, packing, n_bytes):
    packed = PACKED[packing](random.Random(1).randbytes(300_000))
    (tmp_path / "pass").write_bytes(packed[:n_bytes])
    assert [one.damage for one in read_pass(tmp_path / "pass") if one.damage] == [
        "pass: it is cut short: what is there is used"
    ]


@pytest.mark.parametrize("options", [{}, {"write_checksum": True}, {"write_content_size": False}])
def test_zstandard_frames_in_a_row_are_whole(tmp_path, options):
    packer = zstandard.ZstdCompressor(**options)
    empty, skipped = packer.compress(b""), (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"
    content = random.Random(2).randbytes(300_000) + bytes(300_000)
    (tmp_path / "pass").write_bytes(packer.compress(content) + empty + skipped + packer.compress(CONTENT))
    assert [one.damage for one in read_pass(tmp_path / "pass") if one.damage] == []
    assert whole(tmp_path / "pass").startswith(content)


def test_bytes_behind_the_last_zstandard_frame_are_damage_and_cost_nothing_before_them(tmp_path):
    (tmp_path / "pass").write_bytes(PACKED["zstd"](CONTENT) + b"something else")
    batches = list(read_pass(tmp_path / "pass", 1000))
    assert b"".join(one.data.tobytes() for one in batches) == CONTENT
    assert ["it is damaged" in one.damage for one in batches if one.damage] == [True]


def test_a_zstandard_frame_that_ends_where_the_input_is_cut_is_whole(tmp_path):
    """Frames of one byte more each: some end where the 2048 bytes do that are given to the decompressor at once."""
    frames = [random.Random(n).randbytes(n) for n in range(1990, 2060)]
    for n, content in zip(range(1990, 2060), frames, strict=True):
        (tmp_path / f"{n}").write_bytes(2 * PACKED["zstd"](content))
    found = [list(read_pass(tmp_path / f"{n}")) for n in range(1990, 2060)]
    assert [b"".join(one.data.tobytes() for one in batches) for batches in found] == [2 * one for one in frames]
    assert not any(one.damage for batches in found for one in batches)
