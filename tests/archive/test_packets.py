"""A file of packets: channels in order, packets in order inside each."""

from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.archive.packets import packet_file
from downlink_pipeline.dictionary.run.ragged import packed_values
from downlink_pipeline.model.batches import PacketBatch, Ragged


def packets(*rows: tuple[int, int, bytes]) -> PacketBatch:
    """Packets of (scid, vcid, bytes), with a stray byte between them."""
    length = np.array([len(row[2]) for row in rows])
    data = np.frombuffer(b"".join(row[2] + b"\xff" for row in rows), np.uint8)
    n = len(rows)
    return PacketBatch(
        data,
        np.cumsum(length + 1) - length - 1,
        length,
        *(np.zeros(n, kind) for kind in (np.uint16, np.uint16, np.uint8)),
        np.array([row[0] for row in rows], np.uint16),
        np.array([row[1] for row in rows], np.uint8),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint32),
    )


def test_channels_are_sorted_and_packets_keep_their_order(tmp_path: Path) -> None:
    with packet_file(tmp_path / "out") as file:
        file.add(packets((2, 0, b"c"), (1, 5, b"b1"), (1, 3, b"a")))
        file.add(packets((1, 5, b"b2")))
    assert (tmp_path / "out").read_bytes() == b"ab1b2c"


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), packet_file(tmp_path / "out") as file:
        file.add(packets((1, 1, b"a")))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "length", "expected"), [([0, 2], [2, 2], "abcd"), ([4, 0], [1, 2], "eab"), ([], [], "")]
)
def test_pieces_are_put_one_after_another(start: list[int], length: list[int], expected: str) -> None:
    data = np.frombuffer(b"abcdef", np.uint8)
    found = packed_values(Ragged(data, np.array(start, np.int64), np.array(length, np.int64)))
    assert bytes(found) == expected.encode()
