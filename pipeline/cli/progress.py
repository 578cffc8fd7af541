"""Display of a replay on a terminal: a progress bar, and a table of topics."""

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
    from ..model.batches import Message

N_VALUES = 3  # latest values in a row


def progress_bar(console: Console) -> Progress:
    """Make a bar of bytes."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class TopicTable:
    """Each product topic with its number of messages and bytes so far, and the newest values."""

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


class ReplayView:
    """Bar and topics of a replay, redrawn on a terminal; nothing elsewhere.

    `where`: lines above them, such as the address of the broker.
    """

    def __init__(self, console: Console, total_bytes: int | None, where: Sequence[str]) -> None:
        self.table = TopicTable()
        self._console, self._where = console, where
        self._bar = progress_bar(console)
        self._task = self._bar.add_task("", total=total_bytes)
        self._is_at_end = False
        self.live = Live(self._playing(), console=console, refresh_per_second=8, auto_refresh=console.is_terminal)

    def advance(self, n_bytes: int, messages: Sequence[Message]) -> None:
        """Add published messages, and the bytes read for them: negative after a seek back."""
        self._bar.update(self._task, advance=n_bytes)
        self.table.add(messages)
        if self._is_at_end and n_bytes:
            self._is_at_end = False
            self.live.update(self._playing())

    def rest(self, *lines: str) -> None:
        """Print the topics, and keep `where` and `lines` below all that is printed later."""
        if self._console.is_terminal:
            self._is_at_end = True
            self.live.update(Text("\n".join(["", *self._where, *lines])))
            self._console.print(self.table)

    def close(self) -> None:
        """Remove the bar; the topics stay on the terminal."""
        if not self._is_at_end:
            self.live.update(Group(self._head(), self.table))

    def _playing(self) -> Group:
        return Group(self._head(), self.table, self._bar)

    def _head(self) -> Text:
        return Text("\n".join(self._where))


@contextmanager
def replay_view(console: Console, total_bytes: int | None, where: Sequence[str] = ()) -> Iterator[ReplayView]:
    """Show a replay on a terminal while the block runs; nothing elsewhere."""
    view = ReplayView(console, total_bytes, where)
    if not console.is_terminal:
        yield view
        return
    with view.live:
        yield view
        view.close()
