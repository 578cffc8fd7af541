"""The way between the services: MQTT topics under `<mission>/stage/`, or queues where all are one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from pipeline.batches import Message
from pipeline.stages.stage_messages import Offer, Out, Raw, StageMessage, pack, stage_topic, unpack
from pipeline.transport.mqtt import Publisher

SHARE = "$share/decode"
_log = structlog.get_logger("bus")


class Bus(Protocol):
    """Messages of one service to the others and back. `n_waiting`: those that came and are not taken up."""

    n_malformed: int

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

    async def send(self, messages: Sequence[StageMessage], worker: str = "") -> None:
        """Return when they are on their way for good."""
        ...

    def received(self) -> AsyncGenerator[StageMessage, None]:
        """What comes; each is acknowledged when two later ones are asked for, so one may be sent on meanwhile."""
        ...


def topics_of(mission: str, service: str, worker: str = "") -> list[str]:
    """The topic filters that a service subscribes to."""
    root = f"{mission}/stage"
    return {
        "ingest": [f"{root}/{kind}" for kind in ("claim", "done", "lost", "hello")],
        "decode": [f"{SHARE}/{root}/offer", f"{root}/raw/{worker}"],
        "publish": [f"{root}/out"],
    }[service]


class MqttBus:
    """`listen` opens the subscription of the service, and tells how many messages wait behind each.

    What is no stage message is counted and dropped.
    """

    def __init__(
        self,
        mission: str,
        publisher: Publisher,
        listen: Callable[[Callable[[int], None]], AsyncGenerator[tuple[str, bytes, bool], None]],
    ) -> None:
        self._mission = mission
        self._publisher = publisher
        self._listen = listen
        self.n_malformed = 0
        self.n_waiting = 0

    @property
    def is_clear(self) -> bool:
        return False

    def attend(self, take_now: Callable[[StageMessage], bool]) -> None:
        """A message from a broker is acknowledged when two later ones are asked for, so it is not taken beside."""

    def give(self, message: StageMessage) -> bool:  # noqa: ARG002 - a broker never has it at once
        return False

    async def send(self, messages: Sequence[StageMessage], worker: str = "") -> None:
        await self._publisher.publish([self._packed(message, worker) for message in messages])

    async def received(self) -> AsyncGenerator[StageMessage, None]:
        async with aclosing(self._listen(self._note)) as messages:
            async for topic, payload, _ in messages:
                try:
                    message = unpack(payload)
                except ValueError as error:
                    self.n_malformed += 1
                    if self.n_malformed.bit_count() == 1:  # 1, 2, 4, 8, ...: told, but not without end
                        _log.warning("dropped", topic=topic, reason=str(error), so_far=self.n_malformed)
                    continue
                yield message

    def _note(self, n_waiting: int) -> None:
        self.n_waiting = n_waiting

    def _packed(self, message: StageMessage, worker: str) -> Message:
        to = worker if isinstance(message, Raw) else ""
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
    """The same inside one process. A service that waits may take a message at once, since each turn of the loop costs
    a lone frame some of its time; else it goes into the service's bounded queue, so who sends too fast waits.
    """

    def __init__(self, inboxes: dict[str, _Inbox], service: str) -> None:
        self._inboxes = inboxes
        self._own = inboxes[service]
        self.n_malformed = 0

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
        inbox = self._inboxes[_receiver(message)]
        return inbox.is_clear and inbox.take_now(message)

    async def send(self, messages: Sequence[StageMessage], worker: str = "") -> None:  # noqa: ARG002 - there is one
        for message in messages:
            if not self.give(message):
                await self._inboxes[_receiver(message)].queue.put(message)

    async def received(self) -> AsyncGenerator[StageMessage, None]:
        own = self._own
        while True:
            own.idle = True
            message = await own.queue.get()
            own.idle = False
            yield message


def _receiver(message: StageMessage) -> str:
    if isinstance(message, Offer | Raw):
        return "decode"
    return "publish" if isinstance(message, Out) else "ingest"
