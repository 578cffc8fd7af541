"""The HTTP interface of the history below the page's address: `/history/api/...`, read-only, GET alone.

What answers is given as an ASGI application; this passes a request on and its answer back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tornado.web import RequestHandler

Message = MutableMapping[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
PREFIX = "/history"


class HistoryHandler(RequestHandler):  # type: ignore[misc]  # Tornado has no types
    """Answers GET below PREFIX by an ASGI application."""

    def initialize(self, answers: Asgi) -> None:
        """Take the application."""
        self._answers = answers

    async def get(self, path: str) -> None:
        """Pass the request on."""
        request = self.request
        scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": request.protocol,
            "path": path or "/",
            "raw_path": (path or "/").encode(),
            "root_path": "",
            "query_string": request.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers.get_all()],
            "client": None,
            "server": None,
        }
        await self._answers(scope, _nothing, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.set_status(message["status"])
            for name, value in message["headers"]:
                self.set_header(name.decode(), value.decode())
        else:
            self.write(message.get("body", b""))


async def _nothing() -> Message:
    """The body of a GET."""
    return {"type": "http.request", "body": b"", "more_body": False}
