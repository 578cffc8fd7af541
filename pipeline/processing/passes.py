"""Recordings as one stream of batches: one after the other, or those of several stations merged frame by frame.

A recording that follows another one either continues it (a recording that was cut in pieces), or is another pass: then
an empty batch with `begins` comes before it, and the chain separates the two. `seam` decides which it is.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from filecmp import cmp
from fnmatch import fnmatch
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..link.containers.pcap import PcapReader
from ..link.containers.unwrapping import unit_of
from ..link.packets.packet_stream import PacketStream
from ..link.settings import BYTES_PER_OCTET, record_bytes
from ..mission.loading import Mission
from ..model.batches import ByteBatch
from ..model.errors import ConfigError
from ..recordings.reader import read_pass, received_span
from ..system.files import printable_name
from ..system.outputs import is_simulated
from .chain import Outcome, ProcessingChain
from .seam import is_continued, seam_bytes

CHUNK_BYTES = 1 << 20
_EMPTY = ByteBatch.of(b"")


def station_names(mission: Mission, paths: Sequence[Path], *, merge: bool = False) -> tuple[str, ...]:
    """Return the names of the stations whose recordings are to be merged; empty if recordings are read in sequence.

    They are merged if `merge` is set, or if they are of several stations of the mission file. Raises ConfigError for a
    recording that is named twice, and for recordings that cannot be merged.
    """
    resolved = [path.resolve() for path in paths]
    if repeated := next(
        (path for path, real in zip(paths, resolved, strict=True) if resolved.count(real) > 1), None
    ):
        raise ConfigError(f"{repeated}: a recording is named twice")
    stations = by_station(mission, paths)
    known = [name for name in stations if name in {station.name for station in mission.stations}]
    if len(stations) < 2 or not (merge or len(known) > 1):
        return ()
    if mission.link.framing == "packets":
        if merge:
            raise ConfigError("--merge: recordings of packets without frames cannot be merged")
        return ()
    if not merge and (others := [name for name in stations if name not in known]):
        raise ConfigError(f"{others[0]}: no [[station]] of {mission.name} has such files, and the others do")
    return tuple(stations)


def with_origin(mission: Mission, paths: Sequence[Path]) -> Mission:
    """Return the mission for these recordings: its products are marked `simulated` if any recording is simulated."""
    simulated = mission.simulated or any(map(is_simulated, paths))
    return replace(mission, lineage={**mission.lineage, "simulated": simulated})


def by_station(mission: Mission, paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Group recordings by station, in the given order. One that matches no [[station]] is a station of its own."""
    names = [path.name for path in paths]
    own_names = names if len(set(names)) == len(names) else list(map(str, paths))
    found: dict[str, list[Path]] = {}
    for path, own_name in zip(paths, own_names, strict=True):
        matching = (station.name for station in mission.stations if fnmatch(path.name, station.files))
        station = next(matching, own_name)
        found.setdefault(station, []).append(path)
    return found


class Recordings:
    """Iterates over the batches of recordings; if several stations are merged, over those of `next_station`.

    The consumer sets `next_station` after each batch, from `ProcessingChain.next_station`: so few frames wait in the
    merger. At the end of a station's recordings there is one empty batch with `ended`.
    """

    def __init__(self, stations: Sequence[Iterator[ByteBatch]], *, merged: bool) -> None:
        self._stations = dict(enumerate(stations))
        self._merged = merged
        self.next_station: int | None = 0

    def __iter__(self) -> Iterator[ByteBatch]:
        return self

    def __next__(self) -> ByteBatch:
        if not self._stations:
            raise StopIteration
        station = self.next_station if self.next_station in self._stations else next(iter(self._stations))
        batch = next(self._stations[station], None)
        if batch is None:
            del self._stations[station]
            if not self._merged:
                raise StopIteration
            batch = replace(_EMPTY, ended=True)
        return replace(batch, station=station) if self._merged else batch


