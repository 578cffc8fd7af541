"""The listener of /health and /metrics: a probe gets its answer whoever else is connected."""

import asyncio
from contextlib import suppress

from downlink_pipeline.services.health import MAX_CONNECTIONS, watched


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_connections_that_never_ask_do_not_blind_a_probe():
    async with watched("127.0.0.1", 0, lambda: (True, {}), lambda: b"") as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * MAX_CONNECTIONS)]
        try:
            assert (await ask(port)).startswith(b"HTTP/1.1 200 OK")
        finally:
            for _, writer in silent:
                writer.transport.abort()


async def test_open_connections_are_bounded_by_closing_the_oldest():
    async with watched("127.0.0.1", 0, lambda: (True, {}), lambda: b"") as port:
        first = await asyncio.open_connection("127.0.0.1", port)
        later = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS)]
        try:
            with suppress(ConnectionError):  # closed by a reset
                assert await asyncio.wait_for(first[0].read(), 2) == b""
        finally:
            for _, writer in (first, *later):
                writer.transport.abort()
