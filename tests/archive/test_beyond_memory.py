"""Columns beyond a bound of memory: a file that is read where it is looked at, and gives the values of the others."""

import gc
import logging
import os
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.archive.columns import column_files
from downlink_pipeline.archive.parquet_rows import ROW_GROUP_BYTES, RowGroups
from downlink_pipeline.archive.row_columns import Metadata, RowColumn
from downlink_pipeline.model.batches import NO_TIME, ColumnBatch, Ragged
from downlink_pipeline.model.categorical import Categorical
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.system.available import available_bytes

xarray = pytest.importorskip("xarray")
parquet = pytest.importorskip("pyarrow.parquet")
LITTLE = 2000


def test_packets_of_a_pass_beyond_the_bound_are_those_in_memory(bundled: Path, caplog):
    found = open_pass([bundled / "night.cadu", bundled / "clean.cadu"], mission="zhurong")
    for container in ("NAVIGATION", "ORBITER_STATE"):
        whole = found.to_xarray(container)
        with caplog.at_level(logging.WARNING, logger="downlink_pipeline"):
            stored = found.to_xarray(container, memory_bytes=LITTLE)
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith(f"{container}: more than 0 MB of columns: they are written to ")
        caplog.clear()
        assert stored["packet_apid"].variable._in_memory is False
        xarray.testing.assert_identical(stored.load(), whole)


def batch(first, times=True, **columns):
    n = len(next(iter(columns.values())))
    rows = np.arange(first, first + n)
    time_ns = rows * 10**9 if times else np.full(n, NO_TIME)
    return ColumnBatch(
        "HK", time_ns, columns, {}, {"A": "V"}, np.full(n, 7, np.uint16), rows.astype(np.uint16),
        np.zeros(n, np.int64), rows, np.zeros(n, np.uint32),
    )  # fmt: skip


def both(*batches, **how):
    """The Dataset in memory and the one in a file, of the same batches."""
    from downlink_pipeline.archive.column_store import ColumnStore  # noqa: PLC0415
    from downlink_pipeline.archive.datasets import dataset, stored_dataset  # noqa: PLC0415
    from downlink_pipeline.archive.row_columns import ROW_FIELDS, Metadata  # noqa: PLC0415
    from downlink_pipeline.processing.bounded import BoundedColumns  # noqa: PLC0415

    known = Metadata(units={"A": "V"}, origin={"mission": "m"}, utc_of=lambda _, onboard_ns: onboard_ns, **how)
    made = []
    for bound in (1 << 30, 1):
        columns = BoundedColumns(bound, lambda _: ColumnStore("HK", known))
        for one in batches:
            columns.add(one, 2.0)
        columns.end()
        if columns.store:
            made.append(stored_dataset(columns.store, "HK", known))
        else:
            whole = columns.batch()
            made.append(dataset(whole.columns, {name: getattr(whole, name) for name in ROW_FIELDS}, "HK", known))
    return made


def pieces():
    values = np.array([1, 2, 3, 4, 5, 6], np.uint8)
    modes, more = np.array(["OFF", "ON"]), np.array(["OFF", "ON", "UNKNOWN_7"])
    return [
        batch(
            0, A=np.array([1.5, np.nan]), GRID=np.arange(8).reshape(2, 2, 2), TRUE=np.array([True, False]),
            MODE=Categorical(np.array([0, 1], np.uint8), modes), TEXT=np.array(["a", "b"]),
            AT=np.array(["2021-05-25", "NaT"], "M8[ns]"), BLOB=Ragged(values, np.array([0, 2]), np.array([2, 0])),
            RAW=np.array([b"ab", b"c"]), LARGE=np.array([2**64 - 1, 0], np.uint64),
        ),
        batch(
            2, A=np.array([2.5]), GRID=np.arange(4).reshape(1, 2, 2), TRUE=np.array([True]),
            MODE=Categorical(np.array([2], np.uint8), more), TEXT=np.array(["longer"]),
            AT=np.array(["2022-05-25"], "M8[ns]"), BLOB=Ragged(values, np.array([1]), np.array([5])),
            RAW=np.array([b"defg"]), LARGE=np.array([7], np.uint64),
        ),
    ]  # fmt: skip


def test_columns_of_every_kind_come_back():
    whole, stored = both(*pieces())
    xarray.testing.assert_identical(stored.load(), whole)


def test_a_selection_reads_only_its_rows():
    whole, stored = both(*pieces())
    for rows in (1, [2, 0], slice(1, None)):
        xarray.testing.assert_identical(stored.isel(time=rows).load(), whole.isel(time=rows).load())
    chosen = {"time": [0, 2], "GRID_axis_1": 1, "BLOB_value": slice(1, 3)}
    xarray.testing.assert_identical(stored.isel(chosen).load(), whole.isel(chosen).load())
    span = {"time": slice("1970-01-01T00:00:01", "1970-01-01T00:00:02")}
    xarray.testing.assert_identical(stored.sel(span).load(), whole.sel(span).load())


