"""Odd questions to a history: each is answered rightly or refused in a line, by every interface."""

import csv
import datetime as dt
import io
import json
from urllib.parse import quote

import numpy as np
import pytest
from asgi import ask
from downlink_pipeline.api import open_history
from downlink_pipeline.history.calls import answer
from downlink_pipeline.history.retention import prune
from downlink_pipeline.history.sql import run_sql
from downlink_pipeline.history.storage import Storage
from downlink_pipeline.history.times import FIRST, LAST, to_ns
from downlink_pipeline.history.web import application
from downlink_pipeline.model.errors import ConfigError
from history_products import DAY, product

S = 10**9
TIMES = [DAY + i * S for i in range(4)]
NAMES = [
    "A.B",
    "a b",
    "x/y",
    "50%",
    "A%2FB",
    "🛰",
    "time",
    "apid",
    '"q"',
    "'s'",
    "*",
    "NAME",
    "NAME.min",
    "a&b=c",
    "x\ny",
]


@pytest.fixture
def odd(put):
    """Kinds of odd names, each with a parameter of every odd name."""
    arrays = {name: np.arange(4.0) + i for i, name in enumerate(NAMES)}
    return put(*(product(TIMES, container=kind, seq=i, **arrays) for i, kind in enumerate(NAMES[2::3])))


def test_parameters_of_every_odd_name_are_found_and_answered_by_every_interface(odd):
    history = open_history(odd)
    app = application(history)
    found = history.find("*")
    assert len(found) == len(NAMES[2::3]) * len(NAMES)
    for one in found[::4]:
        expected = (np.arange(4.0) + NAMES.index(one.parameter)).tolist()
        assert history.table(one.name)[one.name].to_pylist() == expected
        status, body = ask(app, f"/api/values?name={quote(one.name, safe='')}")
        assert (status, [row[one.name] for row in json.loads(body)["rows"]]) == (200, expected)
        ticket = {"call": "table", "names": [one.name]}
        _, batches = answer(history, json.dumps(ticket).encode())
        assert [value for batch in batches for value in batch.column(one.name).to_pylist()] == expected
        column = one.column.replace('"', '""')
        kind = one.kind.replace('"', '""')
        assert history.sql(f'select max("{column}") m from "{kind}"').to_pylist() == [{"m": expected[-1]}]


@pytest.fixture
def folder(put):
    return put(
        product(TIMES, A=[1.0, np.nan, np.inf, -np.inf], L=np.arange(8).reshape(4, 2), **{"A.min": [5, 6, 7, 8]})
    )


@pytest.mark.parametrize(
    ("time", "ns", "end_ns"),
    [
        (dt.date(2025, 11, 30), DAY, DAY + 86_400 * S),
        ("20251130", DAY, DAY + 86_400 * S),
        ("2025-W48-7", DAY, DAY + 86_400 * S),
        (np.datetime64("2025-11-30"), DAY, DAY + 86_400 * S),
        (np.datetime64("2025-11-30T00:00"), DAY, DAY),
        ("2025-11-30T00:00:00,000000007Z", DAY + 7, DAY + 7),
        ("2025-11-30T01:00:00.000000007+01:00", DAY + 7, DAY + 7),
        ("1958-01-01", -378_691_200 * S, -378_604_800 * S),
        (np.datetime64("3000-01-01"), LAST, LAST),
        (np.datetime64("1000-01-01T00", "h"), FIRST, FIRST),
    ],
)
def test_times_are_those_that_they_name_and_a_date_as_end_includes_its_day(time, ns, end_ns):
    assert (to_ns(time), to_ns(time, is_end=True)) == (ns, end_ns)


