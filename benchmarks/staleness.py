"""The live page of a large mission: how old is what viewers see, by time stamps in the packets; what the server takes.

10,000 parameters in 100 containers, 100,000 values a second: packets of 100 parameters each, made every 0.2 s with the
time of their making in them, decoded by the chain, published over a broker, served by `downlink dashboard` in a process
of its own. Four viewers read the page's WebSocket, a fifth is a headless Chromium that draws six parameters; each has
the table of all time stamps in sight. What is in sight is as old as its oldest stamp, and ages until the next update.
Loopback; broker, load and viewers share the cores with the server.
"""

import asyncio
import contextlib
import re
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.mqtt.address import read_address
from downlink_pipeline.mqtt.broker import broker as broker_at
from downlink_pipeline.mqtt.publisher import Publisher
from downlink_pipeline.processing.chain import ProcessingChain

from benchmarks.dashboard import ROOT
from benchmarks.viewers import Viewer

N_CONTAINERS, N_PARAMETERS, PER_S, STEP_S = 100, 100, 10, 0.2
"""Parameters of a container, the time stamp among them; packets of each container in a second; between publications."""
N_VIEWERS = 4
SETTLE_S, SECONDS = 15.0, 30.0
QUERY = "?look=Parameters&q=STAMP&" + "&".join(f"p=C000/C000_P{i:03}" for i in range(6))
STAMPS = re.compile(r"data-pick='C\d\d\d/C\d\d\d_STAMP'.*?<td class=value>(\d+)<")
IN_PAGE = """new Promise((done) => {
  const cells = () => Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("parameters"))
    .markup_el.querySelectorAll("[data-pick] .value")
  const ages_s = [], began = performance.now()
  let n = 0, looked = began
  const count = () => {
    const now = performance.now()
    n += 1
    if (now - looked > 50) {
      looked = now
      const oldest = Math.min(...[...cells()].map((one) => Number(one.textContent)))
      ages_s.push(((Date.now() % DAY) - oldest + DAY) % DAY / 1000)
    }
    now - began < LONG ? requestAnimationFrame(count) : done({fps: n / LONG * 1000, ages_s})
  }
  requestAnimationFrame(count)
})"""
"""Frames a second, and the age of the oldest stamp in the table, 20 times a second, for LONG ms."""
DAY_MS = 86_400_000


def now_ms() -> int:
    """UTC time of day, as the stamps have it."""
    return int(time.time() * 1e3) % DAY_MS


def make_mission(folder: Path) -> str:
    """A dictionary of 100 containers: a stamp of 32 bits and 99 counts of 16."""
    types = "".join(
        f'<IntegerParameterType name="U{bits}" signed="false"><UnitSet/><IntegerDataEncoding sizeInBits="{bits}"/>'
        "</IntegerParameterType>"
        for bits in (3, 1, 11, 2, 14, 16, 32)
    )
    header = {"VERSION": 3, "TYPE": 1, "FLAG": 1, "APID": 11, "GROUP": 2, "COUNT": 14, "LENGTH": 16}
    parameters = dict(header)
    containers = f'<SequenceContainer name="CCSDS" abstract="true">{_entries(list(header))}</SequenceContainer>'
    for i in range(N_CONTAINERS):
        names = {f"C{i:03}_STAMP": 32} | {f"C{i:03}_P{k:03}": 16 for k in range(N_PARAMETERS - 1)}
        parameters |= names
        containers += (
            f'<SequenceContainer name="C{i:03}">{_entries(list(names))}<BaseContainer containerRef="CCSDS">'
            f'<RestrictionCriteria><Comparison parameterRef="APID" value="{i + 1}"/></RestrictionCriteria>'
            "</BaseContainer></SequenceContainer>"
        )
    declared = "".join(f'<Parameter name="{name}" parameterTypeRef="U{n}"/>' for name, n in parameters.items())
    (folder / "load.xml").write_text(
        '<?xml version="1.0"?><SpaceSystem name="Load" xmlns="http://www.omg.org/spec/XTCE/20180204">'
        f"<TelemetryMetaData><ParameterTypeSet>{types}</ParameterTypeSet><ParameterSet>{declared}</ParameterSet>"
        f"<ContainerSet>{containers}</ContainerSet></TelemetryMetaData></SpaceSystem>"
    )
    (folder / "mission.toml").write_text(
        'name = "load"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "load.xml"\n[products]\nwindow_s = 0\n'
    )
    return str(folder)


def _entries(names: list[str]) -> str:
    return "<EntryList>" + "".join(f'<ParameterRefEntry parameterRef="{n}"/>' for n in names) + "</EntryList>"


def packets(step: int, n: int) -> bytes:
    """`n` packets of each container, made now."""
    body_bytes = 4 + 2 * (N_PARAMETERS - 1)
    stamp = now_ms()
    made = []
    for k in range(n):
        count = step * n + k
        body = (np.arange(N_PARAMETERS - 1) + count).astype(">u2").tobytes()
        tail = struct.pack(">HHI", 0xC000 | count & 0x3FFF, body_bytes - 1, stamp) + body
        made += [struct.pack(">H", 0x0800 | i + 1)[:2] + tail for i in range(N_CONTAINERS)]
    return b"".join(made)


