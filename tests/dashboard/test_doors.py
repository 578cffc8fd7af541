"""Who does not finish a request, or opens pages without end, takes nothing from the others."""

import asyncio
import socket
import urllib.request

from bokeh.client import pull_session

from pipeline import app
from pipeline.dashboard import server
from pipeline.transport.broker import broker as broker_at


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


async def test_pages_beyond_a_number_say_so_and_one_that_is_closed_makes_room(monkeypatch):
    monkeypatch.setattr(server, "MAX_PAGES", 1)
    monkeypatch.setattr(server, "UNUSED_MS", 600)
    async with broker_at(None) as address, app.dashboard(address, port=0) as served:
        pages = [await asyncio.to_thread(pull_session, url=served.url) for _ in range(2)]
        told = ["pages are open" in str(page.document.to_json()) for page in pages]
        assert told == [False, True]
        for page in pages:
            await asyncio.to_thread(page.close)
        await asyncio.sleep(2)
        page = await asyncio.to_thread(pull_session, url=served.url)
        assert "pages are open" not in str(page.document.to_json())
        await asyncio.to_thread(page.close)
