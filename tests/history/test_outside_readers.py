"""Other engines open the folder as it is; an object store holds it as a disk does."""

import os
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from downlink_pipeline.api import open_history, open_pass
from downlink_pipeline.history.maintenance import compact_all
from downlink_pipeline.history.passes import PassRecord
from downlink_pipeline.history.recorder import HistoryRecorder, PassImport
from downlink_pipeline.history.storage import Storage
from downlink_pipeline.history.tables import version_of
from downlink_pipeline.model.errors import RunError
from history_products import DAY, product
from moto import server as moto_server
from pyarrow.fs import FileSystem
from werkzeug.serving import make_server

KIND = "weather/meteorology"
ENCODED = "weather%2Fmeteorology"


@pytest.fixture(scope="module")
def expected(bundled):
    """Pressures and times in ns, straight from the products."""
    own = [
        one
        for one in open_pass(bundled / "night.cadu", mission="zhurong").products()
        if f"{one.instrument}/{one.product}" == KIND
    ]
    times, pressure = (
        np.concatenate([np.asarray(getattr(one.arrays[name], "values")) for one in own])  # noqa: B009
        for name in ("time_utc_ns", "pressure_pa")
    )
    order = np.argsort(times, kind="stable")
    return times[order], pressure[order]


def test_duckdb(zhurong, expected):
    query = f"select epoch_ns(time), pressure_pa from '{zhurong}/rows/kind={ENCODED}/**/*.parquet' order by time"
    rows = duckdb.sql(query).fetchall()
    assert [row[0] for row in rows] == expected[0].tolist()
    assert [row[1] for row in rows] == expected[1].tolist()
    whole = f"read_parquet('{zhurong}/rows/*/*/*.parquet', hive_partitioning=true, union_by_name=true)"
    assert (KIND,) in duckdb.sql(f"select distinct kind from {whole}").fetchall()


def test_polars(zhurong, expected):
    found = (
        pl.scan_parquet(f"{zhurong}/rows/kind={ENCODED}/**/*.parquet", hive_partitioning=True)
        .sort("time")
        .collect()
    )
    assert found["pressure_pa"].to_list() == expected[1].tolist()
    assert found["time"].cast(pl.Int64).to_list() == expected[0].tolist()
    assert found["date"].unique().len() >= 1


def test_pandas(zhurong, expected):
    found = pd.read_parquet(f"{zhurong}/rows/kind={ENCODED}").sort_values("time")
    assert found["pressure_pa"].tolist() == expected[1].tolist()
    assert found["time"].astype("int64").tolist() == expected[0].tolist()


def test_dask(zhurong, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = dd.read_parquet(f"{zhurong}/rows/kind={ENCODED}", columns=["time", "pressure_pa"]).compute()
    assert sorted(found["pressure_pa"]) == sorted(expected[1].tolist())


def test_arrow_with_the_whole_folder(zhurong, expected):
    partitioned = ds.dataset(f"{zhurong}/rows/kind={ENCODED}", partitioning="hive")
    assert partitioned.count_rows() == len(expected[0])


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket of an S3-compatible server on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        application = moto_server.DomainDispatcherApplication(moto_server.create_backend_app)
        server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    before = dict(os.environ)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    options = f"?endpoint_override=127.0.0.1:{server.server_port}&scheme=http&region=us-east-1"
    store, _ = FileSystem.from_uri(f"s3://kept{options}&allow_bucket_creation=true")
    store.create_dir("kept")
    yield options
    server.shutdown()
    thread.join(10)
    os.environ.clear()
    os.environ |= before


def test_on_an_object_store_a_stream_has_one_live_writer_and_ten_streams_have_ten(bucket, monkeypatch):
    url = f"s3://kept/ten{bucket}"
    Storage(url, create=True)
    ten = [HistoryRecorder(Storage(url)) for _ in range(10)]

    def keep(recorder, stream, i):
        one = product([DAY + i * 10**9], TEMP=[i], stream=stream, seq=i)
        recorder.add(one, one.id, "pass-1")
        return recorder.flush()

    with ThreadPoolExecutor(10) as pool:
        for i in range(2):
            assert sum(pool.map(keep, ten, [f"s{n}" for n in range(10)], [i] * 10)) == 10
    history = open_history(url)
    assert len(history.get("HK.TEMP")["HK.TEMP"]) == 20
    eleventh = HistoryRecorder(Storage(url))
    with pytest.raises(RunError, match=r"another writer keeps stream s3: on an object store a stream has one"):
        keep(eleventh, "s3", 5)
    ten[3].close()
    assert eleventh.flush() == 1  # what was refused is still there
    monkeypatch.setattr("downlink_pipeline.history.leases.LEASE_S", 0.0)  # as after a kill, and a while
    assert keep(HistoryRecorder(Storage(url)), "s4", 6) == 1
    assert len(history.get("HK.TEMP")["HK.TEMP"]) == 22


def test_ten_writers_by_stream_fill_a_folder_on_a_disk(tmp_path):
    Storage(tmp_path / "history", create=True)

    def keep(n):
        recorder = HistoryRecorder(Storage(tmp_path / "history"))
        for i in range(3):
            one = product([DAY + i * 10**9], TEMP=[100 * n + i], stream=f"s{n}", seq=i)
            recorder.add(one, one.id, "pass-1")
            recorder.flush()
        recorder.maintain()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(keep, range(10)))
    history = open_history(tmp_path / "history")
    assert sorted(history.get("HK.TEMP")["HK.TEMP"].values) == [100 * n + i for n in range(10) for i in range(3)]
    assert history.table("HK.TEMP", stream="s7")["HK.TEMP"].to_pylist() == [700, 701, 702]
    assert len(history.passes()) == 10


def test_a_history_lies_on_an_object_store_as_on_a_disk(bucket):
    url = f"s3://kept/sat{bucket}"
    storage = Storage(url, create=True)

    def put(name, *products):
        record = PassRecord("north", name, "sat", version_of(products[0].lineage))
        filling = PassImport(storage, record)
        for one in products:
            filling.add(one)
        filling.finish()

    put("one", product([DAY, DAY + 10**9], TEMP=[1, 2]))
    put("two", product([DAY + 2 * 10**9], TEMP=[3], seq=2), product([DAY, DAY + 10**9], TEMP=[1, 2]))
    history = open_history(url)
    assert history.get("HK.TEMP")["HK.TEMP"].to_numpy().tolist() == [1, 2, 3]
    assert compact_all(Storage(url)) == 2
    assert history.get("HK.TEMP")["HK.TEMP"].to_numpy().tolist() == [1, 2, 3]
    put("one", product([DAY, DAY + 10**9], TEMP=[100, 200], dictionary="two"))
    assert history.get("HK.TEMP")["HK.TEMP"].to_numpy().tolist() == [100, 200, 3]
    old = next(one for one in history.passes() if one.name == "one").replaced[0]
    assert history.get("HK.TEMP", version=old)["HK.TEMP"].to_numpy().tolist() == [1, 2, 3]
    assert history.sql("select sum(TEMP) s from HK").to_pylist() == [{"s": 303}]
    recorder = HistoryRecorder(Storage(url))
    late = product([DAY + 9 * 10**9], TEMP=[9], seq=9)
    recorder.add(late, late.id, "three")
    assert recorder.flush() == 1
    assert history.last("HK.TEMP").to_pylist()[0]["value"] == 9
