"""Render an AsyncAPI document of a mission as a Markdown page: every topic with its arrays and units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..system.outputs import begins_with

Map = dict[str, Any]
is_topics = begins_with(b'{\n  "asyncapi"', b"# Topics of ")
"""Whether a file is a description of topics, as a document or as a page."""


def page(document: Map) -> str:
    """Markdown of a document that `asyncapi.document` made."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Map) -> Iterator[str]:
    channels = document["channels"].values()
    yield f"# Topics of {document['info']['title'].removesuffix(' telemetry')}"
    yield from ("", document["info"]["description"], "")
    yield from _table("Flat JSON, for dashboards and shells", ("topic", "value", "unit"), _latest(channels))
    yield from _table("Link, events and reports", ("topic", "content", "retained"), _others(document))
    for channel in channels:
        if "/product/" in channel["address"]:
            yield from _product(channel)


def _table(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield from (f"## {title}", "", _row(columns), _row(("---",) * len(columns)))
    yield from map(_row, rows)
    yield ""


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _latest(channels: Any) -> Iterator[tuple[str, ...]]:
    for channel in channels:
        if "/latest/" in channel["address"]:
            own = channel["messages"]["message"]["payload"]["allOf"][1]["properties"]
            yield f"`{channel['address']}`", own["value"]["type"][0], _unit(own["unit"]["const"])


def _others(document: Map) -> Iterator[tuple[str, ...]]:
    for name, channel in document["channels"].items():
        if "/product/" not in channel["address"] and "/latest/" not in channel["address"]:
            kept = document["operations"][f"publish_{name}"]["bindings"]["mqtt"]["retain"]
            yield f"`{channel['address']}`", channel["description"], "yes" if kept else "no"


def _product(channel: Map) -> Iterator[str]:
    own = channel["messages"]["message"]["payload"]["allOf"][1]["properties"]
    yield from (f"## `{channel['address']}`", "", f"Level {own['level']['const']}, msgpack.", "")
    yield from (_row(("array", "type", "axes", "unit", "")), _row(("---",) * 5))
    for name, array in own["arrays"]["properties"].items():
        form = array["allOf"][1]["properties"]
        dtype = form.get("dtype", {}).get("const") or ("text" if "dtype" in form else "as sent")
        axes = ", ".join(form["dims"]["const"])
        yield _row((f"`{name}`", f"`{dtype}`", axes, _unit(form["unit"]["const"]), array.get("description", "")))
    yield ""


def _unit(unit: str) -> str:
    return f"`{unit}`" if unit not in ("", "1") else ""
