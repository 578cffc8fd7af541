"""Flow control of a publisher: messages that wait, messages in flight, and how many may be in flight.

In: messages in order, acknowledgements, losses of the connection. Out: messages to the connection, in order, at most
`window` and WINDOW_BYTES of them in flight. After a loss those without an acknowledgement wait again, in front. A
message for which the broker ends the connection again and again is given up, and the window is narrowed to find it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence

from ..model.batches import Message
from .batch import Entry
from .connection import Connection
from .packets import MAX_IN_FLIGHT
from .refused_topics import RefusedTopics

WINDOW_BYTES = 8 << 20
"""In flight at once, unless a single message is larger."""
MAX_LOSSES = 8
"""Lost connections for which one message may be the oldest in flight, before it is given up as refused."""
_NARROWEST = 3
"""Lost connections in a row after which a single message is in flight."""


class SendWindow:
    """`window`: messages in flight at most."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._waiting: deque[Entry] = deque()
        self._in_flight: dict[int, Entry] = {}
        """By packet id, the oldest first."""
        self._refused_topics = RefusedTopics(time.monotonic)
        self._n_losses = self._n_to_resend = 0
        """Consecutive connections lost before all was sent again, and how many messages of that are unanswered."""
        self.bytes_in_flight = 0

    @property
    def n_in_flight(self) -> int:
        """Messages without an acknowledgement."""
        return len(self._in_flight)

    @property
    def n_waiting(self) -> int:
        """Messages that are not sent yet."""
        return len(self._waiting)

    def add(self, entries: Iterable[Entry]) -> None:
        """Let messages wait behind all others."""
        self._waiting.extend(entries)

    def add_first(self, entry: Entry) -> None:
        """Let a message wait before all others."""
        self._waiting.appendleft(entry)

    def send(self, connection: Connection) -> None:
        """Give the connection as many messages as may be in flight; `connection.write_now` writes them.

        What cannot be sent is closed with the reason. ConnectionLostError: the message that failed waits in front.
        """
        in_flight, waiting, n_most = self._in_flight, self._waiting, self._n_most(connection)
        while waiting and len(in_flight) < n_most:
            entry = waiting[0]
            if in_flight and self.bytes_in_flight + entry.n_bytes > WINDOW_BYTES:
                break
            refusal = self._unsendable(entry, connection)
            if refusal is None:
                in_flight[connection.send(entry.message)] = entry
                self.bytes_in_flight += entry.n_bytes
            waiting.popleft()
            if refusal is not None:
                entry.close(refusal)
                self._count_resent()

    def acknowledge(self, packet_id: int, refusal: str) -> Entry | None:
        """Take a message out of flight; None where it is not in flight. `refusal`: the broker's reason, or empty."""
        entry = self._in_flight.pop(packet_id, None)
        if entry is None:
            return None
        self.bytes_in_flight -= entry.n_bytes
        self._count_resent()
        if refusal:
            self._refused_topics.refused(entry.message.topic, refusal)
        else:
            self._refused_topics.taken(entry.message.topic)
        return entry

    def take_back(self, resent: Sequence[Message]) -> None:
        """The connection is lost: messages in flight wait again, in front, and before them those of `resent`.

        Where the broker refused a message on the lost connection, the window stays narrow until all messages that wait
        now are answered: each may be on another refused topic, which then costs one connection and not one for each
        step of the window.
        """
        self._give_up_poison()
        refused = self._refused_topics.lost()
        again = [Entry.of(message, None) for message in resent]
        n_losses = self._n_losses + bool(self._in_flight)
        self._n_losses = _NARROWEST if refused else min(n_losses, _NARROWEST)
        unsent = [entry for entry in (*self._in_flight.values(), *self._waiting) if entry.batch]
        self._waiting = deque(again + unsent)
        self._n_to_resend = len(self._waiting) if refused else len(again) + len(self._in_flight)
        self._in_flight.clear()
        self.bytes_in_flight = 0

    def fail(self, error: BaseException) -> None:
        """Nothing is sent any more: end the wait for all messages with `error`."""
        for entry in (*self._in_flight.values(), *self._waiting):
            if entry.batch:
                entry.batch.fail(error)

    def _n_most(self, connection: Connection) -> int:
        """Messages in flight at most: a tenth after two losses in a row, one after three or after a refusal.

        A broker that closes a connection with unread bytes resets it, and its answer to the message that it refused is
        lost. With one message in flight nothing is unread.
        """
        narrowing: int = 10 ** (self._n_losses - 1) if self._n_losses > 1 else 1
        return min(max(self._window // narrowing, 1), connection.receive_maximum, MAX_IN_FLIGHT)

    def _unsendable(self, entry: Entry, connection: Connection) -> str | None:
        """Why a message is not sent; empty where nobody waits for it any more, None where it is to be sent."""
        if entry.batch is not None and entry.batch.done.cancelled():
            return ""
        if entry.n_bytes > connection.maximum_packet_bytes:
            return "packet too large"
        return self._refused_topics.reason(entry.message.topic) or None

    def _count_resent(self) -> None:
        self._n_to_resend -= 1
        if self._n_to_resend <= 0:
            self._n_losses = 0

    def _give_up_poison(self) -> None:
        """Close a message for which the broker ends the connection each time: it would keep all others back."""
        oldest = next(((packet_id, entry) for packet_id, entry in self._in_flight.items() if entry.batch), None)
        if oldest is None:
            return
        packet_id, entry = oldest
        entry.n_losses += 1
        if entry.n_losses >= MAX_LOSSES:
            del self._in_flight[packet_id]
            refusal = f"the connection was lost {entry.n_losses} times while it was sent"
            self._refused_topics.refused(entry.message.topic, refusal)
            entry.close(refusal)
