"""Folders of recorded passes as no recorder leaves them: verify, repair and the next start of ingest hold."""

import random

import pytest
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.recordings.log import Committed, PassFolder, Policy, Recorder
from downlink_pipeline.recordings.log_reader import PassReader
from downlink_pipeline.recordings.pass_folder import UNKNOWN
from downlink_pipeline.recordings.repair import damaged, pass_folders, repair, verify

TRUTH = random.Random(14).randbytes(6000)
NESTED = b"[" * 100_000
HUGE = b'{"begun_ns": 1, "id": 99999999999999999999999999, "resumable": true, "bytes": 1e400, "settled": true}'
JUNK = [b"", b"[]", b"{}", b"NaN", b"\xff\xfe", b"\0" * 100, NESTED, HUGE, b'{"begun_ns": -1, "id": -1}']


@pytest.fixture
def folder(tmp_path):
    """A pass of three files, ended."""
    recorder = Recorder(tmp_path / "s", Policy(file_bytes=2000, fsync_s=None))
    one = recorder.begin(10**18, "pass")
    for at in range(0, len(TRUTH), 500):
        recorder.append([TRUTH[at : at + 500]], [10**18 + at])
    recorder.end()
    recorder.close()
    return one.path


def read(path):
    """The places of all bytes that are read; each is the one that was recorded there."""
    places = set()
    with PassReader(PassFolder(path), final=True) as reader:
        while (batch := reader.read(700)) is not None:
            start = reader.position - len(batch.data)
            assert bytes(batch.data) == TRUTH[start : start + len(batch.data)]
            places.update(range(start, start + len(batch.data)))
    return places


def end_cut(path, _chance):
    file = max(path.glob("*.raw"))
    file.write_bytes(file.read_bytes()[:-700])


def flip(path, chance):
    file = chance.choice(sorted(path.glob("*.raw")))
    octets = bytearray(file.read_bytes())
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    file.write_bytes(octets)


def gone(path, chance):
    chance.choice(sorted(path.glob("*.raw"))).unlink()


def doubled(path, chance):
    file = chance.choice(sorted(path.glob("*.raw")))
    octets = file.read_bytes()
    at = chance.randrange(len(octets))
    file.write_bytes(octets[:at] + octets[at // 2 :])


def longer(path, chance):
    with chance.choice(sorted(path.glob("*.raw"))).open("ab") as file:
        file.write(chance.randbytes(800))


def elsewhere(path, chance):
    chance.choice(sorted(path.glob("*.raw"))[1:]).rename(path / f"{chance.randrange(7000):015d}.raw")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("damage", [end_cut, flip, gone, doubled, longer, elsewhere], ids=lambda one: one.__name__)
def test_a_damaged_pass_is_repaired_to_what_was_readable_and_is_whole_then(folder, damage, seed):
    damage(folder, random.Random(seed))
    faults, before = verify(folder), read(folder)
    assert faults or len(before) == len(TRUTH)
    repair(folder)
    assert verify(folder) == []
    assert read(folder) == before


def test_a_pass_whose_files_are_all_gone_is_found_and_told(folder):
    for file in folder.glob("*.raw"):
        file.unlink()
    ((path, faults),) = damaged([folder.parent])
    assert path == folder
    assert "bytes 0 to 6000 of the pass are missing" in faults[0]
    repair(folder)
    assert list(damaged([folder.parent])) == [(folder, [])]


def test_of_a_pass_that_is_still_open_the_last_file_is_told_when_it_is_gone(tmp_path):
    recorder = Recorder(tmp_path / "s", Policy(file_bytes=500, fsync_s=None))
    one = recorder.begin(1, "pass")
    for number in range(6):
        recorder.append([bytes([number]) * 300], [number + 1])
    recorder.close()
    assert verify(one.path) == []
    max(one.path.glob("*.raw")).unlink()
    (fault,) = verify(one.path)
    assert "what follows byte 1200 of the pass is missing" in fault


@pytest.mark.parametrize("name", ["²³.raw", "9" * 200 + ".raw", "x.raw"])
def test_a_file_of_a_name_that_no_recorder_gives_is_left_alone(folder, name):
    (folder / name).write_bytes(b"x")
    assert verify(folder) == []
    assert len(read(folder)) == len(TRUTH)


@pytest.mark.parametrize(
    "content", [*JUNK, b"9" * 30, b"9" * 5000, b"-5"], ids=lambda one: one[:12].decode("latin-1")
)
def test_small_files_that_are_junk_count_for_nothing_and_the_next_start_goes_on(folder, content):
    for name in ("begun", "committed", "ended"):
        (folder / name).write_bytes(content)
    one = PassFolder(folder)
    assert one.committed == Committed()
    assert (one.begun.begun_ns, one.begun.pass_id) == (0, None)
    assert one.n_bytes_at_end == UNKNOWN
    recorder = Recorder(folder.parent, Policy(fsync_s=None))
    assert [found.n_bytes() for found in recorder.passes()] == [len(TRUTH)]
    recorder.close()
    assert verify(folder) == []


def test_a_repair_that_cannot_take_the_place_of_the_pass_leaves_it_where_it_was(folder, monkeypatch):
    flip(folder, random.Random(1))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    rename = type(folder).rename

    def fails_once(path, target):
        if path.parent.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(type(folder), "rename", fails_once)
    with pytest.raises(RunError, match="Input/output error"):
        repair(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert pass_folders([folder.parent]) == [folder]