def test_rows_that_came_late_stand_in_their_place():
    late = batch(5, A=np.array([5.0])), batch(1, A=np.array([1.0, 2.0]))
    whole, stored = both(*late)
    assert stored["A"].values.tolist() == whole["A"].values.tolist() == [1.0, 2.0, 5.0]


def test_rows_without_times_lie_along_packet():
    whole, stored = both(batch(0, times=False, A=np.zeros(2)), batch(2, times=False, A=np.ones(1)))
    xarray.testing.assert_identical(stored.load(), whole)
    assert stored["A"].dims == ("packet",)


def test_dask_reads_a_file_chunk_by_chunk():
    pytest.importorskip("dask")
    whole, stored = both(*pieces())
    assert float(stored.chunk(time=2)["A"].sum().compute()) == float(whole["A"].sum()) == 4.0


def test_a_temporary_file_goes_with_its_dataset():
    _, stored = both(*pieces())
    paths = {store.path for store in gc.get_objects() if type(store).__name__ == "ColumnStore"}
    kept = stored[["A"]].isel(time=slice(1))
    del stored
    gc.collect()
    assert any(path.exists() for path in paths)
    assert kept["A"].values.tolist() == [1.5]
    del kept
    gc.collect()
    assert not any(path.exists() for path in paths)


def test_a_named_file_stays_and_is_never_replaced(bundled: Path, tmp_path: Path):
    found, path = open_pass(bundled / "night.cadu", mission="zhurong"), tmp_path / "navigation.parquet"
    found.to_xarray("NAVIGATION", memory_bytes=LITTLE, store=path)
    assert parquet.read_table(path)["POSITION_NORTH"].length() == 61
    with pytest.raises(RunError, match="File exists"):
        found.to_xarray("NAVIGATION", memory_bytes=LITTLE, store=path)


def test_a_container_that_is_not_there_is_reported_with_a_bound_too(bundled: Path):
    with pytest.raises(ConfigError, match="the pass has no NOTHING: it has"):
        open_pass(bundled / "night.cadu", mission="zhurong").to_xarray("NOTHING", memory_bytes=LITTLE)


def test_xarray_opens_with_a_bound_too(bundled: Path):
    engine = pytest.importorskip("downlink_pipeline.commands.xarray_engine").DownlinkBackend
    how = {"engine": engine, "mission": "zhurong", "container": "NAVIGATION"}
    found = xarray.open_dataset(bundled / "night.cadu", memory_bytes=LITTLE, chunks={}, **how)
    assert found["POSITION_NORTH"].chunks is not None
    xarray.testing.assert_identical(found.load(), xarray.open_dataset(bundled / "night.cadu", **how).load())


def test_available_memory_is_that_of_the_machine_or_less():
    assert 0 < available_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_parquet_file_of_decode_is_written_in_row_groups(tmp_path: Path):
    n = ROW_GROUP_BYTES // 8 // 3 + 1
    with column_files(tmp_path, "parquet") as files:
        for first in range(0, 4 * n, n):
            files.add([batch(first, A=np.arange(first, first + n, dtype=np.float64))])
    found = parquet.ParquetFile(tmp_path / "HK.parquet")
    assert found.num_row_groups == 2
    assert (found.read(["A"])["A"].to_numpy() == np.arange(4 * n)).all()


def test_bytes_are_binary_values_in_the_file_and_no_column_but_times_may_be_absent(tmp_path: Path):
    from downlink_pipeline.archive.column_store import ColumnStore  # noqa: PLC0415
    from downlink_pipeline.archive.row_columns import ROW_FIELDS, Metadata  # noqa: PLC0415

    blobs = Ragged(np.frombuffer(b"abcde", np.uint8), np.array([0, 2, 2]), np.array([2, 0, 3]))
    pairs = np.arange(6, dtype=np.uint8).reshape(3, 2)
    one = batch(0, A=np.array([1.5, 2.5, 3.5]), BLOB=blobs, PAIR=pairs)
    store = ColumnStore("HK", Metadata(utc_of=lambda _, onboard_ns: onboard_ns), tmp_path / "hk.parquet")
    store.append({name: getattr(one, name) for name in ROW_FIELDS}, one.columns)
    store.close()
    table = parquet.read_table(tmp_path / "hk.parquet")
    assert table["BLOB"].to_pylist() == [b"ab", b"", b"cde"]
    assert table["PAIR"].to_pylist() == [b"\x00\x01", b"\x02\x03", b"\x04\x05"]
    assert {field.name for field in table.schema if field.nullable} == {"time", "received"}
    found = store.read("BLOB", 0)
    assert [found.values[a : a + n].tobytes() for a, n in zip(found.start, found.length, strict=True)] == [
        b"ab", b"", b"cde"
    ]  # fmt: skip
    assert store.read("PAIR", 0).tolist() == pairs.tolist()


def test_a_disk_that_is_full_is_noticed_although_a_thread_writes():
    rows = {"packet_order": RowColumn(np.arange(5), {"long_name": "order"})}
    with Path("/dev/full").open("wb", buffering=0) as full:
        groups = RowGroups(full, "HK", Metadata())
        with pytest.raises(OSError, match="No space left"), closing(groups):
            groups.add(rows, {"A": np.arange(5.0)})
