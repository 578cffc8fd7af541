"""CFDP class 1, receiving entity: reassembles files from the PDUs of unacknowledged transfers.

In: rows of PDUs (`PDU_COLUMNS`), decoded by the dictionary, in order of arrival. Out: files, when their EOF arrives,
when more than MAX_OPEN transfers are open, or at the end of the stream. Dropped and counted: directives that class 1
does not need, data beyond MAX_FILE_BYTES. CCSDS 727.0-B-5: file data PDU 5.3, metadata 5.2.5, EOF 5.2.2, checksums
4.2.2 and annex F.

File data of many PDUs are copied at once; only metadata and EOF, two for each file, are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import fastcrc
import numpy as np
from numpy.typing import NDArray

from ..model.batches import ColumnBatch, Quality, Ragged
from .rows import compact, join, take

MAX_FILE_BYTES = 16 << 20
MAX_OPEN = 4
PDU_COLUMNS = frozenset(
    {
        "PDU_TYPE",
        "CRC_FLAG",
        "LARGE_FILE",
        "ENTITY_LENGTH",
        "SEGMENT_METADATA",
        "NUMBER_LENGTH",
        "TRANSACTION",
        "PDU_DATA",
    }
)
_EOF, _METADATA = 4, 7
_MODULAR, _CRC_32C, _CRC_32, _NULL = 0, 2, 3, 15
NOT_CHECKED, FAILED, VERIFIED = -1, 0, 1


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file, complete or not.

    `content uint8[n]`: 0 where `have bool[n]` is False (not received). `checksum`: VERIFIED, FAILED, or NOT_CHECKED if
    bytes or the EOF are missing. `condition`: condition code of the EOF (0: no error), -1 if it is missing.
    `n_rejected`: PDUs that could not be used. `rows`: its PDUs, without columns.
    """

    transaction: int
    name: str
    content: NDArray[np.uint8]
    have: NDArray[np.bool_]
    checksum: int
    condition: int
    n_rejected: int
    rows: ColumnBatch
    destination: str = ""
    """Destination file name; empty if the metadata are missing or have none."""

    def quality(self) -> Quality:
        bits = Quality(int(np.bitwise_or.reduce(self.rows.quality)))
        bits |= Quality(0) if self.have.all() and self.condition == 0 else Quality.FRAGMENT
        return bits | (Quality.FAILED_CHECK if self.checksum == FAILED else Quality(0))


@dataclass(slots=True)
class _Transfer:
    content: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    have: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    rows: list[ColumnBatch] = field(default_factory=list)
    name: str = ""
    destination: str = ""
    checksum_type: int = _MODULAR
    size: int = -1
    checksum: int = 0
    condition: int = -1
    n_rejected: int = 0


class FileReceiver:
    """State: the open transfers, oldest first."""

    def __init__(self) -> None:
        self._open: dict[int, _Transfer] = {}

    def receive(self, rows: ColumnBatch) -> Iterator[ReceivedFile]:
        """Yield the files that these PDUs complete. They are of one transaction; only the last may be an EOF."""
        number = int(np.asarray(rows.columns["TRANSACTION"])[0])
        if number not in self._open and len(self._open) >= MAX_OPEN:
            yield self._close(next(iter(self._open)))
        transfer = self._open.setdefault(number, _Transfer())
        transfer.rows.append(replace(take(rows, slice(None)), columns={}, raw={}))
        _add(transfer, rows)
        if transfer.condition >= 0:
            yield self._close(number)

    def flush(self) -> Iterator[ReceivedFile]:
        """End the stream: yield the files that are still open."""
        for number in list(self._open):
            yield self._close(number)

    def _close(self, number: int) -> ReceivedFile:
        transfer = self._open.pop(number)
        size = len(transfer.content) if transfer.size < 0 else transfer.size
        _make_room(transfer, size)
        content, have = transfer.content[:size], transfer.have[:size]
        checksum = NOT_CHECKED
        if have.all() and transfer.condition >= 0 and transfer.checksum_type != _NULL:
            found = file_checksum(content, transfer.checksum_type)
            checksum = NOT_CHECKED if found is None else VERIFIED if found == transfer.checksum else FAILED
        return ReceivedFile(
            number,
            transfer.name,
            content,
            have,
            checksum,
            transfer.condition,
            transfer.n_rejected,
            join(transfer.rows),
            transfer.destination,
        )


