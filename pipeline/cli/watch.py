"""Messages for who watches a broker from a terminal: a table that keeps up with them, or a JSON object a line.

In: topics and payloads as they come, from anyone. Out: rows with the newest value, how old it is (of a retained one by
its own time, else by its arrival), how fast it comes and how it went; what is neither JSON nor a product is told by its
size. Bounded: topics beyond MAX_TOPICS are only counted.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from ..messages.topics import unpack_product
from ..model.printable import printable

MAX_TOPICS = 500
MAX_SHOWN = 300  # characters of a topic and of what it says
N_KEPT = 32  # values of a topic that its sparkline shows
RATE_S = 10.0  # over which a rate is told
_BARS = "▁▂▃▄▅▆▇█"
_LINK = ("frames", "gaps", "lost_frames")


def json_line(topic: str, payload: bytes, retained: bool) -> str:
    """One message as a JSON object in one line."""
    return json.dumps({"topic": topic, "retained": retained, **_read(topic, payload)}, default=str)


def sparkline(values: Sequence[float]) -> str:
    """Finite values as bars between their smallest and largest; a gap where a value is not finite."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, span = min(finite), max(finite) - min(finite)
    return "".join(_bar(value, low, span) for value in values)


def _bar(value: float, low: float, span: float) -> str:
    if not math.isfinite(value):
        return " "
    return _BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] if span > 0 else _BARS[0]


@dataclass(slots=True)
class _Row:
    """What is known of one topic."""

    told: str = ""
    quality: int = 0
    n_messages: int = 0
    last_s: float = 0.0
    retained: bool = False
    time_s: float = math.nan
    """When the newest value was measured, or else received, in s since 1970; NaN where the message does not say."""
    arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    values: deque[float] = field(default_factory=lambda: deque(maxlen=N_KEPT))


class WatchTable:
    """A row for each topic, in order of their names. `clock`: seconds that do not go back; `utc_s`: since 1970."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, utc_s: Callable[[], float] = time.time) -> None:
        self._clock, self._utc_s = clock, utc_s
        self._rows: dict[str, _Row] = {}
        self.n_left_out = 0

    def add(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take a message; a retained one tells a value, but not how fast they come."""
        if topic not in self._rows and len(self._rows) >= MAX_TOPICS:
            self.n_left_out += 1
            return
        row = self._rows.setdefault(topic, _Row())
        row.n_messages += 1
        row.last_s = self._clock()
        if not retained:
            row.arrivals_s.append(row.last_s)
        content = _read(topic, payload)
        row.retained, row.time_s = retained, _time_s(content)
        told, row.quality = _told(topic, content)
        row.told = printable(told[:MAX_SHOWN])
        value = content.get("value")
        if isinstance(value, int | float) and not isinstance(value, bool):
            row.values.append(_float(value))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._rows:
            yield Text("nothing yet", style="dim")
            return
        table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
        table.add_column("topic", style="cyan", no_wrap=True, overflow="ellipsis", ratio=4)
        for name in ("messages", "a second", "age"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, width=N_KEPT, style="green")
        table.add_column("newest", no_wrap=True, overflow="ellipsis", ratio=3)
        names = sorted(self._rows)
        n_shown = max((options.height or console.height) - 3, 1)
        now_s, utc_s = self._clock(), self._utc_s()
        for name in names[:n_shown]:
            table.add_row(*self._cells(name, self._rows[name], now_s, utc_s))
        yield table
        n_more = len(names[n_shown:]) + self.n_left_out
        if n_more:
            yield Text(f"... and {n_more} more: name a narrower filter", style="dim")

    @staticmethod
    def _cells(topic: str, row: _Row, now_s: float, utc_s: float) -> tuple[RenderableType, ...]:
        told = Text(row.told)
        if row.quality:
            told.append(f"  ⚑ {row.quality}", style="yellow")
        n_recent = sum(now_s - at <= RATE_S for at in row.arrivals_s)
        rate = f"{n_recent / RATE_S:.1f}" if n_recent else ""
        return (
            Text(printable(topic[:MAX_SHOWN])),
            f"{row.n_messages:,}",
            rate,
            f"{_age(utc_s - row.time_s)} retained".strip() if row.retained else _age(now_s - row.last_s),
            sparkline(row.values),
            told,
        )


def _age(seconds: float) -> str:
    """In words; empty where it is not known (NaN)."""
    if math.isnan(seconds):
        return ""
    for unit, unit_s, until_s in (("s", 1, 60), ("min", 60, 5400), ("h", 3600, 48 * 3600)):
        if seconds < until_s:
            return f"{max(seconds, 0) / unit_s:.0f} {unit}"
    return f"{seconds / 86400:,.0f} d"


def _time_s(content: dict[str, Any]) -> float:
    """Of the value itself: its UTC, else when it was received; NaN where neither is told."""
    for key in ("time", "received"):
        text = content.get(key)
        if isinstance(text, str):
            try:
                return datetime.fromisoformat(text).timestamp()
            except (ValueError, OverflowError):
                continue
    return math.nan


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.nan


def _told(topic: str, content: dict[str, Any]) -> tuple[str, int]:
    """The newest of a topic in a few words, and its quality bits."""
    quality = content.get("quality")
    bits = quality if isinstance(quality, int) else 0
    if "value" in content:
        value, unit = content["value"], content.get("unit") or ""
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        return f"{text} {unit}".strip() if unit != "1" else text, bits
    if "/product/" in topic and "rows" in content:
        return f"{content['rows']:,} rows, {content['bytes'] / 1000:,.0f} kB, {content['utc'][1] or ''}", bits
    if "/link/" in topic:
        return "  ".join(
            f"{key.replace('_', ' ')} {content[key]:,}" for key in _LINK if isinstance(content.get(key), int)
        ), 0
    return "  ".join(f"{key} {content[key]}" for key in ("severity", "state", "text") if key in content), 0


def _read(topic: str, payload: bytes) -> dict[str, Any]:
    try:
        if "/product/" in topic:
            return _summary(unpack_product(payload), len(payload))
        content = json.loads(payload)
        json.dumps(content)  # what is nested too deep for this
    except (
        ValueError,
        LookupError,
        TypeError,
        RecursionError,
        MemoryError,
    ):  # from anyone: not what the topic promises
        return {"bytes": len(payload)}
    return content if isinstance(content, dict) else {"value": content}


def _summary(product: dict[str, Any], n_bytes: int) -> dict[str, Any]:
    quality = product["quality"]
    first, last = (None if text is None else str(text)[:40] for text in product["time"]["utc"])
    return {
        "id": str(product["id"]),
        "utc": [first, last],
        "arrays": {name: list(item["values"].shape) for name, item in product["arrays"].items()},
        "rows": len(quality),
        "quality": int(np.bitwise_or.reduce(quality, axis=None)) if quality.dtype.kind == "u" else 0,
        "bytes": n_bytes,
    }