async def load(address: str, folder: str) -> None:
    """The chain and the publisher, in a process of their own, until they are ended."""
    chain = ProcessingChain(load_mission(folder), "live")
    n = round(PER_S * STEP_S)
    async with Publisher(read_address(address, {})) as publisher:
        for step in range(1 << 30):
            began = time.monotonic()
            outcome = chain.process(ByteBatch.of(packets(step, n), time.time_ns()), complete=True)
            await publisher.publish([topics.product_message(one) for one in outcome.products])
            await asyncio.sleep(max(STEP_S - (time.monotonic() - began), 0))


class Watcher(Viewer):
    """A viewer that reads the stamps of each update: their ages when they came, and when the next ones did."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(url, number, QUERY)
        self.came_s: list[float] = []
        self.went_s: list[float] = []
        self._oldest_ms: int | None = None

    def read(self, part: str | bytes) -> None:
        """Take a message of the socket."""
        stamps = STAMPS.findall(part) if isinstance(part, str) and "_STAMP" in part else []
        if not stamps:
            return
        now = now_ms()
        if self._oldest_ms is not None:
            self.went_s.append((now - self._oldest_ms) % DAY_MS / 1e3)
        self._oldest_ms = min(map(int, stamps))
        self.came_s.append((now - self._oldest_ms) % DAY_MS / 1e3)

    def forget(self) -> None:
        """Measure anew."""
        self.came_s, self.went_s = [], []


async def main() -> None:
    print(f"load average {psutil.getloadavg()[0]:.1f} at the beginning: what else runs makes these figures worse")
    with tempfile.TemporaryDirectory() as place:
        folder = make_mission(Path(place))
        async with broker_at(None) as address:
            server = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "downlink_pipeline", "dashboard", "--port", "0", "--broker", str(address)),
                stderr=asyncio.subprocess.PIPE,
            )
            loading = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.staleness", str(address), folder)
            )
            try:
                assert server.stderr
                url = await served_at(server.stderr)
                await measure(url, psutil.Process(server.pid), psutil.Process(loading.pid))
            finally:
                for process in (loading, server):
                    with contextlib.suppress(ProcessLookupError):
                        process.terminate()
                    await process.wait()


async def served_at(lines: asyncio.StreamReader) -> str:
    """The address of the page, by what the server says on standard error."""
    while line := (await lines.readline()).decode():
        if line.startswith("dashboard on "):
            return line.split()[2].rstrip(";")
    raise RuntimeError("the dashboard did not start")


async def measure(url: str, server: psutil.Process, loading: psutil.Process) -> None:
    watchers = [Watcher(url, number) for number in range(N_VIEWERS)]
    for one in watchers:
        await one.open()
    async with browser_tab(url) as tab:
        await asyncio.sleep(SETTLE_S)
        for one in watchers:
            one.forget()
        before, began = (cpu_s(server), cpu_s(loading)), time.monotonic()
        script = IN_PAGE.replace("DAY", str(DAY_MS)).replace("LONG", str(int(SECONDS * 1000)))
        in_page = await tab.run(script) if tab else await asyncio.sleep(SECONDS)
        elapsed_s = time.monotonic() - began
        shares = [(cpu_s(one) - was) / elapsed_s for one, was in zip((server, loading), before, strict=True)]
        came, went = (
            sorted(age for one in watchers for age in getattr(one, name)) for name in ("came_s", "went_s")
        )
        print(f"{len(came)} updates of {N_VIEWERS} viewers in {elapsed_s:.0f} s")
        print(f"oldest stamp in sight when it came     {spread(came)}")
        print(f"oldest stamp in sight before the next  {spread(went)}")
        if in_page:
            ages = spread(sorted(in_page["ages_s"]))
            print(f"oldest stamp in the browser, any time  {ages}; {in_page['fps']:.0f} frames a second")
        print(
            f"server {shares[0]:.0%} of a core, {server.memory_info().rss / 1e6:.0f} MB; the load {shares[1]:.0%}"
        )
    for one in watchers:
        await one.close()


def spread(ages_s: list[float]) -> str:
    n = len(ages_s)
    return f"{ages_s[n // 2]:.2f} s (median), {ages_s[n * 99 // 100]:.2f} s (99 %), {ages_s[-1]:.2f} s (most)"


@contextlib.asynccontextmanager
async def browser_tab(url: str) -> AsyncIterator[Any]:
    """A tab of a headless Chromium; None where there is none."""
    sys.path[:0] = [str(ROOT / "tests" / "fixtures")]
    import browser  # noqa: PLC0415 - what drives the tests

    if browser.CHROMIUM is None:
        print("no chromium: frames a second are not measured")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, browser.chromium(Path(folder)) as port:
        async with browser.Browser(port) as opened:
            yield await opened.open(f"{url}{QUERY}")


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


if __name__ == "__main__":
    asyncio.run(load(*sys.argv[1:3]) if len(sys.argv) > 2 else main())
