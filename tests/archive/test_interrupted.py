"""What a killed process leaves is cleaned up, what a living one writes is not, and full disks are named."""

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from downlink_pipeline.archive.product_index import NAME, is_index, merge_index, write_index
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.system.files import clear_stale, whole_file, whole_folder, whole_path

KILLED = """
import os, signal, sys
from pathlib import Path
from downlink_pipeline.system.files import whole_folder, whole_path
from downlink_pipeline.system.files import whole_file
target = Path(sys.argv[2])
with {"folder": whole_folder, "path": whole_path, "file": whole_file}[sys.argv[1]](target) as part:
    if sys.argv[1] == "folder":
        (part / "half").write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer():
    """Start a process that is in the middle of writing."""
    started = []

    def start(kind, target):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, kind, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"writing\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def parts(folder):
    return sorted(path.name for path in folder.iterdir() if ".part" in path.name)


@pytest.mark.parametrize("kind", ["folder", "path", "file"])
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path, writer, kind):
    process = writer(kind, tmp_path / "one.nc")
    assert len(parts(tmp_path)) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    with whole_file(tmp_path / "two.txt") as file:
        file.write(b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["two.txt"]


@pytest.mark.parametrize("kind", ["folder", "path", "file"])
def test_what_a_living_process_writes_is_not_changed(tmp_path, writer, kind):
    process = writer(kind, tmp_path / "one.nc")
    before = parts(tmp_path)
    clear_stale(tmp_path)
    with whole_path(tmp_path / "one.nc") as part:
        part.write_text("other")
    assert parts(tmp_path) == before
    process.send_signal(signal.SIGKILL)


def test_a_folder_that_was_moved_aside_when_the_process_was_killed_gets_its_name_again(tmp_path):
    old = tmp_path / ".pass.0123abcd.part.old"
    old.mkdir()
    (old / "good").write_text("good")
    clear_stale(tmp_path)
    assert (tmp_path / "pass" / "good").read_text() == "good"
    assert parts(tmp_path) == []


def test_a_file_of_someone_else_that_looks_alike_is_not_changed(tmp_path):
    (tmp_path / ".notes.part").write_text("mine")
    (tmp_path / ".a.part.of.it").write_text("mine")
    clear_stale(tmp_path)
    assert len(parts(tmp_path)) == 2


def test_a_folder_is_replaced_completely(tmp_path):
    for number in (1, 2):
        with whole_folder(tmp_path / "pass") as part:
            (part / f"file{number}").write_text("x")
    assert [path.name for path in (tmp_path / "pass").iterdir()] == ["file2"]
    assert parts(tmp_path) == []


def test_netcdf_on_a_full_disk_says_so_in_the_systems_words(tmp_path):
    netcdf4 = pytest.importorskip("netCDF4")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
        with (
            pytest.raises(RunError, match=f"one.nc: {os.strerror(errno.EFBIG)}$"),
            whole_path(tmp_path / "one.nc") as part,
            netcdf4.Dataset(part, "w") as file,
        ):
            file.createDimension("row", 1_000_000)
            file.createVariable("x", "f8", ("row",))[:] = np.arange(1_000_000.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


def test_what_a_library_says_is_kept_where_the_disk_takes_more(tmp_path):
    with pytest.raises(RunError, match=r"one\.nc: NetCDF: HDF error$"), whole_path(tmp_path / "one.nc"):
        raise RuntimeError("NetCDF: HDF error")


def entry(folder, name):
    path = folder / name
    path.write_text(name)
    words = {"kind": "netcdf", "mission": "m", "stream": "s", "pass": "r", "instrument": "i", "product": "p"}
    empty = dict.fromkeys(("start_utc", "stop_utc", "clock_correlation"), "") | dict.fromkeys(("sol", "content"))
    return {path: words | empty | {"level": "2A", "rows": 1, "product_ids": f'["{name}"]'}}


@pytest.mark.parametrize(
    "spoil", [b"", b"not a database at all" * 300, b"SQLite format 3\0" + bytes(range(256)) * 40]
)
def test_a_spoilt_index_is_made_again_from_those_below(tmp_path, spoil):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_index(tmp_path / name, entry(tmp_path / name, f"{name}.nc"))
        merge_index(tmp_path, name)
    (tmp_path / NAME).write_bytes(spoil or (tmp_path / NAME).read_bytes()[:5000])
    merge_index(tmp_path, "two")
    assert is_index(tmp_path / NAME)
    import sqlite3  # noqa: PLC0415

    database = sqlite3.connect(tmp_path / NAME)
    assert database.execute("select file from files order by file").fetchall() == [("one/one.nc",), ("two/two.nc",)]
    database.close()


def test_a_spoilt_index_of_a_folder_does_not_keep_files_from_being_written(tmp_path):
    (tmp_path / NAME).write_bytes(b"x" * 5000)
    assert not is_index(tmp_path / NAME)
    write_index(tmp_path, entry(tmp_path, "one.nc"))
    assert is_index(tmp_path / NAME)


def test_locks_are_given_back(tmp_path):
    with whole_folder(tmp_path / "pass") as part:
        (part / "x").write_text("x")
    number = os.open(tmp_path / "pass", os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(number)
