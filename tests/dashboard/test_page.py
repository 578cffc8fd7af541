"""The page in a headless browser: what is drawn is what was published."""

import asyncio
import json
import os
import signal
import socket
from contextlib import asynccontextmanager

import numpy as np
import pytest

from pipeline import app
from pipeline.errors import RunError
from pipeline.mission import load_mission
from pipeline.transport.broker import BrokerAddress
from pipeline.transport.broker import broker as broker_at

pytest.importorskip("bokeh", reason="bokeh is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
LOOKS = {"pass": 0, "radar": 1, "field": 2, "spectra": 3, "traverse": 4}
ALL_IN_SIGHT = """(() => {
  const found = []
  const walk = (node) => {
    for (const child of node.children ?? []) {
      if (child.classList?.contains("bk-Figure")) found.push(child.getBoundingClientRect())
      if (child.shadowRoot) walk(child.shadowRoot)
      walk(child)
    }
  }
  walk(document.body)
  const seen = found.filter((box) => box.width > 0)
  return seen.length > 0 && document.documentElement.scrollHeight <= innerHeight
    && seen.every((box) => box.width > 100 && box.height > 100 && box.right <= innerWidth && box.bottom <= innerHeight)
})()"""


def column(source, name):
    return f"Array.from(Bokeh.documents[0].get_model_by_name('{source}').data['{name}'])"


def received(bundled, name="clean"):
    """Frames that arrived, by the simulator's books."""
    return json.loads((bundled / f"{name}.cadu.truth.json").read_text())["frames_received"]


async def look(tab, name):
    await tab.run(f"Bokeh.documents[0].get_model_by_name('looks').active = {LOOKS[name]}")


async def replay(address, bundled, name="clean"):
    mission = load_mission("zhurong")
    await app.replay([bundled / f"{name}.cadu"], mission, address, lambda *_: None, stream=name, speed=None)


@asynccontextmanager
async def page():
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        await asyncio.sleep(0.3)  # until it has subscribed: products are not retained
        yield address, served


def joined(products, product, array):
    return np.concatenate([p.arrays[array].values for p in products if p.product == product])


async def test_every_look_draws_what_was_published(chromium, bundled, products):
    async with page() as (address, served):
        tab = await chromium.open(served.url)
        await replay(address, bundled)

        await look(tab, "field")
        field = joined(products, "field", "field_a_enu_nt")
        await tab.until(f"{column('field_a', 'up')}.length == {len(field)}")
        np.testing.assert_array_equal(await tab.run(column("field_a", "up")), field[:, 2])
        temperature = joined(products, "meteorology", "air_temperature_k")
        await tab.until(f"{column('weather', 'air_temperature_k')}.length == {len(temperature)}")
        np.testing.assert_array_equal(await tab.run(column("weather", "air_temperature_k")), temperature)

        await look(tab, "radar")
        traces = joined(products, "high_frequency", "real")
        image = "Bokeh.documents[0].get_model_by_name('gpr/high_frequency').data.image[0]"
        await tab.until(f"{image} != null")
        n_bins, n_columns = await tab.run(f"{image}.shape")
        assert abs(n_columns - len(traces)) <= 2
        assert n_bins == 2048 // 3

        await look(tab, "spectra")
        mean = (
            [p for p in products if p.instrument == "libs" and p.product == "mean"][-1]
            .arrays["net_counts"]
            .values[-1]
        )
        await tab.until(f"{column('libs_mean', 'mean')}.length >= {len(mean)}")
        drawn = np.array(await tab.run(column("libs_mean", "mean")), float)
        np.testing.assert_array_equal(drawn[np.isfinite(drawn)], mean)

        await look(tab, "traverse")
        position = joined(products, "navigation", "position_enu_m")
        await tab.until(f"{column('path', 'north')}.length == {len(position)}")
        np.testing.assert_allclose(await tab.run(column("path", "north")), position[:, 1], atol=1e-9)

        await look(tab, "pass")
        await tab.until(f"{column('symbols', 'codewords')}[0] == {4 * received(bundled)['read']}")
        assert await tab.run(column("channels", "frames")) == [
            received(bundled)["relay"],
            received(bundled)["orbiter"],
        ]
        assert await tab.run("errors") == []


async def test_no_look_scrolls_on_a_laptop_and_nothing_outside_is_asked_for(chromium, bundled):
    async with page() as (address, served):
        await replay(address, bundled)
        tab = await chromium.open(served.url)
        for name in LOOKS:
            await look(tab, name)
            await tab.until(ALL_IN_SIGHT)
        asked = await tab.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert all(url.startswith((served.url, "data:", "blob:")) for url in asked)
        assert await tab.run("errors") == []


async def test_who_comes_late_sees_the_latest_state_at_once(chromium, bundled, products):
    async with page() as (address, served):
        await replay(address, bundled)
        tab = await chromium.open(f"{served.url}?theme=light")
        await look(tab, "traverse")
        n_rows = len(joined(products, "navigation", "heading_deg"))
        await tab.until(f"{column('path', 'east')}.length == {n_rows}", timeout_s=5)


async def test_csv_has_a_line_for_each_row(chromium, bundled, products):
    async with page() as (address, served):
        await replay(address, bundled)
        tab = await chromium.open(served.url)
        await look(tab, "radar")
        await tab.until(f"{column('gpr/high_frequency', 'twt')}.length == 1")
        await look(tab, "traverse")
        n_rows = len(joined(products, "navigation", "heading_deg"))
        await tab.until(f"{column('path', 'east')}.length == {n_rows}")
        clicked = """(async () => {
          const found = []
          for (const button of Bokeh.documents[0]._all_models.values()) {
            if (button.label !== "CSV") continue
            const [save] = button.js_event_callbacks.button_click
            await save.execute(button)
            found.push([save.args.file, downlink_csv])
          }
          return found
        })()"""
        found = await tab.run(clicked)
        assert ["path.csv", n_rows + 1] in found
        assert ["gpr_high_frequency.csv", 2048 // 3 + 1] in found


async def test_a_click_makes_the_figures_light(chromium):
    async with page() as (_, served):
        tab = await chromium.open(served.url)
        colour = (
            "Bokeh.documents[0].roots()[0].children[1].tabs[4].child.children[0].children[1].background_fill_color"
        )
        assert await tab.until(colour) == "#1b2027"
        await asyncio.sleep(0.5)
        for kind in ("mousePressed", "mouseReleased"):
            await tab.call("Input.dispatchMouseEvent", type=kind, x=1314, y=20, button="left", clickCount=1)
        await tab.until(f"{colour} == '#ffffff'")
        assert await tab.run("document.documentElement.classList.contains('light')")


async def test_another_stream_is_chosen(chromium, bundled):
    async with page() as (address, served):
        await replay(address, bundled)
        await replay(address, bundled, "damaged")
        tab = await chromium.open(served.url)
        assert await tab.until(f"{column('channels', 'frames')}[0]") == received(bundled, "damaged")["relay"]
        await tab.run("Bokeh.documents[0].get_model_by_name('stream').value = 'zhurong/clean'")
        await tab.until(f"{column('channels', 'frames')}[0] == {received(bundled)['relay']}")
        assert await tab.run(f"{column('events', 'text')}.length") == 3  # two dust devils and the clock


async def test_a_lost_broker_is_shown_and_heals(chromium, bundled):
    async with broker_at(None) as real:
        relay = Relay(real)
        await relay.open()
        try:
            async with app.dashboard(BrokerAddress("127.0.0.1", relay.port), port=0) as served:
                await asyncio.sleep(0.3)
                await replay(real, bundled)
                tab = await chromium.open(served.url)
                header = "Bokeh.documents[0].get_model_by_name('header').text"
                await tab.until(f"{header}.includes('broker connected')")
                await relay.close()
                await tab.until(f"{header}.includes('broker lost')")
                await relay.open()
                await tab.until(f"{header}.includes('broker connected')")
                await asyncio.sleep(0.3)
                await replay(real, bundled, "damaged")
                await tab.until(f"{column('channels', 'frames')}[0] == {received(bundled, 'damaged')['relay']}")
        finally:
            await relay.close()


async def test_a_taken_port_is_one_clear_line_or_another_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with broker_at(None) as address:
            with pytest.raises(RunError, match=f"cannot serve the dashboard on 127.0.0.1:{port}"):
                async with app.dashboard(address, port=port):
                    pass
            async with app.dashboard(address, port=port, or_any_port=True) as served:
                assert f":{port}/" not in served.url


async def test_the_command_ends_where_no_broker_is():
    with pytest.raises(RunError, match="cannot connect"):
        await app.serve_dashboard(BrokerAddress("127.0.0.1", 1), "127.0.0.1", 0, lambda _: None)


async def test_the_command_ends_by_a_signal():
    async with broker_at(None) as address:
        urls = []
        serving = asyncio.create_task(app.serve_dashboard(address, "127.0.0.1", 0, urls.append))
        while not urls:  # noqa: ASYNC110 - told by a callback
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 10)


class Relay:
    """A way to a broker that can be cut."""

    def __init__(self, target):
        self._target = target
        self._server = None
        self._writers = set()
        self._tasks = set()
        self.port = 0

    async def open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        there, back = await asyncio.open_connection(self._target.host, self._target.port)
        self._writers |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer), return_exceptions=True)

    async def _copy(self, reader, writer):
        while received := await reader.read(65_536):
            writer.write(received)
            await writer.drain()
        writer.close()
