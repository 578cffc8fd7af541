"""Files are whole or not there."""

from pathlib import Path

import pytest

from pipeline.errors import RunError
from pipeline.files import scratch_file, whole_file


def test_a_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    with whole_file(tmp_path / "deep" / "a") as file:
        file.write(b"x")
        assert not (tmp_path / "deep" / "a").exists()
    assert (tmp_path / "deep" / "a").read_bytes() == b"x"
    assert len(list((tmp_path / "deep").iterdir())) == 1


def test_a_failed_block_leaves_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "a") as file:  # noqa: PT012
        file.write(b"new")
        raise ZeroDivisionError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(RunError, match=r"cannot write /dev/full.*: "), whole_file(Path("/dev/full/a")):
        pass


def test_a_scratch_file_has_no_name(tmp_path: Path) -> None:
    with scratch_file(tmp_path) as file:
        file.write(b"x")
        assert list(tmp_path.iterdir()) == []
