"""Files are whole or not there."""

import errno
import os
import stat
from pathlib import Path

import pytest
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.system.files import scratch_file, whole_file


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_whole_when_the_block_ends(tmp_path):
    with whole_file(tmp_path / "out") as file:
        file.write(b"half")
        assert not (tmp_path / "out").exists()
        file.write(b"whole")
    assert (tmp_path / "out").read_bytes() == b"halfwhole"
    assert names(tmp_path) == ["out"]


def test_the_old_file_stays_when_the_block_raises(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(KeyError), whole_file(tmp_path / "out"):
        raise KeyError
    assert (tmp_path / "out").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(RunError) as caught, whole_file(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(caught.value) == f"cannot write {tmp_path / 'out'}: No space left on device"
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_while_writing_is_one_line(tmp_path):
    with pytest.raises(RunError, match="No space left on device"), whole_file(tmp_path / "out"):
        Path("/dev/full").write_bytes(b"x")


def test_a_folder_is_made_with_those_above_it(tmp_path):
    with whole_file(tmp_path / "a" / "b" / "out"):
        pass
    assert names(tmp_path / "a" / "b") == ["out"]


def test_a_folder_in_the_way_is_one_line(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(RunError, match="cannot write"), whole_file(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["out"]


def test_a_written_file_has_the_rights_of_any_other(tmp_path):
    (tmp_path / "other").touch()
    with whole_file(tmp_path / "out"):
        pass
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_file_where_a_folder_should_be_is_one_line(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(RunError, match="cannot write"), whole_file(tmp_path / "a" / "out"):
        pass


def test_a_scratch_file_has_no_name(tmp_path):
    with scratch_file(tmp_path) as file:
        file.write(b"x")
        assert names(tmp_path) == []
