"""Grafana: a dashboard for the Infinity data source, and the paths of the JSON data source.

A panel has at most eight numeric parameters of one kind and unit, from `/api/samples`. The JSON data source posts to
`/grafana/search` (or `metrics`) and `/grafana/query`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from ..model.errors import ConfigError
from .history import History
from .parameter import Parameter
from .times import to_ns
from .web_answers import plain

MAX_PANELS, MAX_LINES, MAX_POINTS, MAX_TARGETS = 60, 8, 10_000, 50
_INFINITY = "yesoreyeram-infinity-datasource"
_NUMBERS = ("int", "uint", "float", "double", "half", "bool")


def dashboard(history: History, url: str, pattern: str = "*") -> dict[str, Any]:
    """The dashboard of the parameters that match a pattern. `url`: of the HTTP interface, as Grafana reaches it."""
    panels = [
        _panel(number, title, some, url)
        for number, (title, some) in enumerate(islice(_groups(history.find(pattern)), MAX_PANELS))
    ]
    source = {"name": "source", "type": "datasource", "query": _INFINITY, "label": "Source"}
    return {
        "title": "downlink history",
        "uid": "downlink-history",
        "schemaVersion": 39,
        "tags": ["downlink"],
        "timezone": "utc",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def _groups(parameters: list[Parameter]) -> Iterator[tuple[str, list[Parameter]]]:
    by_unit: dict[tuple[str, str], list[Parameter]] = {}
    for one in parameters:
        if one.type.startswith(_NUMBERS):
            by_unit.setdefault((one.kind, one.unit), []).append(one)
    for (kind, unit), some in by_unit.items():
        for first in range(0, len(some), MAX_LINES):
            yield f"{kind} [{unit}]" if unit else kind, some[first : first + MAX_LINES]


def _panel(number: int, title: str, some: list[Parameter], url: str) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": _INFINITY, "uid": "${source}"},
        "gridPos": {"x": 12 * (number % 2), "y": 8 * (number // 2), "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"custom": {"spanNulls": False}}, "overrides": []},
        "targets": [_target(chr(ord("A") + i), one, url) for i, one in enumerate(some)],
    }


def _target(letter: str, one: Parameter, url: str) -> dict[str, Any]:
    parameters = f"name={quote(one.name, safe='')}&start=${{__from:date:iso}}&end=${{__to:date:iso}}&points=500"
    return {
        "refId": letter,
        "type": "json",
        "parser": "backend",
        "source": "url",
        "format": "timeseries",
        "url": f"{url}/api/samples?{parameters}",
        "url_options": {"method": "GET"},
        "root_selector": "rows",
        "columns": [
            {"selector": "time", "text": "time", "type": "timestamp"},
            {"selector": "value", "text": one.parameter, "type": "number"},
        ],
        "filters": [],
    }


def simple_json(history: History, what: str, body: Any) -> Any:
    """Answer a request of the JSON data source: names for `search` and `metrics`, data points for `query`."""
    if what in {"search", "metrics"}:
        word = str(body.get("target") or body.get("metric") or "*") if isinstance(body, dict) else "*"
        names = [one.name for one in history.find(word)]
        return names if what == "search" else [{"label": name, "value": name} for name in names]
    if what == "annotations":
        return []
    if what != "query":
        raise ConfigError(f"/grafana/{what}: search, metrics or query")
    return _query(history, body)


def _query(history: History, body: Any) -> list[dict[str, Any]]:
    try:
        start, end = (str(body["range"][one]) for one in ("from", "to"))
        targets = [str(one["target"]) for one in body["targets"] if one.get("target")]
        points = min(max(int(body.get("maxDataPoints") or 500), 1), MAX_POINTS)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ConfigError("query: range.from, range.to and targets[].target are needed") from None
    if len(targets) > MAX_TARGETS:
        raise ConfigError(f"{len(targets)} targets, and {MAX_TARGETS} are the most")
    return [{"target": name, "datapoints": _points(history, name, start, end, points)} for name in targets]


def _points(history: History, name: str, start: str, end: str, points: int) -> list[list[Any]]:
    """Pairs of mean and time (ms since 1970 UTC) of bins; bins without a number are left out."""
    table = history.table(name, start=to_ns(start), end=to_ns(end), points=points)
    if name not in table.schema.names:
        return []
    times = table["time"].cast(pa.int64()).to_pylist()
    found = zip(table[name].to_pylist(), times, strict=True)
    return [[value, ns // 1_000_000] for value, ns in found if plain(value) is not None]
