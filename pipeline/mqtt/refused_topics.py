"""Topics for which a broker ends the connection: paused before the next attempt.

A broker may answer a refused message and then close the connection; mosquitto 2.0 with `max_queued_messages 0` does so
for each message that its access list forbids. Without a pause every such message would cost a reconnect.
"""

from __future__ import annotations

from collections.abc import Callable

PAUSE_S = 10.0
"""Pause of a refused topic after the connection was lost. Runs of a refused pass are retried with backoff besides."""
MAX_TOPICS = 1024


class RefusedTopics:
    """Records refusals, acceptances and losses of the connection. `now`: monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._reasons: dict[str, str] = {}
        """Refused on the present connection."""
        self._paused: dict[str, tuple[float, str]] = {}
        """Topics with the time of the next attempt, and the reason."""

    def refused(self, topic: str, reason: str) -> None:
        """The broker refused a message on `topic`."""
        if len(self._reasons) < MAX_TOPICS:
            self._reasons[topic] = reason

    def taken(self, topic: str) -> None:
        """The broker took a message on `topic`."""
        if self._reasons or self._paused:
            self._reasons.pop(topic, None)
            self._paused.pop(topic, None)

    def lost(self) -> bool:
        """The connection ended: what it refused is not tried again for PAUSE_S. Returns whether it refused anything."""
        now = self._now()
        self._paused = {topic: one for topic, one in self._paused.items() if one[0] > now}
        for topic, reason in self._reasons.items():
            if len(self._paused) < MAX_TOPICS:
                self._paused[topic] = now + PAUSE_S, reason
        refused = bool(self._reasons)
        self._reasons.clear()
        return refused

    def reason(self, topic: str) -> str:
        """Why nothing is published on `topic` now; empty where it may be tried."""
        until, reason = self._paused.get(topic, (0.0, "")) if self._paused else (0.0, "")
        return reason if self._now() < until else ""
