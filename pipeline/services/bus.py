"""Carries stage messages between the services: MQTT topics under `<mission>/stage/`, or calls inside one process.

A service gives its bus one function, `take` (`serve`), and gets its messages one at a time through it. Back-pressure:
the future that `send` returns is done once the broker has acknowledged the messages, or their receiver handles them. A
topic that the broker refuses is reported in `trouble`; a refused subscription is retried with backoff.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Protocol

import structlog

from ..model.batches import Message
from ..model.errors import RunError
from ..mqtt.publisher import Publisher, PublishRefusedError
from ..mqtt.receive_limit import MAX_PACKET_BYTES
from ..system.backoff import Backoff
from .protocol import KINDS, Chunk, Offer, Output, Presence, StageMessage, pack, stage_topic, unpack

SHARE = "$share/decode"
_HEADER_BYTES = 4096
"""Bound of topic, properties and the map around the content of a stage message."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_REFUSED_S = 180.0
"""A refusal counts for so long without another attempt on its topic: refused runs begin again within 120 s."""
_log = structlog.get_logger("bus")


Take = Callable[[StageMessage], Awaitable[object] | None]


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

    def send(self, messages: Iterable[StageMessage], worker: str = "") -> asyncio.Future[bool]:
        """Send at once, each message before the next is taken from `messages`.

        Done with True once the broker, or the receiver in this process, has them all; with False where the broker
        refused one (see `trouble`). A refused message is not retried here: its run makes no progress, and ingest begins
        it again with backoff.
        """
        ...

    async def serve(self, take: Take) -> None:
        """Call `take` with each message that comes for this service, until cancelled.

        `take` handles a message at once and returns None, or returns an awaitable: the next message is delivered when
        that is done.
        """
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
    is retried with backoff; meanwhile ingest still records.
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
        self._subscription_refused = ""
        """Why the subscription is refused; empty while it is accepted."""
        self._refused: dict[str, tuple[str, float]] = {}
        """Topics whose newest message was refused: the reason, and when."""
        self.n_malformed = 0
        self.n_waiting = 0

    @property
    def trouble(self) -> str:
        since = self._now() - _REFUSED_S
        refused = [f"the broker refuses {topic}: {why}" for topic, (why, at) in self._refused.items() if at > since]
        return "; ".join([*refused, *filter(None, [self._subscription_refused])])

    @property
    def largest_bytes(self) -> int:
        return self._publisher.largest_packet_bytes - _HEADER_BYTES

    def send(self, messages: Iterable[StageMessage], worker: str = "") -> asyncio.Future[bool]:
        packed = (self._packed(message, worker) for message in messages)
        sent = [(message.topic, self._publisher.publish([message])) for message in packed]
        return asyncio.ensure_future(self._acknowledged(sent))

    async def _acknowledged(self, sent: Sequence[tuple[str, Awaitable[None]]]) -> bool:
        """Wait for the broker's answers. False where it refused any; RunError where one could not be sent."""
        refused: dict[str, str] = {}
        failure: RunError | None = None
        for _, acknowledged in sent:
            try:
                await acknowledged
            except PublishRefusedError as error:
                refused |= {message.topic: reason.lower() for message, reason in error.refused}
            except RunError as error:
                failure = error
        if failure:
            raise failure
        for topic in self._refused.keys() & {topic for topic, _ in sent} - refused.keys():
            del self._refused[topic]
        for topic, reason in refused.items():
            if topic not in self._refused:
                _log.error("the broker refuses the service", topic=topic, reason=reason)
            self._refused[topic] = reason, self._now()
        return not refused

    async def serve(self, take: Take) -> None:
        """As of Bus. A message is acknowledged two messages later: one may be handled while another is sent."""
        async with aclosing(self._received()) as messages:
            async for message in messages:
                rest = take(message)
                if rest is not None:
                    await rest

    async def _received(self) -> AsyncGenerator[StageMessage, None]:
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            try:
                async with aclosing(self._listen(self._note, self._subscribed)) as messages:
                    async for topic, payload, _ in messages:
                        backoff.reset()
                        if message := self._unpacked(topic, payload):
                            yield message
            except RunError as error:
                if self._subscription_refused != str(error):
                    _log.error("the broker refuses the service", reason=str(error))
                self._subscription_refused = str(error)
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
        self._subscription_refused = ""

    def _note(self, n_waiting: int) -> None:
        self.n_waiting = n_waiting

    def _packed(self, message: StageMessage, worker: str) -> Message:
        to = worker if isinstance(message, Chunk) else ""
        return Message(stage_topic(self._mission, message, to), pack(message))


