"""Columns on disk: what was added in batches is read back as one array, whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.archive.columns import column_files
from downlink_pipeline.model.batches import ColumnBatch, Ragged
from downlink_pipeline.model.categorical import Categorical


def batch(first: int, n: int, **columns: object) -> ColumnBatch:
    rows = np.arange(first, first + n)
    zeros = np.zeros(n, np.int64)
    return ColumnBatch(
        container="TM/HK",
        time_ns=rows,
        columns=columns,  # type: ignore[arg-type]
        raw={},
        units={"COUNT": "nT"},
        apid=zeros.astype(np.uint16),
        seq_count=zeros.astype(np.uint16),
        received_ns=zeros,
        order=rows,
        quality=zeros.astype(np.uint32),
    )


def ragged(*rows: list[int]) -> Ragged:
    length = np.array([len(row) for row in rows])
    return Ragged(np.array(sum(rows, []), np.uint8), np.cumsum(length) - length, length)


def test_batches_are_one_array_in_order(tmp_path: Path) -> None:
    with column_files(tmp_path) as files:
        files.add([batch(0, 2, COUNT=np.array([1, 2], np.int16))])
        files.add([batch(2, 1, COUNT=np.array([3], np.int16))])
    assert np.load(tmp_path / "TM.HK.npz")["COUNT"].tolist() == [1, 2, 3]
    assert np.load(tmp_path / "TM.HK.npz")["packet_order"].tolist() == [0, 1, 2]
    assert json.loads((tmp_path / "decode.json").read_text())["containers"]["TM/HK"] == {
        "rows": 3,
        "units": {"COUNT": "nT"},
        "descriptions": {},
    }
    assert {path.name for path in tmp_path.iterdir()} == {"TM.HK.npz", "decode.json"}


def test_labels_of_differing_length_are_kept_complete(tmp_path: Path) -> None:
    with column_files(tmp_path) as files:
        files.add([batch(0, 1, MODE=np.array(["ON"]))])
        files.add([batch(1, 1, MODE=np.array(["STANDBY"]))])
    assert np.load(tmp_path / "TM.HK.npz")["MODE"].tolist() == ["ON", "STANDBY"]


def test_times_and_empty_columns_are_kept(tmp_path: Path) -> None:
    times = np.array(["2021-05-25T04:20", "NaT"], "datetime64[ns]")
    with column_files(tmp_path) as files:
        files.add([batch(0, 2, AT=times, NONE=np.empty((2, 0), np.uint8))])
    found = np.load(tmp_path / "TM.HK.npz")
    assert found["NONE"].shape == (2, 0)
    np.testing.assert_array_equal(found["AT"], times)


def test_values_of_differing_length_are_flat_with_starts_and_lengths(tmp_path: Path) -> None:
    with column_files(tmp_path) as files:
        files.add([batch(0, 2, BLOB=ragged([1, 2], []))])
        files.add([batch(2, 1, BLOB=ragged([3]))])
    found = np.load(tmp_path / "TM.HK.npz")
    assert found["BLOB"].tolist() == [1, 2, 3]
    assert found["BLOB.start"].tolist() == [0, 2, 2]
    assert found["BLOB.length"].tolist() == [2, 0, 1]


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with column_files(tmp_path, "parquet") as files:
        files.add([batch(0, 2, BLOB=ragged([1, 2], []), GRID=np.arange(8).reshape(2, 2, 2))])
    table = parquet.read_table(tmp_path / "TM.HK.parquet")
    assert table["BLOB"].to_pylist() == [[1, 2], []]
    assert table["GRID"].to_pylist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def modes(table, *codes):
    return Categorical(np.array(codes, np.uint8), np.array(table))


def test_labels_are_texts_in_npz_and_a_dictionary_array_in_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    batches = [
        batch(0, 2, MODE=modes(["OFF", "ON"], 1, 0)),
        batch(2, 2, MODE=modes(["OFF", "ON", "UNKNOWN_200"], 2, 1)),
    ]
    for file_format in ("npz", "parquet"):
        with column_files(tmp_path, file_format) as files:
            files.add(batches)
    wanted = ["ON", "OFF", "UNKNOWN_200", "ON"]
    with np.load(tmp_path / "TM.HK.npz") as found:
        assert found["MODE"].tolist() == wanted
        assert found["MODE"].dtype.kind == "U"
    column = parquet.read_table(tmp_path / "TM.HK.parquet")["MODE"]
    assert column.to_pylist() == wanted
    assert column.combine_chunks().dictionary.to_pylist() == ["OFF", "ON", "UNKNOWN_200"]


def test_netcdf_opens_in_xarray_with_units_and_times(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    with column_files(tmp_path, "netcdf", utc_of=lambda _, onboard_ns: onboard_ns + 1_000_000_000) as files:
        files.add(
            [batch(0, 2, COUNT=np.array([1.5, 2.5]), MODE=modes(["OFF", "ON"], 1, 0), BLOB=ragged([1, 2], []))]
        )
    with xarray.open_dataset(tmp_path / "TM.HK.nc") as found:
        assert found["COUNT"].attrs["units"] == "nT"
        assert found["COUNT"].values.tolist() == [1.5, 2.5]
        assert found["MODE"].values.tolist() == ["ON", "OFF"]
        assert found["BLOB"].values.tolist() == [[1, 2], [0, 0]]
        assert found["BLOB.length"].values.tolist() == [2, 0]
        assert found["time"].values.astype(np.int64).tolist() == [1_000_000_000, 1_000_000_001]


def test_a_run_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), column_files(tmp_path) as files:
        files.add([batch(0, 1, COUNT=np.array([1]))])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
