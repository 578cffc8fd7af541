"""Many viewers whose pages cost the server much at once: the event loop passes between them, and nobody is cut off."""

import asyncio
import itertools
import json
import re
import time
from itertools import pairwise
from typing import ClassVar

import pytest
from downlink_pipeline.dashboard.admission import Admission
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.turns import Turns
from downlink_pipeline.messages.topics import unpack_product
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.document import Document
from downlink_pipeline.dashboard import admission, server
from downlink_pipeline.dashboard import page as page_module
from downlink_pipeline.dashboard.page import Page
from driving import page as served_page
from zhurong import LOOKS, SHOWN

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
N_VIEWERS = 6
WORK_S = 0.2
"""Of one page, each time: of all of them more than a ping may take."""
PING_S = 1.0


class Slow(Page):
    """A page that takes WORK_S of the event loop for each tick once its viewer is there."""

    opened: ClassVar[list[str]] = []
    """What the tabs of each page are called."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.opened.append(self.looks.root.id)
        look = self.looks.look
        self.looks.look = lambda _: look(0)

    def tick(self) -> None:
        super().tick()
        if self._document.session_context and self._document.session_context.session:
            time.sleep(WORK_S)


class Viewer:
    """Opens the page and reads what comes, as a browser does."""

    async def open(self, url: str) -> None:
        self.n_sent = 0
        page = (await AsyncHTTPClient().fetch(url)).body.decode()
        token = re.search(r'"token":"([^"]+)"', page)
        request = HTTPRequest(f"ws{url.removeprefix('http')}ws", headers={"Origin": url.rstrip("/")})
        self._socket = await websocket_connect(request, subprotocols=["bokeh", token[1]])
        self.reading = asyncio.create_task(self._read())

    async def turn_to(self, looks_id: str, look: int) -> None:
        """As a click on a tab."""
        event = {"kind": "ModelChanged", "model": {"id": looks_id}, "attr": "active", "new": look}
        self.n_sent += 1
        for part in ({"msgid": str(self.n_sent), "msgtype": "PATCH-DOC"}, {}, {"events": [event]}):
            await self._socket.write_message(json.dumps(part))

    async def close(self) -> None:
        self._socket.close()
        await self.reading

    async def _read(self) -> None:
        while await self._socket.read_message() is not None:
            pass


async def test_viewers_who_all_click_at_once_stay_connected_though_it_takes_longer_than_a_ping_may(monkeypatch):
    monkeypatch.setattr(page_module, "Page", Slow)
    monkeypatch.setattr(server, "PATIENCE_S", PING_S)
    monkeypatch.setattr(admission, "MAX_HIDDEN_LOOKS", 0)  # none is made ahead
    async with served_page() as (_, served):
        viewers = [Viewer() for _ in range(N_VIEWERS)]
        for viewer in viewers:
            await viewer.open(served.url)
        for look in (1, 2, 3, 1, 2, 3):
            for viewer, looks_id in zip(viewers, Slow.opened, strict=True):
                await viewer.turn_to(looks_id, look)
        gone, _ = await asyncio.wait(
            [viewer.reading for viewer in viewers], timeout=3 * PING_S, return_when=asyncio.FIRST_COMPLETED
        )
        for viewer in viewers:
            await viewer.close()
        assert not gone


class Passes:
    """Counts how often the event loop has passed."""

    def __init__(self) -> None:
        self.n = 0
        self._counting = asyncio.create_task(self._count())

    async def stop(self) -> None:
        self._counting.cancel()
        await asyncio.wait([self._counting])

    async def _count(self) -> None:
        while True:
            self.n += 1
            await asyncio.sleep(0)


async def test_the_loop_passes_between_the_work_of_two_pages():
    at = []

    class Noting(Page):
        def tick(self) -> None:
            super().tick()
            at.append(passes.n)

    now = itertools.count(step=0.1)  # each turn takes 0.1 s
    passes = Passes()
    turns, state = Turns(lambda: next(now)), State(unpack_product, SHOWN)
    pages = [Noting(Document(), state, None, turns=turns) for _ in range(3)]
    at.clear()
    await asyncio.gather(*(page._update() for page in pages))
    await passes.stop()
    assert min(after - before for before, after in pairwise(at)) >= 10  # a frame is read in about five


async def test_the_loop_passes_between_two_sessions_that_are_discarded(monkeypatch):
    at, over = [], asyncio.Event()

    class Noting(Admission):
        def closed(self) -> None:
            super().closed()
            at.append(passes.n)
            if len(at) == 3:
                over.set()

    monkeypatch.setattr(server, "UNUSED_MS", 400)
    monkeypatch.setattr(server, "Admission", Noting)
    async with served_page() as (_, served):
        passes = Passes()
        for _ in range(3):  # nobody opens their sockets
            await AsyncHTTPClient().fetch(served.url)
        async with asyncio.timeout(20):
            await over.wait()
        await passes.stop()
    assert min(after - before for before, after in pairwise(at)) > 0


def test_a_click_leaves_the_work_to_the_turn_of_its_page():
    page = Page(Document(), State(unpack_product, SHOWN), None, looks=LOOKS)
    page.looks.root.active = 2
    assert sorted(page.looks.made) == [0]
    page.tick()
    assert sorted(page.looks.made) == [0, 2]


async def test_a_page_whose_session_was_discarded_does_nothing_in_a_callback_that_was_due():
    """Its models have no values any more: a tick raised, and a traceback was logged."""
    document, n_ticks = Document(), []

    class Counted(Page):
        def tick(self) -> None:
            super().tick()
            n_ticks.append(1)

    page = Counted(document, State(unpack_product, SHOWN), None)
    document.on_change(print)
    document.destroy(print)
    page._update_soon()
    await page._update()
    assert len(n_ticks) == 1  # as it was made
