"""A mission without instruments in a browser: what of it is shown, searched, chosen and drawn."""

import asyncio
import json

import numpy as np
import pytest
from downlink_pipeline.commands import live_page as app
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.broker import broker as broker_at
from downlink_pipeline.mqtt.publisher import Publisher

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import column, look, model, publish
from test_parameters import columns, product
from test_reach import BESIDE, TABS, key

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TABLE = f"Bokeh.index.find_one({model('parameters')}).markup_el"
ROWS = f"[...{TABLE}.querySelectorAll('[data-pick]')]"
SEARCH = f"Bokeh.index.find_one({model('search')}).input_el"
MIDDLE = "((box) => [box.x + box.width / 2, box.y + box.height / 2])({}.getBoundingClientRect())"
RETAINED = {"time": "2024-05-01T11:00:00.000Z", "value": 7.5, "unit": "V", "quality": 0}


async def test_a_stranger_finds_a_parameter_and_sees_it_drawn(chromium):
    async with broker_at(None) as address:
        async with Publisher(address) as publisher:
            payload = json.dumps(RETAINED).encode()
            await publisher.publish([Message("sat/live/latest/telemetry/POWER/BUS", payload, retain=True)])
        async with app.dashboard(address, port=0) as served:
            async with asyncio.timeout(20):
                while "sat/live" not in served.state.streams:  # noqa: ASYNC110 - told by nobody
                    await asyncio.sleep(0.02)
            assert served.state.streams["sat/live"].arrived_s == 0.0  # retained: not heard now
            many = {f"P{i:03}": np.arange(10.0) for i in range(120)}
            await publish(address, [product(0, columns()), product(0, many, kind="telemetry/MANY", apid=11)])
            tab = await chromium.open(served.url)
            shown = f"{TABS}.filter((one) => one.offsetWidth > 0).map((one) => one.textContent).join()"
            await tab.until(f"{shown} == 'Pass,Parameters,Packets,Events'")
            await look(tab, "parameters")
            await tab.until(f"{ROWS}.length == 100")  # of 124; a search finds the others

            await tab.click(*await tab.run(MIDDLE.format(SEARCH)))
            await tab.call("Input.insertText", text="degc")
            await tab.until(f"{ROWS}.length == 1")
            await tab.click(*await tab.run(MIDDLE.format(f"{ROWS}[0]")))
            await tab.until(
                f"{model('parameter_line')} != null && {column('parameter_line', 'value')}.length == 10"
            )
            assert await tab.run(column("parameter_line", "value")) == (np.arange(10) / 2).tolist()
            drawn = f"Bokeh.index.find_one({model('parameter_plot')}).el.getBoundingClientRect()"
            await tab.until(f"{drawn}.width > 300 && {drawn}.height > 300")

            await tab.run(f"{model('search')}.value_input = 'hk'")
            await tab.until(f"{ROWS}.length == 3")
            await tab.run(f"{ROWS}[2].focus()")
            await key(tab, "Enter", 13)  # an enumeration, as bands
            await tab.until(
                f"{model('parameter_bands')} != null && {column('parameter_bands', 'label')}.join() == 'SAFE,NOMINAL'"
            )
            await publish(address, [product(10, columns(10, 10))])
            await tab.until(
                f"{column('parameter_bands', 'right')}[1] - {column('parameter_bands', 'left')}[0] == 19000"
            )
            focused = f"{TABLE}.getRootNode().activeElement?.dataset.pick"
            await tab.until(f"{focused} == 'HK/MODE'")  # though the table was written anew

            await tab.run(f"{model('search')}.value_input = 'bus'")
            await tab.until(f"{ROWS}.length == 1 && {ROWS}[0].textContent.includes('retained')")
            await tab.resize((390, 844))
            await tab.until(f"{BESIDE}.length == 0")
            assert await tab.run("errors") == []
