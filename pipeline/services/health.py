"""Serves `/health` and `/metrics` of a service: the part of HTTP that a probe and Prometheus need.

Limits: MAX_REQUEST_BYTES of a request, MAX_CONNECTIONS at once, PATIENCE_S for each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ..model.errors import RunError

MAX_REQUEST_BYTES = 8192
MAX_CONNECTIONS = 16
PATIENCE_S = 5.0
Health = Callable[[], tuple[bool, Mapping[str, Any]]]


@asynccontextmanager
async def watched(host: str, port: int, health: Health, metrics: Callable[[], bytes]) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port. RunError where it cannot listen.

    Where MAX_CONNECTIONS are open, a new one closes the oldest: connections that never send a request cannot keep a
    probe out.
    """
    opened: dict[asyncio.StreamWriter, None] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(opened) >= MAX_CONNECTIONS:
            oldest = next(iter(opened))
            del opened[oldest]
            oldest.transport.abort()
        opened[writer] = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(_answer(await reader.readuntil(b"\r\n\r\n"), health, metrics))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, asyncio.LimitOverrunError):  # a TimeoutError is an OSError
            pass
        finally:
            opened.pop(writer, None)
            writer.transport.abort()

    try:
        server = await asyncio.start_server(serve, host, port, limit=MAX_REQUEST_BYTES)
    except OSError as error:
        raise RunError(f"cannot serve /health on {host}:{port}: {error.strerror or error}") from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _answer(request: bytes, health: Health, metrics: Callable[[], bytes]) -> bytes:
    words = request.split(b"\r\n", 1)[0].split(b" ")
    if len(words) != 3 or words[0] != b"GET":
        return _response("405 Method Not Allowed", "text/plain", b"GET /health or /metrics\n")
    path = words[1].split(b"?", 1)[0]
    if path == b"/metrics":
        return _response("200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics())
    if path == b"/health":
        well, state = health()
        status = "200 OK" if well else "503 Service Unavailable"
        return _response(status, "application/json", json.dumps({"ok": well, **state}).encode() + b"\n")
    return _response("404 Not Found", "text/plain", b"/health or /metrics\n")


def _response(status: str, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
