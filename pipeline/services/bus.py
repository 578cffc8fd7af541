"""Carries stage messages between the services: MQTT topics under `<mission>/stage/`, or queues inside one process.

Back-pressure: `send` waits until the broker has acknowledged, or until the receiver's queue has room. A topic that the
broker refuses is reported in `trouble`; a refused subscription is retried with backoff.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from ..model.batches import Message
from ..model.errors import RunError
from ..mqtt.publisher import Publisher, PublishRefusedError
from ..mqtt.receive_limit import MAX_PACKET_BYTES
from ..system.backoff import Backoff
from .protocol import Chunk, Offer, Output, Presence, StageMessage, pack, stage_topic, unpack

SHARE = "$share/decode"
_HEADER_BYTES = 4096
"""Topic, properties and the map around the content of a stage message."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_REFUSED_S = 180.0
"""A refusal counts for so long without another attempt on its topic: refused runs begin again within 120 s."""
_log = structlog.get_logger("bus")


class Bus(Protocol):
    """Stage messages of one service to the others and back. `n_waiting`: messages received and not yet taken."""

    n_malformed: int

    @property
    def trouble(self) -> str:
        """Stage topics that the broker refuses, with its reasons; empty while it refuses none."""
        ...

    @property
    def largest_bytes(self) -> int:
        """Upper bound of a stage message in bytes, with its headers."""
        ...

    @property
    def n_waiting(self) -> int: ...

    @property
    def is_clear(self) -> bool:
        """Whether a few messages to decode keep nobody waiting."""
        ...

    def attend(self, take_now: Callable[[StageMessage], bool]) -> None:
        """`take_now`: what the service can do with a message at once while it waits for one; False where not."""
        ...

    def give(self, message: StageMessage) -> bool:
        """Send one message if its receiver takes it at once; else nothing is done, and `send` is to be used."""
        ...

    async def send(self, messages: Sequence[StageMessage], worker: str = "") -> bool:
        """Return True once the broker or the receiver has all; False where the broker refused one (see `trouble`).

        A refused message is not retried here: its run makes no progress, and ingest begins it again with backoff.
        """
        ...

    def received(self) -> AsyncGenerator[StageMessage, None]:
        """Receive messages. Each is acknowledged two messages later: one may be at work while another is sent."""
        ...


def topics_of(mission: str, service: str, worker: str = "") -> list[str]:
    """Topic filters that a service subscribes to."""
    root = f"{mission}/stage"
    return {
        "ingest": [*(f"{root}/{kind}" for kind in ("claim", "done", "lost", "hello")), presence_topic(mission)],
        "decode": [f"{SHARE}/{root}/offer", f"{root}/raw/{worker}"],
        "publish": [f"{root}/out"],
        "history": [f"{root}/out"],
    }[service]


def presence_topic(mission: str) -> str:
    """Status topic of publish: online when it has started, offline by its last will."""
    return f"{mission}/status/publish"


