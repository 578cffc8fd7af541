"""One recorded pass on disk: its folder, files and state.

The files `<offset>.raw` are named by the offset in the pass at which they begin. They hold records (`records`), or
plain bytes with `<offset>.raw.times` beside, as earlier versions wrote them. The file `begun` holds the begin time of
the pass, `ended` its size in bytes once it is complete, `committed` the checkpoint: how many bytes of it are published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..system.files import whole_file
from .receive_times import read_valid_times, times_path
from .records import END, HEADER_BYTES, MAGIC, NEXT, UNKNOWN, Block, Damage, Parsed, Record, RecordParser, records

DATAGRAMS = "datagrams"
"""A file of this name in a pass folder: the bytes came as datagrams, so frames may be out of order."""
READ_BYTES = 1 << 20
MAX_OFFSET = 10**18
"""Upper bound of offsets in a pass; fits into 64 bits."""
OFFSET_NAME = re.compile(r"[0-9]{1,18}")
_NOT_AS_WRITTEN = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
_SNIFF_BYTES = 1 << 18
"""Longer than two records: one of the first two is found even if the other is damaged."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The checkpoint of a pass: `n_bytes` are published. `closed`: all are, permanently."""

    n_bytes: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """Begin time of a pass in ns since 1970 UTC (0: unknown), the id in its records; `resumable`: its sender can
    resend.
    """

    begun_ns: int = 0
    pass_id: int | None = None
    resumable: bool = False


@dataclass(slots=True)
class Tail:
    """Where the last whole record of a file ends: at byte `stop` of the file, at offset `n_bytes` of the pass.

    `closed`: kind of the last record if that is END or NEXT. `confirmed`: offset up to which the pass was synced.
    """

    n_bytes: int
    stop: int = 0
    last_ns: int = 0
    pass_id: int | None = None
    closed: bytes = b""
    confirmed: int = 0


