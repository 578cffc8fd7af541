"""One recorded pass on disk: its folder, files and state.

`<offset>.raw` are the files, each named by the place in the pass at which it begins: records (`records`), or plain
bytes with `<offset>.raw.times` beside, as earlier versions wrote them. `begun` has the time at which the pass began,
`ended` its length once it is complete, `committed` the checkpoint: how much of it is published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..system.files import whole_file
from .receive_times import read_what_holds, times_path
from .records import (
    END,
    GAP,
    HEADER_BYTES,
    MAGIC,
    NEXT,
    UNKNOWN,
    Block,
    Damage,
    Found,
    Record,
    RecordParser,
    records,
)

DATAGRAMS = "datagrams"
"""A file of this name in a pass folder: the bytes came as datagrams, so frames may be out of order."""
READ_BYTES = 1 << 20
MAX_PLACE = 10**18
"""Places in a pass and times are smaller, and fit into 64 bits."""
PLACE = re.compile(r"[0-9]{1,18}")
_NOT_AS_WRITTEN = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
_SNIFF_BYTES = 1 << 18
"""More than the longest record: one of the first two records is found even if the other is damaged."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The checkpoint of a pass: `n_bytes` are published; `closed`: all of them are, and no broker can lose them."""

    n_bytes: int = 0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """When a pass began (0: not known), the id of its records, and whether its sender can send a part of it again."""

    begun_ns: int = 0
    pass_id: int | None = None
    resumable: bool = False


@dataclass(slots=True)
class Tail:
    """Where a file of records ends: `stop` in the file, `n_bytes` in the pass, behind the last whole record.

    `closed`: the kind of the last record, where it says that file or pass ends here. `confirmed`: up to there the
    pass was on disk for good.
    """

    n_bytes: int
    stop: int = 0
    last_ns: int = 0
    pass_id: int | None = None
    closed: bytes = b""
    confirmed: int = 0


class PassFolder:
    """One pass on disk. Keeps no state of its own: each answer is read from the folder."""

    has_all_files = True
    """Whether each file that another one announces has to be there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._n_bytes_ended: int | None = None

    def files(self) -> list[tuple[int, Path]]:
        """Place in the pass and path of each file, in order."""
        return sorted((int(file.stem), file) for file in self.path.glob("*.raw") if PLACE.fullmatch(file.stem))

    def n_bytes(self) -> int:
        """Where in the pass its recorded bytes end."""
        if self._n_bytes_ended is not None:
            return self._n_bytes_ended
        ended, files = self.ended, self.files()
        n_bytes = end_of_file(*files[-1]) if files else 0
        if ended:
            self._n_bytes_ended = n_bytes
        return n_bytes

    @property
    def has_datagrams(self) -> bool:
        """Whether its bytes came as datagrams."""
        return (self.path / DATAGRAMS).exists()

    def forget_end(self) -> None:
        """More may follow, though it was ended."""
        self._n_bytes_ended = None

    @property
    def ended(self) -> bool:
        return (self.path / "ended").exists()

    @property
    def n_bytes_at_end(self) -> int:
        """Bytes of the pass when it ended; UNKNOWN where the file `ended` does not have them."""
        try:
            return _bounded(int((self.path / "ended").read_text("utf-8")), MAX_PLACE)
        except (OSError, ValueError):
            return UNKNOWN

    @property
    def begun(self) -> Begun:
        """Nothing where there is no such file, or none that can be read."""
        try:
            fields = json.loads((self.path / "begun").read_text("utf-8"))
            if isinstance(fields, int):  # of earlier versions
                return Begun(_bounded(fields))
            return Begun(_bounded(int(fields["begun_ns"])), _bounded(int(fields["id"])), bool(fields["resumable"]))
        except _NOT_AS_WRITTEN:
            return Begun()

    def first_ns(self) -> int:
        """When its first bytes were received; 0 where that is not known."""
        for _, file in self.files():
            if has_records(file):
                return next((one.received_ns for one in walk(file) if isinstance(one, Record)), 0)
            (_, received_ns), _ = read_what_holds(times_path(file), file.stat().st_size)
            if len(received_ns):
                return int(received_ns[0])
        return self.begun.begun_ns

    def last_ns(self) -> int:
        """When its last bytes were received; 0 where that is not known."""
        for place, file in reversed(self.files()):
            if has_records(file):
                last = _end_record(file)
                last_ns = last.received_ns if last else tail_of(place, file)[0].last_ns
            else:
                (_, received_ns), _ = read_what_holds(times_path(file), file.stat().st_size)
                last_ns = int(received_ns[-1]) if len(received_ns) else 0
            if last_ns:
                return last_ns
        return 0

    @property
    def committed(self) -> Committed:
        """Nothing where there is no such file, or none that can be read: then all is published again."""
        try:
            fields = json.loads((self.path / "committed").read_text("utf-8"))
            return Committed(_bounded(int(fields["bytes"]), MAX_PLACE), fields["settled"] is True)
        except _NOT_AS_WRITTEN:
            return Committed()

    def commit(self, committed: Committed) -> None:
        """Write the position, whole or not at all. RunError where the disk does not take it."""
        with whole_file(self.path / "committed") as file:
            file.write(json.dumps({"bytes": committed.n_bytes, "settled": committed.closed}).encode())


class Newest(NamedTuple):
    """What was appended last: at which place of which pass; its records are bytes `at` to `stop` of the file.

    `file_begin`: the place in the pass at which the file begins; received at `mark_ns`.
    """

    folder: PassFolder
    place: int
    piece: bytes
    mark_ns: int
    file_begin: int
    at: int
    stop: int


def _bounded(number: int, limit: int = 1 << 63) -> int:
    """The number; ValueError for one that nobody wrote."""
    if not 0 <= number < limit:
        raise ValueError(number)
    return number


def file_at(folder: Path, place: int) -> Path:
    """The file of a pass that begins with byte `place`."""
    return folder / f"{place:015d}.raw"


def is_pass_folder(path: Path) -> bool:
    """Whether a folder is a pass as `ingest` records it."""
    return path.is_dir() and any(path.glob("[0-9]*.raw"))


def has_records(file: Path) -> bool:
    """Whether a file consists of records, be they torn; else of plain bytes. True of one that is empty, or zeros.

    Where the power was lost, the first header is there, or zeros are in its place.
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
    """Whether a file by itself is one of a recording: it begins with a record, or one named as such has any."""
    with path.open("rb") as opened:
        octets = opened.read(_SNIFF_BYTES)
    found = RecordParser().push(octets)
    wanted = found if path.suffix == ".raw" else found[:1]
    return any(isinstance(one, Record) for one in wanted)


