"""Decoded packets as Datasets and files: local times, rows in order of time, values of differing length, passes."""

from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.archive.columns import column_files
from downlink_pipeline.archive.datasets import dataset
from downlink_pipeline.archive.row_columns import Metadata
from downlink_pipeline.clock.local import local_times
from downlink_pipeline.model.batches import NO_TIME, ColumnBatch, Ragged
from downlink_pipeline.model.categorical import Categorical

xarray = pytest.importorskip("xarray")
S = 1_000_000_000


def batch(times_ns, **columns):
    n = len(times_ns)
    rows = np.arange(n)
    return ColumnBatch(
        "HK",
        np.array(times_ns, np.int64),
        columns or {"COUNT": rows},
        {},
        {},
        np.full(n, 7, np.uint16),
        rows.astype(np.uint16),
        np.zeros(n, np.int64),
        rows,
        np.zeros(n, np.uint32),
    )


def made(one, **known):
    rows = {
        name: getattr(one, name) for name in ("order", "time_ns", "received_ns", "apid", "seq_count", "quality")
    }
    return dataset(one.columns, rows, "HK", Metadata(utc_of=lambda _, onboard_ns: onboard_ns, **known))


def ragged(*rows, dtype=np.int64):
    values = np.array([value for row in rows for value in row], dtype)
    length = np.array([len(row) for row in rows])
    return Ragged(values, np.cumsum(length) - length, length)


def test_rows_come_in_order_of_time_with_their_order_in_the_stream():
    found = made(batch([3 * S, S, 2 * S], A=np.array([3, 1, 2]), B=ragged([3, 3], [1], [2])))
    assert found["A"].values.tolist() == [1, 2, 3]
    assert found["packet_order"].values.tolist() == [1, 2, 0]
    assert found["B"].values.tolist() == [[1, 0], [2, 0], [3, 3]]
    span = found.sel(time=slice("1970-01-01T00:00:01.5", "1970-01-01T00:00:03"))
    assert span["A"].values.tolist() == [2, 3]
    assert found.resample(time="2s").mean()["A"].values.tolist() == [1.0, 2.5]


def test_rows_of_which_one_has_no_time_keep_their_order_along_packet():
    found = made(batch([3 * S, NO_TIME, 2 * S]))
    assert found["COUNT"].dims == ("packet",)
    assert np.isnat(found["time"].values).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("rows", "dtype", "wanted"),
    [
        ([[1, 2, 3], []], np.uint8, [[1, 2, 3, 0], [0, 0, 0, 0]]),
        ([[1.5], [2.5, 3.5]], np.float32, [[1.5, np.nan], [2.5, 3.5]]),
        ([["on"], []], "U3", [["on"], [""]]),
        ([[True], [True, True]], bool, [[True, False], [True, True]]),
        ([[], []], np.uint8, [[], []]),
    ],
)
def test_values_of_differing_length_are_padded_rows(rows, dtype, wanted):
    found = made(batch([S, 2 * S], B=ragged(*rows, dtype=dtype)))
    np.testing.assert_array_equal(found["B"].values, np.array(wanted, dtype))
    assert found["B"].dtype == np.dtype(dtype)
    assert found["B.length"].values.tolist() == [len(row) for row in rows]


def test_padded_rows_are_selected_as_any_array():
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, 99, n).tolist() for n in rng.integers(0, 9, 50)]
    padded = np.zeros((50, 8), np.int64)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    found = made(batch(np.arange(50) * S, B=ragged(*rows)))["B"]
    for key in [
        3,
        slice(5, 40, 3),
        [7, 1, 7],
        (4, 2),
        (slice(None), [0, 5]),
        ([1, 2], slice(2, None)),
        (slice(3), 1),
    ]:
        np.testing.assert_array_equal(found.variable[key].values, padded[np.ix_(*_axes(key))].squeeze(_single(key)))
    np.testing.assert_array_equal(found.values, padded)


def _axes(key):
    rows, places = key if isinstance(key, tuple) else (key, slice(None))
    return [np.atleast_1d(np.arange(n)[one]) for n, one in ((50, rows), (8, places))]


def _single(key):
    return tuple(axis for axis, one in enumerate(key if isinstance(key, tuple) else (key,)) if isinstance(one, int))


