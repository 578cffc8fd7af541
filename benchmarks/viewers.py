"""Memory and delay of the live page with 50 viewers: each a WebSocket that opens the page, sees every look, and stays.

`downlink dashboard` runs in a process of its own beside a broker, as docker-compose starts it. The bundled passes are
replayed into it, then rows go on as in `benchmarks.dashboard`. RSS is that of the dashboard's process alone.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from contextlib import suppress
from typing import Any

import psutil
from downlink_pipeline.commands.tabs import package_tabs
from downlink_pipeline.dashboard.server import MAX_PAGES
from downlink_pipeline.mqtt.broker import broker as broker_at
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

from benchmarks.dashboard import PASS, products_of_the_pass, publish

FLOW_S = 60.0
LOOK_S = 2.0
SETTLE_S = 30.0
MANY_BYTES = 1 << 30
LOOKS_ID = re.compile(r'"id":"([^"]+)","attributes":{"name":"looks"')
PATIENCE_S = 60.0
REFUSED = 503
"""Many pages are being opened: later there is room again."""
PASSES = [PASS.with_name(name) for name in ("clean.cadu", "damaged.cadu")]


class Viewer:
    """What a browser does of Bokeh's protocol: it opens a session, reads all that comes, and clicks on tabs."""

    def __init__(self, url: str, number: int, query: str = "") -> None:
        """`query`: of the page, with its question mark."""
        self._url, self._number, self._query = url, number, query
        self._looks_id = ""
        self._acknowledged, self._known = asyncio.Event(), asyncio.Event()
        self._ids = itertools.count()
        self.n_bytes = 0
        self.heard_s, self.longest_s = 0.0, 0.0
        """When it was last sent anything, and the longest time between two messages since `listen_anew`."""

    async def open(self) -> None:
        """As a browser that loads the page again where it is refused for the moment."""
        request = HTTPRequest(self._url + self._query, connect_timeout=PATIENCE_S, request_timeout=PATIENCE_S)
        while True:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
            if answer.code != REFUSED:
                break
            await asyncio.sleep(int(answer.headers["Retry-After"]))
        page = answer.body.decode()
        token = re.search(r'"token":"([^"]+)"', page)
        assert token
        request = HTTPRequest(f"ws{self._url.removeprefix('http')}ws", headers={"Origin": self._url.rstrip("/")})
        self._socket = await websocket_connect(
            request, subprotocols=["bokeh", token[1]], max_message_size=MANY_BYTES
        )
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(PATIENCE_S):
            await self._acknowledged.wait()
            await self._send("PULL-DOC-REQ", {})
            await self._known.wait()

    async def see(self, look: int) -> None:
        model = {"id": self._looks_id}
        event = {"kind": "ModelChanged", "model": model, "attr": "active", "new": look}
        await self._send("PATCH-DOC", {"events": [event]})

    def listen_anew(self) -> None:
        self.heard_s, self.longest_s = time.monotonic(), 0.0

    @property
    def is_open(self) -> bool:
        return not self._reading.done()

    async def close(self) -> None:
        self._socket.close()
        await self._reading

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        header = {"msgid": f"{self._number}-{next(self._ids)}", "msgtype": kind}
        with suppress(WebSocketClosedError):  # `is_open` tells
            for part in (header, {}, content):
                await self._socket.write_message(json.dumps(part))

    def read(self, part: str | bytes) -> None:
        """Take a message of the socket."""

    async def _read(self) -> None:
        while (part := await self._socket.read_message()) is not None:
            self.read(part)
            self.n_bytes += len(part)
            now_s = time.monotonic()
            self.longest_s, self.heard_s = max(self.longest_s, now_s - self.heard_s), now_s
            if not self._acknowledged.is_set() and isinstance(part, str) and '"ACK"' in part:
                self._acknowledged.set()
            if not self._looks_id and isinstance(part, str) and (found := LOOKS_ID.search(part)):
                self._looks_id = found[1]
                self._known.set()


async def main() -> None:
    products = products_of_the_pass()
    async with broker_at(None) as address:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "downlink_pipeline", "dashboard", "--port", "0", "--broker", str(address)),
            stderr=asyncio.subprocess.PIPE,
        )
        assert server.stderr
        line = ""
        while not line.startswith("dashboard on "):  # lines of the log may stand before it
            line = (await server.stderr.readline()).decode()
        url = line.split()[2].rstrip(";")
        process = psutil.Process(server.pid)
        try:
            await asyncio.sleep(3)
            report(process, "no viewer, no data")
            replay = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "downlink_pipeline", "replay", *map(str, PASSES), "-m", "zhurong"),
                *("--broker", str(address), "--speed", "max"),
                stderr=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
            await replay.wait()
            await asyncio.sleep(2)
            report(process, "the bundled passes")
            load = asyncio.create_task(publish(address, products))
            await watch(url, process)
            load.cancel()
        finally:
            server.terminate()
            await server.wait()


async def watch(url: str, process: psutil.Process) -> None:
    viewers = [Viewer(url, number) for number in range(MAX_PAGES)]
    for viewer in viewers:
        await viewer.open()
    report(process, f"{MAX_PAGES} viewers")
    n_looks = len(package_tabs()) + 1
    for look in range(n_looks):
        for viewer in viewers:
            await viewer.see(look)
        await asyncio.sleep(LOOK_S)
    report(process, f"each has seen each look, {sum(viewer.is_open for viewer in viewers)} still there")
    most = 0
    for number, viewer in enumerate(viewers):
        await viewer.see(number % n_looks)
    await asyncio.sleep(SETTLE_S)
    before = cpu_s(process)
    for viewer in viewers:
        viewer.listen_anew()
    end, began = time.monotonic() + FLOW_S, time.monotonic()
    while time.monotonic() < end:
        await asyncio.sleep(1)
        most = max(most, process.memory_info().rss)
    sent_mb, n_left = sum(viewer.n_bytes for viewer in viewers) / 1e6, sum(viewer.is_open for viewer in viewers)
    print(f"{'the most in a minute':28} {most / 1e6:5.0f} MB, {sent_mb:.0f} MB sent, {n_left} viewers still there")
    share = (cpu_s(process) - before) / (time.monotonic() - began)
    longest = sorted(max(viewer.longest_s, time.monotonic() - viewer.heard_s) for viewer in viewers)
    median_s = longest[len(longest) // 2]
    print(
        f"{share:.0%} of a core; without an update for at most {median_s:.1f} s (median), {longest[-1]:.1f} s (all)"
    )
    for viewer in viewers:
        await viewer.close()
    await asyncio.sleep(30)
    report(process, "all have left")


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


def report(process: psutil.Process, what: str) -> None:
    print(f"{what:28} {process.memory_info().rss / 1e6:5.0f} MB", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
