"""Resend buffer: messages that the broker has acknowledged lately, to be resent after a loss of connection.

An acknowledgement is not durable: a broker that is killed loses what it had not yet delivered or saved, and without
persistence its retained messages, too. Products carry ids, and of retained topics only the last value counts, so a
second delivery is harmless.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..model.batches import Message


class ResendBuffer:
    """Keeps the messages of the last `keep_s` seconds within `max_bytes`, and the last retained one of each topic.

    Seconds are counted back from the newest message, so that no message expires during an outage.
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
        """Whether all messages of the last `keep_s` are kept: False where `max_bytes` did not allow it."""
        if self._cut_short_at is None:
            return True
        return bool(self._recent) and self._recent[-1][0] - self._cut_short_at >= self._keep_s

    def keep(self, message: Message) -> None:
        """Keep an acknowledged message; no-op where `keep_s` is 0, and at QoS 0."""
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
        """The messages to resend in their first order, the retained ones last."""
        return [message for _, message in self._recent] + list(self._retained.values())

    def _forget(self, before: float) -> None:
        while self._recent and (self._n_bytes > self._max_bytes or self._recent[0][0] < before):
            when, message = self._recent.popleft()
            self._n_bytes -= len(message.payload)
            if when >= before:
                self._cut_short_at = when
