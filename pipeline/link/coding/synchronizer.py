"""Frame sync: finds coded blocks in a stream of bytes by their attached sync markers.

In: bytes in pieces of any size. Out: whole blocks without their sync marker, bit-aligned and in true polarity, with
the byte of the stream in which each ends. Dropped and counted: bits that belong to no block.

While searching, the first position whose marker has few bit errors is accepted: at once if bit phase and polarity are
the same as before, otherwise only if the next marker is at the expected position. While locked, more bit errors are
allowed, and a flywheel keeps the lock over missing markers if one is at its position soon after. A confirmed marker
before the end of the current frame shows that this frame was cut short. Every decision waits until all bytes it depends
on are there, so that the output does not depend on how the input was split.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from .blocks import Blocks, Record
from .marker import Marker, shifted

SLIP_BITS = 32
"""A marker at most this far from its expected position is the same lock after a bit slip."""
_CANDIDATES_AT_ONCE = 16
_SCAN_BYTES = 1 << 14


@dataclass(slots=True)
class SyncCounts:
    """Counts of the synchronizer. `skipped_bits` belong to no block; `carried`: missing markers within a lock."""

    locks: int = 0
    slips: int = 0
    inversions: int = 0
    carried: int = 0
    marker_bit_errors: int = 0
    truncated: int = 0
    skipped_bits: int = 0


@dataclass(slots=True)
class _Lock:
    """A frame whose marker is accepted. Positions are bits from the start of the buffer."""

    at: int
    inverted: bool
    confirmed: bool
    emitted: bool = False


@dataclass(slots=True)
class _Search:
    """Search for a marker from bit `at` on. `expected`: its expected position; `running`: the frame before."""

    at: int
    expected: int | None = None
    running: _Lock | None = None


@dataclass(slots=True)
class Synchronizer:
    """Cuts a stream into blocks of `block_length` bytes.

    `eager`: output a block as soon as it is complete, without waiting for the next marker. That is for links where a
    later check finds and counts frames that were cut short. `record`: prefix and suffix around each frame.
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
    _reach: int = 64  # frames checked at once: grows while the lock is kept
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
        """Return the blocks completed and accepted with `data: uint8[n]`."""
        self._buffer = np.concatenate((self._buffer, data)) if len(self._buffer) else np.ascontiguousarray(data)
        return self._advance(final=False)

    def flush(self) -> Blocks:
        """End the stream. Later bytes begin a new one."""
        blocks = self._advance(final=True)
        end = 8 * (self._base + len(self._buffer))
        self.counts.skipped_bits += max(0, end - self._covered)
        self._covered = max(end, self._covered)
        self._base += len(self._buffer)
        self._buffer = np.empty(0, np.uint8)
        self._state = _Search(0)
        return blocks

    def break_off(self, missing: int) -> Blocks:  # noqa: ARG002 - the marker is searched for in any case
        """Return the blocks before a gap of `missing` bytes."""
        return self.flush()

    @property
    def position(self) -> int:
        """Position in the stream before which all blocks are output."""
        return self._base

    @property
    def skipped_bytes(self) -> int:
        """Number of bytes so far that belong to no block."""
        return self.counts.skipped_bits // 8

    def report(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self.counts)

    def _advance(self, *, final: bool) -> Blocks:
        if self._aligned:
            self._aligned = {}
        is_going = True
        while is_going:
            state = self._state
            is_going = (
                self._track(state, final=final) if isinstance(state, _Lock) else self._search(state, final=final)
            )
        self._drop_decided()
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else Blocks.join(out, self.block_length)

    def _drop_decided(self) -> None:
        """Drop the bytes that no later decision needs."""
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
        """Output the frames of a run of markers; True if more can be done with the buffered bytes."""
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
            n_accepted, broken = self._accept_markers(lock, wrong, at_end=at_end)
        if len(wrong.nonzero()[0]):
            self.counts.marker_bit_errors += int(wrong[: n_accepted - 1].sum())
        n_undecided = 0 if self.eager or (at_end and not broken) else 1
        stop = min(n_whole, n_accepted - n_undecided)
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

    def _accept_markers(self, lock: _Lock, wrong: NDArray[np.intp], *, at_end: bool) -> tuple[int, bool]:
        """Number of accepted markers of the run, including that of the lock, and whether the lock is lost after them.

        `wrong: intp[n]`: bit errors of the markers behind that of the lock, some of which are missing. `at_end`: the
        stream ends with the run.
        """
        is_present = np.concatenate(([True], wrong <= self.marker.errors_locked))
        accepted = self._bridge(is_present)
        n_seen = len(is_present)
        n_accepted = n_seen if accepted.all() else int(np.argmin(accepted))
        broken = n_accepted < n_seen
        if broken and at_end and self._ends_with(lock, n_accepted):
            n_accepted += 1
            broken = n_accepted < n_seen
        elif broken and not at_end and n_accepted + self.marker.flywheel >= n_seen:
            broken = False  # the marker that may keep the lock is not received yet
        self.counts.carried += int(np.count_nonzero(~is_present[:n_accepted]))
        return n_accepted, broken

    def _bridge(self, is_present: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which markers are present or bridged by the flywheel: one of the next `flywheel` markers is present."""
        accepted = is_present.copy()
        for ahead in range(1, self.marker.flywheel + 1):
            accepted[:-ahead] |= is_present[ahead:]
        return accepted

    def _ends_with(self, lock: _Lock, n_accepted: int) -> bool:
        """Whether the stream ends exactly where the frame after `n_accepted` would end: only its marker is damaged."""
        rest = 8 * len(self._buffer) - lock.at - self._pitch * (n_accepted + 1) + 8 * self.record.prefix
        return 0 <= rest < 8 and (lock.confirmed or n_accepted > 1)

    def _emit(self, lock: _Lock, stop: int) -> None:
        """Output the blocks up to number `stop`, counted from the lock."""
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
        """Receive times of n frames from their prefixes: int64[n]; 0 for a first frame without a whole prefix."""
        start, times = begin - 8 * self.record.prefix, np.zeros(n, np.int64)
        if n_cut := int(start < 0):
            start += self._pitch
        if n > n_cut:
            times[n_cut:] = self.record.received_ns(self._rows(start, n - n_cut, self.record.prefix))
        return times

    # -- searching ---------------------------------------------------------------------------------------------

    def _search(self, search: _Search, *, final: bool) -> bool:
        """Find the next marker to accept; True if one was found."""
        end, n_bits = 8 * len(self._buffer), self.marker.n_bits
        scan_bytes = self._pitch // 4
        while search.at + n_bits <= end:
            stop = min(search.at // 8 * 8 + 8 * scan_bytes, end - n_bits + 1)
            decision = self._decide(search, stop, final=final)
            if isinstance(decision, _Lock):
                self._accept_lock(search, decision)
                return True
            search.at = stop if decision is None else decision
            self._emit_running(search)
            if decision is not None:
                return False  # wait for the bytes that this candidate depends on
            scan_bytes = min(2 * scan_bytes, _SCAN_BYTES)
        if final and search.running:
            self._emit(search.running, 1)
            search.running = None
        return False

    def _decide(self, search: _Search, stop: int, *, final: bool) -> _Lock | int | None:
        """Return a lock on the first accepted candidate up to `stop`, or the position of one that cannot be decided
        yet.

        None: neither. A few candidates are checked at a time.
        """
        place, inverted, wrong = self.marker.candidates(self._buffer, search.at, stop)
        for first in range(0, len(place), _CANDIDATES_AT_ONCE):
            few = slice(first, first + _CANDIDATES_AT_ONCE)
            decision = self._first_accepted(search, place[few], inverted[few], wrong[few], final=final)
            if decision is not None:
                return decision
        return None

    def _first_accepted(
        self,
        search: _Search,
        place: NDArray[np.intp],
        inverted: NDArray[np.bool_],
        wrong: NDArray[np.intp],
        *,
        final: bool,
    ) -> _Lock | int | None:
        """`_decide` for a few candidates: positions intp[k], polarity bool[k], bit errors intp[k]."""
        end, n_bits = 8 * len(self._buffer), self.marker.n_bits
        successor = place + self._pitch
        seen = successor + n_bits <= end
        errors = self.marker.wrong_bits(self._buffer, np.where(seen, successor, 0))
        errors = np.where(inverted, n_bits - errors, errors)
        confirmed = seen & (errors <= self.marker.errors_locked)
        if final:
            confirmed |= ~seen & (successor - self._gap <= end)
        accepted = confirmed | ((place % 8 == self._phase) & (inverted == self._inverted))
        if search.expected is not None:
            before, near = place < search.expected - SLIP_BITS, abs(place - search.expected) <= SLIP_BITS
            accepted = np.where(before, confirmed, np.where(near, confirmed | (wrong == 0), accepted))
        open_ = np.zeros_like(seen) if final else ~seen & ~accepted
        decided = (accepted | open_).nonzero()[0]
        if not len(decided):
            return None
        first = int(decided[0])
        if open_[first]:
            return int(place[first])
        return _Lock(int(place[first]), bool(inverted[first]), confirmed=bool(confirmed[first]))

    def _accept_lock(self, search: _Search, lock: _Lock) -> None:
        """Change to a new lock, and output or drop the frame before it."""
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

    def _emit_running(self, search: _Search) -> None:
        """Output the frame before the search if no other marker is inside it: then it is complete."""
        if search.running and search.expected is not None and search.at > search.expected + SLIP_BITS:
            self._emit(search.running, 1)
            search.running = None

    # -- bits --------------------------------------------------------------------------------------------------

    def _at_phase(self, phase: int) -> NDArray[np.uint8]:
        """The buffer shifted left by `phase` bits."""
        if phase == 0:
            return self._buffer
        if phase not in self._aligned:
            self._aligned[phase] = shifted(self._buffer, phase)
        return self._aligned[phase]

    def _rows(self, begin: int, n: int, length_bytes: int) -> NDArray[np.uint8]:
        """View the first `length_bytes` of n frames from bit `begin` on: uint8[n, length_bytes]."""
        pitch = self._pitch // 8
        return np.ndarray((n, length_bytes), np.uint8, self._at_phase(begin % 8), begin // 8, (pitch, 1))
