"""The HTTP interface: exact, bounded, read-only, and closed to strangers."""

import asyncio
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from downlink_pipeline.api import open_history
from downlink_pipeline.commands.history_server import serve
from downlink_pipeline.model.errors import ConfigError

PRESSURE = "weather/meteorology.pressure_pa"
TOKEN = "a-token-of-24-characters"


def started(folder, *words, **environment) -> Iterator[str]:
    """Run `downlink history serve`; gives its address."""
    command = [sys.executable, "-m", "downlink_pipeline", "history", "serve", "--history", str(folder), *words]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**__import__("os").environ, **environment}
    )
    line = process.stderr.readline()
    try:
        yield line.split(" on ")[1].strip()
    finally:
        process.terminate()
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 0, line + rest


@pytest.fixture(scope="module")
def url(zhurong):
    yield from started(zhurong, "--listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def ask(url) -> Callable[..., tuple[int, bytes]]:
    def run(path, *, body=None, headers=None) -> tuple[int, bytes]:
        request = urllib.request.Request(url + path, data=body, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return run


def test_values_in_json_and_arrow_are_those_of_python(zhurong, ask):
    expected = open_history(zhurong).get(PRESSURE)
    status, body = ask(f"/api/values?name={PRESSURE}")
    rows = json.loads(body)["rows"]
    assert status == 200
    assert [row[PRESSURE] for row in rows] == expected[PRESSURE].values.tolist()
    assert rows[0]["time"] == f"{expected['time'].values[0]}Z"
    _, arrow = ask(f"/api/values?name={PRESSURE}&format=arrow")
    table = pa.ipc.open_stream(io.BytesIO(arrow)).read_all()
    assert table[PRESSURE].to_pylist() == expected[PRESSURE].values.tolist()
    _, text = ask(f"/api/values?name={PRESSURE}&format=csv")
    assert len(text.splitlines()) == len(rows) + 1


def test_samples_have_least_mean_most_of_each_bin(zhurong, ask):
    values = open_history(zhurong).get(PRESSURE)[PRESSURE].values
    rows = json.loads(ask(f"/api/samples?name={PRESSURE}&points=1")[1])["rows"]
    assert [(row["min"], row["max"], row["n"]) for row in rows] == [(values.min(), values.max(), len(values))]
    np.testing.assert_allclose(rows[0]["value"], values.mean(), rtol=1e-12)
    assert rows[0]["unit"] == "Pa"


def test_parameters_last_passes_coverage_and_events_answer(ask):
    found = json.loads(ask("/api/parameters?match=*pressure*")[1])
    assert PRESSURE in [one["name"] for one in found["parameters"]]
    assert json.loads(ask(f"/api/last?name={PRESSURE}")[1])["rows"][0]["unit"] == "Pa"
    [record] = json.loads(ask("/api/passes")[1])["passes"]
    assert record["closes"] is True
    assert sum(one["received"] for one in record["apids"].values()) == record["packets"]
    assert json.loads(ask("/api/coverage?date=1990-01-01")[1])["coverage"] == []
    assert "events" in json.loads(ask("/api/events")[1])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/values", "name at least one"),
        ("/api/values?name=NO.SUCH", "no parameter NO.SUCH"),
        (f"/api/values?name={PRESSURE}&start=yesterday", "no ISO 8601 time"),
        (f"/api/samples?name={PRESSURE}&points=0", "from 1 to"),
        (f"/api/samples?name={PRESSURE}&points=99999999", "from 1 to"),
        (f"/api/values?name={PRESSURE}&format=xml", "json, arrow or csv"),
        ("/api/values?" + "&".join(["name=x"] * 51), "50 are the most"),
        ("/api/passes?date=..%2F..", "ISO 8601"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_a_line(ask, path, words):
    status, body = ask(path)
    assert status == 400
    assert words in json.loads(body)["error"]


def test_nothing_can_be_written_or_fetched(ask):
    assert ask("/api/values", body=b"{}")[0] == 405
    assert ask("/rows/")[0] == 404
    assert ask("/../../etc/passwd")[0] == 404


def test_a_page_of_another_site_cannot_ask_by_another_name(ask):
    assert ask("/api/passes", headers={"Host": "evil.example"})[0] == 403


def test_the_openapi_document_names_every_path(ask):
    found = json.loads(ask("/openapi.json")[1])
    assert found["openapi"].startswith("3.1")
    assert sorted(found["paths"]) == [
        "/api/coverage", "/api/events", "/api/last", "/api/parameters", "/api/passes", "/api/samples", "/api/values",
    ]  # fmt: skip
    for path in found["paths"].values():
        for one in path["get"]["parameters"]:
            jsonschema.Draft202012Validator.check_schema(one["schema"])


def test_grafana_gets_a_dashboard_and_data_points_in_milliseconds(zhurong, ask, url):
    found = json.loads(ask("/grafana/dashboard.json?match=weather/*")[1])
    assert found["panels"]
    asked = found["panels"][0]["targets"][0]["url"].removeprefix(url)
    asked = asked.replace("${__from:date:iso}", "2021-05-25T00:00:00.000Z").replace(
        "${__to:date:iso}", "2021-05-26T00:00:00.000Z"
    )
    assert json.loads(ask(asked)[1])["rows"]
    query = {"range": {"from": "2021-05-25T00:00:00Z", "to": "2021-05-27T00:00:00Z"}, "targets": [{"target": PRESSURE}],
             "maxDataPoints": 10_000}  # fmt: skip
    [answer] = json.loads(ask("/grafana/query", body=json.dumps(query).encode())[1])
    values = open_history(zhurong).get(PRESSURE)
    low, high = values[PRESSURE].values.min(), values[PRESSURE].values.max()
    assert all(low <= value <= high for value, _ in answer["datapoints"])
    first_ms = values["time"].values[0].astype("datetime64[ms]").astype(np.int64)
    assert first_ms - 60_000 <= answer["datapoints"][0][1] <= first_ms
    assert PRESSURE in json.loads(ask("/grafana/search", body=b'{"target": "pressure"}')[1])
    assert ask("/grafana/query", body=b'{"targets": 3}')[0] == 400
    assert ask("/grafana/query", body=b"x" * 100_000)[0] == 400


def test_with_a_token_only_who_bears_it_is_answered(zhurong):
    for url in started(zhurong, "--listen", "127.0.0.1:0", DOWNLINK_HISTORY_TOKEN=TOKEN):
        assert urllib.request.urlopen(f"{url}/health").status == 200
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/api/passes")
        request = urllib.request.Request(f"{url}/api/passes", headers={"Authorization": f"Bearer {TOKEN}"})
        assert urllib.request.urlopen(request).status == 200


def test_pages_of_a_named_origin_may_read_and_no_others(zhurong):
    page = "http://localhost:8000"
    asking = started(zhurong, "--listen", "127.0.0.1:0", "--origin", page, DOWNLINK_HISTORY_TOKEN=TOKEN)
    address = next(asking)
    for origin, allowed in ((page, page), ("http://evil.example", None)):
        preflight = urllib.request.Request(
            f"{address}/api/parameters",
            method="OPTIONS",
            headers={"Origin": origin, "Access-Control-Request-Method": "GET",
                     "Access-Control-Request-Headers": "authorization"},
        )  # fmt: skip
        request = urllib.request.Request(
            f"{address}/api/parameters", headers={"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
        )
        for one in (preflight, request) if allowed else (request,):
            with urllib.request.urlopen(one, timeout=20) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == allowed
    with pytest.raises(StopIteration):
        next(asking)


def test_every_page_at_once_is_no_origin(zhurong):
    with pytest.raises(ConfigError, match=r"--origin \*: it is written http://HOST:PORT"):
        asyncio.run(serve(zhurong, "127.0.0.1", 0, print, token="", origins=["*"]))


def test_beyond_this_machine_it_needs_a_token_or_to_be_opened(zhurong):
    with pytest.raises(ConfigError, match=r"history would listen on 0\.0\.0\.0 to anyone"):
        asyncio.run(serve(zhurong, "0.0.0.0", 0, print, token=""))
    with pytest.raises(ConfigError, match="at least 16 characters"):
        asyncio.run(serve(zhurong, "127.0.0.1", 0, print, token="short"))
