"""Import, replay and reprocessing put the same rows into a history, and each of them once."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from downlink_pipeline.api import open_history, open_pass
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.commands.reprocess import Wanted, make, reprocess, tasks_of
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME
from downlink_pipeline.model.errors import RunError

PRESSURE = "weather/meteorology.pressure_pa"
SAT = Path(__file__).parents[1] / "messages" / "sat"


def rows(folder):
    """Rows by kind."""
    history = open_history(folder)
    return {kind: history.scan(kind).count_rows() for kind in history.kinds()}


@pytest.fixture(scope="module")
def products(bundled):
    return list(open_pass(bundled / "night.cadu", mission="zhurong").products())


def test_every_product_of_a_pass_has_its_rows_and_values(zhurong, products):
    """Against the Product objects, which are what goes to MQTT."""
    history = open_history(zhurong)
    for kind in {f"{one.instrument}/{one.product}" for one in products}:
        table = history.scan(kind).to_table()
        keys = np.array(table["product_id"].to_pylist())
        own = [one for one in products if f"{one.instrument}/{one.product}" == kind]
        assert sorted(set(keys)) == sorted(one.id for one in own)
        for one in own[:3]:
            mine = table.filter(pa.array(keys == one.id)).sort_by("time")
            order = np.argsort(one.arrays["time_utc_ns"].values, kind="stable")
            assert mine["quality"].to_pylist() == one.quality[order].tolist()
            assert mine["time"].cast(pa.int64()).fill_null(NO_TIME).to_pylist() == (
                one.arrays["time_utc_ns"].values[order].tolist()
            )
            for name, quantity in one.arrays.items():
                by_row = quantity.dims[:1] == ("row",) and len(quantity.values) == len(one.quality)
                if name.startswith("time_") or not by_row:
                    continue
                field = mine.schema.field(name if name in mine.schema.names else f"parameter.{name}")
                assert (field.metadata or {}).get(b"unit", b"").decode() == quantity.unit
                found = mine[field.name].to_pylist()
                np.testing.assert_array_equal(
                    np.array(found, quantity.values.dtype),
                    np.asarray(quantity.values)[order],
                    err_msg=f"{kind} {name}",
                )


def test_the_books_of_an_import_close(zhurong, inspect, bundled):
    report = inspect(bundled / "night.cadu", "--mission", "zhurong")
    [record] = open_history(zhurong).passes()
    assert record.report["packets"]["by_apid"] == report["packets"]["by_apid"]
    assert sum(record.packets.values()) == record.report["records"]["decoded"]


def test_a_replay_keeps_the_rows_that_an_import_keeps(zhurong, bundled, downlink, tmp_path):
    folder = tmp_path / "replayed"
    done = downlink("replay", bundled / "night.cadu", "-m", "zhurong", "--history", folder)
    assert done.returncode == 0, done.stderr
    assert rows(folder) == rows(zhurong)
    [record] = open_history(folder).passes()
    assert (record.stream, record.name, record.state) == ("night", "night.cadu", "complete")
    import_passes([bundled / "night.cadu"], load_mission("zhurong"), str(folder), lambda _: None)
    assert rows(folder) == rows(zhurong)


def test_reprocessing_fills_a_history_and_leaves_alone_what_is_there(zhurong, bundled, tmp_path):
    (tmp_path / "passes").mkdir()
    (tmp_path / "passes" / "night.cadu").write_bytes((bundled / "night.cadu").read_bytes())
    wanted = Wanted(
        tmp_path / "passes", "zhurong", tmp_path / "files", "quicklook", history=str(tmp_path / "history")
    )
    [task] = tasks_of(wanted)
    assert [make(task).state for _ in range(2)] == ["made", "left alone"]
    assert rows(tmp_path / "history") == rows(zhurong)


def test_the_command_line_gives_tables_csv_parquet_plots_and_json(zhurong, command, tmp_path):
    at = ("--history", zhurong)
    found = json.loads(command("history", "find", "*pressure*", *at, "--json").stdout)
    assert PRESSURE in [one["name"] for one in found]
    expected = open_history(zhurong).get(PRESSURE)[PRESSURE].values
    text = command("history", "get", PRESSURE, *at, "--format", "csv").stdout.splitlines()
    assert len(text) == len(expected) + 1
    assert float(text[1].split(",")[-1].strip('"')) == expected[0]
    for ending in ("parquet", "png", "csv"):
        done = command("history", "get", PRESSURE, *at, "--points", "20", "--out", tmp_path / f"x.{ending}")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"x.{ending}").stat().st_size > 100
    books = json.loads(command("history", "info", *at, "--json").stdout)
    assert [one["closes"] for one in books["passes"]] == [True]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("get", "NO.SUCH"), "no parameter NO.SUCH"),
        (("get", PRESSURE, "--start", "soon"), "soon: no ISO 8601 time"),
        (("sql", "drop table x"), "one SELECT"),
        (("info", "--date", "2021-5-1x"), "--date 2021-5-1x"),
        (("prune",), "say what is to go"),
        (("prune", "--max-size", "many"), "--max-size many"),
        (("serve", "--listen", "here"), "--listen here"),
    ],
)
def test_what_is_asked_wrongly_is_one_line_and_status_2(zhurong, command, words, told):
    done = command("history", *words, "--history", zhurong)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_history_is_one_line(command, tmp_path):
    done = command("history", "get", "A.B", "--history", tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "there is no history" in done.stderr


def test_every_packet_of_jpss_1_is_a_row_with_its_sequence_count(real_data, tmp_path):
    """Counts against the bytes of the recording, packets of 71 bytes; values against the decoded columns."""
    mission = tmp_path / "jpss"
    mission.mkdir()
    xtce = real_data / "jpss-1/geolocation.xml"
    (mission / "mission.toml").write_text(
        f'name = "jpss-1"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "{xtce}"\n'
    )
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    import_passes([recording], load_mission(str(mission)), str(tmp_path / "history"), lambda _: None)
    octets = np.frombuffer(recording.read_bytes(), np.uint8).reshape(7200, 71)
    counts = octets[:, 2:4].copy().view(">u2")[:, 0] & 0x3FFF
    history = open_history(tmp_path / "history")
    found = history.get("JPSS_ATT_EPHEM.ADGPSPOSX", columns=["seq_count", "apid"])
    order = np.argsort(found["seq_count"].values, kind="stable")
    assert found["seq_count"].values[order].tolist() == sorted(counts.tolist())
    assert set(found["apid"].values.tolist()) == {11}
    columns = open_pass(recording, mission=str(mission)).to_columns("JPSS_ATT_EPHEM").columns["ADGPSPOSX"]
    expected = np.asarray(columns)[np.argsort(counts, kind="stable")]
    assert found["JPSS_ATT_EPHEM.ADGPSPOSX"].values[order].tolist() == expected.tolist()
    done = history.table("JPSS_ATT_EPHEM.ADGPSPOSX").to_pandas()
    assert len(done) == 7200


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Two recordings of one name, each half of a small pass of two kinds of packets, and a copy of one of them."""
    folder = tmp_path_factory.mktemp("halves")
    data, at, n = SAT.with_suffix(".packets").read_bytes(), 0, 0
    while n < 300:
        at += 7 + int.from_bytes(data[at + 4 : at + 6], "big")
        n += 1
    for place, part in (("a", data[:at]), ("b", data[at:])):
        (folder / place).mkdir()
        (folder / place / "pass.packets").write_bytes(part)
    (folder / "copy.packets").write_bytes(data[:at])
    return folder


