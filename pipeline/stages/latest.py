"""The newest product of each kind, of which the retained JSON topics tell the last row: a few times a second.

Messages are built only for products whose turn has come, since most are overtaken by a newer one before that.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.batches import Message, Product
from pipeline.topics import latest_messages

PER_SECOND = 5.0
MESSAGES_PER_SECOND = 250
"""Of all topics together: where there are many, each is told less often, since a message costs as much as a product."""


class Latest:
    """Time comes as an argument: ns of any clock that does not go back."""

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._per_second = per_second
        self._n_topics: dict[tuple[str, str], int] = {}
        self._due_ns: dict[tuple[str, str], int] = {}
        self._held: dict[tuple[str, str], Product] = {}

    def offer(self, products: Iterable[Product], now_ns: int) -> list[Message]:
        """Messages of the newest products whose turn has come; the others wait, and give way to newer ones."""
        self.hold(products)
        return self.tell(now_ns) if self.is_due(now_ns) else []

    def hold(self, products: Iterable[Product]) -> None:
        """Note products that have something to tell, in place of earlier ones."""
        for product in products:
            if product.latest:
                self._held[product.instrument, product.product] = product

    def is_due(self, now_ns: int) -> bool:
        """Whether the turn of any has come."""
        return any(self._due_ns.get(key, now_ns) <= now_ns for key in self._held)

    def tell(self, now_ns: int) -> list[Message]:
        """Messages of those whose turn has come."""
        self._n_topics.update({key: len(product.latest) for key, product in self._held.items()})
        interval_s = max(1 / self._per_second, sum(self._n_topics.values()) / MESSAGES_PER_SECOND)
        due = [key for key in self._held if self._due_ns.get(key, now_ns) <= now_ns]
        for key in due:
            self._due_ns[key] = now_ns + int(1e9 * interval_s)
        return [message for key in due for message in latest_messages(self._held.pop(key))]

    def flush(self) -> list[Message]:
        """What still waits: the last value of each topic is always told."""
        held, self._held = self._held, {}
        return [message for product in held.values() for message in latest_messages(product)]
