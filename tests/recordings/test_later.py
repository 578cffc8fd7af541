"""A recording that cannot be opened now (EMFILE and the like, by injection): it is read later, and is not damaged."""

import errno
import os

import pytest
from downlink_pipeline.recordings import pass_files
from downlink_pipeline.recordings.disk import LATER
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.log_reader import PassReader
from downlink_pipeline.services.dispatch import Dispatch, Pace
from downlink_pipeline.services.protocol import Claim

SENT = bytes(range(250)) * 8


@pytest.fixture
def folder(tmp_path):
    """A pass in many files."""
    recorder = Recorder(tmp_path, Policy(file_bytes=300))
    made = recorder.begin(1, "pass")
    for first in range(0, len(SENT), 100):
        recorder.append([SENT[first : first + 100]], [first])
    recorder.end()
    recorder.close()
    assert len(made.files()) > 5
    return made


class Opens:
    """Stands for os.open: each call fails with `number` at first, and does what it is asked the next time."""

    def __init__(self, number):
        self.number, self.failed, self.n_failed = number, False, 0

    def __call__(self, *arguments):
        self.failed = not self.failed
        if self.failed:
            self.n_failed += 1
            raise OSError(self.number, os.strerror(self.number))
        return os.open(*arguments)


def patched(monkeypatch, number):
    opens = Opens(number)
    fake = type("os", (), {**vars(os), "open": staticmethod(opens)})
    monkeypatch.setattr(pass_files, "os", fake)
    return opens


@pytest.mark.parametrize("number", LATER, ids=[errno.errorcode[one] for one in LATER])
def test_a_pass_is_read_whole_though_each_open_fails_at_first(folder, monkeypatch, number):
    opens = patched(monkeypatch, number)
    dispatch = Dispatch("s", "pass", lambda: PassReader(folder), Pace())
    (offer,) = dispatch.send(0.0, ended=True)
    dispatch.take(Claim(offer.id, "worker"), 0.0)
    read, ended, unread = b"", False, set()
    for _ in range(200):
        for raw in dispatch.send(0.0, ended=True):
            read += bytes(raw.batch.data)
            ended |= raw.ended
            assert not raw.batch.damage
        unread.add(dispatch.unread)
        if ended:
            break
    assert read == SENT
    assert opens.n_failed > 5
    assert unread == {"", os.strerror(number)}


def test_a_recording_that_cannot_be_opened_is_a_standstill_within_30_s_and_none_when_it_can(folder, monkeypatch):
    opens = patched(monkeypatch, errno.EMFILE)
    dispatch = Dispatch("s", "pass", lambda: PassReader(folder), Pace())
    (offer,) = dispatch.send(0.0, ended=True)
    dispatch.take(Claim(offer.id, "worker"), 0.0)
    now = 0.0
    while not dispatch.stalled(now):
        now += 0.5
        opens.failed = False  # each call fails
        assert dispatch.send(now, ended=True) == []
        assert now < 30
    assert dispatch.stalled(now).startswith(f"the recording cannot be read: {os.strerror(errno.EMFILE)}")
    monkeypatch.undo()
    while not dispatch.send(now, ended=True)[-1].ended:
        pass
    assert dispatch.stalled(now) == ""


def test_a_file_that_cannot_be_read_for_another_reason_is_damage(folder, monkeypatch):
    patched(monkeypatch, errno.EIO)
    with PassReader(folder) as reader:
        while reader.read(1000):
            pass
        assert reader.n_damaged > 0