def recordings(
    mission: Mission, paths: Sequence[Path], *, merged: bool, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Recordings]:
    """Yield the recordings in sequence, each to be read to its end; merged ones as a single item."""
    if merged:
        stations = by_station(mission, paths).values()
        batches = [itertools.chain.from_iterable(map(read_pass, own)) for own in stations]
        yield Recordings(batches, merged=True)
        return
    look_ahead = _LookAhead(paths, chunk_bytes)
    tail = _Tail.of(mission)
    for number in range(len(paths)):
        yield Recordings([_read_consecutive(mission, look_ahead, number, tail)], merged=False)


def decoded(
    chain: ProcessingChain, paths: Sequence[Path], chunk_bytes: int = CHUNK_BYTES
) -> Iterator[tuple[int, ByteBatch, Outcome]]:
    """Process recordings with a chain, without flush: yields the number of the recording, the batch, its outcome."""
    merged = chain.n_stations > 1
    for number, batches in enumerate(recordings(chain.mission, paths, merged=merged, chunk_bytes=chunk_bytes)):
        for batch in batches:
            yield number, batch, chain.process(batch)
            batches.next_station = chain.next_station()


def outcomes(chain: ProcessingChain, paths: Sequence[Path], progress: Callable[[int], None]) -> Iterator[Outcome]:
    """Process recordings with a chain to their end. `progress` is called with the bytes of each batch, after it."""
    return (outcome for _, outcome in named_outcomes(chain, paths, progress))


def named_outcomes(
    chain: ProcessingChain, paths: Sequence[Path], progress: Callable[[int], None], chunk_bytes: int = CHUNK_BYTES
) -> Iterator[tuple[str, Outcome]]:
    """As `outcomes`, each with the name of its pass: the file name of the recording with which the pass begins.

    Merged recordings are one pass with all their names. If two have the same file name, their paths are used.
    """
    names = [printable_name(path) for path in paths]
    names = names if len(set(names)) == len(names) else [str(path) for path in paths]
    name = ", ".join(names) if chain.n_stations > 1 else names[0]
    for number, batch, outcome in decoded(chain, paths, chunk_bytes):
        yield name, outcome
        name = names[number] if batch.begins else name
        progress(len(batch.data))
    yield name, chain.flush()


def out_of_order(mission: Mission, paths: Sequence[Path], *, merge: bool = False) -> str:
    """Return a line if a recording was received before the one named before it; empty if not, or if they are merged."""
    if station_names(mission, paths, merge=merge):
        return ""
    spans = [(path, span) for path in paths if (span := received_span(path))]
    for (earlier, (begin, _)), (path, (now, _)) in pairwise(spans):
        if now < begin:
            return f"{path} was received before {earlier}, which is named first: they are read in the order given"
    return ""


def same_bytes(mission: Mission, paths: Sequence[Path], *, merge: bool = False) -> str:
    """Return a line if two recordings have the same bytes; empty if not, or if they are merged.

    Compressed recordings are compared without decompression.
    """
    if station_names(mission, paths, merge=merge):
        return ""
    files = [path for path in paths if path.is_file() and path.stat().st_size]
    for earlier, path in combinations(files, 2):
        if cmp(earlier, path, shallow=False):
            return f"{path} holds the same bytes as {earlier}: what is in them comes twice"
    return ""


def _read_consecutive(mission: Mission, look_ahead: _LookAhead, number: int, tail: _Tail) -> Iterator[ByteBatch]:
    """Yield the batches of recording `number`, after an empty one with `begins` if it is another pass."""
    is_first = True
    while (batch := look_ahead.next_of(number)) is not None:
        if is_first and len(batch.data):
            is_first = False
            behind = look_ahead.peek(batch, seam_bytes(mission)) if tail.n_bytes else batch.data
            if tail.n_bytes and not is_continued(tail.mission, tail.octets(), tail.payload_of(behind)):
                yield replace(_EMPTY, begins=True)
                tail.clear()
        if number < look_ahead.n_recordings - 1:
            tail.add(batch.data)
        yield batch


