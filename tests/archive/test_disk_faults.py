"""Each call to the disk fails while product files are made: one clear line, and the next run makes what is missing."""

import errno
from pathlib import Path

import pytest

pytest.importorskip("netCDF4")
pytest.importorskip("cdflib")
SCRIPT = Path(__file__).with_name("pass_on_faulty_disk.py")
SAT = Path(__file__).parents[1] / "messages" / "sat"
FORMATS = ("netcdf", "wav")
CALLS = {"open", "write", "pwrite64", "fsync", "rename", "mkdir"}


@pytest.fixture(scope="module")
def cases(tmp_path_factory, cases_of):
    folder = tmp_path_factory.mktemp("disk")
    (folder / "recordings").mkdir()
    (folder / "recordings" / "one.packets").write_bytes(SAT.with_suffix(".packets").read_bytes()[:3000])
    return cases_of(SCRIPT, folder, folder / "recordings", SAT, f"{errno.ENOSPC},{errno.EIO}", *FORMATS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_each_call_to_the_disk_may_fail_and_the_next_run_makes_the_files(cases, file_format):
    mine = [one for one in cases if one["format"] == file_format]
    assert [one for one in mine if one["wrong"]] == []
    assert {one["failed"].split(" ")[0] for one in mine} >= CALLS - (
        {"pwrite64"} if file_format == "wav" else set()
    )
    assert all(one["failed"] for one in mine)
