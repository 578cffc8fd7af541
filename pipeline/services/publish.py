"""The publish stage as a service: publishes each output of decode once, and acknowledges to ingest.

Its first message is Restarted: the broker may have lost messages published lately, so ingest resends all passes that
are not closed, and dedup by the published keys drops what is durable already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from ..model.batches import Message
from ..model.errors import RunError
from ..mqtt.publisher import PublishRefusedError
from .bus import Bus
from .metrics import PublishMeters
from .protocol import Ack, Nack, Output, Restarted, RunId, StageMessage, ids
from .published_keys import RETRY_S, Deduplicator, PublishedKeys

ANSWER_S = 0.05
MAX_OPEN_BYTES = 1 << 20
"""Of published outputs that the broker has not acknowledged; beyond it the next one waits for all (back-pressure)."""
RESTARTED_AGAIN_S = 11.0
"""Before a refused Restarted is retried; longer than the pause of a refused topic."""
_NACKED_KEPT = _REFUSED_KEPT = 256
_log = structlog.get_logger("publish")


class Publish:
    """`publish` sends messages, and ends when the broker has acknowledged them. `remember_s`: see PublishedKeys."""

    def __init__(
        self,
        keys: PublishedKeys,
        publish: Callable[[Sequence[Message]], Awaitable[None]],
        bus: Bus,
        meters: PublishMeters,
        *,
        remember_s: float,
    ) -> None:
        self._keys = keys
        self._dedup = Deduplicator(keys)
        meters.dropped.set_function(lambda: self._dedup.n_dropped)
        self._publish = publish
        self._bus = bus
        self._meters = meters
        self._remember_s = remember_s
        self._acks: dict[RunId, Ack] = {}
        self._refused: dict[str, str] = {}
        """Topics whose newest message the broker refused, and why."""
        self._nacked: dict[str, None] = {}
        self._nacks: list[Nack] = []
        self._wake = asyncio.Event()
        self._announces = True
        self._publishing: asyncio.Task[None] | None = None
        """Of the newest output; done once all before it are done, too."""
        self._open_bytes = 0

    async def run(self) -> None:
        """Run until cancelled. While one output is published, the next is received."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._bus.serve(self._take), name="take")
            group.create_task(self._acknowledge(), name="answer")

    def restart(self) -> None:
        """After a loss of connection not all of the last `remember_s` could be resent: request the passes again."""
        self._keys.forget_since(int((time.time() - self._remember_s) * 1000))
        self._announce()

    def _announce(self) -> None:
        self._announces = True
        self._wake.set()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Well while the broker takes every topic, and the disk takes the keys.

        `refused`: topics that the broker does not take, with its reason; `disk`: why the keys cannot be kept.
        """
        state: dict[str, Any] = {"keys": len(self._keys), "dropped": self._dedup.n_dropped}
        state |= {"refused": dict(self._refused)} if self._refused else {}
        state |= {"disk": self._keys.trouble} if self._keys.trouble else {}
        return not (self._refused or self._keys.trouble), state

    def _take(self, message: StageMessage) -> Awaitable[None] | None:
        """Publish an output: at once, or where too many bytes are open once those before it are acknowledged."""
        if not isinstance(message, Output):
            return None
        if self._publishing and self._open_bytes > MAX_OPEN_BYTES:
            return self._publish_later(message, self._publishing)
        self._publish_output(message)
        return None

    async def _publish_later(self, output: Output, before: asyncio.Task[None]) -> None:
        await before
        self._publish_output(output)

    def _publish_output(self, output: Output) -> None:
        checked = self._dedup.check(output)
        if isinstance(checked, list):
            waited = self._commit_when_sent(output, checked, self._publish(checked), self._publishing)
            self._publishing = asyncio.create_task(waited, name="publish one")
            self._open_bytes += sum(len(message.payload) for message in checked)
        elif isinstance(checked, Nack):
            self._note_nack(checked, output)

    def _note_nack(self, lost: Nack, out: Output) -> None:
        if lost.id.run not in self._nacked:
            _log.warning("lost the run", why=lost.why, **ids(out))
            self._nacks.append(lost)
            self._wake.set()
        self._nacked[lost.id.run] = None
        if len(self._nacked) > _NACKED_KEPT:
            del self._nacked[next(iter(self._nacked))]

    async def _commit_when_sent(
        self, out: Output, messages: Sequence[Message], sent: Awaitable[None], before: asyncio.Task[None] | None
    ) -> None:
        """Wait until the broker has answered for all messages, and commit the keys of those that it took.

        In the order of outputs, since an Ack is for all of the run up to its bytes: `before` is done first. Ingest does
        not close a pass of which the broker refused a message: it sends the run again, with backoff.
        """
        began = time.perf_counter()
        refused: Sequence[tuple[Message, str]] = ()
        try:
            await sent
        except PublishRefusedError as error:
            refused = error.refused
        except (RunError, ValueError) as error:  # nothing of it was sent
            refused = [(message, str(error)) for message in messages]
        if before and not before.done():
            await asyncio.wait((before,))
        self._open_bytes -= sum(len(message.payload) for message in messages)
        self._note_refusals(out, messages, refused)
        self._meters.seconds.observe(time.perf_counter() - began)
        self._meters.published.inc(len(messages) - len(refused))
        if out.received_ns:
            self._meters.latency.observe(max(time.time() - out.received_ns / 1e9, 0.0))
        reason = f"{refused[0][0].topic}: {refused[0][1]}" if refused else ""
        left = {id(message) for message, _ in refused}
        taken = [message for message in messages if id(message) not in left]
        self._acks[out.id] = self._dedup.commit(out, taken, time.time_ns() // 1_000_000, reason)
        self._wake.set()

    def _note_refusals(
        self, out: Output, messages: Sequence[Message], refused: Sequence[tuple[Message, str]]
    ) -> None:
        """Update the topics that are refused; each new one is logged once."""
        reasons = {message.topic: reason for message, reason in refused}
        unsent = f"from decode, pass {out.id.name}"
        if out.refused:
            reasons[unsent] = out.refused
        taken = {message.topic for message in messages} | ({unsent} if out.ended else set())
        for topic in self._refused.keys() & taken - reasons.keys():
            del self._refused[topic]
        for topic, reason in reasons.items():
            if topic not in self._refused:
                _log.error("not published", topic=topic, reason=reason, **ids(out))
            if topic in self._refused or len(self._refused) < _REFUSED_KEPT:
                self._refused[topic] = reason
        self._meters.refused.inc(len(reasons))
        self._meters.refused_topics.set(len(self._refused))

    async def _acknowledge(self) -> None:
        """Send acknowledgements: the newest of each run, at most one in ANSWER_S.

        That is just after an acknowledgement by the broker, when the next bytes are least likely to wait for this work.
        """
        while True:
            if self._announces:
                self._announces = False
                if not await self._bus.send([Restarted("publish")]):
                    asyncio.get_running_loop().call_later(RESTARTED_AGAIN_S, self._announce)
            self._wake.clear()
            done, self._acks = self._acks, {}
            losses, self._nacks = self._nacks, []
            self._keys.write()
            self._meters.keys_failed.set(bool(self._keys.trouble))
            if done or losses:
                await self._bus.send([*losses, *done.values()])
                await asyncio.sleep(ANSWER_S)
                await self._woken_within(ANSWER_S)
            elif not self._announces:
                await self._woken_within(RETRY_S if self._keys.is_behind else None)

    async def _woken_within(self, seconds: float | None) -> None:
        """Wait for the next message to acknowledge, at most so long."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
