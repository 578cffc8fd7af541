"""Messages in, acknowledgements back, whatever the broker does meanwhile.

`Publisher` holds every message until the broker has acknowledged it. A connection that is lost, or silent for too
long, is given up and replaced by a new one, on which everything without an acknowledgement goes out again, in
order: at least once, and on each topic never an older message after a newer one without the newer one after it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Never, Self

from ..model.batches import Message
from ..model.errors import RunError
from .address import BrokerAddress
from .connection import Connection
from .receive_limit import MAX_PACKET_BYTES
from .reconnect import Reconnector, Tell, Timing, log_trouble
from .refused_topics import RefusedTopics
from .resend import ResendBuffer
from .session import ConnectionLostError, SessionOptions
from .subscriber import subscribe

__all__ = ["PublishRefusedError", "Publisher", "Timing", "subscribe"]

MAX_PAYLOAD_BYTES = MAX_PACKET_BYTES - 70_000
"""What our own clients read; topic and properties need a part of a packet."""
WINDOW_BYTES = 8 << 20
"""In flight at once, unless a single message is larger."""

_TICK_S = 0.1
_MAX_REFUSALS = 100
_NARROWEST = 3
"""Lost connections in a row after which a single message is in flight."""
MAX_LOSSES = 8
"""Lost connections for which one message may be the oldest in flight, before it is given up as refused."""
_LONGEST_PATIENCE_S = 60.0
_OVERHEAD_BYTES = 300
"""Topic, properties and headers of a message, as our topics are."""
_SLOWEST_BYTES_PER_S = 250_000
"""A link slower than this is taken for a dead one at first; patience then doubles."""


class PublishRefusedError(RunError):
    """The broker did not take some messages; `refused`: each with the reason."""

    def __init__(self, refused: Sequence[tuple[Message, str]]) -> None:
        message, reason = refused[0]
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        super().__init__(f"the broker refuses {message.topic}: {reason}{more}")
        self.refused = refused


class _Batch:
    """The messages of one call of `publish`, and how many of them are still to be acknowledged."""

    def __init__(self, n_open: int) -> None:
        self.n_open = n_open
        self.refusals: list[tuple[Message, str]] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, None]:
        """Until all are acknowledged; PublishRefusedError where any was refused."""
        yield from self.done
        if self.refusals:
            raise PublishRefusedError(self.refusals)

    def close_one(self, message: Message, refusal: str) -> None:
        self.n_open -= 1
        if refusal:
            self.refusals.append((message, refusal))
        if not self.n_open and not self.done.done():
            self.done.set_result(None)


@dataclass(slots=True)
class _Entry:
    message: Message
    batch: _Batch | None
    """None for what is sent again from memory: nobody waits for it."""
    n_bytes: int
    n_losses: int = 0
    """Connections that were lost while this was the oldest message without an acknowledgement."""

    @staticmethod
    def of(message: Message, batch: _Batch | None) -> _Entry:
        return _Entry(message, batch, len(message.payload) + _OVERHEAD_BYTES)

    def is_cancelled(self) -> bool:
        return self.batch is not None and self.batch.done.cancelled()

    def close(self, refusal: str) -> None:
        if self.batch:
            self.batch.close_one(self.message, refusal)


class Publisher:
    """Publishes from `async with` on. Any number of tasks may call `publish`; each call keeps its order.

    `will` is published by the broker when this process dies, and by us when the block ends. `birth` is sent on each
    new connection, since the broker published the will of the one before. Entering raises RunError in one line
    where the broker refuses or is not there; with `connect_later` it does not wait, and connecting is retried for as
    long as it takes. `on_return` is told of each connection after a loss, and whether all of the last `remember_s`
    could be sent again.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str = "",
        *,
        will: Message | None = None,
        birth: Message | None = None,
        on_trouble: Tell = log_trouble,
        window: int = 100,
        remember_s: float = 60.0,
        remember_bytes: int = 32 << 20,
        timing: Timing | None = None,
        on_return: Callable[[bool], None] | None = None,
        connect_later: bool = False,
    ) -> None:
        self._timing = timing or Timing()
        self._on_return = on_return
        self._connect_later = connect_later
        self._on_trouble = on_trouble
        self._refusals: set[str] = set()
        self._refused_topics = RefusedTopics(time.monotonic)
        self._n_losses = self._n_to_resend = 0
        """Consecutive connections lost before all was sent again, and how many messages of that are unanswered."""
        self._will = will
        self._birth = birth
        self._birth_refusal = ""
        """Why the broker did not take the birth; empty where it did."""
        self._window = window
        self._memory = ResendBuffer(remember_s, remember_bytes, time.monotonic)
        options = SessionOptions(
            client_id or f"downlink-{secrets.token_hex(4)}", will, answer_s=self._timing.answer_s
        )
        self._reconnector = Reconnector(address, options, self._timing, on_trouble)
        self._waiting: deque[_Entry] = deque()
        self._in_flight: dict[int, _Entry] = {}
        self._bytes_in_flight = 0
        self._n_acknowledged = 0
        self._patience_s = self._timing.acknowledge_s
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._largest_packet_bytes = MAX_PACKET_BYTES

    async def __aenter__(self) -> Self:
        connection = None if self._connect_later else await self._reconnector.first()
        self._task = asyncio.create_task(self._run(connection), name="publisher")
        self._task.add_done_callback(self._fail_the_rest)
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._will and not self._task.done():
            with suppress(TimeoutError, RunError):
                async with asyncio.timeout(1.0):
                    await self.publish([self._will])
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def n_open(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    @property
    def trouble(self) -> str:
        """Why there is no connection, or why the broker does not take the birth; empty where all is well."""
        if not self.connected:
            return self._reconnector.trouble or "not connected yet"
        return self._birth_refusal

    @property
    def largest_packet_bytes(self) -> int:
        """What the broker takes at most, as far as it said so."""
        return self._largest_packet_bytes

    def publish(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Send; what it gives is done when the broker has acknowledged every message (QoS 0: when it is written).

        Waits as long as the broker is away. PublishRefusedError where the broker refuses a message or ends the
        connection for it again and again, RunError where an embedded broker has ended for good; the other messages are
        sent all the same.
        """
        batch = _Batch(len(messages))
        try:
            self._begin(messages, batch)
        except (RunError, ValueError) as error:
            batch.done.set_exception(error)
        return batch

    def _begin(self, messages: Sequence[Message], batch: _Batch) -> None:
        for message in messages:
            _check(message)
        if self._task.done():
            raise _end_of(self._task)
        if not messages:
            batch.done.set_result(None)
        self._waiting.extend([_Entry.of(message, batch) for message in messages])
        self._send_now()

    async def _run(self, connection: Connection | None) -> Never:
        """Serve one connection after the other, for ever."""
        connection = connection or await self._reconnector.patient()
        while True:
            reason = await self._serve(connection)
            complete = self._memory.complete
            self._take_back()
            connection = await self._reconnector.reconnect(reason)
            if self._on_return:
                self._on_return(complete)

    async def _serve(self, connection: Connection) -> str:
        """Send over `connection` until it is lost, and close it; returns why."""
        connection.acknowledged = self._acknowledge
        self._largest_packet_bytes = connection.maximum_packet_bytes
        if self._birth:
            self._waiting.appendleft(_Entry.of(self._birth, None))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.lost(), name="notice a loss")
                group.create_task(self._notice_silence(), name="notice silence")
                group.create_task(self._repeat_birth(), name="repeat a refused birth")
                group.create_task(self._send(connection), name="send")
        except* ConnectionLostError as lost:
            reason = str(lost.exceptions[0])
        finally:
            await connection.close()
        return reason

    async def _send(self, connection: Connection) -> Never:
        self._connection = connection
        try:
            while True:
                self._send_some(connection)
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._connection = None

    def _send_now(self) -> None:
        """What the window allows, without waiting for the task that does the same."""
        connection = self._connection
        if not connection:
            return
        connection.collects = True
        try:
            self._send_some(connection)
        except ConnectionLostError:
            self._wake.set()  # the task finds out for itself, and ends the connection
        finally:
            connection.collects = False
            connection.write_now()

    def _send_some(self, connection: Connection) -> None:
        window = min(self._narrowed_window(), connection.receive_maximum)
        while self._waiting and len(self._in_flight) < window and self._has_room(self._waiting[0]):
            self._send_one(connection, self._waiting.popleft())

    def _narrowed_window(self) -> int:
        """Messages in flight at most: a tenth after two losses in a row, a single one after three or after a refusal.

        A broker that closes a connection with unread bytes resets it, and its answer to the message that it refused is
        lost. With one message in flight nothing is unread.
        """
        narrowing: int = 10 ** max(self._n_losses - 1, 0)
        return max(self._window // narrowing, 1)

    def _send_one(self, connection: Connection, entry: _Entry) -> None:
        refusal = self._unsendable(entry, connection)
        if refusal is not None:
            entry.close(refusal)
            self._count_resent()
            return
        try:
            mid = connection.send(entry.message)
        except ConnectionLostError:
            self._waiting.appendleft(entry)
            raise
        self._in_flight[mid] = entry
        self._bytes_in_flight += entry.n_bytes

    def _unsendable(self, entry: _Entry, connection: Connection) -> str | None:
        """Why a message is not sent; empty where nobody waits for it any more, None where it is to be sent."""
        if entry.is_cancelled():
            return ""
        if entry.n_bytes > connection.maximum_packet_bytes:
            return "packet too large"
        return self._refused_topics.reason(entry.message.topic) or None

    def _has_room(self, entry: _Entry) -> bool:
        return not self._in_flight or self._bytes_in_flight + entry.n_bytes <= WINDOW_BYTES

    def _acknowledge(self, mid: int, refusal: str) -> None:
        entry = self._in_flight.pop(mid, None)
        if entry is None:
            return
        self._bytes_in_flight -= entry.n_bytes
        self._n_acknowledged += 1
        self._count_resent()
        self._patience_s = self._timing.acknowledge_s
        words = f"the broker refuses {entry.message.topic}: {refusal.lower()}" if refusal else ""
        if entry.message is self._birth:
            self._birth_refusal = words
        if refusal:
            self._refused_topics.refused(entry.message.topic, refusal)
            self._tell_of(words, entry)
        else:
            self._refused_topics.taken(entry.message.topic)
            self._reconnector.reset_backoff()
        if entry.batch and not refusal:
            self._memory.keep(entry.message)
        entry.close(refusal)
        if self._waiting:
            self._wake.set()

    def _count_resent(self) -> None:
        self._n_to_resend -= 1
        if self._n_to_resend <= 0:
            self._n_losses = 0

    async def _repeat_birth(self) -> Never:
        """Send the birth again while the broker refuses it: others take the service for away until they hear it."""
        while True:
            await asyncio.sleep(self._timing.birth_s)
            if self._birth and self._birth_refusal:
                self._waiting.append(_Entry.of(self._birth, None))
                self._wake.set()

    def _tell_of(self, refusal: str, entry: _Entry) -> None:
        """What nobody waits for is refused to nobody: the person hears of it, once."""
        if entry.batch is None and refusal not in self._refusals and len(self._refusals) < _MAX_REFUSALS:
            self._refusals.add(refusal)
            self._on_trouble(refusal)

    async def _notice_silence(self) -> Never:
        """ConnectionLostError where messages are in flight and no acknowledgement comes.

        Ticks are counted and not the clock read: while this process is too busy for a tick, the broker is not late.
        """
        n_before, silent_s = self._n_acknowledged, 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            quiet = self._in_flight and self._n_acknowledged == n_before
            silent_s = silent_s + _TICK_S if quiet else 0.0
            n_before = self._n_acknowledged
            if silent_s > self._patience_s + self._bytes_in_flight / _SLOWEST_BYTES_PER_S:
                self._patience_s = min(2 * self._patience_s, _LONGEST_PATIENCE_S)
                raise ConnectionLostError(f"no acknowledgement for {silent_s:.0f} s")

    def _take_back(self) -> None:
        """Put what a lost connection left without an acknowledgement in front again.

        Before it goes what was sent lately, since the broker may have forgotten that. Where the broker refused a
        message on the lost connection, the window stays narrow until all messages that wait now are answered: each may
        be on another refused topic, which then costs one connection and not one for each step of the window.
        """
        self._give_up_poison()
        refused = self._refused_topics.lost()
        again = [_Entry.of(message, None) for message in self._memory.messages()]
        n_losses = self._n_losses + bool(self._in_flight)
        self._n_losses = _NARROWEST if refused else min(n_losses, _NARROWEST)
        unsent = [entry for entry in (*self._in_flight.values(), *self._waiting) if entry.batch]
        self._waiting = deque(again + unsent)
        self._n_to_resend = len(self._waiting) if refused else len(again) + len(self._in_flight)
        self._in_flight.clear()
        self._bytes_in_flight = 0

    def _give_up_poison(self) -> None:
        """Close a message for which the broker ends the connection each time: it would keep all others back."""
        oldest = next(((mid, entry) for mid, entry in self._in_flight.items() if entry.batch), None)
        if oldest is None:
            return
        mid, entry = oldest
        entry.n_losses += 1
        if entry.n_losses >= MAX_LOSSES:
            del self._in_flight[mid]
            refusal = f"the connection was lost {entry.n_losses} times while it was sent"
            self._refused_topics.refused(entry.message.topic, refusal)
            entry.close(refusal)

    def _fail_the_rest(self, task: asyncio.Task[Never]) -> None:
        error = _end_of(task)
        for entry in (*self._in_flight.values(), *self._waiting):
            if entry.batch and not entry.batch.done.done():
                entry.batch.done.set_exception(error)


def _end_of(task: asyncio.Task[Never]) -> BaseException:
    error = None if task.cancelled() else task.exception()
    return error or RunError("the publisher is closed")


@lru_cache(4096)
def _is_topic(topic: str) -> bool:
    return 0 < len(topic.encode()) < 65536 and not any(sign in topic for sign in "+#\0")


def _check(message: Message) -> None:
    """What the broker would end the connection for must not reach it, since it would be sent again and again."""
    if not _is_topic(message.topic):
        raise ValueError(f"{message.topic[:100]!r} is no topic to publish on")
    if len(message.payload) > MAX_PAYLOAD_BYTES:
        raise RunError(
            f"a message of {len(message.payload)} bytes on {message.topic} is too large: at most {MAX_PAYLOAD_BYTES}"
        )
