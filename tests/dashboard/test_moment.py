"""An event that is chosen is marked in every plot, on the clock that the plot shows; events are filtered by age."""

import json
import math

import numpy as np
import pytest
from downlink_pipeline.messages import topics
from downlink_pipeline.model.batches import Event
from downlink_pipeline.mqtt.publisher import Publisher

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard.events_look import EventsLook, moment_of
from downlink_pipeline.dashboard.moment import onboard_at
from downlink_pipeline.dashboard.selection import Asked, Selection, read_address
from downlink_pipeline.dashboard.stream import Stream
from driving import look, model, page, publish
from test_packet_bytes import ROW
from test_parameters import SECOND_NS, START_NS, columns, product
from test_reach import key

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
LIMIT = Event(
    "warning", "limit", "TEMP is high", START_NS + 5 * SECOND_NS,
    {"onboard_ns": 5, "received_ns": START_NS + 65 * SECOND_NS, "parameter": "TEMP", "container": "HK"},
)  # fmt: skip


def event(time, **details):
    return {"time": time, "severity": "info", "kind": "gap", "text": "x", **details}


def test_the_onboard_moment_of_an_event_of_the_link_is_that_of_what_was_received_then():
    stream = Stream("sat/live")
    stream.clocks.extend([(100, 10), (200, 20)])
    assert onboard_at(150.0, stream.clocks) == 15.0
    assert math.isnan(onboard_at(201.0, stream.clocks))
    at = moment_of(event("1970-01-01T00:00:00.000000150Z"), stream)
    assert (at.onboard_ms, at.received_ms) == (15e-6, 150e-6)
    onboard = moment_of(event("1970-01-01T00:00:01Z", onboard_ns=1, received_ns=3 * 10**9), stream)
    assert (onboard.onboard_ms, onboard.received_ms) == (1000.0, 3000.0)
    assert all(map(math.isnan, moment_of(event(None), stream)))


def test_events_are_filtered_by_how_long_before_the_newest_they_are():
    stream = Stream("sat/live")
    stream.events.extend(event(f"2024-05-01T{hour:02}:00:00.000Z") for hour in (0, 11, 12))
    shown = EventsLook()
    shown.refresh(stream, 1.0)
    assert len(shown.events.data["at"]) == 3
    shown.since.value = "last hour"
    assert shown.events.data["at"] == ["2024-05-01 12:00:00.000", "2024-05-01 11:00:00.000"]


@pytest.mark.parametrize("moment", [(1.7e12, math.nan), (math.nan, 1.7e12), (1.7e12, 1.8e12)])
def test_a_moment_is_kept_in_the_address(moment):
    query = Asked(selection=Selection(moment_ms=moment)).query()
    names = dict(part.split("=") for part in query.split("&"))
    back = read_address({name: [text.replace("%3A", ":")] for name, text in names.items()}).selection.moment_ms
    assert np.array_equal(back, moment, equal_nan=True)
    assert read_address({"at": ["no time"], "at_received": ["1200-01-01"]}).selection.moment_ms is None


EVENT_ROW = ROW.replace("picked_apid", "picked_event").replace('.find((one) => one.dataset.pick === "259")', "[0]")
LINES = "[...Bokeh.documents[0]._all_models.values()].filter((one) => one.name === 'moment' && one.visible)"


async def test_an_event_chosen_by_key_is_marked_in_plots_of_both_clocks(chromium):
    async with page() as (address, served):
        await publish(address, [product(0, columns())])
        async with Publisher(address) as publisher:
            await publisher.publish([topics.event_message("sat", "live", LIMIT)])
            counters = {"scid": 1, "vcid": 0, "name": "a", "frames": 3, "last_received_ns": START_NS + 70 * SECOND_NS,
                        "first_received_ns": START_NS, "lost_frames": 0, "packets": 3}  # fmt: skip
            await publisher.publish(
                topics.link_messages("sat", "live", json.loads(json.dumps({"channels": [counters]})))
            )
        tab = await chromium.open(f"{served.url}?p=HK/TEMP")
        await tab.until(f"{model('header')}.tags[0].includes('sat/live')")
        await look(tab, "events")
        await tab.until(f"{EVENT_ROW} != null")
        await tab.run(f"{EVENT_ROW}.focus()")
        await key(tab, "Enter", 13)
        await tab.until("location.search.includes('at=2024-05-01T12%3A00%3A05.000Z')")
        await look(tab, "parameters")
        await tab.until(f"{LINES}.map((one) => one.location).includes({START_NS // 10**6 + 5000})")
        shown = "[...Bokeh.documents[0]._all_models.values()].findLast((one) => one.name === 'parameter_range')"
        await tab.until(f"{shown}.end - {shown}.start == 600000")
        await look(tab, "pass")
        await tab.until(f"{LINES}.map((one) => one.location).includes({START_NS // 10**6 + 65_000})")
        await tab.run(f"Bokeh.index.find_one({model('span live')}).button_el.click()")
        await tab.until(f"{LINES}.length == 0 || !location.search.includes('at=')")
        assert await tab.run("errors") == []