class _LookAhead:
    """The batches of several recordings; the next ones can be inspected before they are consumed."""

    def __init__(self, paths: Sequence[Path], chunk_bytes: int) -> None:
        self.n_recordings = len(paths)
        self._batches = (
            (number, batch) for number, path in enumerate(paths) for batch in read_pass(path, chunk_bytes)
        )
        self._queued: deque[tuple[int, ByteBatch]] = deque()

    def next_of(self, number: int) -> ByteBatch | None:
        """Consume the next batch, if it is of recording `number`; else None."""
        if not self._queued and not self._read():
            return None
        return self._queued.popleft()[1] if self._queued[0][0] == number else None

    def peek(self, first: ByteBatch, n_bytes: int) -> NDArray[np.uint8]:
        """Return the first `n_bytes` of a consumed batch and of those behind it."""
        while len(first.data) + sum(len(batch.data) for _, batch in self._queued) < n_bytes and self._read():
            pass
        return np.concatenate([first.data, *(batch.data for _, batch in self._queued)])[:n_bytes]

    def _read(self) -> bool:
        found = next(self._batches, None)
        if found is not None:
            self._queued.append(found)
        return found is not None


@dataclass(slots=True)
class _Tail:
    """The last bytes of the transmission so far, beginning with a frame, or with a packet if there are no frames.

    `mission`: of these bytes. The bytes of a capture are its payloads, which `capture` unwraps.
    """

    mission: Mission
    capture: PcapReader | None = None
    n_bytes: int = 0
    _n_dropped: int = 0
    _pieces: deque[NDArray[np.uint8]] = field(default_factory=deque)
    _stream: PacketStream | None = None
    _starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    """Positions of packets in the transmission, in bytes; only with framing "packets"."""

    @classmethod
    def of(cls, mission: Mission) -> _Tail:
        link = mission.link
        if link.container != "pcap":
            return cls(mission)
        inside = replace(link, container="none")
        return cls(replace(mission, link=inside), PcapReader(link.udp_port, unit_of(link)))

    def payload_of(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Unwrap the bytes that follow the tail, without changing the tail."""
        return octets if self.capture is None else deepcopy(self.capture).unwrap(ByteBatch.of(octets)).data

    def add(self, octets: NDArray[np.uint8]) -> None:
        if self.capture is not None:
            octets = self.capture.unwrap(ByteBatch.of(octets)).data
        if self.mission.link.framing == "packets":
            self._find_packets(octets)
        self._pieces.append(octets)
        self.n_bytes += len(octets)
        n_needed = 2 * seam_bytes(self.mission)
        while self.n_bytes - len(self._pieces[0]) > n_needed:
            dropped = len(self._pieces.popleft())
            self.n_bytes -= dropped
            self._n_dropped += dropped

    def octets(self) -> NDArray[np.uint8]:
        """Return at least `seam_bytes` bytes, if there are so many, beginning with a frame or packet."""
        first = self._first_unit(max(self.n_bytes - seam_bytes(self.mission), 0))
        if first:
            self._n_dropped += first
            self._pieces = deque([np.concatenate(self._pieces)[first:]])
            self.n_bytes -= first
        return np.concatenate(self._pieces)

    def clear(self) -> None:
        self._pieces.clear()
        self.n_bytes = self._n_dropped = 0
        self._stream, self._starts = None, np.zeros(1, np.int64)
        if self.capture is not None:
            self.capture.flush()

    def _first_unit(self, place: int) -> int:
        """Position of a frame or packet near `place`, both relative to the first byte of the tail."""
        link = self.mission.link
        if link.framing == "packets":
            before = self._starts[self._starts <= self._n_dropped + place]
            return max(int(before[-1]) - self._n_dropped, 0) if len(before) else 0
        unit = BYTES_PER_OCTET[link.symbols]
        if link.framing in {"frames", "codeblocks"} and link.container == "none":
            unit = record_bytes(link)
        return place + -(self._n_dropped + place) % unit

    def _find_packets(self, octets: NDArray[np.uint8]) -> None:
        prefix = self.mission.link.packet_prefix_bytes
        self._stream = self._stream or PacketStream(prefix)
        found = self._stream.find_packets(octets)
        starts = np.concatenate((self._starts, found.last + 1 - found.length - prefix))
        self._starts = starts[starts >= self._n_dropped]
