"""Limits how often the retained JSON topics of newest values are sent.

In: products. Out: messages of the last row of each of their `latest` quantities. Each topic is sent at most PER_SECOND
times a second, and all topics of one stream together at most `MESSAGES_PER_SECOND` (a replay at maximum speed:
`MESSAGES_PER_SECOND_MAX_SPEED`). Where that is not enough, the topics that were sent the longest time ago go first, so
that all of them are sent equally often. A value that a newer one replaces before it was sent is counted in `n_thinned`.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from operator import itemgetter

from ..messages.topics import latest_messages
from ..model.batches import Message, Product

PER_SECOND = 5.0
MESSAGES_PER_SECOND = 4000
"""About half of what a broker can handle of small messages; 4,000 parameters are each sent every second."""
MESSAGES_PER_SECOND_MAX_SPEED = 250
"""Of a replay at maximum speed, where values of hours pass in seconds and each message delays the products."""

_Kind = tuple[str, str]
_NEVER_NS = -(1 << 63)


class Latest:
    """The newest values of one stream, rate-limited. Times are arguments: ns of any monotonic clock."""

    def __init__(self, messages_per_second: float = MESSAGES_PER_SECOND, per_second: float = PER_SECOND) -> None:
        self.messages_per_second = messages_per_second
        self._interval_ns = int(1e9 / per_second)
        self._allowed = 0.0
        self._allowed_at_ns: int | None = None
        self._newest: dict[_Kind, Product] = {}
        self._waiting: dict[_Kind, tuple[str, ...]] = {}
        """Quantities of the newest product that are not sent yet."""
        self._due_ns: dict[_Kind, int] = {}
        self._sent_ns: dict[_Kind, dict[str, int]] = {}
        self.n_thinned = 0

    def add(self, products: Iterable[Product]) -> None:
        """Keep the newest product of each kind that has newest values, in place of the one before."""
        for product in products:
            if product.latest:
                kind = product.instrument, product.product
                self.n_thinned += len(self._waiting.get(kind, ()))
                self._newest[kind], self._waiting[kind] = product, product.latest

    def is_due(self, now_ns: int) -> bool:
        """Whether any message may be sent now."""
        for kind in self._waiting:
            if self._due_ns.get(kind, now_ns) <= now_ns:
                return self._n_allowed(now_ns) >= 1
        return False

    def due_messages(self, now_ns: int) -> list[Message]:
        """Return the messages that are due and allowed by the rate limit; the least recently sent topics first."""
        due = {kind: names for kind, names in self._waiting.items() if self._due_ns.get(kind, now_ns) <= now_ns}
        n_due, n_allowed = sum(map(len, due.values())), int(self._n_allowed(now_ns))
        if n_due > n_allowed:
            due = self._stalest(due, n_allowed)
        messages = [message for kind, names in due.items() for message in self._send(kind, names, now_ns)]
        self._allowed -= len(messages)
        return messages

    def flush(self) -> list[Message]:
        """Return all waiting messages without rate limit: the last value of each topic is always sent."""
        waiting, self._waiting = self._waiting, {}
        return [
            message for kind, names in waiting.items() for message in latest_messages(self._newest.pop(kind), names)
        ]

    def _send(self, kind: _Kind, names: tuple[str, ...], now_ns: int) -> list[Message]:
        product = self._newest[kind]
        self._due_ns[kind] = now_ns + self._interval_ns
        self._sent_ns.setdefault(kind, {}).update(dict.fromkeys(names, now_ns))
        if len(names) == len(self._waiting[kind]):
            del self._waiting[kind], self._newest[kind]
        else:
            sent = frozenset(names)
            self._waiting[kind] = tuple(name for name in self._waiting[kind] if name not in sent)
            self._due_ns[kind] = now_ns
        return latest_messages(product, names)

    def _stalest(self, due: dict[_Kind, tuple[str, ...]], n: int) -> dict[_Kind, tuple[str, ...]]:
        """Select the `n` quantities that were sent the longest time ago."""
        sent = {kind: self._sent_ns.get(kind, {}) for kind in due}
        candidates = (
            (sent[kind].get(name, _NEVER_NS), kind, name) for kind, names in due.items() for name in names
        )
        chosen: dict[_Kind, list[str]] = {}
        for _, kind, name in nsmallest(n, candidates, key=itemgetter(0)):
            chosen.setdefault(kind, []).append(name)
        return {kind: tuple(names) for kind, names in chosen.items()}

    def _n_allowed(self, now_ns: int) -> float:
        """Number of messages that the rate limit allows now (token bucket of one second)."""
        if self._allowed_at_ns is None:
            self._allowed = self.messages_per_second
        else:
            accrued = (now_ns - self._allowed_at_ns) * 1e-9 * self.messages_per_second
            self._allowed = min(self._allowed + accrued, self.messages_per_second)
        self._allowed_at_ns = now_ns
        return self._allowed
