"""Messages of a broker on a terminal: a table of topics, or a JSON object for each message.

In: topics and payloads, which are not trusted. Out: a row for each topic with its newest value, quality in words, age
(of a retained message by its own time, else since its arrival) and rate. Payloads that are neither JSON nor a product
are shown by their size. Topic levels that all have in common are shown once; topics beyond MAX_TOPICS are counted.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ..messages.topics import unpack_product
from ..model.batches import DOUBTFUL
from ..model.printable import printable
from ..model.quality_words import quality_words
from .watch_view import HELP, View, common_prefix

MAX_TOPICS = 500
MAX_SHOWN = 300  # characters of a topic and of its value
WIDE = 110  # least width in columns for counts and sparklines
AGE_WIDTH, MAX_AGE_WIDTH = 13, 18  # columns of the age
N_KEPT = 32  # values in a sparkline
RATE_S = 10.0  # interval of a rate
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
    """State of one topic. `n_messages`: messages since the start, without retained ones."""

    text: str = ""
    quality: int = 0
    n_messages: int = 0
    last_s: float = 0.0
    retained: bool = False
    time_s: float = math.nan
    """UTC of the newest value, or else of its reception, in s since 1970; NaN if the message has neither."""
    arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    values: deque[float] = field(default_factory=lambda: deque(maxlen=N_KEPT))

    def rate(self, now_s: float) -> float:
        """Messages a second, over the last RATE_S."""
        return sum(now_s - at <= RATE_S for at in tuple(self.arrivals_s)) / RATE_S


class WatchTable:
    """A row for each topic, in the order of `view`. `clock`: seconds that do not go back; `utc_s`: since 1970."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, utc_s: Callable[[], float] = time.time) -> None:
        self._clock, self._utc_s = clock, utc_s
        self._rows: dict[str, _Row] = {}
        self.view = View()
        self.has_keys = False
        """Whether it gets keys; their help is shown then."""
        self.n_left_out = 0

    def add(self, topic: str, payload: bytes, retained: bool) -> None:
        """Add a message; a retained one does not count for the rate."""
        if topic not in self._rows and len(self._rows) >= MAX_TOPICS:
            self.n_left_out += 1
            return
        row = self._rows.setdefault(topic, _Row())
        row.last_s = self._clock()
        if not retained:
            row.n_messages += 1
            row.arrivals_s.append(row.last_s)
        content = _read(topic, payload)
        row.retained, row.time_s = retained, _time_s(content)
        text, row.quality = _text_of(topic, content)
        row.text = printable(text[:MAX_SHOWN])
        value = content.get("value")
        if isinstance(value, int | float) and not isinstance(value, bool):
            row.values.append(_float(value))

    def press(self, key: str) -> bool:
        """Handle a key, as `View.press`; False if it ends the command."""
        self.has_keys = True
        return self.view.press(key)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._rows:
            yield Text("nothing yet", style="dim")
            return
        now_s, utc_s = self._clock(), self._utc_s()
        names = self._chosen(now_s)
        prefix = printable(common_prefix(names))
        yield Text(self._heading(prefix, len(names)), style="bold", no_wrap=True, overflow="ellipsis")
        n_room = max((options.height or console.height) - 4, 1)
        shown = names[self.view.window(len(names), n_room)]
        yield self._table([self._cells(name, len(prefix), now_s, utc_s) for name in shown], options.max_width)
        yield from self._footing(len(names), len(shown))

    def _chosen(self, now_s: float) -> list[str]:
        """The topics that the filter lets through, in order."""
        wanted, rows = self.view.filter.lower(), dict(self._rows)
        names = sorted(name for name in rows if wanted in name.lower())
        order: dict[str, Callable[[str], float]] = {
            "age": lambda name: -rows[name].last_s if not rows[name].retained else math.inf,
            "rate": lambda name: -rows[name].rate(now_s),
            "quality": lambda name: -(rows[name].quality & DOUBTFUL or rows[name].quality / (1 << 32)),
        }
        if self.view.sort in order:
            names.sort(key=order[self.view.sort])
        return names[::-1] if self.view.reverse else names

    def _heading(self, prefix: str, n_chosen: int) -> str:
        words = [prefix, f"{n_chosen:,} topic{'s' * (n_chosen != 1)}"]
        if self.view.filter or self.view.typing:
            words.append(f"filter: {printable(self.view.filter)}{'_' if self.view.typing else ''}")
        if self.view.sort != "name" or self.view.reverse:
            words.append(f"by {self.view.sort}{', reversed' if self.view.reverse else ''}")
        return "   ".join(filter(None, words))

    @staticmethod
    def _table(rows: list[_Cells], width: int) -> Table:
        """The table of rows; below WIDE columns without counts and sparklines."""
        is_wide = width >= WIDE
        n_age = max((cell_len(row.age) for row in rows), default=AGE_WIDTH)
        n_age = min(max(n_age, AGE_WIDTH), MAX_AGE_WIDTH)  # "2,062 d retained" of an old recording is long
        fixed = 6 + n_age + 4 + (9 + N_KEPT + 4 if is_wide else 0)
        room = max(width - fixed, 24)
        n_topic = min(max((cell_len(row.topic) for row in rows), default=8), room * 3 // 5)
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        table.add_column("topic", style="cyan", no_wrap=True, width=max(n_topic, 5))
        table.add_column("newest", no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("/s", justify="right", no_wrap=True, width=6)
        table.add_column("age", justify="right", no_wrap=True, width=n_age)
        if is_wide:
            table.add_column("messages", justify="right", no_wrap=True, width=9)
            table.add_column("", no_wrap=True, width=N_KEPT, style="green")
        for row in rows:
            more = (row.messages, row.values) if is_wide else ()
            table.add_row(Text(cut_left(row.topic, max(n_topic, 5))), row.newest, row.rate, row.age, *more)
        return table

    def _footing(self, n_chosen: int, n_shown: int) -> Iterator[Text]:
        n_more = n_chosen - n_shown + self.n_left_out
        if self.has_keys:
            last = self.view.offset + n_shown
            place = f"{self.view.offset + 1:,} to {last:,} of {n_chosen:,}   " if n_chosen > n_shown else ""
            yield Text(f"{place}{HELP}", style="dim", no_wrap=True, overflow="ellipsis")
        elif n_more:
            yield Text(f"... and {n_more} more: name a narrower filter", style="dim")

    def _cells(self, topic: str, n_prefix: int, now_s: float, utc_s: float) -> _Cells:
        row = self._rows[topic]
        newest = Text(row.text)
        if row.quality:
            is_doubtful = bool(row.quality & DOUBTFUL)
            newest.append(
                f"  {'⚑ ' if is_doubtful else ''}{quality_words(row.quality)}", "yellow" if is_doubtful else "dim"
            )
        rate = row.rate(now_s)
        return _Cells(
            printable(topic[n_prefix:][-MAX_SHOWN:]),
            newest,
            f"{rate:.1f}" if rate else "",
            f"{_age(utc_s - row.time_s)} retained".strip() if row.retained else _age(now_s - row.last_s),
            f"{row.n_messages:,}" if row.n_messages else "",
            sparkline(row.values),
        )


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row as text. `topic`: without the common levels."""

    topic: str
    newest: Text
    rate: str
    age: str
    messages: str
    values: str


def cut_left(text: str, width: int) -> str:
    """The text, cut from the left to `width` columns, with an ellipsis in front if it is cut."""
    if cell_len(text) <= width:
        return text
    text = text[-width:]
    while cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def _age(seconds: float) -> str:
    """A duration in words; empty for NaN."""
    if math.isnan(seconds):
        return ""
    for unit, unit_s, until_s in (("s", 1, 60), ("min", 60, 5400), ("h", 3600, 48 * 3600)):
        if seconds < until_s:
            return f"{max(seconds, 0) / unit_s:.0f} {unit}"
    return f"{seconds / 86400:,.0f} d"


def _time_s(content: dict[str, Any]) -> float:
    """UTC of a value, else of its reception, in s since 1970; NaN without both."""
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


def _text_of(topic: str, content: dict[str, Any]) -> tuple[str, int]:
    """Short text of a message, and its quality bits."""
    quality = content.get("quality")
    bits = quality if isinstance(quality, int) else 0
    if "value" in content:
        value, unit = content["value"], content.get("unit") or ""
        text = f"{value:.7g}" if isinstance(value, float) else str(value)
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
        json.dumps(content)  # RecursionError for deep nesting
    except (ValueError, LookupError, TypeError, RecursionError, MemoryError):  # payloads are not trusted
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