_RECEIVERS: dict[type, tuple[str, ...]] = {
    Offer: ("decode",),
    Chunk: ("decode",),
    Output: ("publish", "history"),
}
"""Services that messages go to inside one process; all others go to ingest."""


class _Inbox:
    """Messages for one service, which handles one at a time. An idle service is called by the sender."""

    def __init__(self) -> None:
        self._take: Take | None = None
        """None while nobody serves, or a message is handled."""
        self._rest: Awaitable[object] | None = None
        """Awaitable for the rest of the message that is handled."""
        self._waiting: deque[tuple[StageMessage, asyncio.Future[bool]]] = deque()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: StageMessage) -> asyncio.Future[bool] | None:
        """Deliver a message. None where the service is idle and has it now; else a future, done once it has it."""
        take = self._take
        if take is None or self._waiting:
            taken = asyncio.get_running_loop().create_future()
            self._waiting.append((message, taken))
            return taken
        self._take = None
        rest = take(message)
        if rest is None:
            self._take = take
            if not self._waiting:
                return None
        self._rest = rest
        self._wake.set()
        return None

    async def serve(self, take: Take) -> None:
        self._take = take
        try:
            while True:
                while self._waiting:
                    message, taken = self._waiting.popleft()
                    self._take = None
                    self._rest = take(message)
                    if not taken.done():
                        taken.set_result(True)
                    await self._finish(take)
                await self._wake.wait()
                self._wake.clear()
                await self._finish(take)
        finally:
            self._take = None
            if asyncio.iscoroutine(self._rest):
                self._rest.close()  # it may not have begun

    async def _finish(self, take: Take) -> None:
        """Wait for the rest of the message that is handled; then the service is idle."""
        if self._rest is not None:
            await self._rest
        self._rest, self._take = None, take


class LocalBus:
    """The same inside one process: the sender calls `take` of the receiver, if that is idle.

    A turn of the event loop between two services would cost a packet 0.1 to 0.3 ms. While the receiver handles a
    message, others wait in order, and so does the sender.
    """

    def __init__(self, inboxes: dict[str, _Inbox], service: str) -> None:
        self._own = inboxes[service]
        self._receivers = {
            kind: [inboxes[name] for name in _RECEIVERS.get(kind, ("ingest",)) if name in inboxes] for kind in KINDS
        }
        self._taken: asyncio.Future[bool] | None = None
        """Done future, returned by `send` where no receiver is busy."""
        self.n_malformed = 0
        self.trouble = ""
        self.largest_bytes = MAX_PACKET_BYTES

    @property
    def n_waiting(self) -> int:
        return len(self._own)

    @staticmethod
    def of(*services: str) -> dict[str, LocalBus]:
        """Make buses for these services, connected with each other."""
        inboxes = {service: _Inbox() for service in services}
        return {service: LocalBus(inboxes, service) for service in services}

    def send(self, messages: Iterable[StageMessage], worker: str = "") -> asyncio.Future[bool]:  # noqa: ARG002 - there is one
        waiting = {}
        for message in messages:
            for inbox in self._receivers[type(message)]:
                if (taken := inbox.put(message)) is not None:
                    waiting[inbox] = taken  # the last of each: an inbox keeps the order
        if waiting:
            return asyncio.ensure_future(_all_of(waiting.values()))
        if self._taken is None:
            self._taken = asyncio.get_running_loop().create_future()
            self._taken.set_result(True)
        return self._taken

    async def serve(self, take: Take) -> None:
        await self._own.serve(take)


async def _all_of(taken: Iterable[asyncio.Future[bool]]) -> bool:
    await asyncio.gather(*taken)
    return True


def _presence(payload: bytes) -> Presence:
    """The presence in a status message; ValueError if it is none."""
    status = json.loads(payload)
    if not isinstance(status, dict) or not isinstance(status.get("state"), str):
        raise ValueError("not a status message")  # noqa: TRY004 - of the payload, not of an argument
    return Presence(online=status["state"] == "online")
