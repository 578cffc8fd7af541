"""The files of `decode`, in every format, hold what is known of each packet under the names of `to_xarray`."""

from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.archive.columns import column_files
from downlink_pipeline.commands import recordings as app
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, ColumnBatch

pandas = pytest.importorskip("pandas")
parquet = pytest.importorskip("pyarrow.parquet")
xarray = pytest.importorskip("xarray")

UTC_NS = 1_600_000_000_000_000_000
"""2020-09-13T12:26:40 UTC."""
KNOWN = [
    "time",
    "received",
    "onboard_ns",
    "packet_apid",
    "packet_seq_count",
    "packet_quality",
    "packet_usable",
    "packet_order",
]


def batch(n=3, received=True, timed=True, **columns):
    rows = np.arange(n)
    return ColumnBatch(
        container="HK",
        time_ns=rows * 1_000_000_000 if timed else np.full(n, NO_TIME),
        columns=columns or {"COUNT": rows * 0.5},
        raw={},
        units={"COUNT": "nT"},
        apid=np.full(n, 17, np.uint16),
        seq_count=rows.astype(np.uint16) + 100,
        received_ns=rows * 1_000_000_000 + UTC_NS + 7 if received else np.zeros(n, np.int64),
        order=rows + 40,
        quality=np.array([0, 2, 0][:n], np.uint32),
    )


def written(folder: Path, file_format: str, one: ColumnBatch, **how):
    how = {"utc_of": lambda _, onboard_ns: onboard_ns + UTC_NS, **how}
    with column_files(folder, file_format, **how) as files:
        files.add([one])


def read(folder: Path):
    """The columns of each format, by name, as NumPy arrays."""
    npz = np.load(folder / "HK.npz")
    table = pandas.read_parquet(folder / "HK.parquet")
    with xarray.open_dataset(folder / "HK.nc") as found:
        netcdf = {name: found[name].values for name in found.variables}
    return {name: npz[name] for name in npz.files}, {name: table[name].to_numpy() for name in table}, netcdf


@pytest.fixture
def three(tmp_path):
    for file_format in ("npz", "parquet", "netcdf"):
        written(tmp_path, file_format, batch())
    return tmp_path


def test_all_formats_hold_the_same_columns(three):
    for columns in read(three):
        assert set(columns) == {*KNOWN, "COUNT"}
        assert columns["time"].astype("datetime64[s]").astype(str).tolist() == [
            "2020-09-13T12:26:40",
            "2020-09-13T12:26:41",
            "2020-09-13T12:26:42",
        ]
        assert columns["received"].astype("datetime64[ns]").astype(np.int64).tolist() == [
            UTC_NS + 7 + k * 1_000_000_000 for k in range(3)
        ]
        assert columns["onboard_ns"].tolist() == [0, 1_000_000_000, 2_000_000_000]
        assert columns["packet_apid"].tolist() == [17, 17, 17]
        assert columns["packet_seq_count"].tolist() == [100, 101, 102]
        assert columns["packet_quality"].tolist() == [0, 2, 0]
        assert columns["packet_order"].tolist() == [40, 41, 42]
        assert columns["COUNT"].tolist() == [0.0, 0.5, 1.0]


def test_what_is_not_known_is_no_column(tmp_path):
    for file_format in ("npz", "parquet", "netcdf"):
        written(tmp_path, file_format, batch(received=False, timed=False))
    for columns in read(tmp_path):
        assert set(columns) == {*KNOWN[3:], "COUNT"}


def test_the_dimension_is_time_or_what_else_is_known(tmp_path):
    for name, one in {
        "time": batch(),
        "received": batch(timed=False),
        "packet": batch(received=False, timed=False),
    }.items():
        written(tmp_path / name, "netcdf", one)
        with xarray.open_dataset(tmp_path / name / "HK.nc") as found:
            assert found["COUNT"].dims == (name,)


def test_a_row_without_a_time_has_none_in_any_format(tmp_path):
    one = batch()
    one.time_ns[1] = NO_TIME
    for file_format in ("npz", "parquet", "netcdf"):
        written(tmp_path, file_format, one)
    for columns in read(tmp_path):
        assert np.isnat(columns["time"]).tolist() == [False, True, False]


