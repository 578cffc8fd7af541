"""What brokers say of themselves under `$SYS`, as gauges: clients, memory, and messages that they dropped in silence.

mosquitto drops what is over the limits of a client without a word to either side; its counter is the only sign.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import aclosing
from typing import Any

import structlog

from ..model.errors import RunError
from ..mqtt.address import BrokerAddress
from ..mqtt.reconnect import Timing
from ..mqtt.subscriber import subscribe
from .metrics import PublishMeters

ROOT = "$SYS/broker/"
TOPICS = ("clients/connected", "clients/disconnected", "heap/current", "publish/messages/dropped")
STALE_S = 35.0
"""Without a word for so long a broker counts as away; mosquitto speaks every 10 s."""
_REFUSED_PAUSE_S = 60.0
_log = structlog.get_logger("broker")


class BrokerWatch:
    """Follows one broker for as long as the service runs; a broker that is away or refuses ends nothing."""

    def __init__(self, name: str, address: BrokerAddress, meters: PublishMeters) -> None:
        self._name = name
        self._address = address
        self._meters = meters
        self._heard_s = -math.inf
        meters.broker_answers.labels(name).set_function(lambda: float(self.answers))

    @property
    def answers(self) -> bool:
        """Whether the broker spoke lately."""
        return time.monotonic() - self._heard_s < STALE_S

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Never a fault of the service that watches: what it does goes on."""
        return True, {"answers": self.answers}

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except RunError as error:
                _log.warning("a broker cannot be watched", broker=self._name, reason=str(error))
                await asyncio.sleep(_REFUSED_PAUSE_S)

    async def _follow(self) -> None:
        topics = [ROOT + topic for topic in TOPICS]
        patient = Timing(first_s=math.inf)
        watching = subscribe(self._address, topics, timing=patient, on_trouble=lambda _: None)  # `answers` tells it
        async with aclosing(watching) as messages:
            async for topic, payload, _ in messages:
                value = _number(payload)
                if value is not None:
                    self._heard_s = time.monotonic()
                    self._set(topic.removeprefix(ROOT), value)

    def _set(self, topic: str, value: float) -> None:
        meters, name = self._meters, self._name
        match topic:
            case "clients/connected" | "clients/disconnected":
                meters.broker_clients.labels(name, topic.removeprefix("clients/")).set(value)
            case "heap/current":
                meters.broker_heap.labels(name).set(value)
            case "publish/messages/dropped":
                meters.broker_dropped.labels(name).set(value)


def _number(payload: bytes) -> float | None:
    try:
        value = float(payload)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
