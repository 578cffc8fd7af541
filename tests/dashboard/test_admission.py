"""Pages that cannot be opened now, and sockets whose page was discarded, are refused so that a browser comes again."""

import asyncio
import base64
import re

import pytest
from downlink_pipeline.messages.topics import unpack_product
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

pytest.importorskip("bokeh", reason="bokeh is not installed")
from browser import MODELS
from downlink_pipeline.dashboard import admission, server, web_page
from downlink_pipeline.dashboard.admission import Admission
from downlink_pipeline.dashboard.server import serving
from waiting import until

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


async def silence(_tell):
    """No message ever comes."""
    await asyncio.Event().wait()
    yield "", b"", False


async def ignored(*_command):
    """Nobody is steered."""


async def fetch(url):
    return await AsyncHTTPClient().fetch(url, raise_error=False)


async def socket_of(url, page):
    """The socket that a browser opens with a page."""
    return await socket_with(url, re.search(r'"token":"([^"]+)"', page.body.decode())[1])


async def socket_with(url, token):
    request = HTTPRequest(f"ws{url.removeprefix('http')}ws", headers={"Origin": url.rstrip("/")})
    return await websocket_connect(request, subprotocols=["bokeh", token])


async def test_a_page_beyond_the_rate_gets_status_503_and_is_loaded_again_later(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(admission, "BURST", 1)
    monkeypatch.setattr(server, "Admission", lambda: Admission(lambda: now_s[0]))
    async with serving(silence, unpack_product, ignored, port=0) as served:
        answers = [await fetch(served.url) for _ in range(2)]
        assert [one.code for one in answers] == [200, 503]
        refused = answers[1].body.decode()
        seconds = int(answers[1].headers["Retry-After"])
        assert f'<meta http-equiv="refresh" content="{seconds}">' in refused
        assert f"many pages are being opened; this is loaded again in {seconds} s" in refused
        assert "<script" not in refused
        now_s[0] += seconds
        assert (await fetch(served.url)).code == 200


async def test_a_socket_whose_page_was_discarded_is_closed_for_the_page_to_be_loaded_again(monkeypatch):
    """Scripts came over a slow network for longer than a page keeps its place: its models are gone for ever."""
    monkeypatch.setattr(server, "UNUSED_MS", 100)
    made = []
    monkeypatch.setattr(server, "Admission", lambda: made.append(Admission()) or made[-1])
    async with serving(silence, unpack_product, ignored, port=0) as served:
        page = await fetch(served.url)
        await until(lambda: not made[0].n_pages)
        gone = await socket_of(served.url, page)
        assert await gone.read_message() is None
        assert gone.close_code == 1013
        gone.close()


TOKENS = {
    "no base64": "a",
    "no text": base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode().rstrip("="),
    "no object": base64.urlsafe_b64encode(b"12").decode().rstrip("="),
    "no session": base64.urlsafe_b64encode(b"{}").decode().rstrip("="),
    "no payload": base64.urlsafe_b64encode(b'{"session_id": "a", "__bk__zlib_": "AAAA"}').decode().rstrip("="),
    "no expiry": base64.urlsafe_b64encode(b'{"session_id": "a"}').decode().rstrip("="),
}


async def test_a_socket_with_a_token_that_is_none_is_closed_without_a_traceback(caplog):
    async with serving(silence, unpack_product, ignored, port=0) as served:
        for what, token in TOKENS.items():
            socket = await socket_with(served.url, token)
            assert await socket.read_message() is None, what
            socket.close()
    assert not [one for one in caplog.records if one.exc_info]


async def test_a_server_that_is_closed_while_a_message_is_handled_logs_no_traceback(monkeypatch, caplog):
    began = asyncio.Event()

    class Slow(web_page.SocketHandler):
        async def on_message(self, _fragment):
            began.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(web_page, "SocketHandler", Slow)
    async with serving(silence, unpack_product, ignored, port=0) as served:
        before = asyncio.all_tasks()
        socket = await socket_of(served.url, await fetch(served.url))
        await socket.write_message("{}")
        await began.wait()
        handling = [one for one in asyncio.all_tasks() - before if "on_message" in repr(one)]
    for task in handling:
        task.cancel()  # as the event loop does at its end
    await asyncio.wait(handling)
    await asyncio.sleep(0)
    socket.close()
    assert not caplog.records


async def test_a_page_whose_socket_is_closed_at_once_loads_itself_again(chromium, monkeypatch):
    refused = []

    class First(web_page.SocketHandler):
        def _has_session(self, session_id) -> bool:
            if refused:
                return super()._has_session(session_id)
            refused.append(self)
            return False

    monkeypatch.setattr(web_page, "SocketHandler", First)
    async with serving(silence, unpack_product, ignored, port=0) as served:
        tab = await chromium.open(
            served.url, ready="performance.getEntriesByType('navigation')[0].type === 'reload'"
        )
        await tab.until(MODELS)
        assert len(refused) == 1
