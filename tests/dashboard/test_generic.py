"""A kind of product that no look shows is drawn from its arrays; the header has the clocks that products carry."""

from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.messages.topics import unpack_product

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard.page_header import onboard_words
from downlink_pipeline.dashboard.state import State
from driving import look, page, publish
from test_packet_bytes import ROW
from test_parameters import feed, product
from test_reach import key

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_the_header_says_how_much_later_data_are_received_and_the_light_time():
    stream = feed(State(unpack_product), product(0, {"light_time_s": np.array([380.0, 381.25])}))
    words = onboard_words(stream)
    assert "onboard 2024-05-01 12:00:01 UTC" in words
    assert "received 59 s later" in words  # a minute after the first row
    assert "light time 381.2 s about light_time_s" in words


def test_data_of_an_orbiter_do_not_say_when_those_of_its_rover_were_received():
    """Time of a rover has a sol. Both are received at 12:01:05; the orbiter's were sampled 4 h later."""
    orbiter, rover = (
        product(4 * 3600, {"V": np.arange(2.0)}, kind="orbiter/field"),
        product(5, {"V": np.arange(2.0)}),
    )
    of_sol = replace(rover, time=replace(rover.time, sol=(11, 11)))
    received = {"received_ns": rover.lineage["received_ns"]}
    again = replace(orbiter, id="again", lineage={**orbiter.lineage, **received})
    for before, after in ((again, of_sol), (of_sol, again)):
        stream = feed(State(unpack_product), before, after)
        assert "onboard 2024-05-01 12:00:06 UTC" in onboard_words(stream)
        assert "received 59 s later" in onboard_words(stream)


async def test_a_product_that_no_look_shows_is_drawn_by_its_arrays(chromium):
    async with page() as (address, served):
        arrays = {
            "RATE": np.arange(10.0),
            "SPECTRUM": np.arange(40.0).reshape(10, 4),
            "FRAME": np.arange(120.0).reshape(10, 3, 4),
        }
        await publish(address, [product(0, arrays, kind="detector/counts")])
        tab = await chromium.open(served.url)
        await look(tab, "pass")
        row = ROW.replace("picked_apid", "picked_product").replace('"259"', '"detector/counts"')
        await tab.until(f"{row} != null")
        await tab.run(f"{row}.focus()")
        await key(tab, "Enter", 13)
        await tab.until("location.search.includes('look=Parameters') && location.search.includes('detector')")
        drawn = "[...Bokeh.documents[0]._all_models.values()].filter((one) => one.type === 'ColumnDataSource')"
        has = f"{drawn}.some((one) => {{}})"
        await tab.until(has.format("Array.from(one.data.value ?? []).join() === '0,1,2,3,4,5,6,7,8,9'"))
        await tab.until(
            has.format("Array.from(one.data.value ?? []).join() === '0,4,8,12,16,20,24,28,32,36'")
        )  # its first element
        await tab.until(has.format("one.data.image?.[0]?.length === 12"))
        assert await tab.run("errors") == []
