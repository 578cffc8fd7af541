"""What is asked is answered exactly: values, samples, SQL; and what must not be done is refused."""

from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.api import open_history
from downlink_pipeline.history.passes import PassRecord
from downlink_pipeline.history.recorder import PassImport
from downlink_pipeline.history.samples import bins_of
from downlink_pipeline.history.sql import run_sql
from downlink_pipeline.history.storage import Storage
from downlink_pipeline.history.times import to_ns
from downlink_pipeline.model.errors import ConfigError
from history_products import DAY, product

S = 10**9
N = 20_000
TIMES = DAY + np.arange(N) * 17 * S + 123_456_789  # four days, no value on a whole second
RANDOM = np.random.default_rng(7)
VALUES = RANDOM.normal(20, 5, N)
VALUES[[3, 5000, 5001]] = np.nan
COUNTS = RANDOM.integers(-5, 300, N).astype(np.int16)
QUALITY = np.where(np.arange(N) % 977 == 0, 16, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:

    where = tmp_path_factory.mktemp("asked") / "history"
    filling = PassImport(Storage(where, create=True), PassRecord("north", "p", "sat", "v"))
    for i in range(0, N, 4000):
        rows = slice(i, i + 4000)
        filling.add(
            product(
                TIMES[rows],
                seq=i,
                quality=QUALITY[rows],
                TEMP=VALUES[rows],
                COUNT=COUNTS[rows],
                MODE=np.array(["safe", "nominal"])[(np.arange(i, i + 4000) // 500) % 2],
                units={"TEMP": "degC"},
            )
        )
    filling.finish()
    return where


@pytest.mark.parametrize("points", [1, 7, 50, 500, 3000, 100_000])
@pytest.mark.parametrize(("start", "end"), [(None, None), (DAY + 5 * S, DAY + 3 * 86_400 * S + 1)])
def test_samples_are_those_of_the_rows(folder, points, start, end):
    """Each bin against NumPy on the values themselves."""
    found = open_history(folder).get("HK.TEMP", "HK.COUNT", "HK.MODE", start=start, end=end, points=points)
    assert 0 < found.sizes["time"] <= points
    low, high = TIMES[0] if start is None else start, TIMES[-1] + 1 if end is None else end
    inside = (low <= TIMES) & (high > TIMES)
    width = bins_of(int(low), int(high), points).width_ns
    bins = TIMES[inside] // width
    values, counts, quality = VALUES[inside], COUNTS[inside], QUALITY[inside]
    begins = np.unique(bins)
    assert found["time"].values.astype(np.int64).tolist() == (begins * width).tolist()
    for i in np.unique(np.linspace(0, len(begins) - 1, 20).astype(int)):
        mine = bins == begins[i]
        good = values[mine][~np.isnan(values[mine])]
        at = found.isel(time=i)
        assert at["n_rows"] == mine.sum()
        assert at["HK.TEMP.n"] == len(good)
        if len(good):
            assert (at["HK.TEMP.min"], at["HK.TEMP.max"]) == (good.min(), good.max())
            assert at["HK.TEMP.last"] == good[-1]
            np.testing.assert_allclose(at["HK.TEMP"], good.mean(), rtol=1e-12)
        assert (at["HK.COUNT.min"], at["HK.COUNT.max"]) == (counts[mine].min(), counts[mine].max())
        assert at["HK.COUNT.last"] == counts[mine][-1]
        assert at["quality"] == np.bitwise_or.reduce(quality[mine])
        assert at["n_doubtful"] == np.count_nonzero(quality[mine])


def test_values_of_a_range_are_those_of_the_rows(folder):
    start, end = "2025-12-01T01:00:00Z", "2025-12-01T03:30:00.5Z"
    found = open_history(folder).get("HK.COUNT", "HK.MODE", start=start, end=end)
    inside = (to_ns(start) <= TIMES) & (to_ns(end) > TIMES)
    assert found["HK.COUNT"].values.tolist() == COUNTS[inside].tolist()
    assert found["HK.COUNT"].dtype == np.int16
    assert found["time"].values.astype(np.int64).tolist() == TIMES[inside].tolist()
    assert set(found["HK.MODE"].values) == {"safe", "nominal"}


def test_a_date_as_end_includes_its_day(folder):
    found = open_history(folder).get("HK.COUNT", start="2025-12-01", end="2025-12-01")
    assert np.unique(found["time"].values.astype("datetime64[D]")).astype(str).tolist() == ["2025-12-01"]
    assert found.sizes["time"] == np.count_nonzero(TIMES // (86_400 * S) == DAY // (86_400 * S) + 1)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01.000000001Z", S + 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-02T00:00:00.5", 86_400 * S + S // 2),
    ],
)
def test_times_are_read_to_the_nanosecond(text, ns):
    assert to_ns(text) == ns


def test_a_time_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="no ISO 8601 time"):
        to_ns("last Tuesday")


def test_find_takes_patterns_in_any_case_and_words_of_descriptions(folder):
    history = open_history(folder)
    assert [one.name for one in history.find("*temp*")] == ["HK.TEMP"]
    assert [one.name for one in history.find("HK.*")] == ["HK.TEMP", "HK.COUNT", "HK.MODE"]
    assert [one.name for one in history.find("the count")] == ["HK.COUNT"]
    [one] = history.find("temp")
    assert (one.unit, one.first, one.last) == ("degC", TIMES[0], TIMES[-1])


def test_a_name_that_is_not_there_says_which_are_like_it(folder):
    history = open_history(folder)
    with pytest.raises(ConfigError, match=r"no parameter HK.TEM.*HK.TEMP"):
        history.get("HK.TEM")
    assert history.get("TEMP").sizes["time"] == N  # in one kind alone


def test_a_query_that_is_too_large_is_refused_with_its_size(folder):
    with pytest.raises(ConfigError, match=r"40,000 values, and 30,000 are the most"):
        open_history(folder).get("HK.TEMP", "HK.COUNT", max_values=30_000)
    with pytest.raises(ConfigError, match="more than 100 rows"):
        open_history(folder).sql("select * from HK", max_rows=100)


def test_sql_sees_kinds_summaries_passes_and_parameters(folder):
    history = open_history(folder)
    assert history.sql("select count(*) n, max(COUNT) m from hk").to_pylist() == [{"n": N, "m": COUNTS.max()}]
    assert history.sql(
        "with a as (select COUNT c from HK) select count(*) n from a as b where c < 0"
    ).to_pylist() == [{"n": np.count_nonzero(COUNTS < 0)}]
    daily = history.sql('select TEMP.max as m, n_rows from days."HK" order by time').to_pylist()
    assert sum(one["n_rows"] for one in daily) == N
    assert max(one["m"] for one in daily) == np.nanmax(VALUES)
    assert history.sql('select "pass", rows from passes').to_pylist() == [{"pass": "p", "rows": N}]
    assert history.sql("select unit from parameters where name = 'HK.TEMP'").to_pylist() == [{"unit": "degC"}]


FORBIDDEN = [
    "select * from '/etc/passwd'",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from glob('/*')",
    "select * from read_parquet('{folder}/rows/**/*.parquet')",
    "select * from parquet_metadata('{folder}/x')",
    "select * from read_csv('https://example.org/x.csv')",
    "copy (select 1) to '/tmp/x.csv'",
    "attach '/tmp/x.db'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "pragma database_list",
    "create table x as select 1",
    "drop view HK",
    "insert into HK select * from HK",
    "select 1; select 2",
    "select * from folder",
    "call pragma_version()",
    "select * from information_schema.nothing",
    "export database '/tmp/x'",
    "select getenv('HOME')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from query('select * from read_text(''/etc/passwd'')')",
    "select * from query_table('/etc/passwd')",
    "explain analyze select * from read_text('/etc/passwd')",
    "",
    "selec 1",
]


@pytest.mark.parametrize("query", FORBIDDEN)
def test_sql_that_is_no_query_of_the_store_is_refused(folder, query, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="SQL: "):
        open_history(folder).sql(query.format(folder=folder))
    assert list(tmp_path.iterdir()) == []


def test_sql_that_takes_too_long_is_ended(folder):
    endless = (
        "select count(*) from range(100000) a, range(100000) b, range(100000) c where a.range * b.range < c.range"
    )
    with pytest.raises(ConfigError, match=r"longer than 0.3 s"):
        run_sql(open_history(folder), endless, 10, timeout_s=0.3)


def test_a_dataset_of_arrow_has_the_rows(folder):
    scanned = open_history(folder).scan("HK")
    assert scanned.count_rows() == N
    assert scanned.to_table(columns=["COUNT"])["COUNT"].to_pylist()[:3] == COUNTS[:3].tolist()


def test_parameters_of_several_kinds_are_rows_by_time(put):
    folder = put(
        product([DAY, DAY + 2 * S], A=[1, 3], units={"A": "V"}),
        product([DAY + S], container="POWER", B=[2.5], units={"B": "W"}),
    )
    found = open_history(folder).get("HK.A", "POWER.B")
    np.testing.assert_array_equal(found["HK.A"], [1, np.nan, 3])
    np.testing.assert_array_equal(found["POWER.B"], [np.nan, 2.5, np.nan])
    assert found["POWER.B"].attrs["units"] == "W"
    assert list(found.to_pandas().columns) == ["HK.A", "POWER.B", "quality"]


def test_the_last_value_is_that_of_the_newest_row(put):
    folder = put(product([DAY + 9 * S], A=[9]), product([DAY], A=[1], seq=3))
    [row] = open_history(folder).last("HK.A").to_pylist()
    assert (row["name"], row["value"]) == ("HK.A", 9)


def test_raw_counts_stand_beside_calibrated_values(zhurong):
    history = open_history(zhurong)
    names = [one.name for one in history.find("*", "raw")]
    assert any(name.startswith("NAVIGATION.") for name in names)
    name = next(name for name in names if name.startswith("NAVIGATION.POSITION"))
    found = history.get(name, values="raw")
    assert found[name].dtype.kind in "iuf"
    assert found.sizes["time"] > 0
