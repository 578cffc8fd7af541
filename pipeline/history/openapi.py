"""The OpenAPI document of the HTTP interface, made from the table of its paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..system.software import release

if TYPE_CHECKING:
    from .web import Endpoint

_TEXT: dict[str, Any] = {"type": "string"}
PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "name": (
        "KIND.PARAMETER; several times for several",
        {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 50},
    ),
    "match": ("a pattern with * and ?, or a word of names and descriptions", _TEXT),
    "start": ("from then on, ISO 8601", _TEXT),
    "end": ("up to then, excluded; a date: that day too", _TEXT),
    "points": ("samples at most", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 500}),
    "by": ("which time start and end mean", {"type": "string", "enum": ["time", "received"], "default": "time"}),
    "stream": ("of this stream alone", _TEXT),
    "raw": ("raw counts", {"type": "boolean", "default": False}),
    "format": ("of the answer", {"type": "string", "enum": ["json", "arrow", "csv"], "default": "json"}),
    "severity": ("of events", {"type": "string", "enum": ["info", "warning", "error"]}),
    "date": ("a day, YYYY-MM-DD", {"type": "string", "format": "date"}),
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": _TEXT}}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these paths."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "downlink history", "version": release() or "0"},
        "paths": {one.path: {"get": _operation(one)} for one in endpoints},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(one: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if "format" in one.parameters:
        content |= {"application/vnd.apache.arrow.stream": {}, "text/csv": {}}
    bad = {"description": "what is wrong", "content": {"application/json": {"schema": _ERROR}}}
    return {
        "summary": one.summary,
        "operationId": one.path.rpartition("/")[2],
        "parameters": [_parameter(name) for name in one.parameters],
        "responses": {"200": {"description": one.summary, "content": content}, "400": bad, "401": bad, "503": bad},
    }


def _parameter(name: str) -> dict[str, Any]:
    text, schema = PARAMETERS[name]
    return {"name": name, "in": "query", "required": name == "name", "description": text, "schema": schema}
