"""A headless Chromium, driven over its debugging protocol by the WebSocket client that comes with Tornado."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.request import urlopen

from tornado.websocket import websocket_connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-renderer-backgrounding "
    "--disable-background-timer-throttling --disable-backgrounding-occluded-windows --disable-dev-shm-usage "
    "--hide-scrollbars --remote-debugging-port=0"
)

MODELS = "globalThis.Bokeh?.documents?.[0]?.get_model_by_name('looks') != null"
_ERRORS = """
globalThis.errors = []
addEventListener("error", (event) => event.message.startsWith("ResizeObserver") || errors.push(String(event.message)))
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason?.stack ?? event.reason)))
const told = console.error
console.error = (...what) => { errors.push(what.map(String).join(" ")); told(...what) }
"""  # what goes wrong in a page, for a test to see


SIZE = (1366, 650)
"""Of a page, as tests click on it."""


class Tab:
    """One open page. Its size is what a 1366x768 laptop leaves of a browser's window."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = count(1)

    async def call(self, method, **parameters):
        number = next(self._numbers)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(await self._socket.read_message())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    async def resize(self, size=SIZE):
        """Width and height in pixels."""
        how = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **how)

    async def run(self, script):
        """What `script`, an expression, gives; a promise is waited for."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, script, timeout_s=30.0):
        """Wait for `script` to give something true, and give that."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := await self.run(script)):  # noqa: ASYNC110 - the page tells nobody
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"never true: {script}") from None
        return found

    async def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def wheel(self, x, y, by):
        await self.call("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=by)

    async def picture(self, path):
        shot = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(Path(path).write_bytes, base64.b64decode(shot["data"]))


class Browser:
    """A running Chromium, for one test: its tabs are closed at the end of `async with`."""

    def __init__(self, port):
        self._port = port
        self._sockets = []
        self._targets = []

    async def __aenter__(self):
        version = await asyncio.to_thread(self._get, "/json/version")
        socket = await websocket_connect(version["webSocketDebuggerUrl"], max_message_size=100_000_000)
        self._root = Tab(socket)
        self._sockets.append(socket)
        return self

    async def __aexit__(self, *_error):
        for target in self._targets:
            await self._root.call("Target.closeTarget", targetId=target)
        for socket in self._sockets:
            socket.close()
        for socket in self._sockets:  # until the other end has closed it too
            while await asyncio.wait_for(socket.read_message(), 5) is not None:
                pass

    async def open(self, url, size=SIZE, ready=MODELS):
        """A new tab with a page, once `ready` is true of it: by default, that its models are all there."""
        made = await self._root.call("Target.createTarget", url="about:blank")
        self._targets.append(made["targetId"])
        socket = await websocket_connect(
            f"ws://127.0.0.1:{self._port}/devtools/page/{made['targetId']}", max_message_size=100_000_000
        )
        self._sockets.append(socket)
        tab = Tab(socket)
        await tab.resize(size)
        await tab.call("Page.bringToFront")
        await tab.call("Page.enable")
        await tab.call("Page.addScriptToEvaluateOnNewDocument", source=_ERRORS)
        await tab.call("Page.navigate", url=url)
        await tab.until(f"document.readyState === 'complete' && {ready}")
        return tab

    def _get(self, path):
        with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def chromium(folder):
    """Start one, and give the port that it is driven over."""
    process = subprocess.Popen(
        [CHROMIUM, *OPTIONS.split(), f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    port_file = folder / "DevToolsActivePort"
    try:
        until = time.monotonic() + 60
        while not port_file.exists() or "\n" not in port_file.read_text():
            assert time.monotonic() < until, "chromium does not start"
            time.sleep(0.05)
        yield int(port_file.read_text().splitlines()[0])
    finally:
        process.terminate()
        process.wait()
