"""The history over HTTP, read-only: parameters, values, samples, last values, events, passes, coverage, Grafana.

Names, points and values of a request, and concurrent requests, are bounded. Queries run in threads. Errors are JSON
objects `{"error": ...}`: status 400 for a wrong request, 500 for the folder or a defect, 503 for too many requests.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..model.errors import ConfigError, DownlinkError
from . import web_answers as answers
from .grafana import dashboard, simple_json
from .history import History
from .openapi import document

MAX_NAMES, MAX_POINTS, MAX_BODY = 50, 10_000, 1 << 16
AT_ONCE, PATIENCE_S = 4, 10.0
_LISTS = frozenset({"name", "stream"})
"""Query parameters that may be repeated."""
_TRUE, _FALSE = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no", ""})
HEALTH = "/health"
"""Health check, without a token."""
ARROW = "/arrow"
"""Answers `?ticket=` (`calls.py`) with an Arrow stream, for `open_history("http://...")`."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Limits = Mapping[str, Sequence[Mapping[str, Any]]]
"""Alarm bands by parameter name: `level`, `low`, `high` and `inside`."""
Call = Callable[[History, "Query"], Any]


@dataclass(frozen=True, slots=True)
class Query:
    """The checked query parameters of a request."""

    names: Sequence[str]
    start: str | None
    end: str | None
    points: int
    file_format: str
    raw: bool
    streams: Sequence[str]
    words: dict[str, str]
    """All query parameters as text."""
    limits: Limits = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path for GET requests; `parameters` and `summary` are for the OpenAPI document, too."""

    path: str
    call: Call
    summary: str
    parameters: tuple[str, ...] = ()


ENDPOINTS = (
    Endpoint("/api/parameters", answers.parameters, "Parameters by pattern or word", ("match", "raw")),
    Endpoint(
        "/api/values",
        answers.values,
        "Rows of parameters",
        ("name", "start", "end", "by", "stream", "raw", "format"),
    ),
    Endpoint(
        "/api/samples",
        answers.sampled,
        "Down-sampled parameters",
        ("name", "start", "end", "points", "raw", "format"),
    ),
    Endpoint("/api/last", answers.last, "The newest value of parameters, before a time", ("name", "end", "raw")),
    Endpoint("/api/events", answers.events, "Events of passes", ("start", "end", "severity")),
    Endpoint("/api/passes", answers.passes, "What was received, decoded and lost, by pass and APID", ("date",)),
    Endpoint("/api/coverage", answers.covered, "Rows by kind and day", ("date",)),
)


class _Runner:
    """Runs at most AT_ONCE queries at a time, in threads."""

    def __init__(self) -> None:
        self._limit = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, call: Callable[[], Any]) -> Response:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._limit.acquire()
        except TimeoutError:
            return _error("too many queries at once: try again", 503)
        try:
            found = await asyncio.to_thread(call)
        except DownlinkError as error:
            return _error(str(error), 400 if isinstance(error, ConfigError) else 500)
        except (pa.ArrowException, OSError) as error:
            return _error(f"the history cannot be read: {error}", 500)
        finally:
            self._limit.release()
        return found if isinstance(found, Response) else JSONResponse(found)


def application(
    history: History,
    *,
    token: str = "",
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    limits: Limits | None = None,
) -> Starlette:
    """The ASGI application. `token`: required of requests; empty: none. `hosts`: accepted values of the Host header.

    `origins`: of pages that may read the answers, such as `http://localhost:8080`; `limits`: added to the parameters.
    """
    run = _Runner()

    def route(one: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            return await run(lambda: one.call(history, _query(request, one, limits or {})))

        return Route(one.path, answer, methods=["GET"])

    async def about(_: Request) -> Response:
        paths = [one.path for one in ENDPOINTS]
        return JSONResponse({"what": "downlink history", "openapi": "/openapi.json", "paths": paths})

    async def health(_: Request) -> Response:
        return JSONResponse({"well": True})

    async def openapi(_: Request) -> Response:
        return JSONResponse(document(ENDPOINTS))

    async def grafana_dashboard(request: Request) -> Response:
        pattern = request.query_params.get("match", "*")
        return await run(lambda: dashboard(history, str(request.base_url).rstrip("/"), pattern))

    async def grafana(request: Request) -> Response:
        body = await _json(request)
        return await run(lambda: simple_json(history, request.path_params["what"], body))

    arrow = Endpoint(
        ARROW, answers.arrow, "A call of the Arrow interface, as Flight has it, but for SQL", ("ticket",)
    )
    routes = [
        Route("/", about),
        Route(HEALTH, health),
        Route("/openapi.json", openapi),
        *map(route, (*ENDPOINTS, arrow)),
        Route("/grafana", about),
        Route("/grafana/", about),
        Route("/grafana/dashboard.json", grafana_dashboard),
        Route("/grafana/{what}", grafana, methods=["POST"]),
    ]
    guard = Middleware(BaseHTTPMiddleware, dispatch=_guard(token, hosts))
    shared = Middleware(
        CORSMiddleware, allow_origins=list(origins), allow_methods=["GET"], allow_headers=["Authorization"]
    )
    middleware = [*([shared] if origins else []), guard]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=_HANDLERS)


def _http_error(_: Request, error: Exception) -> Response:
    """An unknown path, or a method that it does not support."""
    assert isinstance(error, HTTPException)
    return _error(error.detail, error.status_code)


def _defect(_: Request, error: Exception) -> Response:
    """An error that no request should cause; the server's log has its traceback."""
    return _error(f"a defect of the server, {type(error).__name__}: its log has the traceback", 500)


