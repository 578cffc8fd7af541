"""The runs of the decode stage: chunks of recorded passes in, outputs for publish out, in the same order.

In: `Chunk`. Out: `Output`, or one `Nack` of a run where a chunk is missing before this one, or the disk fails. State: a
`StreamRun` for each run, at most MAX_RUNS of them. Dropped: chunks that came twice. Limits: an Output is cut at
OUT_BYTES; a message larger than the broker takes is left out, and its Output gives the reason (`refused`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from ..model.batches import Outgoing
from ..processing.chain import ProcessingChain
from ..processing.stream_run import StreamRun
from ..recordings.disk import OF_THE_DISK
from .protocol import Chunk, Nack, Output, RunId, ids

MAX_RUNS = 16
OUT_BYTES = 4 << 20
"""An Output is cut before it grows beyond this."""
BACKLOG_S = 10.0
"""Of bytes received longer ago the newest values are sent as rarely as those of a replay at maximum speed."""
_NACKED_KEPT = 256
_log = structlog.get_logger("decode")


@dataclass(slots=True)
class _Run:
    """`seq`: of the chunk that is expected; `out_seq`: of the next output."""

    stream: StreamRun
    seq: int = 0
    out_seq: int = 0


class Worker:
    """`new_chain` makes the chain of a station's stream. `quarantine` is the folder for the bytes of broken batches.

    `release_complete`: no instrument waits for later rows, so the products of a complete chunk are released with it.
    Else rows of one frame that wait for different times would become other products than in a replay.
    """

    def __init__(
        self,
        mission: str,
        new_chain: Callable[[str], ProcessingChain],
        quarantine: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        release_complete: bool = False,
    ) -> None:
        self._mission = mission
        self._new_chain = new_chain
        self._quarantine_folder = quarantine
        self._clock = clock
        self._release_complete = release_complete
        self._runs: dict[RunId, _Run] = {}
        self._nacked: dict[RunId, None] = {}
        """The newest _NACKED_KEPT runs of which a Nack was sent."""
        self._n_quarantined = 0
        """In runs that have ended, as the next."""
        self._n_replaced: Counter[str] = Counter()
        self.largest_message_bytes = 1 << 62
        """Largest content of an Output that the broker takes; set by the service."""
        self.took_s = 0.0
        """Seconds in which the outputs of the last chunk were made, without those in which they were sent."""
        self.last_report: dict[str, dict[str, Any]] = {}
        """The newest pass report of each station."""

    @property
    def n_runs(self) -> int:
        return len(self._runs)

    @property
    def n_quarantined(self) -> int:
        """Batches that broke the chain. May be asked for while another thread decodes, as the next."""
        return self._n_quarantined + sum(run.stream.n_quarantined for run in list(self._runs.values()))

    def n_replaced(self, station: str) -> int:
        """Newest values of a station that newer ones replaced before they were sent."""
        going = (run.stream.n_thinned for run_id, run in list(self._runs.items()) if run_id.station == station)
        return self._n_replaced[station] + sum(going)

    def decode(self, chunk: Chunk) -> Iterator[Output | Nack]:
        """Decode a chunk. Yields outputs for publish, products first, then retained messages. Iterate to the end.

        Where the system takes no more open files, or a disk fails (a library is loaded when first used), the run is
        dropped with a Nack, and ingest sends it again with backoff: nothing is wrong with its bytes.
        """
        began, self.took_s = time.perf_counter(), 0.0
        try:
            for output in self._outputs(chunk):
                self.took_s += time.perf_counter() - began
                yield output
                began = time.perf_counter()
        except OSError as error:
            if error.errno not in OF_THE_DISK:
                raise
            self._end(chunk.id)
            yield from self._nack(chunk, f"decode cannot read a file: {error.strerror}")
        self.took_s += time.perf_counter() - began

    def _outputs(self, chunk: Chunk) -> Iterator[Output | Nack]:
        run = self._run(chunk)
        if run is None or chunk.seq > run.seq:
            yield from self._nack(chunk, f"batch {chunk.seq} came, and what is before it did not")
            return
        if chunk.seq < run.seq:
            return
        run.seq += 1
        stream, batch, before = run.stream, chunk.batch, run.stream.report
        received_ns = batch.mark_ns.item(-1) if len(batch.mark_ns) else stream.received_ns
        made = stream.decode(
            batch,
            ended=chunk.ended,
            complete=chunk.complete and self._release_complete,
            events=chunk.events,
            at_max_speed=time.time_ns() - received_ns > BACKLOG_S * 1e9,
        )
        for messages, is_last in made:
            yield from self._parts(chunk, run, messages, last=is_last)
        if stream.report is not before:
            self.last_report[chunk.id.station] = stream.report
        if chunk.ended:
            self._end(chunk.id)

    def _nack(self, chunk: Chunk, why: str) -> Iterator[Nack]:
        """A Nack, logged, where it is the first one of the run."""
        if chunk.id not in self._nacked:
            _log.warning("lost the run", why=why, **ids(chunk))
            yield Nack(chunk.id, why)
        self._nacked[chunk.id] = None
        if len(self._nacked) > _NACKED_KEPT:
            del self._nacked[next(iter(self._nacked))]

    def _run(self, chunk: Chunk) -> _Run | None:
        """The run; a new one begins with its first chunk, and ends any earlier run of the pass."""
        run = self._runs.get(chunk.id)
        if run is None and chunk.seq == 0:
            same = [one for one in self._runs if (one.station, one.name) == (chunk.id.station, chunk.id.name)]
            for one in [*same, *list(self._runs)[: max(len(self._runs) - MAX_RUNS + 1, 0)]]:
                self._end(one)
            run = self._runs[chunk.id] = _Run(self._new_stream(chunk.id))
        return run

    def _end(self, run_id: RunId) -> None:
        """Drop the state of a run, and keep its counts."""
        run = self._runs.pop(run_id, None)
        if run is not None:
            self._n_quarantined += run.stream.n_quarantined
            self._n_replaced[run_id.station] += run.stream.n_thinned

    def _new_stream(self, run_id: RunId) -> StreamRun:
        station, name, _ = run_id
        return StreamRun(
            self._new_chain(station),
            self._mission,
            station,
            lambda number: self._quarantine_folder / f"{station}-{name}-{number}.bin",
            pass_name=name,
            log_ids={"station": station, "pass_": name, "run": run_id.run},
            clock=self._clock,
        )

    def _parts(self, chunk: Chunk, run: _Run, messages: list[Outgoing], *, last: bool) -> Iterator[Output]:
        """The messages in Outputs of at most OUT_BYTES. `last`: the last of them gives how far the run has come.

        A message larger than the broker takes is left out, and `refused` gives the reason: ingest does not close the
        pass then.
        """
        stream, largest = run.stream, self.largest_message_bytes
        sizes = list(map(_size, messages))
        refused = ""
        if max(sizes, default=0) > largest:
            messages, sizes, refused = _sendable(messages, sizes, largest)
        parts = _cut(messages, sizes, min(OUT_BYTES, largest)) or ([()] if last or refused else [])
        for number, part in enumerate(parts, 1):
            is_last = last and number == len(parts)
            n_bytes = stream.n_bytes if is_last else stream.n_bytes - len(chunk.batch.data)
            yield Output(chunk.id, run.out_seq, n_bytes, chunk.ended and is_last, stream.received_ns, part, refused)
            run.out_seq += 1


def _sendable(
    messages: Sequence[Outgoing], sizes: Sequence[int], largest: int
) -> tuple[list[Outgoing], list[int], str]:
    """The messages that fit into an Output, their sizes, and why the first of the others is left out."""
    first = next(one.message for one, size in zip(messages, sizes, strict=True) if size > largest)
    refused = f"{first.topic}: {len(first.payload)} bytes, and the broker takes {largest}"
    fitting = [(one, size) for one, size in zip(messages, sizes, strict=True) if size <= largest]
    return [one for one, _ in fitting], [size for _, size in fitting], refused


def _size(one: Outgoing) -> int:
    """Upper bound of the bytes that a message takes in an Output."""
    return len(one.message.payload) + 4 * (len(one.message.topic) + len(one.key)) + 200


def _cut(messages: Sequence[Outgoing], sizes: Sequence[int], max_bytes: int) -> list[tuple[Outgoing, ...]]:
    """The messages in order, in parts of at most `max_bytes` or of one message; retained ones apart from others."""
    first, n_bytes, retain, parts = 0, 0, False, []
    for i, (one, size) in enumerate(zip(messages, sizes, strict=True)):
        if i > first and (n_bytes + size > max_bytes or one.message.retain != retain):
            parts.append(tuple(messages[first:i]))
            first, n_bytes = i, 0
        n_bytes += size
        retain = one.message.retain
    return [*parts, tuple(messages[first:])] if messages else []
