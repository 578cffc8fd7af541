r"""The records of a recording: bytes of a pass, their offset in it, their receive time, two checksums.

    0  4  magic "\x9eRC" and the kind: D bytes, G a gap, N the next file follows, E the end of the pass
    4  4  length of the payload in bytes, at most MAX_PAYLOAD_BYTES
    8  8  offset: place in the pass of the first byte of the payload
   16  8  confirmed: bytes of the pass that were synced to disk when the record was written
   24  8  received_ns: nanoseconds since 1970 UTC
   32  8  id of the pass, a random number
   40  4  CRC-32C of the payload
   44  4  CRC-32C of the 44 bytes before

All numbers are little-endian. A record is valid only if both checksums match and it has the pass id of the first one.
The payload of a gap is the number of missing bytes (int64) and the reason (UTF-8). This module does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from fastcrc import crc32
from numpy.typing import NDArray

MAX_PAYLOAD_BYTES = 1 << 16
"""One flipped bit costs at most so many bytes."""
MAGIC = b"\x9eRC"
DATA, GAP, NEXT, END = b"D", b"G", b"N", b"E"
UNKNOWN = -1
"""An unknown number of missing bytes."""

_FIELDS = Struct("<3scIQQqQI")
_CRC = Struct("<I")
_GAP = Struct("<q")
HEADER_BYTES = _FIELDS.size + _CRC.size
_DATA_MAGIC = int.from_bytes(MAGIC + DATA, "little")
_FEW = 8
"""Fewer records are parsed one by one."""


class Record(NamedTuple):
    """A valid record: bytes `at` to `stop` of its file. `payload` is a view into the parsed bytes.

    A gap has no payload: `n_missing` bytes of the pass from `offset` on are missing, for the reason `why`.
    """

    kind: bytes
    offset: int
    payload: memoryview
    received_ns: int
    confirmed: int
    at: int
    stop: int
    n_missing: int = 0
    why: str = ""


class Block(NamedTuple):
    """Payloads of n consecutive records of one length: bytes of the pass from `offset` on; the last ends at `stop`.

    The bytes from `mark_start[i]` on (relative to the block) were received at `mark_ns[i]`: int64[n] each.
    """

    offset: int
    octets: memoryview
    mark_start: NDArray[np.int64]
    mark_ns: NDArray[np.int64]
    confirmed: int
    stop: int


class Damage(NamedTuple):
    """Bytes `at` to `stop` of a file that are not a valid record, and the reason."""

    at: int
    stop: int
    why: str


class _Header(NamedTuple):
    magic: bytes
    kind: bytes
    length: int
    offset: int
    confirmed: int
    received_ns: int
    pass_id: int
    checksum: int


Parsed = Record | Block | Damage


def encode(
    kind: bytes, payload: bytes | memoryview, offset: int, confirmed: int, received_ns: int, pass_id: int
) -> list[bytes | memoryview]:
    """Encode a payload as records. Returns the parts to write: header, payload, header, payload, ...

    Longer payloads become several records of MAX_PAYLOAD_BYTES. Arguments as the fields of the record.
    """
    view = memoryview(payload)
    parts: list[bytes | memoryview] = []
    for start in range(0, max(len(view), 1), MAX_PAYLOAD_BYTES):
        part = view[start : start + MAX_PAYLOAD_BYTES]
        head = _FIELDS.pack(
            MAGIC, kind, len(part), offset + start, confirmed, received_ns, pass_id, crc32.iscsi(part)
        )
        parts += (head + _CRC.pack(crc32.iscsi(head)), part)
    return parts


def encode_gap(offset: int, n_missing: int, why: str, received_ns: int, pass_id: int) -> list[bytes | memoryview]:
    """Encode the record of a gap: `n_missing` bytes from `offset` on are missing (UNKNOWN: some)."""
    payload = _GAP.pack(n_missing) + why.encode()[:1000]
    return encode(GAP, payload, offset, offset, received_ns, pass_id)


class RecordParser:
    """Parses one file, in pieces of any size. `pass_id`: the only valid id; None: that of the first record."""

    def __init__(self, pass_id: int | None = None) -> None:
        self.pass_id = pass_id
        self._left = b""
        self._at = 0
        """Position in the file of the first byte of `_left`."""
        self._bad: tuple[int, str] | None = None
        """Where the current damaged range begins, and the reason."""

    def push(self, octets: bytes) -> list[Parsed]:
        """Parse more bytes. Returns the records completed by them, and the damaged ranges before these.

        Runs of at least `_FEW` records of one length are returned as a Block.
        """
        found: list[Parsed] = []
        octets = self._left + octets if self._left else octets
        view, at = memoryview(octets), 0
        while at + HEADER_BYTES <= len(view):
            head = view[at : at + HEADER_BYTES]
            header = _Header._make(_FIELDS.unpack_from(head))
            problem = self._problem(header, head)
            if problem:
                self._bad = self._bad or (self._at + at, problem)
                at = _next_magic(octets, at + 1)
                continue
            stop = at + HEADER_BYTES + header.length
            if stop > len(view):
                break
            payload = view[at + HEADER_BYTES : stop]
            if crc32.iscsi(payload) == header.checksum:
                self.pass_id = header.pass_id
                found += self._end_damage(self._at + at)
                found.append(_record(header, payload, self._at + at))
                if header.kind == DATA and octets[stop : stop + 8] == octets[at : at + 8]:
                    at, stop = stop, self._parse_block(found, octets, stop, header)
            else:
                self._bad = self._bad or (self._at + at, "a checksum does not fit")
            at = stop
        self._left = octets[at:]
        self._at += at
        return found

    def flush(self) -> list[Parsed]:
        """End the file: an incomplete record is damage."""
        if self._left:
            self._bad = self._bad or (self._at, "it ends inside a record")
        self._at += len(self._left)
        self._left = b""
        return self._end_damage(self._at)

    @property
    def is_between_records(self) -> bool:
        """Whether all parsed bytes were whole valid records."""
        return not self._left and self._bad is None

    def skip_to(self, at: int) -> None:
        """Set the position in the file of the next byte. Call it only between records."""
        self._at = at

    def _problem(self, header: _Header, head: memoryview) -> str:
        """Why these bytes are not a valid header; empty if they are."""
        if header.magic != MAGIC or crc32.iscsi(head[: _FIELDS.size]) != _CRC.unpack_from(head, _FIELDS.size)[0]:
            return "there is no record"
        if self.pass_id not in {None, header.pass_id}:
            return "there is a record of another pass"
        return "" if header.length <= MAX_PAYLOAD_BYTES else "there is a record that is too long"

    def _parse_block(self, found: list[Parsed], octets: bytes, at: int, before: _Header) -> int:
        """Append the run of records from `at` on that continue the one before as a Block. Returns where it ends."""
        length = before.length
        stride = HEADER_BYTES + length
        heads = np.frombuffer(octets, _header_dtype(stride), (len(octets) - at) // stride, at)
        offset = before.offset + length * np.arange(1, len(heads) + 1)
        alike = (heads["magic"] == _DATA_MAGIC) & (heads["length"] == length) & (heads["offset"] == offset)
        n_alike = _n_leading(alike & (heads["pass_id"] == before.pass_id))
        if n_alike < _FEW:
            return at
        view, places = memoryview(octets), range(at, at + n_alike * stride, stride)
        of_heads = [crc32.iscsi(view[place : place + _FIELDS.size]) for place in places]
        of_payloads = [crc32.iscsi(view[place + HEADER_BYTES : place + stride]) for place in places]
        heads = heads[:n_alike]
        n = _n_leading((heads["header_crc"] == of_heads) & (heads["checksum"] == of_payloads))
        if n < _FEW:
            return at
        rows = np.frombuffer(octets, np.uint8, n * stride, at).reshape(n, stride)[:, HEADER_BYTES:]
        payload = np.ascontiguousarray(rows).reshape(-1).data
        starts, times = length * np.arange(n, dtype=np.int64), heads["received_ns"][:n].astype(np.int64)
        stop, confirmed = at + n * stride, int(heads["confirmed"][:n].max())
        found.append(Block(before.offset + length, payload, starts, times, confirmed, self._at + stop))
        return stop

    def _end_damage(self, stop: int) -> list[Parsed]:
        if self._bad is None:
            return []
        (at, why), self._bad = self._bad, None
        return [Damage(at, stop, why)]


def records(pieces: Iterator[bytes], parser: RecordParser) -> Iterator[Parsed]:
    """Yield the records and damaged ranges of a whole file."""
    for piece in pieces:
        yield from parser.push(piece)
    yield from parser.flush()


def _record(header: _Header, payload: memoryview, at: int) -> Record:
    fields = header.received_ns, header.confirmed, at, at + HEADER_BYTES + len(payload)
    if header.kind != GAP or len(payload) < _GAP.size:
        return Record(header.kind, header.offset, payload, *fields)
    why = str(payload[_GAP.size :], "utf-8", "replace")
    return Record(GAP, header.offset, payload[:0], *fields, _GAP.unpack_from(payload)[0], why)


def _n_leading(true: NDArray[np.bool_]) -> int:
    """Number of leading true values."""
    return len(true) if true.all() else int(np.argmin(true))


@cache
def _header_dtype(stride: int) -> np.dtype[Any]:
    """The dtype that reads a header from every `stride` bytes."""
    fields = {
        "magic": ("<u4", 0), "length": ("<u4", 4), "offset": ("<u8", 8), "confirmed": ("<u8", 16),
        "received_ns": ("<i8", 24), "pass_id": ("<u8", 32), "checksum": ("<u4", 40), "header_crc": ("<u4", 44),
    }  # fmt: skip
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": stride})


def _next_magic(octets: bytes, at: int) -> int:
    """Where the next header may begin; if no magic is found, near the end, which may hold the first bytes of one."""
    place = octets.find(MAGIC, at)
    return place if place >= 0 else max(at, len(octets) - len(MAGIC) + 1)
