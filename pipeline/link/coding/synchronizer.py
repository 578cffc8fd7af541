"""Frame sync: where the coded blocks begin in a stream of bytes, by their attached sync markers.

In: bytes in pieces of any size. Out: whole blocks without their sync marker, bit-aligned and in true polarity, with
the byte of the stream in which each ends. Dropped and counted: bits that belong to no block.

Searching, the first place counts whose marker has few wrong bits: at once where bit phase and polarity are those
of before, otherwise only when the next marker stands where it should. Locked, more wrong bits are allowed, and a
flywheel carries the lock over markers that are lost, as long as one stands in its place soon after. A marker
that is missing inside the running frame's span, confirmed by its successor, shows that the frame was cut short.
Every decision waits until it can see all it depends on, so that it is the same however the input was cut.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from .blocks import Blocks
from .marker import Marker, shifted
from .records import Record

SLIP_BITS = 32
"""A marker this near to where it was expected is the same lock after a slip."""
_CANDIDATES_AT_ONCE = 16
_SCAN_BYTES = 1 << 14


@dataclass(slots=True)
class SyncCounts:
    """What the synchroniser saw. `skipped_bits` belong to no block; `carried`: markers not found but bridged."""

    locks: int = 0
    slips: int = 0
    inversions: int = 0
    carried: int = 0
    marker_bit_errors: int = 0
    truncated: int = 0
    skipped_bits: int = 0


@dataclass(slots=True)
class _Lock:
    """A frame whose marker is accepted. Places are bits from the start of the buffer."""

    at: int
    inverted: bool
    confirmed: bool
    emitted: bool = False


@dataclass(slots=True)
class _Search:
    """Looking for a marker from bit `at`. `expected`: where it should be; `running`: the frame before."""

    at: int
    expected: int | None = None
    running: _Lock | None = None


@dataclass(slots=True)
class Synchronizer:
    """Cuts a stream into blocks of `block_length` bytes.

    `eager`: a block is handed on as soon as it is whole, not when the next marker is seen. That is for streams
    where a later check finds frames that were cut short; they are then counted there. `record`: what stands before
    each marker and behind each block.
    """

    marker: Marker
    block_length: int
    eager: bool
    record: Record = field(default_factory=Record)
    counts: SyncCounts = field(default_factory=SyncCounts)
    _buffer: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    _base: int = 0  # bytes of the stream before the buffer
    _covered: int = 0  # bits of the stream up to the end of the last block
    _state: _Lock | _Search = field(default_factory=lambda: _Search(0))
    _phase: int = 0
    _inverted: bool = False
    _reach: int = 64  # frames looked at in one go: grows while the lock holds
    _out: list[Blocks] = field(default_factory=list)
    _aligned: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    _gap: int = field(init=False)
    """Bits from the end of a block to the next marker."""
    _pitch: int = field(init=False)
    """Bits from one marker to the next."""

    def __post_init__(self) -> None:
        self._gap = 8 * (self.record.prefix + self.record.suffix)
        self._pitch = self._gap + self.marker.n_bits + 8 * self.block_length

    def find_blocks(self, data: NDArray[np.uint8]) -> Blocks:
        """Blocks that are whole and decided with `data: uint8[n]` added to the stream."""
        self._buffer = np.concatenate((self._buffer, data)) if len(self._buffer) else np.ascontiguousarray(data)
        return self._advance(final=False)

    def flush(self) -> Blocks:
        """The stream ends here; a later feed begins another one."""
        blocks = self._advance(final=True)
        end = 8 * (self._base + len(self._buffer))
        self.counts.skipped_bits += max(0, end - self._covered)
        self._covered = max(end, self._covered)
        self._base += len(self._buffer)
        self._buffer = np.empty(0, np.uint8)
        self._state = _Search(0)
        return blocks

    def break_off(self, missing: int) -> Blocks:  # noqa: ARG002 - the marker is searched for however much it is
        """Bytes are missing here: what is whole before that."""
        return self.flush()

    @property
    def place(self) -> int:
        """Byte of the stream from which on blocks are still to come."""
        return self._base

    @property
    def skipped_bytes(self) -> int:
        """Bytes so far that belong to no block."""
        return self.counts.skipped_bits // 8

    def report(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self.counts)

    def _advance(self, *, final: bool) -> Blocks:
        if self._aligned:
            self._aligned = {}
        going = True
        while going:
            state = self._state
            going = (
                self._track(state, final=final) if isinstance(state, _Lock) else self._search(state, final=final)
            )
        self._let_go()
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else Blocks.join(out, self.block_length)

    def _let_go(self) -> None:
        """Forget the bytes that no later decision needs."""
        state = self._state
        keep = state.running.at if isinstance(state, _Search) and state.running else state.at
        n_bytes = min(max(keep // 8 - self.record.prefix, 0), len(self._buffer))
        self._buffer = self._buffer[n_bytes:].copy()
        self._base += n_bytes
        state.at -= 8 * n_bytes
        if isinstance(state, _Search):
            if state.expected is not None:
                state.expected -= 8 * n_bytes
            if state.running:
                state.running.at -= 8 * n_bytes

    # -- locked ------------------------------------------------------------------------------------------------

    def _track(self, lock: _Lock, *, final: bool) -> bool:
        """Hand on the frames of a run of markers; True where there is more to do with the bytes at hand."""
        end, pitch, n_bits = 8 * len(self._buffer), self._pitch, self.marker.n_bits
        n_whole = (end - lock.at + self._gap) // pitch
        n_there = max(1, (end - lock.at - n_bits) // pitch + 1)
        n_seen = min(n_there, self._reach + self.marker.flywheel)
        at_end = final and n_seen == n_there
        wrong = self.marker.wrong_bits_behind(self._at_phase(lock.at % 8), lock.at // 8, n_seen, pitch // 8)
        if lock.inverted:
            wrong = n_bits - wrong
        n_accepted, broken = n_seen, False
        if len((wrong > self.marker.errors_locked).nonzero()[0]):
            n_accepted, broken = self._judge_missing(lock, wrong, at_end=at_end)
        if len(wrong.nonzero()[0]):
            self.counts.marker_bit_errors += int(wrong[: n_accepted - 1].sum())
        held_back = 0 if self.eager or (at_end and not broken) else 1
        stop = min(n_whole, n_accepted - held_back)
        self._emit(lock, stop)
        last = _Lock(
            lock.at + pitch * (n_accepted - 1),
            lock.inverted,
            confirmed=lock.confirmed or n_accepted > 1,
            emitted=stop >= n_accepted or (lock.emitted and n_accepted == 1),
        )
        self._state = _Search(last.at + n_bits, expected=last.at + pitch, running=last) if broken else last
        self._reach = 64 if broken else 2 * self._reach if n_seen < n_there else self._reach
        return broken or n_seen < n_there

    def _judge_missing(self, lock: _Lock, wrong: NDArray[np.intp], *, at_end: bool) -> tuple[int, bool]:
        """How many markers of the run are accepted, that of the lock included, and whether the lock breaks then.

        `wrong: intp[n]`: bits of the markers behind that of the lock, some of which are missing; `at_end`: no marker
        follows, and the stream ends.
        """
        stands = np.concatenate(([True], wrong <= self.marker.errors_locked))
        accepted = self._bridge(stands)
        n_seen = len(stands)
        n_accepted = n_seen if accepted.all() else int(np.argmin(accepted))
        broken = n_accepted < n_seen
        if broken and at_end and self._ends_with(lock, n_accepted):
            n_accepted += 1
            broken = n_accepted < n_seen
        elif broken and not at_end and n_accepted + self.marker.flywheel >= n_seen:
            broken = False  # the marker that would carry the lock is not in view yet
        self.counts.carried += int(np.count_nonzero(~stands[:n_accepted]))
        return n_accepted, broken

    def _bridge(self, stands: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Markers that stand, and missing ones that the flywheel carries over: one stands soon after."""
        accepted = stands.copy()
        for ahead in range(1, self.marker.flywheel + 1):
            accepted[:-ahead] |= stands[ahead:]
        return accepted

    def _ends_with(self, lock: _Lock, n_accepted: int) -> bool:
        """Whether the stream ends just where the frame after `n_accepted` would: its marker is merely damaged."""
        rest = 8 * len(self._buffer) - lock.at - self._pitch * (n_accepted + 1) + 8 * self.record.prefix
        return 0 <= rest < 8 and (lock.confirmed or n_accepted > 1)

    def _emit(self, lock: _Lock, stop: int) -> None:
        """Hand on the blocks of rows up to `stop`, counted from the lock."""
        first = 1 if lock.emitted else 0
        n = stop - first
        if n <= 0:
            return
        pitch, begin, n_bytes = self._pitch, lock.at + self._pitch * first, len(self.marker.pattern)
        rows = self._rows(begin, n, n_bytes + self.block_length)[:, n_bytes:]
        end_of_first = self._base + (begin + pitch - self._gap - 1) // 8
        last = np.arange(end_of_first, end_of_first + n * pitch // 8, pitch // 8, dtype=np.int64)
        times = self._received_ns(begin, n) if self.record.times else None
        self._out.append(Blocks(~rows if lock.inverted else rows, last, times))
        start = 8 * self._base + begin - 8 * self.record.prefix
        self.counts.skipped_bits += max(0, start - self._covered)
        self._covered = start + pitch * n

    def _received_ns(self, begin: int, n: int) -> NDArray[np.int64]:
        """Receive times of n frames by their prefixes; 0 for a first one whose prefix is not there."""
        start, times = begin - 8 * self.record.prefix, np.zeros(n, np.int64)
        if n_cut := int(start < 0):
            start += self._pitch
        if n > n_cut:
            times[n_cut:] = self.record.received_ns(self._rows(start, n - n_cut, self.record.prefix))
        return times

    # -- searching ---------------------------------------------------------------------------------------------

    def _search(self, search: _Search, *, final: bool) -> bool:
        """Find the next marker to believe; True where one was found."""
        end, n_bits = 8 * len(self._buffer), self.marker.n_bits
        scan_bytes = self._pitch // 4
        while search.at + n_bits <= end:
            stop = min(search.at // 8 * 8 + 8 * scan_bytes, end - n_bits + 1)
            decision = self._decide(search, stop, final=final)
            if isinstance(decision, _Lock):
                self._take_up(search, decision)
                return True
            search.at = stop if decision is None else decision
            self._hand_on_running(search)
            if decision is not None:
                return False  # wait for what this candidate depends on
            scan_bytes = min(2 * scan_bytes, _SCAN_BYTES)
        if final and search.running:
            self._emit(search.running, 1)
            search.running = None
        return False

    def _decide(self, search: _Search, stop: int, *, final: bool) -> _Lock | int | None:
        """The first candidate up to `stop` to believe, or that cannot be judged yet; a few are judged at a time."""
        place, inverted, wrong = self.marker.candidates(self._buffer, search.at, stop)
        for first in range(0, len(place), _CANDIDATES_AT_ONCE):
            few = slice(first, first + _CANDIDATES_AT_ONCE)
            decision = self._first_believed(search, place[few], inverted[few], wrong[few], final=final)
            if decision is not None:
                return decision
        return None

    def _first_believed(
        self,
        search: _Search,
        place: NDArray[np.intp],
        inverted: NDArray[np.bool_],
        wrong: NDArray[np.intp],
        *,
        final: bool,
    ) -> _Lock | int | None:
        """The first candidate to believe, or the place of one that cannot be judged yet, or None."""
        end, n_bits = 8 * len(self._buffer), self.marker.n_bits
        successor = place + self._pitch
        seen = successor + n_bits <= end
        errors = self.marker.wrong_bits(self._buffer, np.where(seen, successor, 0))
        errors = np.where(inverted, n_bits - errors, errors)
        confirmed = seen & (errors <= self.marker.errors_locked)
        if final:
            confirmed |= ~seen & (successor - self._gap <= end)
        believed = confirmed | ((place % 8 == self._phase) & (inverted == self._inverted))
        if search.expected is not None:
            before, near = place < search.expected - SLIP_BITS, abs(place - search.expected) <= SLIP_BITS
            believed = np.where(before, confirmed, np.where(near, confirmed | (wrong == 0), believed))
        open_ = np.zeros_like(seen) if final else ~seen & ~believed
        decided = (believed | open_).nonzero()[0]
        if not len(decided):
            return None
        first = int(decided[0])
        if open_[first]:
            return int(place[first])
        return _Lock(int(place[first]), bool(inverted[first]), confirmed=bool(confirmed[first]))

    def _take_up(self, search: _Search, lock: _Lock) -> None:
        """Take up the new lock, and decide on the frame that ran before it."""
        if search.expected is not None and abs(lock.at - search.expected) <= SLIP_BITS:
            self.counts.slips += int(lock.at != search.expected)
        else:
            self.counts.locks += 1
        self.counts.inversions += int(lock.inverted != self._inverted)
        self._phase, self._inverted = lock.at % 8, lock.inverted
        if search.running:
            if search.expected is not None and lock.at < search.expected - SLIP_BITS:
                self.counts.truncated += 1
            else:
                self._emit(search.running, 1)
        self._state = lock

    def _hand_on_running(self, search: _Search) -> None:
        """A frame whose span held no other marker was whole, whatever comes after."""
        if search.running and search.expected is not None and search.at > search.expected + SLIP_BITS:
            self._emit(search.running, 1)
            search.running = None

    # -- bits --------------------------------------------------------------------------------------------------

    def _at_phase(self, phase: int) -> NDArray[np.uint8]:
        """The buffer as bytes that begin `phase` bits into each of its own."""
        if phase == 0:
            return self._buffer
        if phase not in self._aligned:
            self._aligned[phase] = shifted(self._buffer, phase)
        return self._aligned[phase]

    def _rows(self, begin: int, n: int, length_bytes: int) -> NDArray[np.uint8]:
        """The first `length_bytes` of n frames from bit `begin` on: uint8[n, length_bytes], a view."""
        pitch = self._pitch // 8
        return np.ndarray((n, length_bytes), np.uint8, self._at_phase(begin % 8), begin // 8, (pitch, 1))