class PassFolder:
    """One pass on disk. It caches nothing but the size of an ended pass: each property reads the folder."""

    has_all_files = True
    """Whether a file that is announced by a NEXT record must exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._n_bytes_ended: int | None = None

    def files(self) -> list[tuple[int, Path]]:
        """Offset in the pass and path of each file, in order."""
        return sorted(
            (int(file.stem), file) for file in self.path.glob("*.raw") if OFFSET_NAME.fullmatch(file.stem)
        )

    def n_bytes(self) -> int:
        """Offset at which the recorded bytes end."""
        if self._n_bytes_ended is not None:
            return self._n_bytes_ended
        ended, files = self.ended, self.files()
        n_bytes = end_of_file(*files[-1]) if files else 0
        if ended:
            self._n_bytes_ended = n_bytes
        return n_bytes

    @property
    def has_datagrams(self) -> bool:
        """Whether its bytes were received as datagrams."""
        return (self.path / DATAGRAMS).exists()

    def forget_end(self) -> None:
        """Drop the cached size: an ended pass is appended to again."""
        self._n_bytes_ended = None

    @property
    def ended(self) -> bool:
        return (self.path / "ended").exists()

    @property
    def n_bytes_at_end(self) -> int:
        """Size in bytes as the file `ended` gives it; UNKNOWN if that cannot be read."""
        try:
            return _bounded(int((self.path / "ended").read_text("utf-8")), MAX_OFFSET)
        except (OSError, ValueError):
            return UNKNOWN

    @property
    def begun(self) -> Begun:
        """Content of the file `begun`; the defaults if it is missing or cannot be read."""
        try:
            fields = json.loads((self.path / "begun").read_text("utf-8"))
            if isinstance(fields, int):  # of earlier versions
                return Begun(_bounded(fields))
            return Begun(_bounded(int(fields["begun_ns"])), _bounded(int(fields["id"])), bool(fields["resumable"]))
        except _NOT_AS_WRITTEN:
            return Begun()

    def first_ns(self) -> int:
        """Receive time of its first bytes, in ns since 1970 UTC; 0 if unknown."""
        for _, file in self.files():
            if has_records(file):
                return next((one.received_ns for one in walk(file) if isinstance(one, Record)), 0)
            (_, received_ns), _ = read_valid_times(times_path(file), file.stat().st_size)
            if len(received_ns):
                return int(received_ns[0])
        return self.begun.begun_ns

    def last_ns(self) -> int:
        """Receive time of its last bytes, in ns since 1970 UTC; 0 if unknown."""
        for place, file in reversed(self.files()):
            if has_records(file):
                last = _end_record(file)
                last_ns = last.received_ns if last else tail_of(place, file)[0].last_ns
            else:
                (_, received_ns), _ = read_valid_times(times_path(file), file.stat().st_size)
                last_ns = int(received_ns[-1]) if len(received_ns) else 0
            if last_ns:
                return last_ns
        return 0

    @property
    def committed(self) -> Committed:
        """The checkpoint; 0 bytes if the file is missing or cannot be read: then all is published again."""
        try:
            fields = json.loads((self.path / "committed").read_text("utf-8"))
            return Committed(_bounded(int(fields["bytes"]), MAX_OFFSET), fields["settled"] is True)
        except _NOT_AS_WRITTEN:
            return Committed()

    def commit(self, committed: Committed) -> None:
        """Write the checkpoint atomically. Raises RunError if the disk does not take it."""
        with whole_file(self.path / "committed") as file:
            file.write(json.dumps({"bytes": committed.n_bytes, "settled": committed.closed}).encode())


class Newest(NamedTuple):
    """The piece that was appended last, at offset `place` of the pass, received at `mark_ns` (ns since 1970 UTC).

    Its records are bytes `at` to `stop` of the file that begins at offset `file_begin` of the pass.
    """

    folder: PassFolder
    place: int
    piece: bytes
    mark_ns: int
    file_begin: int
    at: int
    stop: int


def _bounded(number: int, limit: int = 1 << 63) -> int:
    """Return the number; ValueError if it is out of range, which a recorder never writes."""
    if not 0 <= number < limit:
        raise ValueError(number)
    return number


def file_at(folder: Path, place: int) -> Path:
    """Path of the file of a pass that begins at offset `place`."""
    return folder / f"{place:015d}.raw"


def is_pass_folder(path: Path) -> bool:
    """Whether a folder is a pass as `ingest` records it."""
    return path.is_dir() and any(path.glob("[0-9]*.raw"))


def has_records(file: Path) -> bool:
    """Whether a file holds records (even damaged ones) and not plain bytes. True if it is empty or begins with zeros.

    After a loss of power the first header may be there, or zeros in its place.
    """
    with file.open("rb") as opened:
        octets = opened.read(_SNIFF_BYTES)
    if any(isinstance(one, Record) for one in RecordParser().push(octets)):
        return True
    if times_path(file).exists():
        return False
    head = octets[:HEADER_BYTES]
    torn = not head.strip(b"\0") or MAGIC.startswith(head[: len(MAGIC)])
    return torn or PassFolder(file.parent).begun.pass_id is not None


def begins_with_record(path: Path) -> bool:
    """Whether a single file is part of a recording: it begins with a record, or is named `*.raw` and holds any."""
    with path.open("rb") as opened:
        octets = opened.read(_SNIFF_BYTES)
    parsed = RecordParser().push(octets)
    return any(isinstance(entry, Record) for entry in (parsed if path.suffix == ".raw" else parsed[:1]))


def end_of_file(place: int, file: Path) -> int:
    """Offset in the pass at which the bytes of a file end; the file begins at `place`."""
    size = file.stat().st_size
    if not has_records(file):
        return place + size
    last = _end_record(file)
    return last.offset if last else tail_of(place, file)[0].n_bytes


def _end_record(file: Path) -> Record | None:
    """Return the END or NEXT record at the end of a file, if there is one."""
    with file.open("rb") as opened:
        opened.seek(max(file.stat().st_size - HEADER_BYTES, 0))
        last = RecordParser().push(opened.read(HEADER_BYTES))
    return last[0] if last and isinstance(last[0], Record) and last[0].kind in {END, NEXT} else None


def tail_of(place: int, file: Path) -> tuple[Tail, list[tuple[int, Damage]]]:
    """Parse a file that begins at `place`: its tail, and each damaged range with the offset in the pass before it."""
    tail, damages = Tail(place), list[tuple[int, Damage]]()
    parser = RecordParser()
    for entry in records(read_in_pieces(file), parser):
        if isinstance(entry, Damage):
            damages.append((tail.n_bytes, entry))
            continue
        tail.stop, tail.confirmed = entry.stop, max(tail.confirmed, entry.confirmed)
        if isinstance(entry, Block):
            tail.n_bytes, tail.closed = entry.offset + len(entry.octets), b""
            tail.last_ns = int(entry.mark_ns[-1])
            continue
        tail.n_bytes = entry.offset + len(entry.payload) + max(entry.n_missing, 0)
        tail.last_ns, tail.closed = entry.received_ns, entry.kind if entry.kind in {END, NEXT} else b""
    tail.pass_id = parser.pass_id
    return tail, damages


def read_in_pieces(file: Path, piece_bytes: int = READ_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file in pieces of at most `piece_bytes`."""
    with file.open("rb", buffering=0) as opened:
        while piece := opened.read(piece_bytes):
            yield piece


def walk(file: Path) -> Iterator[Parsed]:
    """Yield the records and damaged ranges of a file."""
    return records(read_in_pieces(file), RecordParser())


def encode_begun(begun: Begun) -> bytes:
    """Encode the content of the file `begun`."""
    fields: dict[str, Any] = {"begun_ns": begun.begun_ns, "id": begun.pass_id, "resumable": begun.resumable}
    return json.dumps(fields).encode()
