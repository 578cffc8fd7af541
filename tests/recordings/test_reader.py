import asyncio
import os
import struct
import tracemalloc

import numpy as np
import pytest
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.recordings.reader import paced, read_pass

S = 1_000_000_000


@pytest.fixture
def recorded(tmp_path):
    """Write a pass with these bytes and these (offset, receive time) records."""

    def write(data, times=None):
        path = tmp_path / "pass.cadu"
        path.write_bytes(data)
        if times is not None:
            (tmp_path / "pass.cadu.times").write_bytes(b"".join(struct.pack("<Qq", *record) for record in times))
        return path

    return write


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def batch(data, marks):
    starts, times = zip(*marks, strict=True) if marks else ((), ())
    return ByteBatch(np.frombuffer(data, np.uint8), np.array(starts, np.int64), np.array(times, np.int64))


async def released(batches, speed, clock=None):
    clock = clock or Clock()
    got = []
    async for b in paced(batches, speed, clock=clock, sleep=clock.sleep):
        marks = zip(b.mark_start.tolist(), b.mark_ns.tolist(), strict=True)
        got.append((round(clock.now - 1000, 6), bytes(b.data), list(marks)))
    return got


def test_a_pass_comes_back_byte_for_byte_in_chunks(recorded):
    data = bytes(range(256)) * 10
    batches = list(read_pass(recorded(data), 1000))
    assert [len(b.data) for b in batches] == [1000, 1000, 560]
    assert b"".join(b.data.tobytes() for b in batches) == data
    assert all(len(b.mark_ns) == 0 for b in batches)


def test_an_empty_pass_gives_nothing(recorded):
    assert list(read_pass(recorded(b""))) == []


def test_receive_times_stand_at_their_bytes_and_hold_into_the_next_chunk(recorded):
    path = recorded(bytes(10), [(0, 5), (3, 7), (8, 9), (99, 11)])
    got = [(b.mark_start.tolist(), b.mark_ns.tolist()) for b in read_pass(path, 4)]
    assert got == [([0, 3], [5, 7]), ([0], [7]), ([0], [9])]


def test_bytes_before_the_first_mark_have_no_time(recorded):
    got = [(b.mark_start.tolist(), b.mark_ns.tolist()) for b in read_pass(recorded(bytes(6), [(4, 5)]), 3)]
    assert got == [([], []), ([1], [5])]


def test_a_mark_at_the_border_of_two_chunks_belongs_to_the_second(recorded):
    got = [(b.mark_start.tolist(), b.mark_ns.tolist()) for b in read_pass(recorded(bytes(6), [(0, 5), (3, 6)]), 3)]
    assert got == [([0], [5]), ([0], [6])]


def test_empty_receive_times_are_none(recorded):
    assert [len(b.mark_ns) for b in read_pass(recorded(bytes(6), []))] == [0]


def test_a_missing_pass_is_one_line_at_once(tmp_path):
    with pytest.raises(RunError, match=r"^cannot read \S+/none: No such file or directory$"):
        read_pass(tmp_path / "none")


def test_a_folder_is_one_line_at_once(tmp_path):
    with pytest.raises(RunError, match=r"^cannot read \S+: it is a folder$"):
        read_pass(tmp_path)


def test_a_pass_that_may_not_be_read_is_one_line_at_once(recorded):
    path = recorded(b"x")
    path.chmod(0)
    effective = os.geteuid()
    os.seteuid(effective or 65_534)  # root may read everything: be nobody for a moment
    try:
        with pytest.raises(RunError, match="Permission denied"):
            read_pass(path)
    finally:
        os.seteuid(effective)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([(0, 5), (3, 6), (3, 7)], r"offset of record 2 \(3\) goes back"),
        ([(4, 5), (3, 6)], r"offset of record 1 \(3\) goes back"),
        ([(0, 5), (2**63, 6)], r"offset of record 1 \(-9223372036854775808\) goes back"),
        ([(2**63, 6)], r"offset of record 0 \(-9223372036854775808\) goes back"),
        ([(0, 5), (3, 4)], r"receive time of record 1 \(4\) goes back"),
    ],
)
def test_receive_times_out_of_order_are_named(recorded, times, said):
    with pytest.raises(ConfigError, match=rf"pass\.cadu\.times: the {said}"):
        read_pass(recorded(bytes(9), times))


