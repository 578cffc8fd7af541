"""Watches brokers by their own figures under `$SYS`: clients, memory and dropped messages, as gauges.

mosquitto drops messages over the limits of a client without notice to either side; its counter is the only sign.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Never

import aiomqtt
import structlog

from ..mqtt.address import BrokerAddress
from ..mqtt.tls import client_context
from ..system.backoff import Backoff
from .metrics import PublishMeters

ROOT = "$SYS/broker/"
TOPICS = ("clients/connected", "clients/disconnected", "heap/current", "publish/messages/dropped")
STALE_S = 35.0
"""Without a message for so long a broker counts as away; mosquitto publishes every 10 s."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_log = structlog.get_logger("broker")


class BrokerWatch:
    """Watches one broker for as long as the service runs, whether it answers or not."""

    def __init__(self, name: str, address: BrokerAddress, meters: PublishMeters) -> None:
        self._name = name
        self._address = address
        self._meters = meters
        self._message_at = -math.inf
        meters.broker_answers.labels(name).set_function(lambda: float(self.answers))

    @property
    def answers(self) -> bool:
        """Whether the broker published within STALE_S."""
        return time.monotonic() - self._message_at < STALE_S

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Always well: a broker that does not answer is no fault of this service."""
        return True, {"answers": self.answers}

    async def run(self) -> None:
        """Connect again with backoff whenever the connection is lost; each new refusal is logged once."""
        backoff, logged = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S), ""
        while True:
            try:
                await self._follow(backoff.reset)
            except aiomqtt.exceptions.MqttConnectError as error:
                if logged != str(error.rc):
                    logged = str(error.rc)
                    _log.warning("a broker cannot be watched", broker=self._name, reason=logged.lower())
            except aiomqtt.MqttError:
                logged = ""  # shown by `answers`
            await backoff.wait()

    async def _follow(self, on_message: Callable[[], None]) -> Never:
        """Read `$SYS` until the connection is lost, which is an MqttError. MQTT 3.1.1, which every broker speaks."""
        address = self._address
        async with aiomqtt.Client(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            tls_context=client_context(address),
        ) as client:
            await client.subscribe([(ROOT + topic, 0) for topic in TOPICS])
            async for message in client.messages:
                value = _number(message.payload)
                if value is not None:
                    on_message()
                    self._message_at = time.monotonic()
                    self._set(message.topic.value.removeprefix(ROOT), value)
        raise aiomqtt.MqttError("the connection was closed")

    def _set(self, topic: str, value: float) -> None:
        meters, name = self._meters, self._name
        match topic:
            case "clients/connected" | "clients/disconnected":
                meters.broker_clients.labels(name, topic.removeprefix("clients/")).set(value)
            case "heap/current":
                meters.broker_heap.labels(name).set(value)
            case "publish/messages/dropped":
                meters.broker_dropped.labels(name).set(value)


def _number(payload: Any) -> float | None:
    try:
        value = float(payload)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
