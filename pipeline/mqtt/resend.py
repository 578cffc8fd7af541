"""What was published lately: a broker that restarts has forgotten messages that it had acknowledged.

An acknowledgement is not a durable thing: a broker killed after it loses what it had not yet delivered or saved,
and without persistence its retained messages too. So the publisher sends these again after each loss of connection;
products carry ids and retained topics only their last value, which makes the second time harmless.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..model.batches import Message


class ResendBuffer:
    """The messages of the last `keep_s` seconds within `max_bytes`, and the last retained one of each topic.

    Seconds are counted back from the newest message, so that an outage, however long, makes nothing old.
    """

    def __init__(self, keep_s: float, max_bytes: int, clock: Callable[[], float]) -> None:
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._clock = clock
        self._recent: deque[tuple[float, Message]] = deque()
        self._retained: dict[str, Message] = {}
        self._n_bytes = 0
        self._cut_short_at: float | None = None

    @property
    def complete(self) -> bool:
        """Whether all of the last `keep_s` is here: False where `max_bytes` did not allow it."""
        if self._cut_short_at is None:
            return True
        return bool(self._recent) and self._recent[-1][0] - self._cut_short_at >= self._keep_s

    def keep(self, message: Message) -> None:
        """Note an acknowledged message. Nothing is kept where `keep_s` is 0."""
        if not self._keep_s or not message.qos:
            return
        if message.retain:
            self._retained.pop(message.topic, None)
            if message.payload:
                self._retained[message.topic] = message
            return
        self._recent.append((self._clock(), message))
        self._n_bytes += len(message.payload)
        self._forget(self._clock() - self._keep_s)

    def messages(self) -> list[Message]:
        """What to send again, in the order of its first time, the retained ones last."""
        return [message for _, message in self._recent] + list(self._retained.values())

    def _forget(self, before: float) -> None:
        while self._recent and (self._n_bytes > self._max_bytes or self._recent[0][0] < before):
            when, message = self._recent.popleft()
            self._n_bytes -= len(message.payload)
            if when >= before:
                self._cut_short_at = when