@pytest.mark.parametrize(
    "time", [1.5, np.nan, True, b"2025-11-30", [], {}, np.datetime64("NaT", "ns"), np.datetime64("NaT"), "x\ny"]
)
def test_what_is_no_time_is_refused_in_a_line(time):
    with pytest.raises(ConfigError, match="no ISO 8601 time") as raised:
        to_ns(time)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "how", "why"),
    [
        (("HK.A", "HK.A.min"), {"points": 2}, r"samples of several names have a column HK\.A\.min"),
        (("HK.A",), {"points": 1.5}, "points=1.5: a whole number"),
        (("HK.A",), {"points": "x"}, "points=x: a whole number"),
        (("HK.A",), {"points": 2, "columns": ["apid"]}, "samples have no columns apid"),
        (("HK.A",), {"columns": ["nope"]}, "there is no column nope"),
        (("HK.A",), {"by": "clock"}, "by=clock: time or received"),
        (("HK.A",), {"values": "cooked"}, "values=cooked: calibrated or raw"),
        (("HK.A",), {"version": "../../rows"}, r"no rows of version \.\./\.\./rows"),
        (("quality",), {}, "quality is a column of every kind"),
        (("HK.A\nB",), {}, r"no parameter HK\.A\\nB"),
    ],
)
def test_what_cannot_be_answered_rightly_is_refused_in_a_line(folder, names, how, why):
    with pytest.raises(ConfigError, match=why) as raised:
        open_history(folder).table(*names, **how)
    assert "\n" not in str(raised.value)


def test_a_fixed_column_may_be_named_by_its_text_alone(folder):
    assert open_history(folder).table("HK.A", columns="apid")["apid"].to_pylist() == [7] * 4


def test_a_version_that_was_pruned_is_named_as_gone(put):
    folder = put(product(TIMES, V=[1, 2, 3, 4]))
    [before] = open_history(folder).passes()
    put(product(TIMES, V=[5, 6, 7, 8], dictionary="two"))
    history = open_history(folder)
    assert history.table("HK.V", version=before.version)["HK.V"].to_pylist() == [1, 2, 3, 4]
    prune(Storage(folder), today="2026-11-30", replaced=True)
    with pytest.raises(ConfigError, match=f"no rows of version {before.version}: it has"):
        history.table("HK.V", version=before.version)


def test_infinite_and_missing_numbers_are_null_in_json_and_themselves_in_csv(folder):
    app = application(open_history(folder))
    status, body = ask(app, "/api/values?name=HK.A")
    assert (status, [row["HK.A"] for row in json.loads(body)["rows"]]) == (200, [1.0, None, None, None])
    _, text = ask(app, "/api/values?name=HK.A&format=csv")
    assert [row["HK.A"] for row in csv.DictReader(io.StringIO(text.decode()))] == ["1", "nan", "inf", "-inf"]
    status, body = ask(app, "/api/samples?name=HK.A&points=1")
    assert (status, json.loads(body)["rows"][0]["n"]) == (200, 3)
    query = {
        "range": {"from": "2025-11-30", "to": "2025-12-01"},
        "targets": [{"target": "HK.A"}],
        "maxDataPoints": 100_000,
    }
    status, body = ask(app, "/grafana/query", body=json.dumps(query).encode())
    assert (status, json.loads(body)[0]["target"]) == (200, "HK.A")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/values?name=HK.A&by=clock", 400, "by=clock"),
        ("/api/values?name=HK.A&raw=maybe", 400, "raw=maybe: true or false"),
        ("/api/values?name=HK.A&points=5", 400, "/api/values has no points"),
        ("/api/samples?name=HK.A&start=2025-11-30&start=2026-01-01", 400, "start is given twice"),
        ("/api/coverage?date=2025-13-01", 400, "no ISO 8601 time"),
        ("/api/coverage?date=2025-11-30T10:00:00", 400, "YYYY-MM-DD"),
        ("/api/nothing", 404, "Not Found"),
    ],
)
def test_what_the_http_interface_cannot_answer_is_one_json_error(folder, path, status, words):
    found, body = ask(application(open_history(folder)), path)
    assert found == status
    assert words in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("path", "n_rows"),
    [
        ("/api/values?name=HK.A&start=2025-11-30T01:00:02+01:00", 2),  # the plus comes as a blank
        ("/api/values?name=HK.A&stream=south&stream=north", 4),
        ("/api/values?name=HK.A&end=20251130", 4),
        ("/api/values?name=HK.A&start=2025-11-30T00:00:02Z&end=2025-11-30T00:00:02Z", 0),
        ("/api/values?name=HK.A&start=2026-01-01&end=2025-01-01", 0),
    ],
)
def test_ranges_and_streams_over_http_have_their_rows(folder, path, n_rows):
    status, body = ask(application(open_history(folder)), path)
    assert (status, len(json.loads(body)["rows"])) == (200, n_rows)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"range": {"from": "2025-11-30", "to": "2025-12-01"}, "targets": [], "maxDataPoints": 1e999}', "query"),
        (b"[" * 60_000, "query"),
        (b'{"range": {"from": null, "to": 5}, "targets": [{"target": "HK.A"}]}', "query"),
    ],
)
def test_odd_bodies_of_grafana_are_refused(folder, body, path):
    status, text = ask(application(open_history(folder)), f"/grafana/{path}", body=body)
    assert (status, list(json.loads(text))) == (400, ["error"])


