"""A mission with more kinds of packet than a screen has lines: all are counted and reached, and what is cut is said."""

import asyncio

import numpy as np
import pytest
from downlink_pipeline.messages.topics import unpack_product
from history_products import DAY, put  # noqa: F401 - a fixture
from history_products import product as stored_product
from test_parameters import feed, product

pytest.importorskip("bokeh", reason="bokeh is not installed")
pytest.importorskip("pyarrow", reason="the history needs Arrow")
from downlink_pipeline.commands.dashboard_history import DashboardHistory
from downlink_pipeline.dashboard import past as ranges
from downlink_pipeline.dashboard.history_look import MAX_LANES, HistoryLook
from downlink_pipeline.dashboard.packets_look import PacketsLook
from downlink_pipeline.dashboard.pass_look import MAX_LISTED, PassLook
from downlink_pipeline.dashboard.past import Past
from downlink_pipeline.dashboard.selection import Selection
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.time_bar import words_of

SECOND = 10**9
N = 150


def test_an_apid_has_the_packets_of_all_its_containers():
    """74 containers of 5 packets; two products of the same packets count once."""
    state = State(unpack_product)
    values = {"V": np.arange(5.0)}
    made = [product(0, values, kind=f"telemetry/K{k}", apid=1, container=f"/SAT/K{k}") for k in range(74)]
    again = product(0, values, kind="radar/image", apid=1, container="/SAT/K0")
    feed(state, *made, again)
    (stream,) = state.streams.values()
    look = PacketsLook()
    look.refresh(stream, 100.0)
    assert look.packets.data["packets"] == [74 * 5]
    assert look.packets.data["name"][0].endswith("/SAT/K7 and 66 more")


def test_more_kinds_than_are_listed_are_counted_in_a_sentence():
    state = State(unpack_product)
    feed(state, *(product(0, {"V": np.zeros(1)}, kind=f"telemetry/K{k}") for k in range(MAX_LISTED + 7)))
    (stream,) = state.streams.values()
    look = PassLook()
    look.refresh(stream, 100.0)
    assert len(look.products.data["product"]) == MAX_LISTED
    assert f"the most frequent {MAX_LISTED} of {MAX_LISTED + 7} kinds" in caption(look._products.panel)


def caption(panel):
    return " ".join(map(str, panel._last_caption))


@pytest.fixture
def folder(put):  # noqa: F811
    return put(*(stored_product(DAY + np.arange(3) * SECOND, V=[1.0, 2.0, k], container=f"K{k}") for k in range(N)))


async def until(true):
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - told by nobody
            await asyncio.sleep(0.01)


async def test_every_kind_of_a_range_is_loaded_and_those_without_room_are_named(folder, monkeypatch):
    past = Past(DashboardHistory(str(folder)))
    await past.find_streams()
    part = past.range_of(None, "sat/north", (DAY, DAY + 10 * SECOND))
    await until(lambda: part.is_complete)
    assert len(part.loaded) == N
    assert not any(one.products for one in part.loaded.values())  # the stream has the rows; once is enough
    monkeypatch.setattr(ranges, "MAX_KINDS", 10)
    wanted = frozenset({"telemetry/K149"})
    short = Past(DashboardHistory(str(folder)))
    await short.find_streams()
    part = short.range_of(None, "sat/north", (DAY, DAY + 10 * SECOND), wanted)
    await until(lambda: part.is_complete)
    assert (len(part.loaded), wanted <= part.loaded.keys()) == (10, True)
    assert "140 kinds more not loaded" in "".join(words_of(part))


async def test_a_search_reaches_the_kinds_beyond_the_lanes(folder):
    past = Past(DashboardHistory(str(folder)))
    await past.find_streams()
    look = HistoryLook(past, Selection(), lambda: None)

    def refreshed():
        look.refresh(None, 0.0)
        return not past.covered("sat/north", look._kinds).is_looking

    await until(refreshed)
    assert len(set(look.bands.data["kind"])) == MAX_LANES
    assert "K99" not in look.bands.data["kind"][:5]
    assert f"{N} kinds, the first {MAX_LANES} shown: search for others" in caption(look._panel)
    look.search.value_input = "k14"
    await until(refreshed)
    found = {f"K{k}" for k in range(N) if str(k).startswith("14")}
    assert {*look.bands.data["kind"]} == found == {*look.kinds.data["kind"]}
    assert f"{len(found)} of {N} kinds" in caption(look._panel)
    await past.close()