def test_a_parameter_keeps_its_name_beside_what_is_known_of_the_row(tmp_path):
    for file_format in ("npz", "parquet", "netcdf"):
        written(tmp_path, file_format, batch(time=np.array([5, 6, 7]), packet_apid=np.array([1, 2, 3])))
    for columns in read(tmp_path):
        assert columns["time"].tolist() == [5, 6, 7]
        assert columns["packet_apid"].tolist() == [1, 2, 3]
        assert columns["packet_packet_apid"].tolist() == [17, 17, 17]
        assert columns["packet_time"].astype("datetime64[ns]").astype(np.int64)[0] == UTC_NS


def test_units_and_descriptions_stand_in_every_format(tmp_path):
    describe = {"HK": {"COUNT": "what was counted"}}.__getitem__
    written(tmp_path, "parquet", batch(), describe=describe)
    written(tmp_path, "netcdf", batch(), describe=describe)
    field = parquet.read_schema(tmp_path / "HK.parquet").field("COUNT")
    assert field.metadata == {b"unit": b"nT", b"description": b"what was counted"}
    with xarray.open_dataset(tmp_path / "HK.nc") as found:
        assert found["COUNT"].attrs["units"] == "nT"
        assert found["COUNT"].attrs["long_name"] == "what was counted"


def test_files_name_their_container_mission_and_recordings(bundled, tmp_path):
    mission = load_mission("zhurong")
    for file_format in ("parquet", "netcdf"):
        app.decode([bundled / "night.cadu"], mission, tmp_path, lambda _: None, file_format=file_format, raw=False)
    path = next(tmp_path.glob("*.parquet"))
    metadata = parquet.read_schema(path).metadata
    assert (metadata[b"mission"], metadata[b"recordings"]) == (b"zhurong", b"night.cadu")
    with xarray.open_dataset(path.with_suffix(".nc")) as found:
        assert (found.attrs["mission"], found.attrs["recordings"]) == ("zhurong", "night.cadu")


@pytest.fixture(scope="module")
def two_passes(bundled, tmp_path_factory):
    folder, mission = tmp_path_factory.mktemp("passes"), load_mission("zhurong")
    for name in ("clean", "night"):
        for file_format in ("netcdf", "parquet"):
            app.decode(
                [bundled / f"{name}.cadu"],
                mission,
                folder / name,
                lambda _: None,
                file_format=file_format,
                raw=False,
            )
    return folder


def common_containers(folder):
    first, second = ({path.stem for path in (folder / name).glob("*.nc")} for name in ("clean", "night"))
    return sorted(first & second)


def test_several_passes_open_together(two_passes):
    pytest.importorskip("dask")
    names = common_containers(two_passes)
    assert names
    for name in names:
        paths = [two_passes / one / f"{name}.nc" for one in ("clean", "night")]
        sizes = []
        for path in paths:
            with xarray.open_dataset(path) as separate:
                sizes.append(separate.sizes["time"])
        with xarray.open_mfdataset(paths, combine="nested", concat_dim="time") as together:
            assert together.sizes["time"] == sum(sizes)
        with xarray.open_mfdataset(paths) as together:
            assert together.sizes["time"] == sum(sizes)
            assert together["time"].to_index().is_monotonic_increasing


def test_files_and_to_xarray_agree(two_passes, bundled):
    found = open_pass(bundled / "night.cadu", mission="zhurong")
    for name in found.containers():
        expected = found.to_xarray(name)
        with xarray.open_dataset(two_passes / "night" / f"{name}.nc") as read_back:
            assert set(read_back.variables) == set(expected.variables)
            assert read_back.sizes == expected.sizes
            np.testing.assert_array_equal(read_back["time"].values, expected["time"].values)
        table = pandas.read_parquet(two_passes / "night" / f"{name}.parquet")
        np.testing.assert_array_equal(table["time"].to_numpy(), expected["time"].values)
        np.testing.assert_array_equal(table["packet_quality"].to_numpy(), expected["packet_quality"].values)
