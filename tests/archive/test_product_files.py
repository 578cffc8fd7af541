"""A folder of products: names, index, and what happens where a file cannot be written."""

import hashlib
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.model.batches import Quantity
from downlink_pipeline.model.errors import RunError
from forked_commands import FORKED
from of_zhurong import origin

xarray = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
pytest.importorskip("cdflib")
GRAMMAR = re.compile(
    r"HX1-(?:Ro|Or)_DOWNLINK_[A-Za-z0-9-]+_SIM_[NP]_\d{14}_\d{14}_\d{5}_A\.(01|2A|2B|2C)(L|\.nc|\.cdf|\.a?png|(\.real|\.imaginary)?\.sgy|\.wav)?"
)


def index(folder: Path, columns: str) -> list[tuple]:
    database = sqlite3.connect(folder / "products.sqlite")
    found = database.execute(f"select {columns} from files order by file").fetchall()
    database.close()
    return found


def test_every_name_is_in_the_grammar_of_the_archive(folder):
    names = [path.name for path in folder.iterdir() if path.suffix not in {".sqlite", ".zarr"}]
    assert len(names) > 17
    assert [name for name in names if not GRAMMAR.fullmatch(name)] == []


def test_the_index_has_every_file_and_its_digest(folder):
    files = {path.name for path in folder.iterdir()} - {"products.sqlite"}
    listed = dict(index(folder, "file, sha256"))
    assert set(listed) == files
    plain = [(folder / name, digest) for name, digest in listed.items() if not name.endswith(".zarr")]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == digest for path, digest in plain)


def test_the_index_has_every_product_and_row(folder, products):
    found = index(folder, "kind, instrument, product, rows, product_ids, pass")
    weather = [one for one in products if (one.instrument, one.product) == ("weather", "meteorology")]
    [(n_rows, ids, recording)] = [row[3:] for row in found if row[:3] == ("netcdf", "weather", "meteorology")]
    assert n_rows == sum(len(one.quality) for one in weather)
    assert (ids.count("weather-"), recording) == (len(weather), "clean.cadu")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_few(folder, few):
    with product_files(folder, origin("clean", ("clean.cadu",))) as files:
        files.add(few)


def test_writing_again_gives_the_same_bytes(few_files, few, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(few_files, again)
    write_few(again, few)
    assert contents(again) == contents(few_files)


def test_two_passes_share_an_index(write, bundled, tmp_path):
    for name in ("clean.cadu", "damaged.cadu"):
        write([bundled / name], out=tmp_path, file_format="cdf")
    assert {row[0] for row in index(tmp_path, "pass")} == {"clean.cadu", "damaged.cadu"}


def test_a_file_that_cannot_be_written_does_not_keep_the_others_from_it(few_files, few, tmp_path):
    """Neither the first nor the last, of any kind: a folder with something in it stands where each should be."""
    names = sorted(path.name for path in few_files.iterdir() if path.suffix != ".sqlite")
    blocked = {next(name for name in names if name.endswith(ending))
               for ending in (".nc", ".cdf", ".2B", ".sgy", ".wav", ".png")}  # fmt: skip
    for name in blocked:
        (tmp_path / name / "in the way").mkdir(parents=True)
    with pytest.raises(RunError) as error:
        write_few(tmp_path, few)
    assert [line.startswith("cannot write ") for line in str(error.value).splitlines()] == [True] * 6
    belong = {f"{name}L" for name in blocked if name.endswith(".2B")}
    pairs = {name.replace(".imaginary.", ".real.") for name in blocked}
    written = {row[0] for row in index(tmp_path, "file")}
    assert set(names) - blocked - belong - pairs <= written
    assert not written & (blocked | belong)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_library_that_breaks_on_one_file_does_not_cost_the_others_theirs(few, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ValueError("what is this?")

    monkeypatch.setattr("scipy.io.wavfile.write", broken)
    with pytest.raises(RunError, match=r"^cannot write .*\.wav: ValueError\('what is this\?'\)$"):
        write_few(tmp_path, few)
    kinds = {row[0] for row in index(tmp_path, "kind")}
    assert kinds == {"netcdf", "cdf", "pds4-table", "pds4-label", "segy", "quicklook", "zarr"}


def test_a_store_that_cannot_be_written_leaves_no_half_of_it(few, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xarray.Dataset, "to_zarr", full)
    with product_files(tmp_path, origin("s", ("s.cadu",)), "netcdf") as files:
        files.add(few[:1])
    with (
        pytest.raises(RunError, match=r"cannot write .*\.zarr: No space left on device"),
        product_files(tmp_path, origin("s", ("s.cadu",)), "zarr") as files,
    ):
        files.add(few[:1])
    assert {path.suffix for path in tmp_path.iterdir()} == {".nc", ".sqlite"}


@pytest.mark.parametrize("limit_bytes", [50_000, 200_000, 1_000_000])
def test_a_full_disk_is_clear_lines_and_leaves_no_half_file(limit_bytes, bundled, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "products",
        bundled / "clean.cadu",
        "-m",
        "zhurong",
        "--out",
        tmp_path,
    ]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )
    assert done.returncode == 1
    assert all(line.startswith("downlink: cannot write") for line in done.stderr.splitlines())
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_disk_that_fills_at_the_end_leaves_complete_files_unchanged(bundled, tmp_path):
    program = f"""
import resource
from pathlib import Path
from downlink_pipeline.archive.collection import Origin
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.api import open_pass
with product_files(Path({str(tmp_path)!r}), Origin("zhurong", "clean", ("clean.cadu",)), "netcdf") as files:
    files.add(open_pass({str(bundled / "clean.cadu")!r}, mission="zhurong").products())
    files._spill.read(0, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert "RunError: cannot write" in done.stderr
    left = {path.name for path in tmp_path.iterdir()} - {"products.sqlite"}
    assert left
    assert left == {row[0] for row in index(tmp_path, "file")}
    for name in left:
        with xarray.open_dataset(tmp_path / name, decode_timedelta=False) as found:
            assert found.sizes.get("time", found.sizes.get("row")) > 0


def test_the_command_reports_how_many_files(bundled, tmp_path):
    clean = bundled / "clean.cadu"
    done = FORKED.run("products", clean, "-m", "zhurong", "--out", tmp_path, "--format", "netcdf")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        0,
        f"{len(index(tmp_path, 'file'))} files in {tmp_path}",
    )
    assert {path.suffix for path in tmp_path.iterdir()} == {".nc", ".sqlite"}


def test_products_of_another_form_go_to_a_file_of_their_own(products, tmp_path):
    one = next(one for one in products if one.instrument == "weather")
    other = replace(
        one, arrays={**one.arrays, "more": Quantity(np.zeros((len(one.quality), 2)), "", "", ("row", "a"))}
    )
    with product_files(tmp_path, origin("s", ("a",))) as files:
        files.add([one, other])
    assert len(list(tmp_path.glob("*.nc"))) == 2
