"""A served history answers as its folder does, over Arrow Flight and over HTTP."""

from dataclasses import asdict

import pytest
from downlink_pipeline.api import open_history
from downlink_pipeline.history.remote import RemoteHistory
from downlink_pipeline.model.errors import ConfigError, RunError
from history_servers import served

TOKEN = "a-token-of-24-characters"
PRESSURE = "weather/meteorology.pressure_pa"
ALWAYS = (-(1 << 62), 1 << 62)


@pytest.fixture(scope="module", params=["grpc", "http"])
def url(request, zhurong):
    with served(zhurong, request.param) as found:
        yield found


def test_the_rows_of_a_kind_are_those_of_the_folder(zhurong, url):
    near, far = open_history(zhurong), open_history(url)
    assert far.spans() == near.spans()
    for kind in ("weather/meteorology", "magnetometer/field", "rover/engineering"):
        here, there = near.rows_of(kind), far.rows_of(kind)
        assert asdict(there.extent(*ALWAYS, lists=True)) == asdict(here.extent(*ALWAYS, lists=True))
        for which in ("all", "lists", "numbers", "first"):
            assert there.rows(*ALWAYS, which=which) == here.rows(*ALWAYS, which=which)
        first, last = near.spans()[kind]
        assert there.samples(first, last + 1, 10) == here.samples(first, last + 1, 10)


def test_what_a_folder_answers_a_server_does(zhurong, url):
    near, far = open_history(zhurong), open_history(url)
    assert far.get(PRESSURE, points=7).identical(near.get(PRESSURE, points=7))
    assert far.kinds() == near.kinds()
    assert far.find("*pressure*") == near.find("*pressure*")
    assert far.passes() == near.passes()
    assert all(not one.events and not one.report for one in far.passes(brief=True))
    assert (
        far.batches("rover/engineering").read_all().num_rows
        == near.batches("rover/engineering").read_all().num_rows
    )
    with pytest.raises(ConfigError, match=r"no parameter NO\.SUCH"):
        far.get("NO.SUCH")
    with pytest.raises(ConfigError, match="the history has no NO"):
        far.rows_of("NO").extent(*ALWAYS)


def test_http_runs_no_sql(zhurong):
    with served(zhurong, "http") as url, pytest.raises(ConfigError, match="a ticket is JSON with a call: table"):
        open_history(url).sql("select 1")


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_token_that_is_wrong_is_one_line(zhurong, scheme):
    with served(zhurong, scheme, TOKEN) as url:
        assert RemoteHistory(url, token=TOKEN).kinds()
        with pytest.raises(ConfigError, match="the token in DOWNLINK_HISTORY_TOKEN is needed"):
            RemoteHistory(url, token="another").kinds()


@pytest.mark.parametrize("url", ["grpc://127.0.0.1:1", "http://127.0.0.1:1", "http://", "https://no such host/"])
def test_a_server_that_does_not_answer_is_one_line(url):
    with pytest.raises(RunError, match="does not answer") as found:
        RemoteHistory(url).kinds()
    assert len(str(found.value).splitlines()) == 1
