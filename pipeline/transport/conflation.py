"""Messages of which only the newest matters, thinned to a rate that dashboards and people can follow."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.batches import Message

NANOSECONDS = 1_000_000_000


class Conflator:
    """At most `per_second` messages a second on each topic; one held back gives way to the next.

    Time comes as an argument (ns, any clock that does not go back), so a held message goes out with the first
    `offer`, an empty one too, after its turn has come. `flush` gives what is still held: the last value of a topic
    is always sent.
    """

    def __init__(self, per_second: float = 5.0) -> None:
        self._interval_ns = int(NANOSECONDS / per_second)
        self._due_ns: dict[str, int] = {}
        self._held: dict[str, Message] = {}

    def offer(self, messages: Iterable[Message], now_ns: int) -> list[Message]:
        """The messages that go now, one for each topic whose turn has come."""
        for message in messages:
            self._held.pop(message.topic, None)
            self._held[message.topic] = message
        due = [message for topic, message in self._held.items() if self._due_ns.get(topic, now_ns) <= now_ns]
        for message in due:
            del self._held[message.topic]
            self._due_ns[message.topic] = now_ns + self._interval_ns
        return due

    def flush(self) -> list[Message]:
        """What is still held, in the order it came."""
        held = list(self._held.values())
        self._held.clear()
        return held
