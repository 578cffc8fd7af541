"""Dispatches one recorded pass to the other services: sends it in order, counts what is confirmed, retries.

In: messages from decode and publish, and the time. Out: messages to send. A run is one try at the pass, from its first
byte on; only acknowledgements of the present run count. Flow control: at most `Pace.window_bytes` of a run are
unconfirmed. Any failure (a Nack, a message that the broker lost, silence) begins a new run, in which publish drops
messages that are published already (dedup). Runs without progress beyond those before begin with exponential backoff,
which the restart of a service cuts short. While publish is offline no run begins, since the broker would have to keep
all of its outputs.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..model.batches import ByteBatch
from ..recordings.log import Committed
from ..system.backoff import Backoff
from .protocol import Ack, Chunk, Claim, Nack, Offer, Restarted, RunId, StageMessage

_NOTHING = ByteBatch(np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
_LONGEST_SILENCE_S = 120.0
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 1.0, 120.0
_AFTER_RESTART_S = 5.0
"""Longest pause after a service has restarted: runs failed without it, and it is back."""
STALL_S = 20.0
"""Without any progress while bytes wait: then the pass is stalled."""
_CALLED_S = 5.0
"""Without a call of `send` for so long the pass counts as waiting (for its turn, or for the broker), not as stalled."""


class Reader(Protocol):
    """Reads a pass in order; `read` returns None at the end of what is recorded."""

    def read(self, n_bytes: int) -> ByteBatch | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Flow control and timeouts. Sizes in bytes, times in seconds.

    `window_bytes`: at most so many bytes of a run are unconfirmed. `n_at_once`: chunks of one call of `send`.
    `offer_s`: until an offer is repeated. `silence_s`: without an acknowledgement until the run is given up; doubled
    each time. `close_after_s`: from the acknowledgement of the end until the pass is closed. Until then it may have to
    be resent, since the broker may lose messages that it has acknowledged.
    """

    chunk_bytes: int = 2 << 20
    window_bytes: int = 16 << 20
    n_at_once: int = 4
    offer_s: float = 2.0
    silence_s: float = 5.0
    close_after_s: float = 75.0
    confirmed_by: tuple[str, ...] = ("publish",)
    """Services that must acknowledge bytes before these count as confirmed."""


