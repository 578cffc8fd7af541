"""What stands beside the bytes of a recording, recordings of earlier versions, and disks that fail while it is read."""

import os
import struct

import numpy as np
import pytest
from downlink_pipeline.recordings.disk import Disk
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.log_reader import PassReader
from downlink_pipeline.recordings.pass_folder import Committed, PassFolder
from downlink_pipeline.recordings.reader import read_pass, received_span, size_of_pass
from downlink_pipeline.recordings.repair import verify
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.feed import _n_bytes
from downlink_pipeline.stations.tcp import Arrival
from structlog.testing import capture_logs

SECOND = 1_000_000_000
TRUTH = bytes(range(256)) * 20


@pytest.fixture
def recorded(tmp_path):
    recorder = Recorder(tmp_path / "station", Policy(file_bytes=2000, fsync_s=None))
    one = recorder.begin(SECOND, "pass")
    recorder.append([TRUTH[at : at + 512] for at in range(0, len(TRUTH), 512)], [SECOND * i for i in range(1, 11)])
    recorder.end()
    one.commit(Committed(len(TRUTH)))
    return one


def read(path):
    return b"".join(batch.data.tobytes() for batch in read_pass(path))


@pytest.mark.parametrize("name", ["begun", "ended", "committed"])
def test_no_flipped_bit_beside_the_bytes_changes_them_or_settles_the_pass(recorded, tmp_path, name):
    file = recorded.path / name
    octets = file.read_bytes()
    for bit in range(8 * len(octets)):
        spoilt = bytearray(octets)
        spoilt[bit // 8] ^= 1 << bit % 8
        file.write_bytes(spoilt)
        assert read(recorded.path) == TRUTH
        assert verify(recorded.path) == []
        assert not recorded.committed.closed
        [one] = Recorder(tmp_path / "station", Policy(fsync_s=None)).passes()
        assert one.n_bytes() == len(TRUTH)


@pytest.mark.parametrize("name", ["begun", "ended", "committed"])
def test_a_file_beside_the_bytes_that_is_empty_or_gone_changes_nothing_of_them(recorded, tmp_path, name):
    (recorded.path / name).write_bytes(b"")
    assert read(recorded.path) == TRUTH
    (recorded.path / name).unlink()
    assert Recorder(tmp_path / "station", Policy(fsync_s=None)).open is None
    assert read(recorded.path) == TRUTH
    assert not recorded.committed.closed


def test_a_recorded_pass_tells_its_size_and_when_it_was_received(recorded):
    assert size_of_pass(recorded.path) == len(TRUTH)
    assert received_span(recorded.path) == (SECOND, 10 * SECOND)


def test_one_file_of_a_recorded_pass_is_read_by_itself(recorded):
    place, file = recorded.files()[1]
    next_place = recorded.files()[2][0]
    assert read(file) == TRUTH[place:next_place]
    assert size_of_pass(file) == next_place - place
    assert not any(batch.damage or batch.missing for batch in read_pass(file))


def test_one_file_whose_first_record_is_damaged_is_still_one_of_a_recording(recorded):
    place, file = recorded.files()[0]
    octets = bytearray(file.read_bytes())
    octets[0] ^= 1
    file.write_bytes(octets)
    batches = list(read_pass(file))
    assert b"".join(batch.data.tobytes() for batch in batches) == TRUTH[place + 512 : 2048]
    assert sum(batch.missing for batch in batches) == 512
    assert any(batch.damage for batch in batches)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_recorded_pass_is_fed_with_as_many_bytes_as_it_has(recorded, what):
    place, file = recorded.files()[0]
    assert _n_bytes(recorded.path if what == "folder" else file) == (
        len(TRUTH) if what == "folder" else 2048 - place
    )


def test_a_pass_that_an_earlier_version_left_open_goes_on(tmp_path):
    folder = tmp_path / "station" / "pass"
    folder.mkdir(parents=True)
    (folder / "begun").write_text(str(SECOND))
    (folder / f"{0:015d}.raw").write_bytes(b"old bytes")
    (folder / f"{0:015d}.raw.times").write_bytes(struct.pack("<QqQq", 0, SECOND, 4, 2 * SECOND))
    recorder = Recorder(tmp_path / "station", Policy(fsync_s=None))
    assert recorder.n_bytes == 9
    assert recorder.append([b"new bytes"], [3 * SECOND]) == 1
    recorder.end()
    batches = list(read_pass(folder))
    assert b"".join(batch.data.tobytes() for batch in batches) == b"old bytesnew bytes"
    assert np.concatenate([batch.mark_ns for batch in batches]).tolist() == [SECOND, 2 * SECOND, 3 * SECOND]
    assert verify(folder) == []


def test_an_empty_pass_that_an_earlier_version_left_open_goes_on(tmp_path):
    folder = tmp_path / "station" / "pass"
    folder.mkdir(parents=True)
    (folder / "begun").write_text(str(SECOND))
    (folder / f"{0:015d}.raw").touch()
    (folder / f"{0:015d}.raw.times").touch()
    recorder = Recorder(tmp_path / "station", Policy(fsync_s=None))
    assert recorder.append([b"new bytes"], [3 * SECOND]) == 1
    recorder.end()
    assert read(folder) == b"new bytes"


def test_a_pass_of_a_station_that_cannot_send_again_goes_on_behind_a_gap(tmp_path):
    first = Recorder(tmp_path / "s", Policy(fsync_s=None))
    one = first.begin(SECOND)
    first.append([b"before"], [SECOND])
    first.close()
    second = Recorder(tmp_path / "s", Policy(fsync_s=None))
    second.append([b"after"], [2 * SECOND])
    second.end()
    found = [(batch.data.tobytes(), batch.missing) for batch in read_pass(one.path)]
    assert found == [(b"before", 0), (b"after", -1)]
    assert verify(one.path) == []


def test_what_cannot_be_read_is_damage_and_the_rest_is_read(recorded, monkeypatch):
    bad = recorded.files()[1][1].stat().st_ino
    pread = os.pread

    def failing(number, n_bytes, at):
        if os.fstat(number).st_ino == bad:
            raise OSError(5, "Input/output error")
        return pread(number, n_bytes, at)

    monkeypatch.setattr(os, "pread", failing)
    with PassReader(PassFolder(recorded.path)) as reader:
        batches = []
        while batch := reader.read(10_000):
            batches.append(batch)
    assert sum(len(batch.data) for batch in batches) == len(TRUTH) - 2048
    assert sum(batch.missing for batch in batches) == 2048
    assert "it cannot be read: Input/output error" in " ".join(batch.damage for batch in batches)
    assert reader.n_damaged == 1


@pytest.mark.parametrize(("fsync_s", "at_once"), [(0.0, True), (1.0, False), (None, True)])
def test_a_sender_is_told_that_bytes_are_recorded_only_when_they_are_synced(tmp_path, fsync_s, at_once):
    policy = Policy(fsync_s=fsync_s)
    desk = StationRecorder("s", Recorder(tmp_path / "s", policy), policy, Pace())
    arrival = Arrival([b"twelve bytes"], [1], "pass")
    assert desk.record(arrival) is None
    assert desk.n_recorded(arrival) == (12 if at_once else 0)
    desk.recorder.sync_copy()()
    assert desk.n_recorded(arrival) == 12
    assert desk.record(Arrival([b" and more"], [2], "pass", ended=True)) is None
    assert desk.n_recorded(arrival) == 21


def test_a_pass_that_cannot_begin_leaves_no_folder(tmp_path, monkeypatch):
    policy = Policy(fsync_s=None)
    desk = StationRecorder("s", Recorder(tmp_path / "s", policy), policy, Pace())

    def fail(*_):
        raise OSError(28, "No space left on device")

    with capture_logs(), monkeypatch.context() as patch:
        patch.setattr(Disk, "write", fail)
        left = desk.record(Arrival([b"kept"], [1], "pass"))
        left = desk.record(left)
    assert list((tmp_path / "s").iterdir()) == []
    assert desk.record(left) is None
    desk.end()
    assert read(tmp_path / "s" / "pass") == b"kept"


def test_an_error_while_writing_keeps_the_bytes_with_the_sender_and_is_told_once(tmp_path, monkeypatch):
    policy = Policy(fsync_s=None)
    desk = StationRecorder("s", Recorder(tmp_path / "s", policy), policy, Pace())
    assert desk.record(Arrival([b"good"], [1], "pass")) is None

    def fail(*_):
        raise OSError(5, "Input/output error")

    with capture_logs() as logs, monkeypatch.context() as patch:
        patch.setattr(os, "writev", fail)
        left = desk.record(Arrival([b"kept"], [2], "pass"))
        left = desk.record(left)
    assert desk.disk_full
    assert [line["reason"] for line in logs] == ["Input/output error"] * 2  # of the recording, and that it waits
    assert desk.record(left) is None
    desk.end()
    assert read(tmp_path / "s" / "pass") == b"goodkept"
