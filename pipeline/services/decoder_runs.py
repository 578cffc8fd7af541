"""The runs of the decode stage: chunks of recorded passes in, outputs for publish out, in the same order.

In: `Chunk`. Out: `Output`, or `Nack` where a chunk is missing before this one, or the disk fails. State: a `StreamRun`
for each run, at most MAX_RUNS of them. Dropped: chunks that came twice. Limits: an Output is cut at OUT_BYTES; a
message larger than the broker takes is left out, and its Output says so (`refused`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.batches import Outgoing
from ..processing.chain import ProcessingChain
from ..processing.stream_run import StreamRun
from ..recordings.disk import OF_THE_DISK
from .protocol import Chunk, Nack, Output, RunId

MAX_RUNS = 16
OUT_BYTES = 4 << 20
"""An Output is cut before it grows beyond this."""
BACKLOG_S = 10.0
"""Of bytes received longer ago the newest values are sent as rarely as those of a replay at maximum speed."""


@dataclass(slots=True)
class _Run:
    """`seq`: of the chunk that is expected; `out_seq`: of the next output."""

    stream: StreamRun
    seq: int = 0
    out_seq: int = 0


class Worker:
    """`new_chain` makes the chain of a station's stream. `quarantine` is the folder for the bytes of broken batches.

    `release_complete`: no instrument waits for later rows, so the products of a complete chunk are released with it.
    Else rows of one frame that wait differently long would become other products than in a replay.
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
        self.largest_message_bytes = 1 << 62
        """What the broker takes of an Output's content at most; set by the service."""
        self.n_quarantined = 0
        self.n_thinned: Counter[str] = Counter()
        """Newest values that were replaced before they were sent, by station."""
        self.last_report: dict[str, dict[str, Any]] = {}
        """The newest pass report of each station."""

    @property
    def n_runs(self) -> int:
        return len(self._runs)

    def take(self, raw: Chunk) -> Iterator[Output | Nack]:
        """Decode a chunk: gives what to send to publish, products first, then what is retained. Iterate to the end.

        Where the system takes no more open files, or a disk fails (a library is loaded when first used), the run is
        dropped with a Nack, and ingest sends it again with backoff: nothing is wrong with its bytes.
        """
        try:
            run = self._run(raw)
            if run is None or raw.seq > run.seq:
                yield Nack(raw.id, f"batch {raw.seq} came, and what is before it did not")
            elif raw.seq == run.seq:
                run.seq += 1
                yield from self._decode(raw, run)
                if raw.ended:
                    del self._runs[raw.id]
        except OSError as error:
            if error.errno not in OF_THE_DISK:
                raise
            self._runs.pop(raw.id, None)
            yield Nack(raw.id, f"decode cannot read a file: {error.strerror}")

    def _decode(self, raw: Chunk, run: _Run) -> Iterator[Output]:
        stream, station = run.stream, raw.id.station
        n_thinned, n_quarantined, report = stream.n_thinned, stream.n_quarantined, stream.report
        received_ns = int(raw.batch.mark_ns[-1]) if len(raw.batch.mark_ns) else stream.received_ns
        made = stream.decode(
            raw.batch,
            ended=raw.ended,
            complete=raw.complete and self._release_complete,
            events=raw.events,
            at_max_speed=time.time_ns() - received_ns > BACKLOG_S * 1e9,
        )
        for messages, is_last in made:
            self.n_quarantined += stream.n_quarantined - n_quarantined
            n_quarantined = stream.n_quarantined
            yield from self._outputs(raw, run, messages, last=is_last)
        self.n_thinned[station] += stream.n_thinned - n_thinned
        if stream.report is not report:
            self.last_report[station] = stream.report

    def _run(self, raw: Chunk) -> _Run | None:
        """The run; a new one begins with its first chunk, and ends any earlier run of the pass."""
        run = self._runs.get(raw.id)
        if run is None and raw.seq == 0:
            same = [one for one in self._runs if (one.station, one.name) == (raw.id.station, raw.id.name)]
            for one in [*same, *list(self._runs)[: max(len(self._runs) - MAX_RUNS + 1, 0)]]:
                self._runs.pop(one, None)
            run = self._runs[raw.id] = _Run(self._new_stream(raw.id))
        return run

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

    def _outputs(self, raw: Chunk, run: _Run, messages: list[Outgoing], *, last: bool) -> Iterator[Output]:
        """The messages in Outputs of at most OUT_BYTES. `last`: the last of them says how far the run has come.

        A message larger than the broker takes is left out, and `refused` says so: ingest does not close the pass then.
        """
        stream, largest = run.stream, self.largest_message_bytes
        sizes = list(map(_size, messages))
        refused = ""
        if max(sizes, default=0) > largest:
            messages, sizes, refused = _sendable(messages, sizes, largest)
        parts = _parts(messages, sizes, min(OUT_BYTES, largest)) or ([()] if last or refused else [])
        for number, part in enumerate(parts, 1):
            is_last = last and number == len(parts)
            n_bytes = stream.n_bytes if is_last else stream.n_bytes - len(raw.batch.data)
            yield Output(raw.id, run.out_seq, n_bytes, raw.ended and is_last, stream.received_ns, part, refused)
            run.out_seq += 1


def _sendable(
    messages: Sequence[Outgoing], sizes: Sequence[int], largest: int
) -> tuple[list[Outgoing], list[int], str]:
    """The messages that fit into an Output, their sizes, and what is wrong with the others."""
    first = next(one.message for one, size in zip(messages, sizes, strict=True) if size > largest)
    refused = f"{first.topic}: {len(first.payload)} bytes, and the broker takes {largest}"
    fitting = [(one, size) for one, size in zip(messages, sizes, strict=True) if size <= largest]
    return [one for one, _ in fitting], [size for _, size in fitting], refused


def _size(one: Outgoing) -> int:
    """Upper bound of the bytes that a message takes in an Out."""
    return len(one.message.payload) + 4 * (len(one.message.topic) + len(one.key)) + 200


def _parts(messages: Sequence[Outgoing], sizes: Sequence[int], max_bytes: int) -> list[tuple[Outgoing, ...]]:
    """Products apart from what is retained, and never more than `max_bytes` at once unless it is one message."""
    first, n_bytes, retain, parts = 0, 0, False, []
    for i, (one, size) in enumerate(zip(messages, sizes, strict=True)):
        if i > first and (n_bytes + size > max_bytes or one.message.retain != retain):
            parts.append(tuple(messages[first:i]))
            first, n_bytes = i, 0
        n_bytes += size
        retain = one.message.retain
    return [*parts, tuple(messages[first:])] if messages else []
