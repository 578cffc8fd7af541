"""The page over HTTP, and its WebSocket: a page is made while there is room for it, a socket belongs to a page.

In: requests. Out: Bokeh's page and its protocol; status 503 with Retry-After, and a page without scripts that loads
itself again, where no page can be made now; a closed socket (1013) where the page's session was discarded.
"""

from __future__ import annotations

import asyncio
import logging
import random
import zlib
from collections.abc import Callable
from html import escape
from typing import Any

import structlog
from bokeh.embed.server import server_html_page_for_session
from bokeh.protocol.exceptions import ProtocolError
from bokeh.server.views.doc_handler import DocHandler
from bokeh.server.views.static_handler import StaticHandler
from bokeh.server.views.ws import WSHandler
from bokeh.util.token import get_session_id, get_token_payload

from .web_scripts import COMPONENTS, ScriptHandler

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
"""Close codes of a WebSocket (RFC 6455 7.4.1; IANA, "WebSocket Close Code Number Registry")."""
UNREADABLE_TOKEN = (ValueError, TypeError, LookupError, AttributeError, zlib.error)
"""What Bokeh raises of a token that it did not make."""
RETRY_S = (3, 10)
"""After which of these times, chosen at random, a refused page is loaded again: not all come at once."""
_log = structlog.get_logger("dashboard")
_REFUSED = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>downlink</title>
<meta http-equiv="refresh" content="{seconds}">
<style>:root {{ color-scheme: dark light; font: 13px/1.3 system-ui, sans-serif; }}</style></head>
<body><p>{refusal}; this is loaded again in {seconds} s</p></body></html>
"""


class PageHandler(DocHandler):  # type: ignore[misc]  # Bokeh's handlers have no types
    """Answers with the page, or with status 503 where `refusal()` gives a reason why no page can be made now."""

    def initialize(self, refusal: Callable[[], str], **_given: Any) -> None:
        """Take what decides."""
        self._refusal = refusal

    async def get(self, *_args: Any, **_kwargs: Any) -> None:
        """Make a page, with a session of its own."""
        if refusal := self._refusal():
            self._refuse(refusal)
            return
        session = await self.get_session()
        page = server_html_page_for_session(
            session,
            self.application.resources().clone(components=list(COMPONENTS)),
            session.document.title,
            session.document.template,
            session.document.template_variables,
        )
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.write(page)

    def _refuse(self, refusal: str) -> None:
        seconds = random.randint(*RETRY_S)  # noqa: S311 - no secret
        self.set_status(503)
        self.set_header("Retry-After", str(seconds))
        self.write(_REFUSED.format(refusal=escape(refusal), seconds=seconds))


class SocketHandler(WSHandler):  # type: ignore[misc]
    """The socket of a page. One whose session was discarded is closed, and the page then loads itself again: the
    models of another session have other ids, so nothing of them would be drawn.
    """

    def open(self) -> None:
        """Close the socket where its token is none, or where the session of its page is gone; else as Bokeh does."""
        try:
            payload, session_id = get_token_payload(self._token or ""), get_session_id(self._token or "")
        except UNREADABLE_TOKEN:
            self.close(POLICY_VIOLATION, "no token")
            return
        came_with_a_page = "arguments" in payload  # of its request; a client without a page has none
        if came_with_a_page and not self._has_session(session_id):
            self.close(TRY_AGAIN_LATER, "the session was discarded")
        else:
            super().open()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log an exception: one line for a socket that Bokeh refuses, none where the server is being closed."""
        if typ is ProtocolError:
            _log.warning("a socket of the page is refused", why=str(value))
        elif typ is not asyncio.CancelledError:
            super().log_exception(typ, value, tb)

    def _has_session(self, session_id: Any) -> bool:
        try:
            self.application_context.get_session(session_id)
        except ProtocolError:
            return False
        return True


def route(web: Any, refusal: Callable[[], str]) -> None:
    """Let a Bokeh application of tornado answer with these handlers instead of its own."""
    logging.getLogger(WSHandler.__module__).setLevel(logging.ERROR)  # a viewer who leaves is no warning
    for rule in web.wildcard_router.rules:
        if rule.target is DocHandler:
            rule.target, rule.target_kwargs = PageHandler, {**rule.target_kwargs, "refusal": refusal}
        elif rule.target is WSHandler:
            rule.target = SocketHandler
        elif rule.target is StaticHandler:
            rule.target = ScriptHandler