_HANDLERS: dict[Any, Callable[[Request, Exception], Response]] = {HTTPException: _http_error, Exception: _defect}


def _guard(token: str, hosts: Sequence[str]) -> Callable[..., Awaitable[Response]]:
    """Refuse requests without the token, and those with a foreign Host header (DNS rebinding)."""

    async def dispatch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        name = request.headers.get("host", "").rpartition("@")[2]
        host = name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() else name
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else ""
        if hosts and host.strip("[]").lower() not in hosts:
            response: Response = _error("the Host header names another host", 403)
        elif token and request.url.path != HEALTH and not hmac.compare_digest(given.encode(), token.encode()):
            response = _error("Authorization: Bearer TOKEN is needed", 401)
            response.headers["WWW-Authenticate"] = "Bearer"
        else:
            try:
                response = await call_next(request)
            except ConfigError as error:
                response = _error(str(error), 400)
        response.headers.update(HEADERS)
        return response

    return dispatch


def _query(request: Request, endpoint: Endpoint, limits: Limits) -> Query:
    """Parse query parameters. ConfigError if one is unknown, repeated, or out of bounds."""
    query = request.query_params
    unknown = sorted({*query} - {*endpoint.parameters})
    if unknown:
        raise ConfigError(f"{endpoint.path} has no {', '.join(unknown)}: it has {', '.join(endpoint.parameters)}")
    twice = [one for one in query if one not in _LISTS and len(query.getlist(one)) > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is given twice")
    names = query.getlist("name")
    if len(names) > MAX_NAMES:
        raise ConfigError(f"{len(names)} names, and {MAX_NAMES} are the most")
    points = query.get("points", "500")
    if not points.isdecimal() or not 1 <= int(points) <= MAX_POINTS:
        raise ConfigError(f"points={points}: from 1 to {MAX_POINTS}")
    file_format = query.get("format", "json")
    if file_format not in {"json", "arrow", "csv"}:
        raise ConfigError(f"format={file_format}: json, arrow or csv")
    raw = query.get("raw", "false").lower()
    if raw not in _TRUE | _FALSE:
        raise ConfigError(f"raw={raw}: true or false")
    start, end, streams = _time(query.get("start")), _time(query.get("end")), query.getlist("stream")
    return Query(names, start, end, int(points), file_format, raw in _TRUE, streams, dict(query), limits)


def _time(text: str | None) -> str | None:
    """A time of a query, in which the `+` of an offset is a blank if it was not percent-encoded."""
    return text if text is None or "T" not in text else re.sub(r"(?<=\d) (?=\d\d:?\d\d$)", "+", text)


async def _json(request: Request) -> Any:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ConfigError(f"more than {MAX_BODY} bytes")
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise ConfigError("the body is no JSON") from None


def _error(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)