def test_a_dask_cluster_fills_one_history_as_imports_do_one_after_another(halves, tmp_path):
    distributed = pytest.importorskip("distributed")
    wanted = Wanted(halves, str(SAT), tmp_path / "files", "netcdf", stream="live", history=str(tmp_path / "far"))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        mine = replace(wanted, scheduler=cluster.scheduler_address)
        told = []
        assert reprocess(mine, tasks_of(mine), told.append) == {"made": 3, "left alone": 0, "failed": 0}, told
        assert reprocess(mine, tasks_of(mine), told.append) == {"made": 0, "left alone": 3, "failed": 0}, told
    n_packets = 0
    for kind, apid in (("EPS.HK", 10), ("OBC.HK", 20)):
        rows = open_history(tmp_path / "far").scan(kind).to_table()
        assert set(rows["apid"].to_pylist()) == {apid}
        assert len(set(rows["seq_count"].to_pylist())) == len(rows)
        n_packets += len(rows)
    assert n_packets == 900  # packets of the whole pass, those of the copy once


def test_imports_of_two_recordings_of_one_name_at_once_keep_both(halves, tmp_path):
    """The second begins and ends while the first is read, as another process could."""
    mission, folder, begun = load_mission(str(SAT)), str(tmp_path / "history"), []

    def meanwhile(_):
        if not begun:
            begun.append(True)
            import_passes([halves / "b" / "pass.packets"], mission, folder, lambda _: None, stream="live")

    import_passes([halves / "a" / "pass.packets"], mission, folder, meanwhile, stream="live")
    history = open_history(folder)
    assert sum(history.scan(kind).count_rows() for kind in history.kinds()) == 900
    first, second = sorted(one.name for one in history.passes())
    assert (first, second[:13]) == ("pass.packets", "pass.packets~")
    assert {one.state for one in history.passes()} == {"complete"}


def test_an_import_that_fails_leaves_no_pass_behind(halves, tmp_path):
    def fail(_):
        raise RunError("the disk is gone")

    with pytest.raises(RunError, match="the disk is gone"):
        import_passes([halves / "copy.packets"], load_mission(str(SAT)), str(tmp_path / "history"), fail)
    assert open_history(tmp_path / "history").passes() == []
