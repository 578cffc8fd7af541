"""Each call to the disk fails once, or for 40 s: nothing is lost, nothing comes twice, and it is told.

The calls are found by a run without faults, so that a new one needs no new test. C libraries are covered, too: the
faults are those of the system's own functions (`tests/fixtures/faults.c`).
"""

import errno
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("pass_on_faulty_disk.py")
KINDS = (f"once:{errno.EIO}", f"lasting:{errno.ENOSPC},{errno.EMFILE}")
OPENED = {"published.keys", "published.keys-wal", "client.key", ".lock", "begun", "committed"}
CALLS = {"open", "opendir", "write", "writev", "pwrite64", "fsync", "rename", "mkdir", "unlink", "link"}


@pytest.fixture(scope="module")
def cases(tmp_path_factory, cases_of):
    return cases_of(SCRIPT, tmp_path_factory.mktemp("disk"), *KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_to_the_disk_may_fail(cases, kind):
    mine = [one for one in cases if one["kind"] == kind]
    assert [one for one in mine if one["wrong"]] == []
    assert [bool(one["failed"]) for one in mine] == [False] + [True] * (len(mine) - 1)


def test_the_calls_are_those_of_recording_keys_state_and_quarantine(cases):
    failed = [one["failed"].split(" ", 1) for one in cases if one["failed"]]
    assert {call for call, _ in failed} >= CALLS
    assert {Path(path).name for _, path in failed} >= OPENED
    assert {Path(path).suffix for _, path in failed} >= {".raw", ".part"}
    assert any("/quarantine/" in path for _, path in failed)
