"""The live page under load: frames a second in a headless Chromium, and what the server takes of a core, look by look.

A magnetometer at 32 Hz, a spectrum of 5,400 channels at 4 Hz and 16 radar columns a second come over a broker to
`downlink dashboard` in a process of its own, as products of the bundled pass with new times. Before that: what a
message costs to take in, and what a tick of an open tab costs the server, without a browser.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from bokeh.document import Document
from downlink_pipeline.commands.tabs import package_tabs
from downlink_pipeline.dashboard.page import TICK_MS, Page
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.tabs import makers, shown
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import Message, Product
from downlink_pipeline.mqtt.broker import BrokerAddress
from downlink_pipeline.mqtt.broker import broker as broker_at
from downlink_pipeline.mqtt.publisher import Publisher
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import outcomes

ROOT = Path(__file__).parent.parent
PASS = ROOT / "replay_data" / "clean.cadu"
N_TABS = 10
STEP_S = 0.25
SETTLE_S, SECONDS = 4.0, 8.0
LOADED = {"magnetometer/field": 8, "libs/mean": 1, "gpr/high_frequency": 4}
"""Rows of each kind in each step: 32, 4 and 16 a second."""
FRAMES = """new Promise((done) => {
  let n = 0
  const began = performance.now()
  const count = () => { n += 1; performance.now() - began < MS ? requestAnimationFrame(count) : done(n / MS * 1000) }
  requestAnimationFrame(count)
})"""


TITLES = "Bokeh.documents[0].get_model_by_name('looks').tabs.map((one) => one.title)"
LOADED_BYTES = """(() => {
  const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  const sum = (name) => all.map((one) => one[name]).reduce((a, b) => a + b, 0)
  const drawn = performance.getEntriesByName("first-contentful-paint")[0].startTime
  return [sum("transferSize"), sum("decodedBodySize"), drawn]
})()"""


def products_of_the_pass() -> list[Product]:
    line = ProcessingChain(load_mission("zhurong"), "clean")
    return [product for outcome in outcomes(line, [PASS], lambda _: None) for product in outcome.products]


def main() -> None:
    products = products_of_the_pass()
    without_browser([topics.product_message(product) for product in products])
    asyncio.run(with_browser(products))


def without_browser(messages: list[Message]) -> None:
    state = State(topics.unpack_product, shown(package_tabs()))
    began = time.process_time()
    for message in messages:
        state.receive(message.topic, message.payload, time.monotonic())
    spent_s = time.process_time() - began
    n_mb = sum(len(message.payload) for message in messages) / 1e6
    print(f"state: {len(messages)} messages, {n_mb:.1f} MB in {spent_s * 1e3:.0f} ms: {n_mb / spent_s:,.0f} MB/s")

    async def say(*_: object) -> None:
        pass

    looks = tuple(makers(package_tabs()))
    pages = [Page(Document(), state, say, looks=looks) for _ in range(N_TABS)]
    for i, title in enumerate(["Pass", *(one.look.title for one in looks)]):
        for page in pages:
            page.looks.root.active = i
            page.tick()
        began = time.process_time()
        for _ in range(20):
            for page in pages:
                page.tick()
        tick_s = (time.process_time() - began) / 20 / N_TABS
        print(
            f"{title:18} nothing new: {tick_s * 1e3:5.2f} ms a tick, {tick_s / TICK_MS * 1e3:5.2%} of a core a tab"
        )


async def with_browser(products: list[Product]) -> None:
    sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
    import browser  # noqa: PLC0415 - what drives the tests

    if browser.CHROMIUM is None:
        print("no chromium: frames a second are not measured")
        return
    with tempfile.TemporaryDirectory() as folder, browser.chromium(Path(folder)) as port:
        async with broker_at(None) as address, browser.Browser(port) as opened:
            server = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "downlink_pipeline", "dashboard", "--port", "0", "--broker", str(address)),
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                line = ""
                while not line.startswith("dashboard on "):  # lines of the log may stand before it
                    line = (await server.stderr.readline()).decode()
                url = line.split()[2].rstrip(";")
                load = asyncio.create_task(publish(address, products))
                tab = await opened.open(url)
                await first_page(tab)
                await tab.call("Performance.enable", timeDomain="threadTicks")
                for i, title in enumerate(await tab.run(TITLES)):
                    await tab.run(f"Bokeh.documents[0].get_model_by_name('looks').active = {i}")
                    await measure(tab, psutil.Process(server.pid), title)
                load.cancel()
            finally:
                server.terminate()
                await server.wait()


async def first_page(tab: Any) -> None:
    """Say what a browser that has nothing of the page loads, and when the page is drawn; without its document."""
    await tab.until("performance.getEntriesByName('first-contentful-paint').length > 0")
    sent, whole, drawn_ms = await tab.run(LOADED_BYTES)
    print(
        f"first page: {sent / 1e6:.2f} MB over HTTP, {whole / 1e6:.2f} MB unpacked; drawn after {drawn_ms / 1e3:.2f} s"
    )


async def measure(tab: Any, process: psutil.Process, title: str) -> None:
    await asyncio.sleep(SETTLE_S)
    before, began = (sum(process.cpu_times()[:2]), await script_s(tab)), time.monotonic()
    fps = await tab.run(FRAMES.replace("MS", str(int(SECONDS * 1000))))
    after, elapsed_s = (sum(process.cpu_times()[:2]), await script_s(tab)), time.monotonic() - began
    server, page = ((one - was) / elapsed_s for one, was in zip(after, before, strict=True))
    print(
        f"{title:18} {fps:5.1f} frames a second; of a core the server {server:5.1%}, the page's thread {page:5.1%}"
    )


async def script_s(tab: Any) -> float:
    """CPU time of the thread that runs the page's scripts and lays it out; drawing is the work of others."""
    found = await tab.call("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}["TaskDuration"]


async def publish(address: BrokerAddress, products: list[Product]) -> None:
    """Each step rows of each kind, for ever, with times that go on."""
    kinds = {kind: [p for p in products if f"{p.instrument}/{p.product}" == kind][-1] for kind in LOADED}
    async with Publisher(address) as publisher:
        step = 0
        while True:
            began = time.monotonic()
            await publisher.publish([
                topics.product_message(later(kinds[kind], step, n_rows)) for kind, n_rows in LOADED.items()
            ])  # fmt: skip
            step += 1
            await asyncio.sleep(max(STEP_S - (time.monotonic() - began), 0))


def later(product: Product, step: int, n_rows: int) -> Product:
    """Rows of a product, again and again, at the time of a step."""
    n = len(product.quality)
    rows = (step * n_rows + np.arange(n_rows)) % n
    shift_ns = int(step * STEP_S * 1e9) + np.arange(n_rows) * int(STEP_S * 1e9 / n_rows)
    times_ns = product.arrays["time_utc_ns"].values[0] + shift_ns
    arrays = {
        name: replace(one, values=one.values[rows]) if one.dims[:1] == ("row",) else one
        for name, one in product.arrays.items()
    }
    arrays["time_utc_ns"] = replace(arrays["time_utc_ns"], values=times_ns)
    if "position_m" in arrays:
        way = np.zeros((n_rows, 3))
        way[:, 0] = 0.05 * (step * n_rows + np.arange(n_rows))
        arrays["position_m"] = replace(arrays["position_m"], values=way)
    return replace(product, id=f"{product.id}-{step}", stream="load", arrays=arrays, quality=product.quality[rows])


if __name__ == "__main__":
    main()