@pytest.mark.parametrize(("given", "status"), [("Bearer", 200), ("bearer", 200), ("Basic", 401), ("", 401)])
def test_the_scheme_of_a_token_is_bearer_in_any_case(folder, given, status):
    """RFC 9110, 11.1: the name of a scheme is not case-sensitive."""
    token = "a-token-of-24-characters"
    app = application(open_history(folder), token=token)
    assert ask(app, "/api/last?name=HK.A", headers={"Authorization": f"{given} {token}".strip()})[0] == status


@pytest.mark.parametrize(
    "ticket",
    [
        {"names": ["HK.A"], "max_values": "many"},
        {"names": ["HK.A"], "max_values": float("inf")},
        {"names": 5},
        {"names": ["HK.A", None]},
        {"names": ["HK.A"], "points": True},
        {"names": ["HK.A"], "stream": [["north"]]},
        {"call": "resolve"},
        {"call": "extent", "start": 0, "end": 1},
        {"call": "kind_rows", "kind": "HK", "start": "2025-11-30", "end": 1},
        {"call": "kind_samples", "kind": "HK", "start": 0, "end": 1, "points": 4, "stream": ["north"]},
        {"call": "passes", "brief": 1},
    ],
)
def test_odd_tickets_are_refused(folder, ticket):
    with pytest.raises(ConfigError, match="an argument is missing, unknown or of another type"):
        answer(open_history(folder), json.dumps({"call": "table", **ticket}).encode())


@pytest.mark.parametrize(
    ("ticket", "why"),
    [
        ({"call": "kind_samples", "kind": "HK", "start": 0, "end": 1, "points": 0}, "points: at least 1"),
        ({"call": "kind_rows", "kind": "HK", "start": 0, "end": 1, "which": "odd"}, "which=odd: all or lists"),
        ({"call": "find", "pattern": "\ud800"}, "a ticket is JSON with a call"),
        ({"call": "kinds", "values": "cooked"}, "values=cooked: calibrated or raw"),
    ],
)
def test_arguments_out_of_bounds_are_refused_in_a_line(folder, ticket, why):
    with pytest.raises(ConfigError, match=why):
        answer(open_history(folder), json.dumps(ticket).encode())


def test_times_beyond_64_bits_of_nanoseconds_stand_for_no_bound(folder):
    ticket = {"call": "kind_rows", "kind": "HK", "start": -(10**30), "end": 10**30}
    assert sum(len(one) for one in answer(open_history(folder), json.dumps(ticket).encode())[1]) == len(TIMES)