def is_eof(rows: ColumnBatch) -> NDArray[np.bool_]:
    """Whether each PDU is an EOF directive, bool[n]."""
    return np.asarray((np.asarray(rows.columns["PDU_TYPE"]) == 0) & (_directive(rows) == _EOF))


def file_checksum(content: NDArray[np.uint8], kind: int) -> int | None:
    """Compute the checksum of a complete file; None for an unknown checksum type."""
    if kind == _MODULAR:
        padded = np.concatenate([content, np.zeros(-len(content) % 4, np.uint8)])
        return int(padded.view(">u4").sum(dtype=np.uint64)) & 0xFFFFFFFF
    if kind == _CRC_32:
        return fastcrc.crc32.iso_hdlc(content.tobytes())
    if kind == _CRC_32C:
        return fastcrc.crc32.iscsi(content.tobytes())
    return None


def _directive(rows: ColumnBatch) -> NDArray[np.uint8]:
    """First byte of the data field of each PDU; 0 if it is empty."""
    data = rows.columns["PDU_DATA"]
    assert isinstance(data, Ragged)
    if not len(data.values):
        return np.zeros(len(data), np.uint8)
    return np.where(data.length > 0, data.values[np.minimum(data.start, len(data.values) - 1)], 0).astype(np.uint8)


def _add(transfer: _Transfer, rows: ColumnBatch) -> None:
    data = rows.columns["PDU_DATA"]
    assert isinstance(data, Ragged)
    fits = np.ones(len(rows), np.bool_)
    for name, value in (("CRC_FLAG", 0), ("LARGE_FILE", 0), ("ENTITY_LENGTH", 0), ("NUMBER_LENGTH", 1)):
        fits &= np.asarray(rows.columns[name]) == value
    is_data = np.asarray(rows.columns["PDU_TYPE"]) == 1
    usable = fits & is_data & (data.length > 4) & (np.asarray(rows.columns["SEGMENT_METADATA"]) == 0)
    flat = compact(Ragged(data.values, data.start[usable], data.length[usable]))
    transfer.n_rejected += int((is_data & ~usable).sum() + (~fits & ~is_data).sum())
    if len(flat):
        _place_segments(transfer, flat)
    for row in np.flatnonzero(fits & ~is_data).tolist():
        _read_directive(transfer, data.values[data.start[row] : data.start[row] + data.length[row]].tobytes())


def _place_segments(transfer: _Transfer, data: Ragged) -> None:
    """Copy segments into the file: each is an offset of four bytes, then octets of the file."""
    head = data.values[data.start[:, None] + np.arange(4)].astype(np.int64)
    offset = head @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
    length = data.length - 4
    inside = offset + length <= MAX_FILE_BYTES
    transfer.n_rejected += int((~inside).sum())
    offset, length, start = offset[inside], length[inside], data.start[inside] + 4
    if not len(offset):
        return
    _make_room(transfer, int((offset + length).max()))
    before = np.cumsum(length) - length
    step = np.arange(int(length.sum())) - np.repeat(before, length)
    place = np.repeat(offset, length) + step
    transfer.content[place] = data.values[np.repeat(start, length) + step]
    transfer.have[place] = True


def _make_room(transfer: _Transfer, size: int) -> None:
    missing = size - len(transfer.content)
    if missing > 0:
        transfer.content = np.concatenate([transfer.content, np.zeros(missing, np.uint8)])
        transfer.have = np.concatenate([transfer.have, np.zeros(missing, np.bool_)])


def _read_directive(transfer: _Transfer, octets: bytes) -> None:
    """Read metadata or EOF; other directives are not needed for class 1."""
    code = octets[0] if octets else 0
    if code == _METADATA and len(octets) >= 7:
        size = int.from_bytes(octets[2:6], "big")
        transfer.checksum_type = octets[1] & 15
        transfer.name = octets[7 : 7 + octets[6]].decode("utf-8", "replace")
        rest = octets[7 + octets[6] :]
        transfer.destination = rest[1 : 1 + rest[0]].decode("utf-8", "replace") if rest else ""
    elif code == _EOF and len(octets) >= 10:
        size = int.from_bytes(octets[6:10], "big")
        transfer.condition, transfer.checksum = octets[1] >> 4, int.from_bytes(octets[2:6], "big")
    else:
        transfer.n_rejected += 1
        return
    if size <= MAX_FILE_BYTES:
        transfer.size = size
    else:
        transfer.n_rejected += 1
