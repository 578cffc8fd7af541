"""The Bokeh server of the page, on the running event loop: messages in, HTTP and WebSocket out.

Scripts and styles come from Bokeh's wheel; no request leaves the machine. One subscriber fills one state, and each open
page has a document that reads it.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..model.displays import Display
from ..model.errors import ConfigError, RunError
from ..system.allocator import give_back_freed_memory
from ..system.hosts import in_url
from ..system.software import to_install
from .admission import Admission, HiddenLooks
from .history_source import HistorySource
from .intake import Unpack
from .missions import KnownMission
from .past import Past
from .progress import SendCommand
from .selection import read_address
from .state import State
from .tabs import MadeTab, Tab, makers, shown
from .turns import Turns
from .web_security import origins, secure

TOPICS = (
    "+/+/progress",
    "+/+/product/#",
    "+/+/link/+",
    "+/+/event/+",
    "+/+/report",
    "+/+/packets",
    "+/+/packet/+",
    "+/status/+",
)

RETAINED_TOPICS = ("+/+/latest/telemetry/+/+",)
"""Read once for each connection: values of parameters that the broker has retained. Products bring newer ones."""

LOOK_BACK_S = 10.0
"""Between two queries for the streams of a history."""
MAX_PAGES = 50
"""Open at once: each has its own figures."""
MAX_HEADER_BYTES, MAX_REQUEST_BYTES = 32 << 10, 1 << 20
UNUSED_MS = 10_000
"""Lifetime of a page without a connection."""
_GOING_AWAY = 1001  # RFC 6455 7.4.1
PATIENCE_S = 20.0
"""Timeout for a whole request, and for the answer to a ping: the connection is closed after it."""

Messages = Callable[[Callable[[str], None]], AsyncGenerator[tuple[str, bytes, bool], None]]
"""Given a callback for changes of the connection, yields messages (topic, payload, retained)."""
Displays = Callable[[], Mapping[str, Sequence[Display]]]
RELOAD_S = 1.0
"""Between checks of the files of displays."""


@dataclass(frozen=True, slots=True)
class Served:
    """A page that is served. `listening` ends only with an error: the broker refused, or the embedded one has ended."""

    url: str
    listening: asyncio.Task[None]
    state: State


def available() -> bool:
    """Whether Bokeh is installed."""
    return find_spec("bokeh") is not None


@asynccontextmanager
async def serving(
    messages: Messages,
    unpack: Unpack,
    send_command: SendCommand,
    *,
    host: str = "127.0.0.1",
    port: int = 5006,
    or_any_port: bool = False,
    named_origins: Sequence[str] = (),
    tabs: Sequence[Tab] = (),
    missions: Sequence[KnownMission] = (),
    history: HistorySource | None = None,
    displays: Displays = dict,
) -> AsyncIterator[Served]:
    """Serve the page until the end of the block. `or_any_port`: another one where `port` is taken.

    `named_origins`: HOST[:PORT] of the page's address in browsers, beside the names of this machine.

    `tabs`: of missions, beside those of the engine. `missions`: those with known dictionaries. `history`: a store of
    rows of the past. `displays`: returns the displays of each mission; called in a thread every RELOAD_S.

    The subscriber starts before Bokeh is imported (in a thread, about a second), so no message is missed meanwhile.
    """
    if not available():
        raise ConfigError(f"the dashboard needs Bokeh: {to_install('dashboard')}")
    origins(host, port, named_origins)  # a ConfigError before anything starts
    state = State(unpack, shown(tabs), missions)
    listening = asyncio.create_task(_listen(messages, state), name="dashboard")
    past = Past(history, shown(tabs)) if history else None
    looking = asyncio.create_task(_look_back(past), name="history") if past else None
    try:
        await asyncio.to_thread(import_module, ".page", __package__)
        looks = await asyncio.to_thread(lambda: tuple(makers(tabs)))
        state.displays = await asyncio.to_thread(displays)
        reloading = asyncio.create_task(_reload(displays, state), name="displays")
        make = partial(_Server, state, send_command, looks, past, host, named_origins)
        server = _start(make, host, port, or_any_port=or_any_port)
        try:
            yield Served(f"http://{in_url(host)}:{server.port}/", listening, state)
        finally:
            reloading.cancel()
            await server.close()
    finally:
        if past and looking:
            looking.cancel()
            await past.close()
        listening.cancel()
        with suppress(asyncio.CancelledError, RunError):
            await listening


async def _listen(messages: Messages, state: State) -> None:
    async with aclosing(messages(state.set_connection)) as received:
        async for topic, payload, retained in received:
            state.receive(topic, payload, time.monotonic(), utc_ns=time.time_ns(), retained=retained)


async def _look_back(past: Past) -> None:
    """Query every LOOK_BACK_S which streams the history has."""
    while True:
        await past.find_streams()
        await asyncio.sleep(LOOK_BACK_S)


async def _reload(displays: Displays, state: State) -> None:
    """Give the state the displays of missions when one of them changes."""
    while True:
        await asyncio.sleep(RELOAD_S)
        found = await asyncio.to_thread(displays)
        if found != state.displays:
            state.displays = found


def _history_pages(past: Past, host: str, named: Sequence[str]) -> list[Any]:
    """Routes of the history's HTTP interface; Host headers are checked against the known names (DNS rebinding)."""
    from .web_history import PREFIX, HistoryHandler  # noqa: PLC0415 - Tornado comes with Bokeh, an optional extra

    known = [origin.rpartition(":")[0].strip("[]") for origin in origins(host, 0, named)]
    hosts = () if host in {"", "0.0.0.0", "::"} else known  # noqa: S104  every address is no name
    return [(f"{PREFIX}(/.*)?", HistoryHandler, {"answers": past.source.http(hosts)})]


