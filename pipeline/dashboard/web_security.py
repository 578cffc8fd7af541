"""What the page's web server allows a browser: origins of WebSockets, headers of every answer, no script to embed it.

A page of another site may open a WebSocket to any server that the browser reaches, so the server must compare the
`Origin` header (RFC 6455 10.2). Origins are named; `*` is never one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from ..model.errors import ConfigError
from ..system.hosts import in_url

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_ORIGIN = re.compile(r"(?:https?://)?([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?")
_UNWANTED = ("AutoloadJsHandler", "MetadataHandler")
"""Bokeh's routes that serve pages of other sites."""


def content_policy(nonce: str) -> str:
    """The Content-Security-Policy of a page whose own inline scripts carry `nonce`.

    Bokeh compiles its callbacks (`unsafe-eval`) and styles its elements inline; text from messages runs no script.
    """
    return (
        "default-src 'self'; "
        f"script-src 'self' 'unsafe-eval' 'nonce-{nonce}'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def origins(host: str, port: int, named: Sequence[str] = ()) -> list[str]:
    """Hosts with ports whose pages may open the socket: this machine's names, the address served on, and `named`.

    `named`: HOST[:PORT], with or without http:// or https:// before it; ConfigError for anything else.
    """
    own = {"localhost", "127.0.0.1", "[::1]"}
    if host not in {"", "0.0.0.0", "::"}:  # noqa: S104  every address is no name
        own.add(in_url(host))
    return sorted({f"{name}:{port}".lower() for name in own} | {_origin(one) for one in named})


def _origin(text: str) -> str:
    match = _ORIGIN.fullmatch(text)
    if not match:
        raise ConfigError(f"--origin {text}: it is written HOST[:PORT], as the browser shows it; * is none")
    port = match[2] or ("443" if text.startswith("https:") else "80")
    return f"{match[1]}:{port}".lower()


def secure(web: Any) -> None:
    """Take the unwanted routes from a Bokeh application of tornado, and give each answer its headers.

    Bokeh's own variable of allowed origins, which may be `*`, has no effect.
    """
    from bokeh.settings import settings  # noqa: PLC0415 - an optional extra

    settings.allowed_ws_origin = []
    for router in (web.wildcard_router, *(rule.target for rule in web.default_router.rules)):
        rules = getattr(router, "rules", None)
        if rules is not None:
            router.rules = [rule for rule in rules if getattr(rule.target, "__name__", "") not in _UNWANTED]
    web.add_transform(_Secured)


class _Secured:
    """A transform of tornado (`OutputTransform`): headers of the first chunk, a nonce for the page's own scripts."""

    def __init__(self, request: Any) -> None:
        """`request`: of HTTP; any is treated alike."""

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> tuple[int, Any, bytes]:
        """The same answer with its headers; an HTML page comes in one chunk."""
        nonce = secrets.token_urlsafe(16)
        _set(headers, HEADERS.items())
        _set(headers, [("Content-Security-Policy", content_policy(nonce))])
        if headers.get("Content-Type", "").startswith("text/html"):
            _set(headers, [("Cache-Control", "no-store")])
            if finishing and status_code == 200:
                chunk = chunk.replace(b"<script>", b'<script nonce="%s">' % nonce.encode())
                _set(headers, [("Content-Length", str(len(chunk)))])
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:  # noqa: ARG002 - tornado's interface
        return chunk


def _set(headers: Any, values: Iterable[tuple[str, str]]) -> None:
    for name, value in values:
        headers[name] = value