@pytest.mark.parametrize("error", [TypeError("a defect"), ValueError("a defect"), KeyError("a defect")])
def test_an_error_inside_a_call_is_no_error_of_the_client(folder, monkeypatch, error):
    def fails(*_args, **_keywords):
        raise error

    history = open_history(folder)
    monkeypatch.setattr(history, "_parameters", fails)
    with pytest.raises(type(error), match="a defect"):
        answer(history, json.dumps({"call": "find", "pattern": "*"}).encode())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("show tables", {"HK", "passes", "parameters"}),
        ("select name from (show tables) where name like 'H%'", {"HK"}),
        ("select distinct schema from (show all tables)", {"main", "minutes", "hours", "days"}),
        ("select table_name from information_schema.tables where table_schema = 'days'", {"HK"}),
        ("select column_name from (describe HK) where column_type = 'DOUBLE'", {"A"}),
        ("select column_name from information_schema.columns where column_name like 'A%'", {"A", "A.min"}),
        ("select column_name from (show passes) where column_name = 'mission'", {"mission"}),
        ("select column_name from (describe select count(*) n from days.HK)", {"n"}),
    ],
)
def test_sql_lists_the_tables_of_a_history_and_their_columns(folder, query, expected):
    assert {str(next(iter(row.values()))) for row in open_history(folder).sql(query).to_pylist()} == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('select a."A.min" - b."A.min" d from HK a join HK b using (time) order by time limit 1', [{"d": 0}]),
        ('with x as (select max("A.min") m from HK) select m from x, hk limit 1', [{"m": 8}]),
        ('select count(*) n from HK a, HK b, "hk" c', [{"n": 64}]),
        (
            "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select max(n) n from r",
            [{"n": 3}],
        ),
    ],
)
def test_sql_may_read_a_table_several_times_and_name_tables_of_its_own(folder, query, expected):
    assert open_history(folder).sql(query).to_pylist() == expected


def test_sql_that_is_interrupted_while_its_rows_come_is_told_so(folder):
    query = "select sum(a * b) from range(1000000000) a(a), range(1000) b(b) group by a"
    with pytest.raises(ConfigError, match=r"takes longer than 0\.2 s"):
        run_sql(open_history(folder), query, 10, 0.2)


def test_sql_answers_are_bounded_by_their_bytes(folder, monkeypatch):
    monkeypatch.setattr("downlink_pipeline.history.sql.MAX_BYTES", 1 << 20)
    with pytest.raises(ConfigError, match="more than 1 MB"):
        open_history(folder).sql("select repeat('x', 1000) from range(5000)")


@pytest.mark.parametrize(
    ("query", "file", "status", "expected"),
    [
        ("select interval 1 day i, {'a': 1} s, 'x'::blob b, null n", "x.csv", 0, '{"a": 1}'),
        ("select interval 1 day i", "x.parquet", 2, "Parquet cannot have it"),
        ('select "A.min", "A.min" from HK', "x.csv", 0, '"A.min","A.min"'),
        ('select "A.min" from HK', "x.png", 2, "a plot is over one column time"),
    ],
)
def test_answers_of_sql_are_written_or_refused_in_a_line(folder, command, tmp_path, query, file, status, expected):
    done = command("history", "sql", query, "--history", folder, "--out", tmp_path / file)
    assert done.returncode == status
    text = done.stderr if status else (tmp_path / file).read_text().replace('""', '"')
    assert expected in text
    assert len(done.stderr.splitlines()) == (status != 0)


@pytest.mark.parametrize(("days", "n_files"), [(0.5, 0), (1, 0), (0, 1), (1e300, 0), (float("inf"), 0)])
def test_rows_younger_than_asked_stay_whatever_the_number_of_days(folder, days, n_files):
    """Of yesterday, on the first of December: half a day ago it was yesterday, too."""
    assert prune(Storage(folder), today="2025-12-01", days=days, dry_run=True).n_files == n_files
