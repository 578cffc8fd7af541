"""Publishes messages until the broker has acknowledged them, through losses of the connection.

In: messages of any number of tasks. Out: PUBLISH packets, in order within a call. A connection that is lost, or silent
for too long, is given up and replaced by a new one, on which everything without an acknowledgement is sent again, in
order: at least once, and on each topic never an older message after a newer one without the newer one after it.
Before that goes what was acknowledged lately (`resend`), since the broker may have lost it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Never, Self

from ..model.batches import Message
from ..model.errors import RunError
from .address import BrokerAddress
from .batch import Batch, Entry, PublishRefusedError
from .connection import Connection
from .receive_limit import MAX_PACKET_BYTES
from .reconnect import Reconnector, Report, Timing, log_trouble
from .resend import ResendBuffer
from .send_window import SendWindow
from .session import ConnectionLostError, SessionOptions
from .subscriber import subscribe

__all__ = ["PublishRefusedError", "Publisher", "Timing", "subscribe"]

MAX_PAYLOAD_BYTES = MAX_PACKET_BYTES - 70_000
"""Largest payload that our own clients read; topic and properties are in the same packet."""
_TICK_S = 0.1
_MAX_REFUSALS = 100
_LONGEST_PATIENCE_S = 60.0
_SLOWEST_BYTES_PER_S = 250_000
"""A link slower than this counts as lost at first; patience then doubles."""


class Publisher:
    """Publishes from `async with` on. Any number of tasks may call `publish`; each call keeps its order.

    `will` is published by the broker when this process dies, and by us when the block ends. `birth` is sent on each
    new connection, since the broker published the will of the one before. Entering raises RunError in one line
    where the broker refuses or is not there; with `connect_later` it does not wait, and connecting is retried for as
    long as it takes. `on_return` is called with each connection after a loss: True where all of the last `remember_s`
    seconds is sent again.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str = "",
        *,
        will: Message | None = None,
        birth: Message | None = None,
        on_trouble: Report = log_trouble,
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
        self._will = will
        self._birth = birth
        self._birth_refusal = ""
        """Why the broker did not take the birth; empty where it did."""
        self._window = SendWindow(window)
        self._resend_buffer = ResendBuffer(remember_s, remember_bytes, time.monotonic)
        options = SessionOptions(
            client_id or f"downlink-{secrets.token_hex(4)}", will, answer_s=self._timing.answer_s
        )
        self._reconnector = Reconnector(address, options, self._timing, on_trouble)
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
        return self._window.n_waiting + self._window.n_in_flight

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
        """Largest packet that the broker takes, as far as it gives one."""
        return self._largest_packet_bytes

    def publish(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Send at once what may be in flight. Done when the broker has acknowledged all (QoS 0: when it is written).

        Waits as long as the broker is away. PublishRefusedError where the broker refuses a message or ends the
        connection for it again and again, RunError where an embedded broker has ended for good; the other messages are
        sent all the same.
        """
        batch = Batch(len(messages))
        try:
            for message in messages:
                _check(message)
            if self._task.done():
                raise _end_of(self._task)
        except (RunError, ValueError) as error:
            batch.fail(error)
            return batch
        self._window.add([Entry.of(message, batch) for message in messages])
        self._send_now()
        return batch

    async def _run(self, connection: Connection | None) -> Never:
        """Serve one connection after the other, until cancelled."""
        connection = connection or await self._reconnector.retry()
        while True:
            reason = await self._serve(connection)
            complete = self._resend_buffer.complete
            self._window.take_back(self._resend_buffer.messages())
            connection = await self._reconnector.reconnect(reason)
            if self._on_return:
                self._on_return(complete)

    async def _serve(self, connection: Connection) -> str:
        """Send over `connection` until it is lost, and close it. Returns the reason."""
        connection.acknowledged = self._acknowledge
        self._largest_packet_bytes = connection.maximum_packet_bytes
        if self._birth:
            self._window.add_first(Entry.of(self._birth, None))
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
                self._window.send(connection)
                connection.write_now()
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._connection = None

    def _send_now(self) -> None:
        """Send as much as the window allows, without a turn of the event loop."""
        connection = self._connection
        if connection is None:
            return
        try:
            self._window.send(connection)
        except ConnectionLostError:
            self._wake.set()  # the task `send` meets the same error, and ends the connection
        connection.write_now()

    def _acknowledge(self, packet_id: int, refusal: str) -> None:
        entry = self._window.acknowledge(packet_id, refusal)
        if entry is None:
            return
        self._n_acknowledged += 1
        self._patience_s = self._timing.acknowledge_s
        if refusal:
            self._report(entry, refusal)
        else:
            self._reconnector.reset_backoff()
            if entry.batch:
                self._resend_buffer.keep(entry.message)
            elif entry.message is self._birth:
                self._birth_refusal = ""
        entry.close(refusal)
        if self._window.n_waiting:
            self._wake.set()

    def _report(self, entry: Entry, refusal: str) -> None:
        """Report the refusal of a message that nobody waits for, each once; others are raised where one waits."""
        text = f"the broker refuses {entry.message.topic}: {refusal.lower()}"
        if entry.message is self._birth:
            self._birth_refusal = text
        if entry.batch is None and text not in self._refusals and len(self._refusals) < _MAX_REFUSALS:
            self._refusals.add(text)
            self._on_trouble(text)

    async def _repeat_birth(self) -> Never:
        """Resend the birth while the broker refuses it: until it is published, others take the service for offline."""
        while True:
            await asyncio.sleep(self._timing.birth_s)
            if self._birth and self._birth_refusal:
                self._window.add([Entry.of(self._birth, None)])
                self._wake.set()

    async def _notice_silence(self) -> Never:
        """ConnectionLostError where messages are in flight and no acknowledgement comes.

        Ticks are counted and not the clock read: while this process is too busy for a tick, the broker is not late.
        """
        n_before, silent_s = self._n_acknowledged, 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            quiet = self._window.n_in_flight and self._n_acknowledged == n_before
            silent_s = silent_s + _TICK_S if quiet else 0.0
            n_before = self._n_acknowledged
            if silent_s > self._patience_s + self._window.bytes_in_flight / _SLOWEST_BYTES_PER_S:
                self._patience_s = min(2 * self._patience_s, _LONGEST_PATIENCE_S)
                raise ConnectionLostError(f"no acknowledgement for {silent_s:.0f} s")

    def _fail_the_rest(self, task: asyncio.Task[Never]) -> None:
        self._window.fail(_end_of(task))


def _end_of(task: asyncio.Task[Never]) -> BaseException:
    error = None if task.cancelled() else task.exception()
    return error or RunError("the publisher is closed")


@lru_cache(4096)
def _is_topic(topic: str) -> bool:
    return 0 < len(topic.encode()) < 65536 and not any(sign in topic for sign in "+#\0")


def _check(message: Message) -> None:
    """ValueError or RunError for messages for which a broker ends the connection, and which would be resent."""
    if not _is_topic(message.topic):
        raise ValueError(f"{message.topic[:100]!r} is no topic to publish on")
    if len(message.payload) > MAX_PAYLOAD_BYTES:
        raise RunError(
            f"a message of {len(message.payload)} bytes on {message.topic} is too large: at most {MAX_PAYLOAD_BYTES}"
        )
