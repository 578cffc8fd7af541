"""Who does not finish a request, or opens pages without end, takes nothing from the others."""

import asyncio
import json
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from bokeh.client import pull_session
from structlog.testing import capture_logs

from pipeline import app
from pipeline.dashboard import server
from pipeline.transport.broker import broker as broker_at


@pytest.fixture
def visitor():
    """Calls Bokeh's client, which wants a thread with an event loop of its own."""
    with ThreadPoolExecutor(1, initializer=lambda: asyncio.set_event_loop(asyncio.new_event_loop())) as executor:
        yield lambda act: asyncio.get_running_loop().run_in_executor(executor, act)
        executor.submit(lambda: asyncio.get_event_loop().close()).result()


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


async def closed_after(port, octets, within_s):
    """Whether the server ends a connection over which that, and no more, came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(octets)
        async with asyncio.timeout(within_s):
            while await reader.read(1000):
                pass
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        writer.close()
    return True


async def test_a_request_that_does_not_come_whole_is_let_go_and_so_is_one_that_is_too_large(monkeypatch):
    monkeypatch.setattr(server, "PATIENCE_S", 0.5)
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        port = int(served.url.split(":")[2].strip("/"))
        hosts = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        begun = [
            b"",
            b"GET /",
            hosts,
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123",
            hosts + b"X: " + b"x" * 40_000,
        ]
        half_open = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        assert "<html" in await asyncio.to_thread(fetch, served.url)
        assert all(await asyncio.gather(*(closed_after(port, octets, 5) for octets in begun)))
        for sock in half_open:
            sock.settimeout(2)
            assert await asyncio.to_thread(sock.recv, 10) == b""
            sock.close()


async def test_pages_beyond_a_number_say_so_and_one_that_is_closed_makes_room(visitor, monkeypatch):
    monkeypatch.setattr(server, "MAX_PAGES", 1)
    monkeypatch.setattr(server, "UNUSED_MS", 600)
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        pages = [await visitor(lambda: pull_session(url=served.url)) for _ in range(2)]
        told = ["pages are open" in str(page.document.to_json()) for page in pages]
        assert told == [False, True]
        for page in pages:
            await visitor(page.close)
        await asyncio.sleep(2)
        page = await visitor(lambda: pull_session(url=served.url))
        assert "pages are open" not in str(page.document.to_json())
        await visitor(page.close)


async def test_nonsense_in_the_right_form_is_forgotten_and_the_page_goes_on(visitor):
    nonsense = {"scid": [], "vcid": {}, "frames": "x", "lost_frames": 1, "last_received_ns": "never"}
    honest = {"scid": 245, "vcid": 5, "frames": 7, "lost_frames": 0, "last_received_ns": 1_000_000_000}
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        state = served.state
        with capture_logs() as told:
            state.feed("zhurong/live/link/x", json.dumps(nonsense).encode(), 1.0, retained=True)
            page = await visitor(lambda: pull_session(url=served.url))
            assert state.n_unread == 1
            state.feed("zhurong/live/link/x", json.dumps(honest).encode(), 2.0)
            await asyncio.sleep(1.2)
            await visitor(page.close)
        assert [one["event"] for one in told if one["log_level"] == "warning"] == [
            "cannot be drawn and is forgotten"
        ]
        assert state.streams["zhurong/live"].channels["x"]["frames"] == 7
