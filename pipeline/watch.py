"""A message as one line: JSON as it is, a product with its shape, time and quality."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline.topics import unpack_product


def show(console: Console, topic: str, payload: bytes, retained: bool, *, as_json: bool) -> None:
    """Print one message; a payload that is neither JSON nor a product is shown by its size."""
    content = _read(topic, payload)
    if as_json:
        print(json.dumps({"topic": topic, "retained": retained, **content}))  # noqa: T201
        return
    told = "  ".join(f"{key} {value}" for key, value in content.items())
    console.print(f"[bold cyan]{escape(topic)}[/bold cyan]  {escape(told)}", soft_wrap=True)


def _read(topic: str, payload: bytes) -> dict[str, Any]:
    try:
        if "/product/" in topic:
            return _summary(unpack_product(payload))
        content = json.loads(payload)
    except ValueError:
        return {"bytes": len(payload)}
    return content if isinstance(content, dict) else {"value": content}


def _summary(product: dict[str, Any]) -> dict[str, Any]:
    arrays = {name: list(item["values"].shape) for name, item in product["arrays"].items()}
    return {"id": product["id"], "utc": product["time"]["utc"], "arrays": arrays}