def test_a_cut_record_of_receive_times_is_named(recorded, tmp_path):
    path = recorded(b"x")
    (tmp_path / "pass.cadu.times").write_bytes(bytes(20))
    with pytest.raises(ConfigError, match=r"pass\.cadu\.times: 20 bytes are not whole records of 16"):
        read_pass(path)


def test_a_folder_in_the_place_of_receive_times_is_named(recorded, tmp_path):
    path = recorded(b"x")
    (tmp_path / "pass.cadu.times").mkdir()
    with pytest.raises(ConfigError, match=r"pass\.cadu\.times: "):
        read_pass(path)


def test_reading_holds_no_more_than_a_chunk_or_two(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    n_bytes = sum(len(b.data) for b in read_pass(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_bytes == 64 << 20
    assert peak < 4 << 20


async def test_bytes_come_when_they_are_due():
    batches = [batch(b"abcd", [(0, 10 * S), (2, 11 * S)]), batch(b"ef", [(0, 13 * S)])]
    assert await released(batches, 1) == [
        (0, b"ab", [(0, 10 * S)]),
        (1, b"cd", [(0, 11 * S)]),
        (3, b"ef", [(0, 13 * S)]),
    ]


async def test_twice_the_speed_is_half_the_time():
    assert [t for t, *_ in await released([batch(b"ab", [(0, 0), (1, S)])], 2)] == [0, 0.5]


async def test_marks_close_together_come_together():
    marks = [(i, i * S // 1000) for i in range(200)]
    got = await released([batch(bytes(200), marks)], 1)
    assert 4 <= len(got) <= 6
    assert sum(len(data) for _, data, _ in got) == 200
    assert all(mark_ns / S <= t + 1e-6 <= mark_ns / S + 0.06 for t, _, marks in got for _, mark_ns in marks)


async def test_who_is_late_gets_all_that_is_due_at_once():
    clock = Clock()
    stream = paced([batch(b"abcd", [(0, 0), (1, S), (2, 2 * S), (3, 9 * S)])], 1, clock=clock, sleep=clock.sleep)
    assert bytes((await anext(stream)).data) == b"a"
    clock.now += 5
    assert bytes((await anext(stream)).data) == b"bc"
    assert bytes((await anext(stream)).data) == b"d"


async def test_bytes_before_the_first_mark_go_with_it():
    assert await released([batch(b"abcd", [(2, S)])], 1) == [(0, b"abcd", [(2, S)])]


@pytest.mark.parametrize("speed", [None, float("inf")])
async def test_without_a_speed_nothing_waits(speed):
    clock = Clock()
    batches = [batch(b"abcd", [(0, 0), (2, 999 * S)])]
    assert [data for _, data, _ in await released(batches, speed, clock)] == [b"abcd"]
    assert clock.slept == []


async def test_batches_without_times_go_at_once():
    assert await released([batch(b"ab", []), batch(b"cd", [])], 1) == [(0, b"ab", []), (0, b"cd", [])]


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
async def test_a_speed_that_does_not_go_forward_is_refused(speed):
    with pytest.raises(ConfigError, match="a speed of"):
        await released([], speed)


async def test_reading_leaves_the_event_loop_free():
    turns = []

    def slow():
        while len(turns) < 3:  # the loop must turn while this reads
            pass
        yield batch(b"a", [])

    async def turn():
        while True:
            turns.append(1)
            await asyncio.sleep(0.001)

    task = asyncio.create_task(turn())
    assert len(await released(slow(), None)) == 1
    task.cancel()


async def test_an_error_while_reading_comes_out():
    def broken():
        yield batch(b"a", [])
        raise RunError("cannot read")

    with pytest.raises(RunError, match="cannot read"):
        await released(broken(), 1)