def _start(make: Callable[[int], _Server], host: str, port: int, *, or_any_port: bool) -> _Server:
    try:
        return make(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and or_any_port:
            return make(0)
        raise RunError(f"cannot serve the dashboard on {host}:{port}: {error.strerror or error}") from None


class _Server:
    """Bokeh's server, put together from its parts so that it can be closed with its tabs open."""

    def __init__(
        self,
        state: State,
        send_command: SendCommand,
        looks: Sequence[MadeTab],
        past: Past | None,
        host: str,
        named: Sequence[str],
        port: int,
    ) -> None:
        from bokeh.application import Application  # noqa: PLC0415 - an optional extra
        from bokeh.application.handlers.function import FunctionHandler  # noqa: PLC0415
        from bokeh.core.validation import silence  # noqa: PLC0415
        from bokeh.core.validation.warnings import EMPTY_LAYOUT  # noqa: PLC0415
        from bokeh.models import Div  # noqa: PLC0415
        from bokeh.server.server import BaseServer  # noqa: PLC0415
        from bokeh.server.tornado import BokehTornado  # noqa: PLC0415
        from bokeh.server.util import bind_sockets  # noqa: PLC0415
        from tornado.httpserver import HTTPServer  # noqa: PLC0415
        from tornado.ioloop import IOLoop  # noqa: PLC0415

        from .page import Page  # noqa: PLC0415
        from .web_page import route  # noqa: PLC0415

        def open_page(document: Any) -> None:
            if refusal := self._admission.refusal(MAX_PAGES):  # a client without a page; a page is refused before
                document.add_root(Div(text=refusal))
                return
            asked = {
                name: [value.decode(errors="replace") for value in values]
                for name, values in document.session_context.request.arguments.items()
            }
            page = Page(document, state, send_command, read_address(asked), hidden, self._turns, looks, past)
            self._admission.opened()

            def close(_session: Any) -> None:
                self._admission.closed()
                page.close()
                if not self._admission.n_pages:
                    give_back_freed_memory()

            document.on_session_destroyed(close)

        silence(EMPTY_LAYOUT, True)  # Bokeh's warning: looks that nobody has seen yet are empty
        self._admission, hidden, self._turns = Admission(), HiddenLooks(), Turns()
        sockets, self.port = bind_sockets(host, port)
        web = BokehTornado(
            {"/": Application(FunctionHandler(open_page))},
            extra_websocket_origins=origins(host, self.port, named),
            check_unused_sessions_milliseconds=UNUSED_MS // 2,
            unused_session_lifetime_milliseconds=UNUSED_MS,
            websocket_max_message_size_bytes=MAX_REQUEST_BYTES,
            extra_patterns=_history_pages(past, host, named) if past else [],
        )
        self._web: Any = web
        self._discard_in_turn()
        route(web, lambda: self._admission.refusal(MAX_PAGES))
        secure(web)
        web.settings |= {"websocket_ping_interval": PATIENCE_S, "websocket_ping_timeout": PATIENCE_S}
        self._http: Any = HTTPServer(
            web,
            max_header_size=MAX_HEADER_BYTES,
            max_body_size=MAX_REQUEST_BYTES,
            idle_connection_timeout=PATIENCE_S,
            body_timeout=PATIENCE_S,
        )
        self._http.add_sockets(sockets)
        self._bokeh = BaseServer(IOLoop.current(), web, self._http)
        self._bokeh.start()

    def _discard_in_turn(self) -> None:
        """Make Bokeh discard one session at a time: each costs a full garbage collection, 0.5 s with 50 pages, and
        several in a row would block the event loop.
        """
        for context in self._web._applications.values():  # noqa: SLF001 - Bokeh has no setting for it
            discard = context._discard_session  # noqa: SLF001

            async def discard_in_turn(session: Any, should_discard: Any, discard: Any = discard) -> None:
                async with self._turns.turn():  # the viewer may have reconnected while this waited
                    if should_discard(session) and not session.expiration_blocked:
                        await discard(session, should_discard)

            context._discard_session = discard_in_turn  # noqa: SLF001

    async def close(self) -> None:
        """Close it, with the WebSockets of open pages, which the HTTP server does not close."""
        for connection in tuple(self._web._clients):  # noqa: SLF001 - Bokeh closes them in no other way
            connection.session.unsubscribe(connection)
            connection._socket.close(_GOING_AWAY)  # noqa: SLF001
        async with self._turns.turn():
            pass  # pages that waited for their turn are done
        self._bokeh.stop()
        await self._http.close_all_connections()