def test_texts_of_differing_number_are_padded_too():
    codes = Ragged(Categorical(np.array([1, 0, 1]), np.array(["OFF", "ON"])), np.array([0, 1]), np.array([1, 2]))
    assert made(batch([S, 2 * S], B=codes))["B"].values.tolist() == [["ON", ""], ["OFF", "ON"]]


@pytest.mark.parametrize(("first", "second"), [([1, 2, 3], [4]), ([1], [2, 3])])
def test_files_with_values_of_differing_length_join(first, second, tmp_path: Path):
    pytest.importorskip("dask")
    pytest.importorskip("netCDF4")
    for name, start, values in (("a", 0, first), ("b", 100 * S, second)):
        one = batch([start, start + S], BLOB=ragged(values, [], dtype=np.uint8), COUNT=np.array([1, 2]))
        with column_files(tmp_path / name, "netcdf", utc_of=lambda _, onboard_ns: onboard_ns) as files:
            files.add([one])
    files = [tmp_path / name / "HK.nc" for name in "ab"]
    with xarray.open_mfdataset(files, data_vars="minimal", join="outer") as both:
        assert both["COUNT"].dims == ("time",)
        assert both["BLOB.length"].values.tolist() == [len(first), 0, len(second), 0]
        for row, values in ((0, first), (2, second)):
            assert both["BLOB"].values[row, : len(values)].tolist() == values


def test_local_times_are_those_of_the_mission_s_products(bundled: Path):
    """Mars24's published sol and hours are tests of the clock: here the coordinates are those of `mars_time`."""
    found = open_pass(bundled / "clean.cadu", mission="zhurong")
    rows, weather = found.to_xarray("WEATHER"), found.product("weather/meteorology")
    assert {"sol", "lmst", "ltst", "ls"} <= set(rows.coords)
    for name in ("lmst", "ltst"):
        hours = np.interp(rows["time"].astype("i8"), weather["time"].astype("i8"), weather[name])
        inside = (rows["time"] >= weather["time"][0]) & (rows["time"] <= weather["time"][-1])
        np.testing.assert_allclose(rows[name].values[inside], hours[inside], atol=2e-5)  # a line, over some minutes
    assert set(rows["sol"].values) == {11}
    assert rows["sol"].dtype == np.int32


def test_packets_of_a_spacecraft_with_another_clock_have_no_local_time(bundled: Path):
    found = open_pass(bundled / "clean.cadu", mission="zhurong")
    assert "sol" not in found.to_xarray("ORBITER_STATE").coords


def test_local_times_of_rows_without_a_time_are_missing():
    found = local_times(np.array([1_621_916_400 * S, NO_TIME]), 109.925, 0)
    assert all(np.isnan(values).tolist() == [False, True] for values in found.values())


@pytest.fixture(scope="module")
def both(bundled: Path):
    return [bundled / "night.cadu", bundled / "clean.cadu"]


def test_several_passes_are_one_dataset_of_packets(both):
    found = open_pass(both, mission="zhurong").to_xarray("NAVIGATION")
    assert found.indexes["time"].is_monotonic_increasing
    assert {name: len(rows.time) for name, rows in found.groupby("pass")} == {"night.cadu": 61, "clean.cadu": 203}
    separate = open_pass(both[1], mission="zhurong").to_xarray("NAVIGATION")
    mine = found.isel(time=np.flatnonzero(found["pass"].values == "clean.cadu"))
    np.testing.assert_array_equal(mine["POSITION_NORTH"].values, separate["POSITION_NORTH"].values)
    assert "pass" not in separate.coords


def test_files_of_several_passes_have_the_pass_of_each_row(tmp_path):
    for file_format in ("npz", "parquet", "netcdf"):
        pytest.importorskip({"npz": "numpy", "parquet": "pyarrow", "netcdf": "netCDF4"}[file_format])
        with column_files(tmp_path, file_format, utc_of=lambda _, onboard_ns: onboard_ns) as files:
            files.add([batch([0, S])], "a")
            files.add([batch([2 * S])], "b")
    pandas, wanted = pytest.importorskip("pandas"), ["a", "a", "b"]
    assert np.load(tmp_path / "HK.npz")["pass"].tolist() == wanted
    assert pandas.read_parquet(tmp_path / "HK.parquet")["pass"].tolist() == wanted
    with xarray.open_dataset(tmp_path / "HK.nc") as found:
        assert found["pass"].values.tolist() == wanted
        assert "pass" in found.coords