def end_of_file(place: int, file: Path) -> int:
    """Where in the pass the bytes of a file end; it begins at `place`."""
    size = file.stat().st_size
    if not has_records(file):
        return place + size
    last = _end_record(file)
    return last.offset if last else tail_of(place, file)[0].n_bytes


def _end_record(file: Path) -> Record | None:
    """The record that says that a file ends, if it does with one."""
    with file.open("rb") as opened:
        opened.seek(max(file.stat().st_size - HEADER_BYTES, 0))
        last = RecordParser().push(opened.read(HEADER_BYTES))
    return last[0] if last and isinstance(last[0], Record) and last[0].kind in {END, NEXT} else None


def tail_of(place: int, file: Path) -> tuple[Tail, list[tuple[int, Damage]]]:
    """Where a file of records ends, and its damaged stretches, each with the place in the pass before it."""
    tail, damages = Tail(place), list[tuple[int, Damage]]()
    parser = RecordParser()
    for one in records(read_in_pieces(file), parser):
        if isinstance(one, Damage):
            damages.append((tail.n_bytes, one))
            continue
        if isinstance(one, Block):
            tail.n_bytes, tail.stop, tail.closed = one.offset + len(one.octets), one.stop, b""
            tail.last_ns, tail.confirmed = int(one.mark_ns[-1]), max(tail.confirmed, one.confirmed)
            continue
        tail.n_bytes = one.offset + len(one.payload)
        if one.kind == GAP:
            tail.n_bytes += max(one.n_missing, 0)
        tail.stop, tail.last_ns, tail.closed = (
            one.stop,
            one.received_ns,
            one.kind if one.kind in {END, NEXT} else b"",
        )
        tail.confirmed = max(tail.confirmed, one.confirmed)
    tail.pass_id = parser.pass_id
    return tail, damages


def read_in_pieces(file: Path, piece_bytes: int = READ_BYTES) -> Iterator[bytes]:
    """The bytes of a file."""
    with file.open("rb", buffering=0) as opened:
        while piece := opened.read(piece_bytes):
            yield piece


def walk(file: Path) -> Iterator[Found]:
    """The records and damaged stretches of a file."""
    return records(read_in_pieces(file), RecordParser())


def begun_file(begun: Begun) -> bytes:
    """What is written into `begun`."""
    fields: dict[str, Any] = {"begun_ns": begun.begun_ns, "id": begun.pass_id, "resumable": begun.resumable}
    return json.dumps(fields).encode()