class Dispatch:
    """State of one pass: `n_runs`, and of the present run `n_sent` and `n_confirmed` bytes."""

    def __init__(self, station: str, name: str, open_reader: Callable[[], Reader], pace: Pace) -> None:
        self._station = station
        self._name = name
        self._open_reader = open_reader
        self._pace = pace
        self._reader: Reader | None = None
        self._silence_s = pace.silence_s
        self.n_runs = 0
        self.n_best = 0
        """Most bytes that any run has had confirmed."""
        self._id = RunId(station, name, "none")
        self._worker = ""
        self._offer_at = self._active_at = 0.0
        self._seq = self.n_sent = self.n_confirmed = 0
        self._place = 0
        """Offset in the recording of the next byte to send; missing bytes count, too."""
        self._end_sent = False
        self._all_done_at: float | None = None
        self._n_without_progress = 0
        self._backoff = Backoff(_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S)
        self._progress_at = self._called_at = -math.inf
        self._failure = ""
        """Why the last run failed; empty after progress."""
        self._acks: dict[str, Ack] = {}
        """The joined acknowledgements of each service for the present run."""
        self._refused = False
        """Whether the broker refused a message of the present run: then the pass is not closed although confirmed."""
        self.unread = ""
        """Why the recording cannot be opened now; it is retried."""
        self._begin_run(0.0)

    @property
    def finished(self) -> bool:
        """Whether everything is confirmed. Until it is closed it may have to be resent."""
        return self._all_done_at is not None

    def is_closed(self, now: float) -> bool:
        """Whether all is confirmed for so long that a broker cannot lose it any more."""
        return self._all_done_at is not None and now >= self._all_done_at + self._pace.close_after_s

    def committed(self, now: float) -> Committed:
        return Committed(self.n_best, self.is_closed(now))

    @property
    def n_unconfirmed(self) -> int:
        """Bytes of the present run that are sent and not confirmed."""
        return self.n_sent - self.n_confirmed

    @property
    def worker(self) -> str:
        """Name of the decode worker; empty while there is none."""
        return self._worker

    def send(
        self,
        now: float,
        *,
        ended: bool,
        complete_at: int = -1,
        n_recorded: int | None = None,
        max_bytes: int = 1 << 62,
        publish_away: bool = False,
    ) -> list[StageMessage]:
        """Return the messages to send now. `max_bytes`: of the recording in one message. `publish_away`: begin no run.

        `ended`: the recording of the pass is complete. `complete_at`: bytes recorded, where they are whole frames; else
        -1. `n_recorded`: bytes recorded, where that is known without a look at the disk.
        """
        if self._all_done_at is not None:
            return []
        if publish_away or now - self._called_at > _CALLED_S:
            self._progress_at = now
        self._called_at = now
        if publish_away:
            self._active_at = now
        if self._worker and now - self._active_at > self._silence_s and self._waits:
            self._silence_s = min(2 * self._silence_s, _LONGEST_SILENCE_S)
            self._begin_run(now)
        if not self._worker:
            if now < self._offer_at or publish_away:
                return []
            self._offer_at = now + self._pace.offer_s
            return [Offer(self._id)]
        chunk_bytes = min(self._pace.chunk_bytes, max_bytes)
        return self._chunks(
            now, ended=ended, complete_at=complete_at, n_recorded=n_recorded, chunk_bytes=chunk_bytes
        )

    def stalled(self, now: float) -> str:
        """Why nothing was confirmed for STALL_S although bytes wait; empty while there is progress."""
        silent_s = now - self._progress_at
        if self.finished or silent_s < STALL_S or now - self._called_at > _CALLED_S:
            return ""
        if self.unread:
            why = f"the recording cannot be read: {self.unread}"
        elif self._failure:
            why = self._failure
        elif not self._worker:
            why = "no decode worker takes it"
        else:
            why = f"decode worker {self._worker} or {' or '.join(self._behind())} confirms nothing"
        return f"{why} (for {silent_s:.0f} s)"

    def _behind(self) -> list[str]:
        """Services that have not confirmed all that is sent."""
        behind = [
            name
            for name in self._pace.confirmed_by
            if name not in self._acks or self._acks[name].n_bytes < self.n_sent
        ]
        return behind or list(self._pace.confirmed_by)

    def take(self, message: StageMessage, now: float) -> None:
        """Handle a message from decode or publish. Ignored if it belongs to an earlier run."""
        if isinstance(message, Restarted):
            if self._worker or self.finished:  # a run without a worker is unknown to publish, too
                self._begin_run(now)
            self._offer_at = min(self._offer_at, now + _AFTER_RESTART_S)
            return
        if not isinstance(message, Claim | Ack | Nack) or message.id != self._id:
            return
        if isinstance(message, Nack):
            if not self.finished:
                self._failure = message.why
                self._begin_run(now)
        elif isinstance(message, Claim):
            self._worker = self._worker or message.worker
            self._active_at = now
        elif message.n_bytes <= self.n_sent and (joined := self._join(message, now)):
            self._confirm(joined, now)

    def reopen(self) -> None:
        """The ended pass is resumed. Begins a new run if its end was sent."""
        if self._end_sent or self.finished:
            self._n_without_progress = 0
            self._backoff.reset()
            self._begin_run(0.0)

    def close(self) -> None:
        if self._reader:
            self._reader.close()
            self._reader = None

    @property
    def _waits(self) -> bool:
        """Whether anything sent is not confirmed yet."""
        return self._seq > 0 and (self.n_confirmed < self.n_sent or self._end_sent)

    def _begin_run(self, now: float) -> None:
        """Begin a run from the first byte: at once, or with backoff where the runs before made no progress."""
        self.close()
        self.n_runs += 1
        self._offer_at = now + self._backoff.next_s() if self._n_without_progress > 1 else 0.0
        self._n_without_progress = min(self._n_without_progress + 1, 16)
        self._acks = {}
        self._refused = False
        self._id = RunId(self._station, self._name, secrets.token_hex(6))
        self._worker = ""
        self._active_at = 0.0
        self._seq = self.n_sent = self.n_confirmed = self._place = 0
        self._end_sent = False
        self._all_done_at = None

    def _join(self, done: Ack, now: float) -> Ack | None:
        """The acknowledgements of all services joined, with this one; None while one of them is missing."""
        if done.by not in self._pace.confirmed_by:
            return None
        before = self._acks.get(done.by, replace(done, n_bytes=0, ended=False, refused=""))
        if done.n_bytes > before.n_bytes or done.ended:
            self._active_at = now
        n_bytes, ended = max(done.n_bytes, before.n_bytes), done.ended or before.ended
        refused = done.refused or before.refused
        self._acks[done.by] = replace(done, n_bytes=n_bytes, ended=ended, refused=refused)
        if len(self._acks) < len(self._pace.confirmed_by):
            return None
        acks = self._acks.values()
        n_bytes, ended = min(one.n_bytes for one in acks), all(one.ended for one in acks)
        return replace(
            done, n_bytes=n_bytes, ended=ended, refused=next((one.refused for one in acks if one.refused), "")
        )

    def _confirm(self, done: Ack, now: float) -> None:
        if done.n_bytes > self.n_confirmed or done.ended:
            self._active_at = now
            if self._n_without_progress < 3 and not done.refused:
                self._progress(now)
            self._silence_s = self._pace.silence_s
        self.n_confirmed = max(self.n_confirmed, done.n_bytes)
        self._refused |= bool(done.refused)
        if self._refused:
            self._failure = f"the broker refuses {done.refused}" if done.refused else self._failure
            return
        if done.n_bytes > self.n_best or done.ended:
            self._n_without_progress = 0
            self._backoff.reset()
            self._progress(now)
        self.n_best = max(self.n_best, done.n_bytes)
        if done.ended and self._end_sent and done.n_bytes == self.n_sent:
            self._all_done_at = now
            self.close()

    def _progress(self, now: float) -> None:
        self._progress_at, self._failure = now, ""

    def _chunks(
        self, now: float, *, ended: bool, complete_at: int, n_recorded: int | None, chunk_bytes: int
    ) -> list[StageMessage]:
        if not self._waits:
            self._active_at = now
        out: list[StageMessage] = []
        while len(out) < self._pace.n_at_once and not self._end_sent and self._place != n_recorded:
            if self.n_sent - self.n_confirmed >= self._pace.window_bytes:
                break
            left = chunk_bytes if n_recorded is None else n_recorded - self._place
            try:
                self._reader = self._reader or self._open_reader()
                batch = self._reader.read(
                    min(left + 1, chunk_bytes)
                )  # one byte more shows that there is no further one
            except OSError as error:
                self.unread = error.strerror or str(error)
                break
            if self.unread:
                self.unread = ""
                self._progress(now)
            if batch is None and not ended:
                break
            self._end_sent = batch is None
            if batch:
                self.n_sent += len(batch.data)
                self._place += len(batch.data) + max(batch.missing, 0)
            complete = self._place == complete_at
            out.append(Chunk(self._id, self._seq, batch or _NOTHING, ended=batch is None, complete=complete))
            self._seq += 1
        if not self._waits and not self.unread:
            self._progress(now)
        return out
