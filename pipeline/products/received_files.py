"""Files sent by CFDP class 1, for any mission: packets whose data field is a PDU become products `cfdp/file`.

In: packets of the APIDs and channels whose service is `cfdp`. Out: a product for each file (see `cfdp`), and an event
for each incomplete file, with the missing byte ranges. Dropped and counted: packets without a complete PDU.
CCSDS 727.0-B-5 5.1: the fixed PDU header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import fastcrc
import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, ColumnBatch, Event, PacketBatch, Product, Ragged
from ..model.printable import printable
from .cfdp import FAILED, FileReceiver, ReceivedFile, is_eof
from .context import Context
from .draft import Draft, Made, finish
from .kinds import ProductKind
from .rows import take

INSTRUMENT = "cfdp"
FILE = ProductKind(
    INSTRUMENT,
    "file",
    "0B",
    {
        "content": ("u1", "row byte", "", "of the file; zero where bytes are missing"),
        "file_name": ("U", "row", "", "at its destination, as its metadata say; empty where they are missing"),
        "source": ("i8", "row", "", "entity that sent it"),
        "transaction": ("i8", "row", "", "number that its source gave it"),
        "size_bytes": ("i8", "row", "byte", "as far as it is known"),
        "received_bytes": ("i8", "row", "byte", "bytes that came"),
        "checksum": ("i8", "row", "", "1 verified, 0 failed, -1 not checked"),
        "condition": ("i8", "row", "", "of the EOF, 0 without error; -1 where it is missing"),
        "n_rejected_pdus": ("i8", "row", "1", "PDUs that could not be used"),
        "missing_first": ("i8", "gap", "byte", "first byte of each stretch that is missing"),
        "missing_length": ("i8", "gap", "byte", "length of each stretch that is missing"),
    },
    latest=("file_name", "size_bytes", "received_bytes"),
    files=("file",),
    view=(),
)
LINEAGE = {"uncertainty": "none: bytes as they were sent", "frames": {}}
MAX_LISTED = 8
"""Most missing byte ranges that an event lists."""
_HEADER_BYTES, _PRIMARY_BYTES, _CRC_BYTES = 4, 6, 2


@dataclass(frozen=True, slots=True)
class CfdpSettings:
    """Packets that contain PDUs: channels (scid, vcid), and APIDs with the number of bytes before the PDU."""

    channels: frozenset[tuple[int, int]] = frozenset()
    apids: Mapping[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.channels or self.apids)


class FileService:
    """Makes products of files. State: open transfers, and a number for each (source entity, transaction)."""

    def __init__(self, settings: CfdpSettings, context: Context) -> None:
        self._settings, self._context = settings, context
        self._receiver = FileReceiver()
        self._numbers: dict[tuple[int, int], int] = {}
        self._events: list[Event] = []
        self.n_files = self.n_incomplete = self.n_packets = self.n_unusable = 0

    def receive(self, packets: PacketBatch) -> tuple[PacketBatch, list[Product]]:
        """Return the packets of other services, and the products of files that are complete."""
        mine = self._mine(packets)
        if not mine.any():
            return packets, []
        self.n_packets += int(np.count_nonzero(mine))
        rows = self._rows(packets.take(mine))
        found = [file for part in _parts(rows) for file in self._receiver.receive(part)] if len(rows) else []
        return packets.take(~mine), self._products(found)

    def flush(self) -> list[Product]:
        """End the stream: return the products of files that are still open."""
        return self._products(self._receiver.flush())

    def drain_events(self) -> tuple[Event, ...]:
        drained, self._events = tuple(self._events), []
        return drained

    def report(self) -> dict[str, int]:
        """Return the counters for the pass report."""
        return {
            "files": self.n_files,
            "incomplete_files": self.n_incomplete,
            "packets": self.n_packets,
            "unusable_packets": self.n_unusable,
        }

    def _mine(self, packets: PacketBatch) -> NDArray[np.bool_]:
        mine = np.isin(packets.apid, list(self._settings.apids))
        for scid, vcid in self._settings.channels:
            mine |= (packets.scid == scid) & (packets.vcid == vcid)
        return mine

    def _rows(self, packets: PacketBatch) -> ColumnBatch:
        """Complete PDUs of packets, in the columns of `cfdp`."""
        kept, columns = [], []
        for row, (apid, start, length) in enumerate(
            zip(packets.apid.tolist(), packets.start.tolist(), packets.length.tolist(), strict=True)
        ):
            skipped = _PRIMARY_BYTES + self._settings.apids.get(apid, 0)
            pdu = _pdu(packets.data[start + skipped : start + length])
            if pdu is None:
                self.n_unusable += 1
                continue
            kept.append(row)
            columns.append((pdu.is_data, pdu.segment_metadata, self._number(pdu.source, pdu.sequence), pdu.content))
        return _column_batch(packets, np.array(kept, np.int64), columns)

    def _number(self, source: int, sequence: int) -> int:
        return self._numbers.setdefault((source, sequence), len(self._numbers))

    def _products(self, files: Iterable[ReceivedFile]) -> list[Product]:
        names = {number: key for key, number in self._numbers.items()}
        return finish([self._made(file, *names[file.transaction]) for file in files])

    def _made(self, file: ReceivedFile, source: int, sequence: int) -> Made:
        first, length = _missing(file.have)
        self.n_files += 1
        if len(first) or file.condition != 0 or file.checksum == FAILED:
            self.n_incomplete += 1
            self._events.append(_event(file, source, sequence, first, length))
        one = {
            "content": file.content[None],
            "file_name": np.array([_name(file)]),
            "source": np.array([source]),
            "transaction": np.array([sequence]),
            "size_bytes": np.array([len(file.content)]),
            "received_bytes": np.array([int(file.have.sum())]),
            "checksum": np.array([file.checksum]),
            "condition": np.array([file.condition]),
            "n_rejected_pdus": np.array([file.n_rejected]),
            "missing_first": first,
            "missing_length": length,
        }
        draft = Draft(FILE, file.rows, np.array([NO_TIME]), one, np.array([file.quality()], np.uint32))
        return Made(draft, INSTRUMENT, self._context, LINEAGE)


@dataclass(frozen=True, slots=True)
class _Pdu:
    is_data: bool
    segment_metadata: bool
    source: int
    sequence: int
    content: NDArray[np.uint8]


def _pdu(octets: NDArray[np.uint8]) -> _Pdu | None:
    """Parse the PDU at the beginning of an array: content without CRC, offsets of 32 bits. None if it is invalid."""
    if len(octets) < _HEADER_BYTES:
        return None
    flags, lengths = int(octets[0]), int(octets[3])
    n_data = int(octets[1]) << 8 | int(octets[2])
    n_entity, n_sequence = (lengths >> 4 & 7) + 1, (lengths & 7) + 1
    begin = _HEADER_BYTES + 2 * n_entity + n_sequence
    whole = octets[: begin + n_data]
    if flags >> 5 > 1 or len(whole) < begin + n_data:
        return None
    content = whole[begin:]
    if flags & 2:
        if len(content) < _CRC_BYTES or fastcrc.crc16.ibm_3740(whole.tobytes()):
            return None
        content = content[:-_CRC_BYTES]
    is_data = bool(flags & 16)
    source = int.from_bytes(whole[4 : 4 + n_entity].tobytes(), "big")
    sequence = int.from_bytes(whole[4 + n_entity : 4 + n_entity + n_sequence].tobytes(), "big")
    if flags & 1:
        content = _narrow(content, is_data=is_data)
    return _Pdu(is_data, bool(lengths & 8), source, sequence, content)


def _narrow(content: NDArray[np.uint8], *, is_data: bool) -> NDArray[np.uint8]:
    """Convert sizes and offsets of a large-file PDU to 32 bits; larger values become 2^32 - 1, and are rejected."""
    at = 0 if is_data else {4: 6, 7: 2}.get(int(content[0]) if len(content) else 0, -1)
    if at < 0 or len(content) < at + 8:
        return content
    wide = content[at : at + 8]
    low = wide[4:] if not wide[:4].any() else np.full(4, 255, np.uint8)
    return np.concatenate([content[:at], low, content[at + 8 :]])


def _column_batch(packets: PacketBatch, kept: NDArray[np.int64], columns: list[Any]) -> ColumnBatch:
    content = [one[3] for one in columns]
    length = np.array([len(one) for one in content], np.int64)
    data = Ragged(np.concatenate([*content, np.empty(0, np.uint8)]), np.cumsum(length) - length, length)
    n = len(kept)
    return ColumnBatch(
        "CFDP_PDU",
        np.full(n, NO_TIME, np.int64),
        {
            "PDU_TYPE": np.array([one[0] for one in columns], np.uint8),
            "CRC_FLAG": np.zeros(n, np.uint8),
            "LARGE_FILE": np.zeros(n, np.uint8),
            "ENTITY_LENGTH": np.zeros(n, np.uint8),
            "SEGMENT_METADATA": np.array([one[1] for one in columns], np.uint8),
            "NUMBER_LENGTH": np.ones(n, np.uint8),
            "TRANSACTION": np.array([one[2] for one in columns], np.int64),
            "PDU_DATA": data,
        },
        {},
        {},
        packets.apid[kept],
        packets.seq_count[kept],
        packets.received_ns[kept],
        kept,
        packets.quality[kept],
    )


def _parts(rows: ColumnBatch) -> Iterator[ColumnBatch]:
    """Split PDUs into runs of one transaction, in which only the last may be an EOF."""
    number, ends = np.asarray(rows.columns["TRANSACTION"]), np.cumsum(is_eof(rows))
    before = np.concatenate([[0], ends[:-1]])
    edges = np.flatnonzero((number[1:] != number[:-1]) | (before[1:] != before[:-1])) + 1
    for first, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(rows)], strict=True):
        yield take(rows, slice(first, stop))


def _missing(have: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First byte and length of each missing byte range."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], have, [True]]).astype(np.int8)))
    return edges[::2].astype(np.int64), (edges[1::2] - edges[::2]).astype(np.int64)


def _name(file: ReceivedFile) -> str:
    """File name, printable, of at most 255 characters."""
    return printable(file.destination or file.name)[:255]


def _event(
    file: ReceivedFile, source: int, sequence: int, first: NDArray[np.int64], length: NDArray[np.int64]
) -> Event:
    listed = zip(first[:MAX_LISTED].tolist(), length[:MAX_LISTED].tolist(), strict=True)
    spans = [f"{a}-{a + n - 1}" for a, n in listed]
    lacks = (
        [f"bytes {', '.join(spans)}{' and more' if len(first) > MAX_LISTED else ''} are missing"] if spans else []
    )
    lacks += ["its EOF is missing"] if file.condition < 0 else []
    lacks += [f"its EOF has condition {file.condition}"] if file.condition > 0 else []
    lacks += ["its checksum fails"] if file.checksum == FAILED else []
    name = _name(file) or "a file without metadata"
    details = {
        "source": source,
        "transaction": sequence,
        "size_bytes": len(file.content),
        "missing_bytes": int(length.sum()),
    }
    text = f"CFDP: {name}, transaction {sequence} of entity {source}: {'; '.join(lacks)}"
    return Event("warning", "file", text, int(file.rows.received_ns[-1]) if len(file.rows) else 0, details)
