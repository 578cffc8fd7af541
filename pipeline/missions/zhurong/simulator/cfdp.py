"""Files to PDUs of CFDP class 1 (CCSDS 727.0-B-5), as the packets' page has them: metadata, file data, EOF."""

from __future__ import annotations

from collections.abc import Iterator

GROUND = 1
SEGMENT_BYTES = 960
_FILE_DATA = 0x10
_UNACKNOWLEDGED = 0x04
_VERSION = 0x20


def pdus(content: bytes, name: str, entity: int, transaction: int) -> Iterator[bytes]:
    """All PDUs of one file, in the order of sending."""
    names = b"".join(bytes([len(one)]) + one for one in (name.encode(), name.encode()))
    size = len(content).to_bytes(4, "big")
    yield _pdu(b"\x07\x00" + size + names, entity, transaction)
    for at in range(0, len(content), SEGMENT_BYTES):
        segment = at.to_bytes(4, "big") + content[at : at + SEGMENT_BYTES]
        yield _pdu(segment, entity, transaction, _FILE_DATA)
    yield _pdu(b"\x04\x00" + modular_checksum(content).to_bytes(4, "big") + size, entity, transaction)


def modular_checksum(content: bytes) -> int:
    """The sum of all words of four bytes, the last filled with zeros (4.2.2)."""
    words = (int.from_bytes(content[at : at + 4].ljust(4, b"\0"), "big") for at in range(0, len(content), 4))
    return sum(words) % 2**32


def _pdu(field: bytes, entity: int, transaction: int, kind: int = 0) -> bytes:
    head = bytes([_VERSION | kind | _UNACKNOWLEDGED]) + len(field).to_bytes(2, "big")
    return head + bytes([0x01, entity]) + transaction.to_bytes(2, "big") + bytes([GROUND]) + field
