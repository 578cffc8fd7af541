"""What a station sent is on disk, as `downlink replay` reads it, whatever happens to the process or the disk."""

import os
import random
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.recordings.log import Committed, PassFolder, Policy, Recorder
from downlink_pipeline.recordings.log_reader import PassReader
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.recordings.retention import Retention
from structlog.testing import capture_logs

SECOND = 1_000_000_000
PIECES = [bytes([i]) * (i + 1) for i in range(20)]
TIMES = [SECOND * (i + 1) for i in range(20)]


@pytest.fixture
def recorder(tmp_path):
    made = Recorder(tmp_path / "station", Policy(file_bytes=50))
    yield made
    made.close()


def deleted(recorder, keep_bytes=None, keep_s=None):
    """Names of the passes that these limits delete, 99 s after 1970."""
    return [name for name, _ in Retention(keep_bytes, keep_s).delete_expired(recorder.passes(), 99 * SECOND)]


def recorded(recorder):
    """Begin a pass and append all pieces."""
    one = recorder.begin(SECOND)
    assert recorder.append(PIECES, TIMES) == len(PIECES)
    return one


def test_the_files_of_a_pass_are_read_by_replay_with_their_receive_times(recorder):
    one = recorded(recorder)
    assert len(one.files()) > 2
    batches = list(read_pass(one.path))
    assert b"".join(batch.data.tobytes() for batch in batches) == b"".join(PIECES)
    assert np.concatenate([batch.mark_ns for batch in batches]).tolist() == TIMES


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000])
def test_a_reader_gives_the_same_bytes_and_marks_for_any_chunk(recorder, chunk_bytes):
    one = recorded(recorder)
    data, marks, place = b"", [], 0
    with PassReader(one) as reader:
        while batch := reader.read(chunk_bytes):
            marks += [(place + int(at), int(ns)) for at, ns in zip(batch.mark_start, batch.mark_ns, strict=True)]
            data += batch.data.tobytes()
            place = reader.position
    begins = np.cumsum([0, *map(len, PIECES[:-1])]).tolist()
    assert data == b"".join(PIECES)
    assert marks == list(zip(begins, TIMES, strict=True))


def test_a_reader_ends_where_a_piece_ends_if_that_is_not_much_less(tmp_path):
    made = Recorder(tmp_path, Policy())
    one = made.begin(SECOND)
    made.append([b"a" * 70, b"b" * 70, b"c" * 10], [SECOND, 2 * SECOND, 3 * SECOND])
    with PassReader(one) as reader:
        assert [reader.read(100).data.tobytes() for _ in range(2)] == [b"a" * 70, b"b" * 70 + b"c" * 10]
        assert reader.read(100) is None
    made.close()


def test_a_reader_goes_on_where_the_recording_does(recorder):
    one = recorder.begin(SECOND)
    with PassReader(one) as reader:
        assert reader.read(10) is None
        recorder.append([b"abc"], [SECOND])
        assert reader.read(10).data.tobytes() == b"abc"
        assert reader.read(10) is None
        recorder.append([b"x" * 60, b"def"], [2 * SECOND, 3 * SECOND])
        assert reader.read(100).data.tobytes() == b"x" * 60
        batch = reader.read(100)
        assert (batch.data.tobytes(), batch.mark_start.tolist(), batch.mark_ns.tolist()) == (
            b"def",
            [0],
            [3 * SECOND],
        )


