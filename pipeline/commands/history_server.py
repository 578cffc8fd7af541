"""`downlink history serve`: serve HTTP, and optionally Arrow Flight, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import uvicorn

from ..history.history import History
from ..history.opening import TOKEN
from ..history.web import application
from ..mission.loading import Mission
from ..model.errors import ConfigError, RunError
from ..mqtt.address import is_loopback
from ..stations.address import check_listener
from ..system.hosts import in_url
from ..system.signals import on_signals
from .parameter_limits import parameter_limits

MIN_TOKEN = 16


async def serve(
    url: str | Path,
    host: str,
    port: int,
    notify: Callable[[str], None],
    *,
    open_to_all: Collection[str] = (),
    token: str | None = None,
    flight: tuple[str, int] | None = None,
    origins: Sequence[str] = (),
    mission: Mission | None = None,
) -> None:
    """Serve a history. Public addresses need a token (DOWNLINK_HISTORY_TOKEN), or `history` in `open_to_all`.

    `flight`: host and port of Arrow Flight; None: without. `origins`: of pages that may read the answers. `mission`:
    its alarm limits are added to the parameters. ConfigError for wrong options, RunError if it cannot listen.
    """
    token = os.environ.get(TOKEN, "") if token is None else token
    if token and len(token) < MIN_TOKEN:
        raise ConfigError(f"{TOKEN}: at least {MIN_TOKEN} characters")
    for one in (host, flight[0] if flight else host):
        check_listener("history", one, authenticates=bool(token) or None, open_to_all=open_to_all)
    hosts = ("localhost", "127.0.0.1", "::1", host) if is_loopback(host) else ()
    history = History(url)
    limits = parameter_limits(mission) if mission else {}
    app = application(history, token=token, hosts=hosts, origins=list(map(_origin, origins)), limits=limits)
    async with _flight(history, flight, token) as flight_port:
        with _listening(host, port) as listener:
            notify(f"history {url} on http://{in_url(host)}:{listener.getsockname()[1]}")
            if flight:
                notify(f"history {url} on grpc://{in_url(flight[0])}:{flight_port}")
            config = uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, lifespan="off", limit_concurrency=100,
                timeout_graceful_shutdown=3, h11_max_incomplete_event_size=1 << 16, http="h11", ws="none",
            )  # fmt: skip
            server = _Server(config)
            with on_signals(lambda _: setattr(server, "should_exit", True)):
                await server.serve(sockets=[listener])


@contextlib.asynccontextmanager
async def _flight(history: History, where: tuple[str, int] | None, token: str) -> AsyncIterator[int]:
    """Serve Arrow Flight at `where` (None: nowhere); yields the port."""
    if where is None:
        yield 0
        return
    from ..history.flight import FlightServer  # noqa: PLC0415 - loads gRPC

    try:
        server = FlightServer(history, *where, token=token)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"cannot listen on {where[0]}:{where[1]}: {str(error).splitlines()[0]}") from error
    try:
        yield server.port
    finally:
        await asyncio.to_thread(server.shutdown)


def _origin(text: str) -> str:
    """The origin in lower case. ConfigError if it is none; `*`, which admits every page, is not accepted."""
    if not re.fullmatch(r"https?://[^/\s*]+", text):
        raise ConfigError(f"--origin {text}: it is written http://HOST:PORT")
    return text.lower()


class _Server(uvicorn.Server):
    """A server without signal handlers of its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise RunError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener
