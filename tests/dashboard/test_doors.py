"""Who does not finish a request, or opens pages without end, takes nothing from the others."""

import asyncio
import json
import re
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from bokeh.client import pull_session
from downlink_pipeline.commands import live_page as app
from downlink_pipeline.dashboard import server
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.mqtt.broker import broker as broker_at
from structlog.testing import capture_logs


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
            state.receive("zhurong/live/link/x", json.dumps(nonsense).encode(), 1.0, retained=True)
            page = await visitor(lambda: pull_session(url=served.url))
            assert state.n_unread == 1
            state.receive("zhurong/live/link/x", json.dumps(honest).encode(), 2.0)
            await asyncio.sleep(1.2)
            await visitor(page.close)
        assert [one["event"] for one in told if one["log_level"] == "warning"] == [
            "cannot be drawn and is forgotten"
        ]
        assert state.streams["zhurong/live"].channels["x"]["frames"] == 7


KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3


async def upgraded(port, origin):
    """The status line of the answer to a WebSocket's opening handshake."""
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: bokeh, {await token_of(port)}",
        *([f"Origin: {origin}"] if origin else []),
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    status = (await asyncio.wait_for(reader.readline(), 5)).decode().split()[1]
    writer.close()
    return status


async def token_of(port):
    page = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/")
    return re.search(r'"token":"([^"]+)"', page)[1]


FOREIGN = (
    "http://evil.example",
    "http://evil.example:{port}",
    "http://127.0.0.1:1",
    "http://localhost.evil.example:{port}",
    "https://station.example",
    "null",
)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_page_of_another_origin_opens_no_socket(host, monkeypatch):
    monkeypatch.setenv("BOKEH_ALLOW_WS_ORIGIN", "*")
    named = ("ops.example:8080", "https://station.example:8443")
    async with broker_at(None) as address, app.dashboard(address, host, 0, origins=named) as served:
        port = int(served.url.split(":")[2].strip("/"))
        own = (f"http://127.0.0.1:{port}", f"http://localhost:{port}")
        for origin in (*own, "http://ops.example:8080", "https://station.example:8443"):
            assert await upgraded(port, origin) == "101", origin
        for origin in FOREIGN:
            assert await upgraded(port, origin.format(port=port)) == "403", origin


@pytest.mark.parametrize("named", ["*", "*:5006", "*.example", "ops example", "ops.example:port", ""])
async def test_an_origin_is_a_name_and_never_a_pattern(named):
    with pytest.raises(ConfigError, match="it is written HOST"):
        async with broker_at(None) as address, app.dashboard(address, port=0, origins=[named]):
            pass


async def test_no_other_site_can_embed_the_page_or_load_it_as_a_script():
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        for path in ("autoload.js?bokeh-autoload-element=x", "metadata"):
            with pytest.raises(urllib.error.HTTPError) as answer:
                await asyncio.to_thread(fetch, served.url + path)
            assert answer.value.code == 404
        for path in ("", "static/js/bokeh.min.js", "nothing"):
            headers = await asyncio.to_thread(headers_of, served.url + path)
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["X-Content-Type-Options"] == "nosniff"
            policy = headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "script-src 'self' 'unsafe-eval' 'nonce-" in policy
            assert "Access-Control-Allow-Origin" not in headers


async def test_the_pages_own_scripts_carry_the_nonce_of_its_policy_and_each_page_has_another():
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        seen = set()
        for _ in range(2):
            answer = await asyncio.to_thread(urllib.request.urlopen, served.url, timeout=10)
            page = answer.read().decode()
            nonce = re.search(r"'nonce-([\w-]+)'", answer.headers["Content-Security-Policy"])[1]
            inline = re.findall(r"<script(?![^>]* (?:src|type)=)([^>]*)>", page)
            assert len(inline) > 1
            assert set(inline) == {f' nonce="{nonce}"'}
            seen.add(nonce)
        assert len(seen) == 2


def headers_of(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.headers
    except urllib.error.HTTPError as error:
        return error.headers