class MqttBus:
    """`listen(on_depth, on_listening)` subscribes for the service: `on_depth` gets the number of waiting messages.

    Payloads that are no stage message are counted in `n_malformed` and dropped. A subscription that the broker refuses
    is retried with backoff; the service goes on with what needs no messages (ingest records).
    """

    def __init__(
        self,
        mission: str,
        publisher: Publisher,
        listen: Callable[
            [Callable[[int], None], Callable[[], None]], AsyncGenerator[tuple[str, bytes, bool], None]
        ],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mission = mission
        self._publisher = publisher
        self._listen = listen
        self._now = now
        self._unheard = ""
        """Why the subscription is refused; empty while it is accepted."""
        self._refused: dict[str, tuple[str, float]] = {}
        """Topics whose newest message was refused: the reason, and when."""
        self.n_malformed = 0
        self.n_waiting = 0

    @property
    def is_clear(self) -> bool:
        return False

    def attend(self, take_now: Callable[[StageMessage], bool]) -> None:
        """A message from a broker is acknowledged when two later ones are asked for, so it is not taken beside."""

    def give(self, message: StageMessage) -> bool:  # noqa: ARG002 - a broker never has it at once
        return False

    @property
    def trouble(self) -> str:
        since = self._now() - _REFUSED_S
        refused = [f"the broker refuses {topic}: {why}" for topic, (why, at) in self._refused.items() if at > since]
        return "; ".join([*refused, *filter(None, [self._unheard])])

    @property
    def largest_bytes(self) -> int:
        return self._publisher.largest_packet_bytes - _HEADER_BYTES

    async def send(self, messages: Sequence[StageMessage], worker: str = "") -> bool:
        packed = [self._packed(message, worker) for message in messages]
        refused: dict[str, str] = {}
        try:
            await self._publisher.publish(packed)
        except PublishRefusedError as error:
            refused = {message.topic: reason.lower() for message, reason in error.refused}
        for topic in self._refused.keys() & {message.topic for message in packed} - refused.keys():
            del self._refused[topic]
        for topic, reason in refused.items():
            if topic not in self._refused:
                _log.error("the broker refuses the service", topic=topic, reason=reason)
            self._refused[topic] = reason, self._now()
        return not refused

    async def received(self) -> AsyncGenerator[StageMessage, None]:
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            try:
                async with aclosing(self._listen(self._note, self._subscribed)) as messages:
                    async for topic, payload, _ in messages:
                        backoff.reset()
                        if message := self._unpacked(topic, payload):
                            yield message
            except RunError as error:
                if self._unheard != str(error):
                    _log.error("the broker refuses the service", reason=str(error))
                self._unheard = str(error)
            await backoff.wait()

    def _unpacked(self, topic: str, payload: bytes) -> StageMessage | None:
        try:
            if topic == presence_topic(self._mission):
                return _presence(payload)
            return unpack(payload)
        except ValueError as error:
            self.n_malformed += 1
            if self.n_malformed.bit_count() == 1:  # 1, 2, 4, 8, ...: logged, but not without end
                _log.warning("dropped", topic=topic, reason=str(error), so_far=self.n_malformed)
            return None

    def _subscribed(self) -> None:
        self._unheard = ""

    def _note(self, n_waiting: int) -> None:
        self.n_waiting = n_waiting

    def _packed(self, message: StageMessage, worker: str) -> Message:
        to = worker if isinstance(message, Chunk) else ""
        return Message(stage_topic(self._mission, message, to), pack(message))


@dataclass(slots=True)
class _Inbox:
    """What a service has still to take up. `idle`: it waits for a message."""

    queue: asyncio.Queue[StageMessage] = field(default_factory=lambda: asyncio.Queue(64))
    take_now: Callable[[StageMessage], bool] = lambda _: False
    idle: bool = False

    @property
    def is_clear(self) -> bool:
        return self.idle and self.queue.empty()


class LocalBus:
    """The same inside one process. A service that waits takes a message at once, since each turn of the loop costs a
    packet 0.1 to 0.3 ms; else it goes into the service's bounded queue, so who sends too fast waits.
    """

    def __init__(self, inboxes: dict[str, _Inbox], service: str) -> None:
        self._inboxes = inboxes
        self._own = inboxes[service]
        self.n_malformed = 0
        self.trouble = ""
        self.largest_bytes = MAX_PACKET_BYTES

    @property
    def n_waiting(self) -> int:
        return self._own.queue.qsize()

    @property
    def is_clear(self) -> bool:
        return self._inboxes["decode"].is_clear

    @staticmethod
    def of(*services: str) -> dict[str, LocalBus]:
        """Buses that hear each other."""
        inboxes = {service: _Inbox() for service in services}
        return {service: LocalBus(inboxes, service) for service in services}

    def attend(self, take_now: Callable[[StageMessage], bool]) -> None:
        self._own.take_now = take_now

    def give(self, message: StageMessage) -> bool:
        inboxes = self._receivers(message)
        return all(one.is_clear for one in inboxes) and all(one.take_now(message) for one in inboxes)

    async def send(self, messages: Sequence[StageMessage], worker: str = "") -> bool:  # noqa: ARG002 - there is one
        for message in messages:
            if not self.give(message):
                for inbox in self._receivers(message):
                    await inbox.queue.put(message)
        return True

    def _receivers(self, message: StageMessage) -> list[_Inbox]:
        """Inboxes that a message goes to: of outputs those of the history, where there is one, and of publish.

        The history comes first: it takes a message a second time without harm, where publish then does not take it.
        """
        names = ("history", "publish") if isinstance(message, Output) else (_receiver(message),)
        return [self._inboxes[name] for name in names if name in self._inboxes]

    async def received(self) -> AsyncGenerator[StageMessage, None]:
        own = self._own
        while True:
            own.idle = True
            message = await own.queue.get()
            own.idle = False
            yield message


def _presence(payload: bytes) -> Presence:
    """ValueError for what is no status message."""
    status = json.loads(payload)
    if not isinstance(status, dict) or not isinstance(status.get("state"), str):
        raise ValueError("not a status message")  # noqa: TRY004 - of the payload, not of an argument
    return Presence(online=status["state"] == "online")


def _receiver(message: StageMessage) -> str:
    return "decode" if isinstance(message, Offer | Chunk) else "ingest"
