"""What a person sees while a pass is replayed: a bar, and the topics as they fill."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pipeline.batches import Message

N_VALUES = 3  # latest values that a row has room for


def progress_bar(console: Console) -> Progress:
    """Make a bar of bytes."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class TopicTable:
    """Each product topic with the messages and bytes so far, and the newest values that came with it."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[int, int]] = {}
        self._values: dict[str, dict[str, str]] = {}

    def add(self, messages: Sequence[Message]) -> None:
        for message in messages:
            _, _, kind, *rest = message.topic.split("/")
            if kind == "product":
                n_messages, n_bytes = self._sent.get(message.topic, (0, 0))
                self._sent[message.topic] = n_messages + 1, n_bytes + len(message.payload)
            elif kind == "latest":
                self._values.setdefault(message.about, {})[rest[-1]] = _value(json.loads(message.payload))

    def __rich__(self) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
        table.add_column("product", style="cyan", no_wrap=True)
        table.add_column("messages", justify="right", no_wrap=True, min_width=8)
        table.add_column("kB", justify="right", no_wrap=True, min_width=6)
        table.add_column("latest", no_wrap=True, overflow="ellipsis", ratio=1)
        for topic, (n_messages, n_bytes) in sorted(self._sent.items()):
            values = self._values.get(topic, {})
            latest = "   ".join(f"{name} {value}" for name, value in list(values.items())[:N_VALUES])
            name = "/".join(topic.split("/")[3:])
            table.add_row(Text(name), f"{n_messages:,}", f"{n_bytes / 1000:,.0f}", Text(latest))
        return table


def _value(content: dict[str, object]) -> str:
    value, unit = content.get("value"), content.get("unit") or ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}".strip() if unit != "1" else text


@contextmanager
def replay_view(console: Console, total_bytes: int | None) -> Iterator[tuple[Progress, TopicTable]]:
    """Show bar and topics on a terminal, the topics staying at the end; nothing elsewhere."""
    bar, table = progress_bar(console), TopicTable()
    bar.add_task("", total=total_bytes)
    if not console.is_terminal:
        yield bar, table
        return
    with Live(Group(table, bar), console=console, refresh_per_second=8) as live:
        yield bar, table
        live.update(table)
