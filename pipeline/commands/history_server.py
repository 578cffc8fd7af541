"""`downlink history serve`: the HTTP interface, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import uvicorn

from ..history.history import History
from ..history.web import application
from ..model.errors import ConfigError, RunError
from ..mqtt.address import is_loopback
from ..stations.address import check_listener
from ..system.signals import on_signals

TOKEN = "DOWNLINK_HISTORY_TOKEN"  # noqa: S105 - a variable's name
MIN_TOKEN = 16


async def serve(
    url: str | Path,
    host: str,
    port: int,
    tell: Callable[[str], None],
    *,
    open_to_all: Collection[str] = (),
    token: str | None = None,
) -> None:
    """Serve a history. Beyond this machine it needs a token (DOWNLINK_HISTORY_TOKEN), or `history` in `open_to_all`."""
    token = os.environ.get(TOKEN, "") if token is None else token
    if token and len(token) < MIN_TOKEN:
        raise ConfigError(f"{TOKEN}: at least {MIN_TOKEN} characters")
    check_listener("history", host, authenticates=bool(token) or None, open_to_all=open_to_all)
    hosts = ("localhost", "127.0.0.1", "::1", host) if is_loopback(host) else ()
    app = application(History(url), token=token, hosts=hosts)
    with _listening(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        tell(f"history {url} on http://{name}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", limit_concurrency=100,
            timeout_graceful_shutdown=3, h11_max_incomplete_event_size=1 << 16, http="h11", ws="none",
        )  # fmt: skip
        server = _Server(config)
        with on_signals(lambda _: setattr(server, "should_exit", True)):
            await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Leaves signals to who runs it."""

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
