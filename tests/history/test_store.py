"""Rows come in once, in order, whatever passes, versions and crashes there were."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from downlink_pipeline.api import open_history
from downlink_pipeline.history.coverage import coverage
from downlink_pipeline.history.maintenance import compact_all
from downlink_pipeline.history.recorder import HistoryRecorder
from downlink_pipeline.history.retention import prune
from downlink_pipeline.history.storage import Storage
from downlink_pipeline.model.batches import NO_TIME, Quantity
from downlink_pipeline.model.errors import ConfigError
from history_products import DAY, product

S = 10**9


def files(folder: Path, root: str = "rows") -> list[Path]:
    return sorted((folder / root).rglob("*.parquet"))


def test_a_row_has_the_columns_of_the_contract_and_units_in_the_schema(put):
    folder = put(
        product(DAY + np.arange(3) * S, TEMP=[1.0, 2.0, 3.0], MODE=["A", "B", "A"], units={"TEMP": "degC"})
    )
    [path] = files(folder)
    assert path.parent.relative_to(folder).as_posix() == "rows/kind=HK/date=2025-11-30"
    schema = pq.read_schema(path)
    assert schema.names[:9] == [
        "time", "onboard_ns", "received", "quality", "stream", "pass", "apid", "seq_count", "product_id",
    ]  # fmt: skip
    assert str(schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert schema.field("TEMP").metadata == {b"parameter": b"TEMP", b"unit": b"degC", b"description": b"the TEMP",
                                             b"dims": b"row"}  # fmt: skip
    assert schema.metadata[b"dictionary_sha256"] == b"one"
    table = pq.read_table(path, partitioning=None).to_pydict()
    assert table["seq_count"] == [0, 1, 2]
    assert table["apid"] == [7, 7, 7]
    assert table["MODE"] == ["A", "B", "A"]
    assert table["pass"] == ["pass-1"] * 3


def of_mission(name, *products):
    return [replace(one, mission=name) for one in products]


def test_a_kind_has_rows_of_one_mission(put):
    folder = put(product([DAY], TEMP=[1]))
    other = of_mission("lander", product([DAY + S], TEMP=[2]))
    with pytest.raises(ConfigError, match="HK has rows of mission sat: keep those of mission lander in another"):
        put(*other, name="pass-2", folder=folder)
    service = HistoryRecorder(Storage(folder))
    service.add(other[0], "key", "pass-3")
    with pytest.raises(ConfigError, match="HK has rows of mission sat"):
        service.flush()
    put(*of_mission("lander", product([DAY], container="LANDER_HK", V=[3])), name="pass-4", folder=folder)
    history = open_history(folder)
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == [1]
    assert {one["kind"]: one["mission"] for one in coverage(history)} == {"HK": "sat", "LANDER_HK": "lander"}
    assert list(folder.rglob("*.part")) == []


def test_a_folder_that_has_rows_of_two_missions_in_one_kind_stays_readable_and_takes_both(put):
    folder = put(product([DAY], TEMP=[1]))
    put(product([DAY + S], TEMP=[2], seq=1), name="pass-2", folder=folder)
    path = files(folder)[1]
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"mission": b"lander"}), path)
    put(*of_mission("lander", product([DAY + 2 * S], TEMP=[3], seq=2)), name="pass-3", folder=folder)
    put(product([DAY + 3 * S], TEMP=[4], seq=3), name="pass-4", folder=folder)
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1, 2, 3, 4]


def test_a_live_pass_has_the_mission_of_its_products(recorder, tmp_path):
    recorder.add(product([DAY], TEMP=[1]), "key", "pass-1")
    recorder.flush()
    [record] = open_history(tmp_path / "history").passes()
    assert record.mission == "sat"


def test_rows_of_late_passes_are_in_order_of_time(put):
    folder = put(product([DAY + 10 * S, DAY + 11 * S], TEMP=[10, 11]))
    put(product([DAY + 5 * S, DAY + 20 * S], TEMP=[5, 20], seq=9), name="pass-0", folder=folder)
    found = open_history(folder).get("HK.TEMP")
    assert found["HK.TEMP"].values.tolist() == [5, 10, 11, 20]


def test_the_same_product_in_two_passes_of_a_stream_is_one_row(put):
    one = product([DAY, DAY + S], TEMP=[1, 2])
    other = product([DAY + 2 * S], TEMP=[3], seq=2)
    folder = put(one)
    put(one, other, name="pass-2", folder=folder)
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1, 2, 3]


def test_the_same_product_of_two_streams_is_a_row_of_each(put):
    folder = put(product([DAY], TEMP=[1]))
    put(product([DAY], TEMP=[1], stream="south"), folder=folder)
    found = open_history(folder).get("HK.TEMP", columns=["stream"])
    assert sorted(found["stream"].values.tolist()) == ["north", "south"]


def test_a_pass_of_a_new_dictionary_replaces_its_rows_and_the_old_ones_are_askable_until_pruned(put):
    folder = put(product([DAY, DAY + S], TEMP=[1, 2]), product([DAY + 2 * S], TEMP=[3], seq=2))
    put(product([DAY + 5 * S], TEMP=[50], seq=5), name="other", folder=folder)
    put(product([DAY, DAY + S], TEMP=[100, 200], dictionary="two"), folder=folder)
    history = open_history(folder)
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == [100, 200, 50]
    [record] = [one for one in history.passes() if one.name == "pass-1"]
    [old] = record.replaced
    assert history.get("HK.TEMP", version=old)["HK.TEMP"].values.tolist() == [1, 2, 3, 50]
    assert history.get("HK.TEMP", version=record.version)["HK.TEMP"].values.tolist() == [100, 200]
    assert prune(history.storage, today="2025-12-01", replaced=True).n_files >= 1
    assert history.get("HK.TEMP", version=old)["HK.TEMP"].values.tolist() == [50]


def test_a_merged_file_gives_up_the_rows_of_one_pass_alone(put):
    folder = put(product([DAY, DAY + S], TEMP=[1, 2]))
    put(product([DAY + 5 * S], TEMP=[50], seq=5), name="other", folder=folder)
    assert compact_all(Storage(folder)) == 2
    assert len(files(folder)) == 1
    put(product([DAY, DAY + S], TEMP=[100, 200], dictionary="two"), folder=folder)
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [100, 200, 50]


def test_a_pass_made_again_leaves_the_rows_of_others_in_a_merged_file(put):
    folder = put(product([DAY, DAY + S], TEMP=[1, 2]))
    put(product([DAY + 5 * S], TEMP=[50], seq=5), name="other", folder=folder)
    compact_all(Storage(folder))
    put(product([DAY, DAY + S], TEMP=[1, 2]), folder=folder)
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1, 2, 50]
    assert files(folder, "replaced") == []
    assert list(folder.rglob("*.part")) == []


def test_parameters_that_differ_in_case_alone_are_both_askable(put):
    folder = put(product([DAY], Temp=[1], TEMP=[2]))
    history = open_history(folder)
    found = history.get("HK.Temp", "HK.TEMP")
    assert (found["HK.Temp"].values.tolist(), found["HK.TEMP"].values.tolist()) == ([1], [2])
    assert history.sql("select * from HK").num_rows == 1


def test_a_parameter_that_changes_its_unit_is_two_columns_and_one_that_grows_is_one(put):
    folder = put(product([DAY], TEMP=np.array([1], np.int16), V=np.array([1], np.uint8), units={"TEMP": "degC"}))
    put(
        product([DAY + S], TEMP=np.array([274.0], np.float32), V=np.array([2.5]), units={"TEMP": "K"}, seq=1),
        name="later",
        folder=folder,
    )
    history = open_history(folder)
    assert [one.name for one in history.find("*TEMP*")] == ["HK.TEMP [degC]", "HK.TEMP"]
    found = history.get("HK.TEMP", "HK.TEMP [degC]", "HK.V")
    np.testing.assert_array_equal(found["HK.TEMP"], [np.nan, 274.0])
    np.testing.assert_array_equal(found["HK.TEMP [degC]"], [1.0, np.nan])
    assert found["HK.TEMP"].attrs["units"] == "K"
    assert found["HK.V"].values.tolist() == [1.0, 2.5]


def test_names_with_dots_blanks_slashes_and_those_of_columns_are_found(put):
    arrays = {"A B.C": [1], "time": [2], "Quality": [3], "é/x": [4]}
    folder = put(product([DAY], container="SAT one.HK", **arrays))
    history = open_history(folder)
    for name, value in arrays.items():
        assert history.get(f"SAT one.HK.{name}")[f"SAT one.HK.{name}"].values.tolist() == value
    answer = history.sql('select "A B.C" + "parameter.time" as s from "SAT one.HK"').to_pydict()
    assert answer == {"s": [3]}


def test_a_kind_of_a_very_long_name_is_askable(put):
    name = "X" * 400
    folder = put(product([DAY], container=name, T=[4]))
    assert open_history(folder).get(f"{name}.T")[f"{name}.T"].values.tolist() == [4]


def test_rows_without_time_are_in_order_of_reception(put):
    none = [NO_TIME]
    folder = put(
        product(none, TEMP=[2], received=DAY + 2 * S, seq=2),
        product(none, TEMP=[1], received=DAY + S, seq=1),
        product([DAY + 3 * S // 2], TEMP=[15], seq=3),
    )
    found = open_history(folder).get("HK.TEMP", start=DAY, end=DAY + 10 * S)
    assert found["HK.TEMP"].values.tolist() == [1, 15, 2]
    assert found["time"].values.astype(np.int64).tolist() == [DAY + S, DAY + 3 * S // 2, DAY + 2 * S]


def test_rows_with_neither_time_nor_reception_are_askable(put):
    folder = put(product([NO_TIME], TEMP=[7], received=0))
    assert [path.parent.name for path in files(folder)] == ["date=__HIVE_DEFAULT_PARTITION__"]
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [7]


def test_rows_of_the_far_future_and_of_a_clock_that_went_back_stand_at_their_time(put):
    future = 4_000_000_000 * S  # 2096-10-02T07:06:40Z
    folder = put(product([DAY + S, future, DAY], TEMP=[1, 99, 0]))
    assert {path.parent.name for path in files(folder)} == {"date=2025-11-30", "date=2096-10-02"}
    history = open_history(folder)
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == [0, 1, 99]
    assert history.get("HK.TEMP", start="2096-01-01")["HK.TEMP"].values.tolist() == [99]


def test_by_reception_gives_what_came_then_whatever_its_time(put):
    folder = put(product([DAY], TEMP=[1], received=DAY + 900 * S), product([DAY + S], TEMP=[2], seq=1))
    found = open_history(folder).get("HK.TEMP", start=DAY + 800 * S, by="received")
    assert found["HK.TEMP"].values.tolist() == [1]


def test_a_torn_file_and_a_foreign_one_are_named_and_all_else_answers(put):
    folder = put(product([DAY], TEMP=[1]))
    put(product([DAY + S], TEMP=[2], seq=1), name="two", folder=folder)
    torn, whole = files(folder)
    torn.write_bytes(torn.read_bytes()[:200])
    (whole.parent / "notes.parquet").write_bytes(b"x")
    history = open_history(folder)
    found = history.get("HK.TEMP")
    assert len(found["HK.TEMP"]) == 1
    assert {Path(path).name for path in history.problems} == {torn.name, "notes.parquet"}


def test_arrays_are_lists_and_ragged_ones_too(put):
    row = product([DAY, DAY + S], W=np.arange(6).reshape(2, 3))
    flat = product([DAY, DAY + S], container="R")
    ragged = {
        "N": Quantity(np.array([1.0, 2.0, 3.0]), "V", "", ("N_value",)),
        "N.start": Quantity(np.array([0, 1]), "", "", ("row",)),
        "N.length": Quantity(np.array([1, 2]), "", "", ("row",)),
        "axis": Quantity(np.array([5.0, 6.0]), "m", "", ("sample",)),
    }
    folder = put(row, replace(flat, arrays={**flat.arrays, **ragged}))
    history = open_history(folder)
    assert history.get("HK.W")["HK.W"].values.tolist() == [[0, 1, 2], [3, 4, 5]]
    found = history.table("R.N", "R.axis").to_pydict()
    assert found["R.N"] == [[1.0], [2.0, 3.0]]
    assert found["R.axis"] == [[5.0, 6.0], None]


def test_a_service_that_is_killed_between_flushes_has_no_row_twice_and_loses_none(tmp_path):
    folder = tmp_path / "history"
    many = [product([DAY + i * S], TEMP=[i], seq=i) for i in range(20)]
    for stop in (7, 13, 20):  # each run begins with the first product again
        recorder = HistoryRecorder(Storage(folder, create=True))
        for one in many[:stop]:
            recorder.add(one, one.id, "pass-1")
            if one is many[stop // 2]:
                recorder.flush()
        recorder.flush()
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == list(range(20))


def test_rows_can_be_asked_for_when_they_are_flushed_and_small_files_become_one(recorder, tmp_path):
    for i in range(9):
        one = product([DAY + i * S], TEMP=[i], seq=i)
        recorder.add(one, one.id, "pass-1")
        recorder.flush()
    history = open_history(tmp_path / "history")
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == list(range(9))
    recorder.maintain()
    assert len(files(tmp_path / "history")) == 1
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == list(range(9))
    assert len(files(tmp_path / "history", "minutes")) == 1


def test_a_commit_that_was_cut_is_seen_whole_and_finished_by_the_next_writer(put):
    folder = put(product([DAY], TEMP=[1]))
    [old] = files(folder)
    hidden = old.with_name(f".{old.name[:-18]}{'0' * 10}.parquet.0a0a0a0a.part")
    new = old.with_name(f"{old.name[:-18]}{'0' * 10}.parquet")
    hidden.write_bytes(old.read_bytes())
    journal = folder / "journal" / "x.json"
    journal.parent.mkdir(exist_ok=True)
    told = {
        "moves": [[str(one.relative_to(folder)) for one in (hidden, new)]],
        "removes": [str(old.relative_to(folder))],
    }
    journal.write_text(json.dumps(told))
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1]
    HistoryRecorder(Storage(folder))
    assert files(folder) == [new]
    assert not journal.exists()
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1]


def test_a_folder_of_other_things_is_no_history(tmp_path):
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(ConfigError, match="holds other files"):
        Storage(tmp_path, create=True)
    with pytest.raises(ConfigError, match="there is no history"):
        open_history(tmp_path)


def test_old_dates_go_by_age_and_size_and_their_summaries_stay(put):
    days = [DAY - k * 86_400 * S for k in range(4)]
    folder = put(*(product([day], TEMP=[k], seq=k) for k, day in enumerate(days)))
    history = open_history(folder)
    assert prune(history.storage, today="2025-12-01", days=3).n_files == 1
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == [2, 1, 0]
    size = sum(path.stat().st_size for path in files(folder)) - 1
    assert prune(history.storage, today="2025-12-01", max_bytes=size).n_files == 1
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == [1, 0]
    daily = history.get("HK.TEMP", points=4)
    assert daily["HK.TEMP"].values.tolist() == [3, 2, 1, 0]


def test_two_writers_on_one_folder_lose_and_double_nothing(tmp_path):
    folder = tmp_path / "history"
    Storage(folder, create=True)
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); from history_products import DAY, product\n"
        "from downlink_pipeline.history.recorder import HistoryRecorder\n"
        "from downlink_pipeline.history.storage import Storage\n"
        "r = HistoryRecorder(Storage(sys.argv[1]))\n"
        "for i in range(24):\n"
        "    one = product([DAY + i * 10**9], TEMP=[i], seq=i)\n"
        "    r.add(one, one.id, 'pass-1'); r.flush()\n"
        "    i % 9 or r.maintain()\n"
    )
    here = str(Path(__file__).parents[1] / "fixtures")
    both = [subprocess.Popen([sys.executable, "-c", script, str(folder), here]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == list(range(24))