@pytest.mark.parametrize("chunk_bytes", [7, 100, 999, 1 << 20])
def test_pieces_of_one_length_keep_their_times_for_any_chunk(tmp_path, chunk_bytes):
    made = Recorder(tmp_path, Policy(fsync_s=None))
    one = made.begin(SECOND, "pass")
    pieces = [bytes([i]) * 100 for i in range(200)]
    made.append(pieces[:150], range(1, 151))
    made.append([b"short", *pieces[150:]], range(151, 202))
    made.close()
    data, marks, place = b"", [], 0
    with PassReader(one) as reader:
        while batch := reader.read(chunk_bytes):
            assert len(batch.data) <= chunk_bytes
            marks += [(place + int(at), int(ns)) for at, ns in zip(batch.mark_start, batch.mark_ns, strict=True)]
            data += batch.data.tobytes()
            place = reader.position
    assert data == b"".join(pieces[:150]) + b"short" + b"".join(pieces[150:])
    begins = [*range(0, 15_000, 100), 15_000, *range(15_005, 20_005, 100)]
    assert marks == list(zip(begins, range(1, 202), strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_what_was_just_recorded_is_given_as_it_stands_on_disk(recorder, seed):
    chance = random.Random(seed)
    one = recorder.begin(SECOND)
    readers = {"as told": PassReader(one, lambda: recorder.newest), "as read": PassReader(one)}
    octets = dict.fromkeys(readers, b"")
    marks: dict[str, list[tuple[int, int]]] = {name: [] for name in readers}
    for now in range(1, 60):
        pieces = [chance.randbytes(chance.randint(1, 40)) for _ in range(chance.choice([0, 1, 1, 1, 3]))]
        as_view = [memoryview(piece) if chance.random() < 0.2 else piece for piece in pieces]
        recorder.append(as_view, [now * SECOND + k for k in range(len(pieces))])
        n_bytes = chance.choice([5, 41, 200])
        for name, reader in readers.items():
            while batch := reader.read(n_bytes):
                places = (batch.mark_start + len(octets[name])).tolist()
                marks[name] += zip(places, batch.mark_ns.tolist(), strict=True)
                octets[name] += batch.data.tobytes()
    for reader in readers.values():
        reader.close()
    assert len(one.files()) > 2
    assert octets["as told"] == octets["as read"]
    assert marks["as told"] == marks["as read"]


def test_what_was_just_recorded_is_not_read_again(recorder, monkeypatch):
    one = recorder.begin(SECOND)
    with PassReader(one, lambda: recorder.newest) as reader:
        recorder.append([b"first"], [SECOND])
        assert reader.read(10).data.tobytes() == b"first"
        recorder.append([b"second"], [2 * SECOND])
        monkeypatch.setattr(os, "pread", None)
        assert reader.read(10).data.tobytes() == b"second"


def test_an_open_pass_goes_on_after_a_restart(recorder, tmp_path):
    one = recorded(recorder)
    recorder.close()
    again = Recorder(tmp_path / "station", Policy())
    assert again.open is not None
    assert (again.open.name, again.n_bytes) == (one.name, sum(map(len, PIECES)))
    again.append([b"more"], [99 * SECOND])
    again.end()
    assert one.ended
    assert one.n_bytes() == sum(map(len, PIECES)) + 4
    assert Recorder(tmp_path / "station", Policy()).open is None


def test_a_torn_record_is_cut_at_the_next_start_and_kept_beside(recorder, tmp_path):
    one = recorded(recorder)
    recorder.close()
    _, last = one.files()[-1]
    with last.open("ab") as file:
        file.write(b"\1\2\3")
    again = Recorder(tmp_path / "station", Policy())
    again.append([b"more"], [99 * SECOND])
    again.close()
    *before, batch = read_pass(one.path)
    assert (batch.data.tobytes(), batch.mark_ns.tolist()) == (b"more", [99 * SECOND])
    assert b"".join(one.data.tobytes() for one in before) == b"".join(PIECES)
    assert [file.read_bytes() for file in one.path.glob("*.cut")] == [b"\1\2\3"]


def test_a_clock_that_is_set_back_leaves_times_in_order(recorder):
    one = recorder.begin(SECOND)
    recorder.append([b"a", b"b", b"c"], [9 * SECOND, 3 * SECOND, 10 * SECOND])
    (batch,) = read_pass(one.files()[0][1])
    assert batch.mark_ns.tolist() == [9 * SECOND, 9 * SECOND + 1, 10 * SECOND]


def test_what_a_full_disk_does_not_take_stays_with_the_caller_and_nothing_is_half_written(recorder):
    one = recorder.begin(SECOND)
    assert recorder.append([b"a" * 40], [SECOND]) == 1
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, limit[1]))  # 48 + 40, 48 + 8, and not another record
        with capture_logs() as told:  # a line on stdout would be beyond the limit as well
            assert recorder.append([b"b" * 8, b"c" * 40], [2 * SECOND, 3 * SECOND]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert [line["log_level"] for line in told] == ["error"]
    assert one.n_bytes() == 48
    assert recorder.append([b"c" * 40], [3 * SECOND]) == 1
    (batch,) = read_pass(one.files()[0][1])
    assert batch.data.tobytes() == b"a" * 40 + b"b" * 8 + b"c" * 40
    assert batch.mark_start.tolist() == [0, 40, 48]


def test_limits_delete_the_oldest_committed_passes_and_no_other(tmp_path):
    recorder = Recorder(tmp_path, Policy())
    passes = []
    for i in range(4):
        passes.append(recorder.begin(SECOND * (i + 1), f"pass-{i}"))
        recorder.append([b"x" * 1000], [SECOND])
        recorder.end()
    for one in passes[:3]:
        one.commit(Committed(1000, closed=one is not passes[1]))
    assert deleted(recorder) == []
    assert deleted(recorder, keep_bytes=3500) == ["pass-0"]
    assert deleted(recorder, keep_s=1) == ["pass-2"]
    assert [one.name for one in recorder.passes()] == ["pass-1", "pass-3"]


def test_a_committed_position_that_cannot_be_read_means_that_nothing_is_committed(tmp_path):
    one = PassFolder(tmp_path)
    assert one.committed == Committed()
    one.commit(Committed(7, closed=True))
    assert one.committed == Committed(7, closed=True)
    (tmp_path / "committed").write_bytes(os.urandom(20))
    assert one.committed == Committed()


@pytest.fixture
def synced(monkeypatch):
    """Names of what is made to survive a loss of power, in order."""
    names, fsync = [], os.fsync

    def noting(number):
        names.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(os, "fsync", noting)
    return names


FIRST = ["000000000000000.raw"]
SECOND_FILE = ["000000000000004.raw"]


def test_a_recording_that_is_always_synced_is_on_disk_with_its_name_before_append_returns(tmp_path, synced):
    recorder = Recorder(tmp_path / "s", Policy(fsync_s=0))
    recorder.begin(SECOND, "pass")
    assert synced == ["pass", "s"]
    recorder.append([b"a", b"b"], [SECOND, SECOND])
    assert synced[2:] == FIRST


def test_a_recording_that_is_synced_every_second_is_so_once_and_at_the_end_of_each_file(tmp_path, synced):
    recorder = Recorder(tmp_path / "s", Policy(file_bytes=3, fsync_s=1))
    recorder.begin(SECOND, "pass")
    recorder.append([b"ab"], [SECOND])
    assert synced[2:] == []
    recorder.sync_copy()()
    recorder.sync_copy()()
    assert synced[2:] == FIRST
    recorder.append([b"cd", b"e"], [SECOND, SECOND])
    recorder.append([b"f"], [SECOND])
    assert synced[3:] == [*FIRST, "pass", "s"]
    recorder.end()
    assert synced[6:] == SECOND_FILE


def test_a_recording_that_is_never_synced_is_not(tmp_path, synced):
    recorder = Recorder(tmp_path / "s", Policy(fsync_s=None))
    recorder.begin(SECOND, "pass")
    recorder.append([b"a"], [SECOND])
    recorder.end()
    assert synced == []
