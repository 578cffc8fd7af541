"""Space packets back to back, each behind a prefix of fixed length.

In: bytes in pieces of any size. Out: whole packets. Skipped and counted: bytes that form no packet, and a packet cut by
the end. After an invalid header the parser resynchronizes where a few consecutive packets are found, of APIDs seen
before if there are any.

Zero octets parse as packets of APID 0 with 1 octet of data, which is legal, but all have sequence count 0, whereas the
count of an APID advances with every packet (133.0-B-2 4.1.3.4.3). So two such packets in a row are fill of a disk or a
recorder, and are skipped; a single one is a packet.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...model.reused_memory import Surroundings, reused_empty
from .packet_chains import PacketChains
from .packet_headers import OTHER_VERSION, PRIMARY_HEADER_BYTES, space_packet_lengths
from .walk import PAD_BYTES, words_of

_HOPS = 3
"""Consecutive packets that are required to resynchronize at a position."""
_FEW = 16
_CYCLE, _FEWEST_IN_TURN = 64, 6
"""Longest cycle of packet lengths that is recognised, and the fewest packets in which it is searched for."""
_MOST_EACH, _EACH_BYTES = 1 << 13, 1100  # the smallest block holds the longest possible packet
_MOST_AT_ONCE = 1 << 24
_SCAN_BYTES = 1 << 16
_ZERO_PACKET_BYTES = 7
"""Length of a packet of zero octets: its length field is 0, so its data field is 1 octet."""
_HEADER_AND_OCTET = np.uint64(8)
"""A first word shifted right by this holds the header and the first octet of data."""
_ABOVE_ZEROS = np.uint64(1 << 8)
"""Words below it have only zeros there."""
_OTHER_VERSION_OCTET = np.uint8(1 << 5)
_LENGTH_AND_VERSION, _OTHER_VERSION = np.uint64(0xE0000000FFFF0000), np.uint64(OTHER_VERSION)
_SAMPLE = 1 << 12
"""Number of packets whose lengths are kept to predict the next ones."""
_TRIED_FIRST = 16
"""Number of places at which a search looks for consecutive packets before it looks at many at once."""
_NO, _YES, _LATER = 0, 1, 2
_NONE = np.empty(0, np.int64)
_NO_WORDS = np.empty(0, np.uint64)
Packets = tuple[NDArray[np.int64], NDArray[np.uint64]]
"""Where packets begin, and their first words in native order."""
_NO_PACKETS: Packets = _NONE, _NO_WORDS
_T = TypeVar("_T", bound=np.generic)
_length_field = struct.Struct(">4xH").unpack_from


@dataclass(slots=True)
class StreamPackets:
    """p packets in one array of octets.

    `start`, `length: int64[p]`: position in `octets`; `word: uint64[p]`: first 8 bytes, big-endian; `last: int64[p]`:
    byte of the stream with which each is complete.
    """

    octets: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    word: NDArray[np.uint64]
    last: NDArray[np.int64]

    @staticmethod
    def join(first: StreamPackets, second: StreamPackets) -> StreamPackets:
        """Concatenate two results."""
        n_octets = len(first.octets)
        return StreamPackets(
            np.concatenate((first.octets, second.octets)),
            np.concatenate((first.start, second.start + n_octets)),
            np.concatenate((first.length, second.length)),
            np.concatenate((first.word, second.word)),
            np.concatenate((first.last, second.last)),
        )


@dataclass(slots=True)
class PacketStream:
    """Cuts a stream into packets with `prefix` bytes before each. Buffers at most a few packets."""

    prefix: int
    skipped_bytes: int = 0
    skipped_zeros: int = 0
    """Number of zero octets among the skipped bytes."""
    truncated_packets: int = 0
    bad_headers: int = 0
    _buffer: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(PAD_BYTES, np.uint8))
    _base: int = 0
    _searching: bool = False
    _seen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1 << 12, bool))
    _run: int = _FEW
    _n_each: int = 4 * _FEW
    _cycle: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    """Expected lengths of the next packets, with prefix, if the lengths are cyclic."""
    _n_turns: int = 4 * _FEW
    _lengths: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    """Lengths of the last packets of differing lengths, with prefix."""
    _chains: PacketChains = field(init=False)

    def __post_init__(self) -> None:
        self._chains = PacketChains(self.prefix)

    @property
    def position(self) -> int:
        """Position in the stream before which all packets are output."""
        return self._base

    def find_packets(self, octets: NDArray[np.uint8], around: Surroundings | None = None) -> StreamPackets:
        """Return the packets completed by `octets: uint8[n]`; `around`: memory around them that may be used."""
        n_before, n = len(self._buffer) - PAD_BYTES, len(octets)
        buffer = around.take(octets, n_before, PAD_BYTES) if around is not None else None
        if buffer is None:
            buffer = reused_empty((n_before + n + PAD_BYTES,), np.dtype(np.uint8))
            buffer[n_before : n_before + n] = octets
        buffer[:n_before] = self._buffer[:n_before]
        buffer[n_before + n :] = 0
        self._buffer = buffer
        return self._advance(final=False)

    def flush(self) -> StreamPackets:
        """End the stream."""
        packets = self._advance(final=True)
        self._base += len(self._buffer) - PAD_BYTES
        self._buffer = np.zeros(PAD_BYTES, np.uint8)
        self._searching = False
        return packets

    def break_off(self) -> StreamPackets:
        """Return the packets before a gap, and resynchronize behind it."""
        packets = self.flush()
        self._searching = True
        return packets

    def _advance(self, *, final: bool) -> StreamPackets:
        octets, words = self._buffer, words_of(self._buffer)
        end, at = len(octets) - PAD_BYTES, 0
        starts: list[NDArray[np.int64]] = []
        heads: list[NDArray[np.uint64]] = []
        while True:
            if self._searching:
                found = self._search(words, at, end, final=final)
                self._skip(at, found)
                at = found
                if self._searching:
                    break
            if at + self.prefix + PRIMARY_HEADER_BYTES > end:
                break
            run, head = self._find_run(words, at, end)
            if len(run):
                n_packets = self._n_before_fill(words, run, head, end, final=final)
                if n_packets < len(run):
                    run, head = run[:n_packets], head[:n_packets]
                if n_packets:
                    starts.append(run)
                    heads.append(head)
                    at = run.item(-1) + (head.item(-1) >> 16 & 0xFFFF) + PRIMARY_HEADER_BYTES + 1
                    self._add_seen_apids(head)
                    continue
            self._searching = self._is_invalid(words, at + self.prefix, end, final=final)
            if not self._searching:
                break
            self._skip(at, at + 1)
            at += 1
        if final:
            self._skip(at, end)
            at = end
        return self._output(_joined(starts, _NONE), _joined(heads, _NO_WORDS), at)

    def _add_seen_apids(self, head: NDArray[np.uint64]) -> None:
        """Add the APIDs (with packet type) of packets to those seen, from their first words `uint64[n]`."""
        kind = head >> np.uint64(48) & np.uint64(0xFFF)
        is_one = not len((kind != kind[0]).nonzero()[0])
        self._seen[kind.item(0) if is_one else kind.astype(np.intp)] = True

    def _skip(self, at: int, end: int) -> None:
        """Count octets from `at` to `end` as being in no packet."""
        self.skipped_bytes += end - at
        self.skipped_zeros += end - at - int(np.count_nonzero(self._buffer[at:end]))

    def _n_before_fill(
        self, words: NDArray[np.uint64], run: NDArray[np.int64], head: NDArray[np.uint64], end: int, *, final: bool
    ) -> int:
        """Number of packets of a run before the first zero packet that is fill, or may be with later bytes.

        `head`: their first words.
        """
        zero = (head < _ABOVE_ZEROS).nonzero()[0]
        if not len(zero):
            return len(run)
        following = run[zero] + _ZERO_PACKET_BYTES + self.prefix
        known = following + _ZERO_PACKET_BYTES <= end
        is_repeated = words[np.where(known, following, 0)] >> _HEADER_AND_OCTET == 0
        fill = zero[np.where(known, is_repeated, not final)]
        return int(fill[0]) if len(fill) else len(run)

    def _is_invalid(self, words: NDArray[np.uint64], header: int, end: int, *, final: bool) -> bool:
        """Whether no packet begins at `header`; False: a packet may be completed by later bytes. Counts the error."""
        if int(words[header]) >> 61:
            self.bad_headers += 1
            return True
        if self._is_fill(words, header, end):
            return True
        self.truncated_packets += final
        return final

    def _is_fill(self, words: NDArray[np.uint64], header: int, end: int) -> bool:
        """Whether two packets of zeros are at `header`."""
        following = header + _ZERO_PACKET_BYTES + self.prefix
        if following + _ZERO_PACKET_BYTES > end:
            return False
        return not (int(words[header]) >> int(_HEADER_AND_OCTET) or int(words[following]) >> int(_HEADER_AND_OCTET))

    def _output(self, start: NDArray[np.int64], word: NDArray[np.uint64], at: int) -> StreamPackets:
        octets, base = self._buffer, self._base
        length = space_packet_lengths(word)
        self._buffer = octets[at:].copy()
        self._base += at
        last = start + length
        last += base - 1
        return StreamPackets(octets, start, length, word, last)

    def _find_run(self, words: NDArray[np.uint64], at: int, end: int) -> Packets:
        """Find consecutive whole packets from `at` on; none if the first is not whole.

        The fastest method that applies is used: cyclic lengths, equal lengths, chains, else one by one.
        """
        first = at + self.prefix
        word = int(words[first])
        if word >> 61:
            return _NO_PACKETS
        stride = self.prefix + (word >> 16 & 0xFFFF) + 7
        if at + stride > end:
            return _NO_PACKETS
        run = self._find_cyclic(words, first, end) if len(self._cycle) else _NONE
        if not len(run):
            run, head = self._find_equal(words, first, end, stride)
            if len(run):
                return run, head
        run = run if len(run) else self._find_chained(first, end)
        run = run if len(run) else self._find_one_by_one(first, end)
        return run, words[run].astype(np.uint64)

    def _find_equal(self, words: NDArray[np.uint64], first: int, end: int, stride: int) -> Packets:
        """Packets of the length of the first one, if at least _FEW; the number tried doubles with each success."""
        n_fit = min((end - first + self.prefix) // stride, self._run)
        head = words[first : first + stride * n_fit : stride].astype(np.uint64)
        headers = head & _LENGTH_AND_VERSION
        other = (headers != headers[0]).nonzero()[0]
        n_same = int(other[0]) if len(other) else n_fit
        if n_same >= _FEW:
            self._run, self._n_each = min(2 * self._run, _MOST_AT_ONCE), 4 * _FEW
            return np.arange(first, first + stride * n_same, stride, dtype=np.int64), head[:n_same]
        if n_same < n_fit:  # otherwise only the end of the bytes stops the run
            self._run = _FEW
        return _NO_PACKETS

    def _find_cyclic(self, words: NDArray[np.uint64], first: int, end: int) -> NDArray[np.int64]:
        """Packets whose lengths continue the known cycle; the number tried doubles with each success."""
        turn = self._cycle
        n_rounds = min((end - first) // int(turn.sum()) + 1, -(-self._n_turns // len(turn)))
        length = np.tile(turn, n_rounds)
        following = first + np.cumsum(length)
        n_fit = int(following.searchsorted(end + self.prefix, side="right"))
        length, start = length[:n_fit], following[:n_fit] - length[:n_fit]
        word = words[start].astype(np.uint64)
        other = ((word >= _OTHER_VERSION) | (space_packet_lengths(word) + self.prefix != length)).nonzero()[0]
        n_same = int(other[0]) if len(other) else n_fit
        self._n_turns = 4 * _FEW if len(other) else min(2 * self._n_turns, _MOST_AT_ONCE)
        self._cycle = np.roll(turn, -n_same) if n_same else _NONE
        self._n_each = 4 * _FEW
        return start[:n_same]

    def _find_chained(self, first: int, end: int) -> NDArray[np.int64]:
        """Packets of differing lengths, many chains at once (`PacketChains`), if such were found just before."""
        if not len(self._lengths):
            return _NONE
        found = self._chains.starts(self._buffer, first, end, self._seen, self._lengths)
        if len(found) > _FEW:
            self._lengths, self._n_each = np.diff(found)[-_SAMPLE:], 4 * _FEW
        invalid = (self._buffer[found] >= _OTHER_VERSION_OCTET).nonzero()[0]
        return found[: invalid[0]] if len(invalid) else found

    def _find_one_by_one(self, first: int, end: int) -> NDArray[np.int64]:
        """Packets one by one, on a bytes object, which is faster than an array for that."""
        octets = self._buffer[first : min(end, first + _EACH_BYTES * self._n_each)].tobytes()
        begins, place, step = [0], 0, self.prefix + 7
        try:
            for _ in range(self._n_each):
                place += _length_field(octets, place)[0] + step
                begins.append(place)
        except struct.error:  # the end cuts a header
            pass
        n_whole = bisect_right(begins, len(octets) + self.prefix, 1) - 1
        found = np.array(begins[:n_whole], np.int64)
        found += first
        self._n_each = min(2 * self._n_each, _MOST_EACH)
        invalid = (self._buffer[found] >= _OTHER_VERSION_OCTET).nonzero()[0]
        self._cycle = _NONE
        if len(invalid):
            return found[: invalid[0]]
        if n_whole >= _FEWEST_IN_TURN:
            length = np.diff(begins[: n_whole + 1])
            self._lengths = length if n_whole >= _FEW else self._lengths
            self._cycle = _find_cycle(length)
        return found

    def _search(self, words: NDArray[np.uint64], at: int, end: int, *, final: bool) -> int:
        """Position at which to resynchronize; `_searching` stays set if later bytes are needed to decide."""
        while at + self.prefix + PRIMARY_HEADER_BYTES <= end:
            stop = min(at + _SCAN_BYTES, end - self.prefix - PRIMARY_HEADER_BYTES + 1)
            likely = np.nonzero(self._plausible(words[at + self.prefix : stop + self.prefix]))[0] + at
            n_tried, first = 0, _TRIED_FIRST
            while n_tried < len(likely):
                some = likely[n_tried : n_tried + first]
                verdict = self._follow_on(words, some, end, final=final)
                found = (verdict != _NO).nonzero()[0]
                if len(found):
                    self._searching = bool(verdict[found[0]] == _LATER)
                    return int(some[found[0]])
                n_tried, first = n_tried + first, _MOST_AT_ONCE
            at = stop
        return at

    def _plausible(self, word: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which first words are of version 0, not zero, and of an APID (with packet type) seen, if any was."""
        likely: NDArray[np.bool_] = (word >> np.uint64(61) == 0) & (word >> _HEADER_AND_OCTET != 0)
        if self._seen.any():
            likely &= self._seen[(word >> np.uint64(48) & np.uint64(0xFFF)).astype(np.intp)]
        return likely

    def _follow_on(
        self, words: NDArray[np.uint64], place: NDArray[np.int64], end: int, *, final: bool
    ) -> NDArray[np.int8]:
        """Whether consecutive packets begin at each of `place: int64[n]`: int8[n], _NO, _YES, or _LATER where bytes
        that have not come decide.
        """
        verdict, undecided = np.full(len(place), _NO, np.int8), np.arange(len(place))
        unknown = _NO if final else _LATER
        for _ in range(_HOPS):
            header = place + self.prefix
            if final:
                verdict[undecided[place == end]] = _YES
            cut = header + PRIMARY_HEADER_BYTES > end
            verdict[undecided[cut & (place != end)] if final else undecided[cut]] = unknown
            undecided, header = undecided[~cut], header[~cut]
            word = words[header].astype(np.uint64)
            right = self._plausible(word)
            undecided = undecided[right]
            place = header[right] + space_packet_lengths(word[right])
        verdict[undecided] = np.where(place <= end, _YES, unknown)
        return verdict


def _joined(pieces: Sequence[NDArray[_T]], nothing: NDArray[_T]) -> NDArray[_T]:
    if len(pieces) == 1:
        return pieces[0]
    return np.concatenate(pieces) if pieces else nothing


def _find_cycle(length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the shortest cycle that the last lengths repeat at least three times: int64[period]; empty: none."""
    tail = length[-4 * _CYCLE :]
    longest = min(_CYCLE, len(tail) // 3)
    if longest < 2:
        return _NONE
    back = tail[::-1]
    likely = np.nonzero((back[1 : longest + 1] == back[0]) & (back[2 : longest + 2] == back[1]))[0] + 1
    for period in likely[:8].tolist():
        if (tail[period:] == tail[:-period]).all():
            return tail[-period:]
    return _NONE
