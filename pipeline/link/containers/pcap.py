"""Captures of UDP packets: pcap and pcapng files, as tcpdump and Wireshark write them.

In: bytes of a capture. Out: the UDP payloads back to back, with the capture time of each. Dropped and counted: packets
of other protocols and ports, payloads whose length does not fit the frames of the link, packets that the capture
truncated, incomplete fragments. Bytes behind an invalid record are dropped up to the next file header.

No library is used, since captures arrive in pieces and may be endless: dpkt and python-pcapng read whole files (and
have no release since 2022). Source: draft-ietf-opsawg-pcap-04, draft-ietf-opsawg-pcapng-02.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

from ...model.batches import ByteBatch
from .payloads import payload_batch
from .udp import UdpPayloads

_PCAP = {  # magic bytes: byte order, ns in a unit of the fraction of a second
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_INTERFACE, _SIMPLE, _ENHANCED = 1, 3, 6
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14
_FILE_HEADER_BYTES, _RECORD_HEADER_BYTES = 24, 16
_LONGEST_BLOCK = 1 << 20
_NS = 10**9


def is_capture(octets: bytes) -> bool:
    """Whether a file that begins with these bytes is a capture."""
    return octets[:4] in _PCAP or octets[:4] == _PCAPNG


def _next_file(octets: bytes, start: int) -> tuple[int, bool]:
    """Position where the next file header may begin, and whether one was found."""
    places = [at for magic in (*_PCAP, _PCAPNG) if (at := octets.find(magic, start)) >= 0]
    return (min(places), True) if places else (max(len(octets) - 3, start), False)


@dataclass(slots=True)
class _Interface:
    """Link type of an interface, ticks of its clock in a second, and the offset of its clock in seconds."""

    link_type: int
    ticks_per_s: int = 10**6
    offset_s: int = 0


class PcapReader:
    """Unwraps captures. `port`: UDP destination port, None for all; `unit_bytes`: as in KissReader."""

    def __init__(self, port: int | None, unit_bytes: int) -> None:
        self._udp = UdpPayloads(port)
        self._unit = unit_bytes
        self._left = b""
        self._order = ""  # byte order of header fields; empty before the first file header
        self._is_pcapng = False
        self._ns_per_tick = 0
        self._interfaces: list[_Interface] = []
        self.overhead_bytes = 0
        self.dropped_bytes = 0
        self._payloads: list[bytes] = []
        self._times: list[int] = []

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """Return the payloads of the packets completed by `batch`."""
        if batch.missing:
            self.flush()
        self._left += batch.data.tobytes()
        self._left = self._left[self._read(self._left) :]
        payloads, self._payloads = self._payloads, []
        times, self._times = self._times, []
        size = np.array([len(payload) for payload in payloads], np.int64)
        start = np.cumsum(size) - size
        octets = np.frombuffer(b"".join(payloads), np.uint8)
        # Datagrams can arrive out of order.
        return replace(payload_batch(batch, octets, start, np.array(times, np.int64)), unordered=True)

    def flush(self) -> None:
        """Drop an unfinished record: the stream ends, or bytes are missing."""
        self.dropped_bytes += len(self._left)
        self._left = b""
        self._order = ""

    def _read(self, octets: bytes) -> int:
        """Read the whole records; returns their length in bytes."""
        at = 0
        while True:
            size = self._size(octets, at)
            if size < 0:
                stop, found = _next_file(octets, at + 1)
                self.dropped_bytes += stop - at
                self._order, at = "", stop
                if not found:
                    return at
                continue
            if not size or at + size > len(octets):
                return at
            used = self._read_record(octets, at, size)
            self.overhead_bytes += size - used
            at += size

    def _size(self, octets: bytes, at: int) -> int:
        """Length of the record that begins at `at`; 0: not known yet; -1: no record begins there."""
        head = octets[at : at + 4]
        if len(head) < 4:
            return 0
        if head in _PCAP:
            return _FILE_HEADER_BYTES
        if head == _PCAPNG or (self._order and self._is_pcapng):
            return self._block_size(octets, at, starts=head == _PCAPNG)
        if not self._order:
            return -1
        if len(octets) < at + _RECORD_HEADER_BYTES:
            return 0
        (captured,) = struct.unpack_from(self._order + "I", octets, at + 8)
        return _RECORD_HEADER_BYTES + captured if captured <= _LONGEST_BLOCK else -1

    def _block_size(self, octets: bytes, at: int, *, starts: bool) -> int:
        """`_size` of a pcapng block. `starts`: it is a section header, which defines the byte order."""
        if len(octets) < at + 12:
            return 0
        order = (">" if octets[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<") if starts else self._order
        (size,) = struct.unpack_from(order + "I", octets, at + 4)
        return size if 12 <= size <= _LONGEST_BLOCK and size % 4 == 0 else -1

    def _read_record(self, octets: bytes, at: int, size: int) -> int:
        """Read one record or block; returns the bytes of its payload, whether used or dropped."""
        head = octets[at : at + 4]
        if head in _PCAP:
            self._order, self._ns_per_tick = _PCAP[head]
            self._is_pcapng = False
            (link_type,) = struct.unpack_from(self._order + "I", octets, at + 20)
            self._interfaces = [_Interface(link_type & 0xFFFF)]
            return 0
        if head == _PCAPNG or self._is_pcapng:
            return self._read_block(octets, at, size)
        seconds, fraction = struct.unpack_from(self._order + "II", octets, at)
        packet = octets[at + _RECORD_HEADER_BYTES : at + size]
        return self._add_packet(packet, self._interfaces[0].link_type, seconds * _NS + fraction * self._ns_per_tick)

    def _read_block(self, octets: bytes, at: int, size: int) -> int:
        if octets[at : at + 4] == _PCAPNG:
            self._order = ">" if octets[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<"
            self._is_pcapng, self._interfaces = True, []
            return 0
        (kind,) = struct.unpack_from(self._order + "I", octets, at)
        body = octets[at + 8 : at + size - 4]
        if kind == _INTERFACE and len(body) >= 8:
            self._interfaces.append(self._interface(body))
        elif kind == _ENHANCED and len(body) >= 20:
            number, high, low, captured = struct.unpack_from(self._order + "IIII", body)
            if number < len(self._interfaces):
                interface = self._interfaces[number]
                ticks = high << 32 | low
                time_ns = interface.offset_s * _NS + ticks * _NS // interface.ticks_per_s
                return self._add_packet(body[20 : 20 + captured], interface.link_type, time_ns)
        elif kind == _SIMPLE and self._interfaces and len(body) >= 4:
            (sent,) = struct.unpack_from(self._order + "I", body)
            return self._add_packet(body[4 : 4 + sent], self._interfaces[0].link_type, 0)
        return 0

    def _interface(self, body: bytes) -> _Interface:
        (link_type,) = struct.unpack_from(self._order + "H", body)
        found, at = _Interface(link_type), 8
        while at + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, at)
            value = body[at + 4 : at + 4 + length]
            if code == 0:
                break
            if code == _TIME_RESOLUTION and length == 1:
                found.ticks_per_s = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _TIME_OFFSET and length == 8:
                (found.offset_s,) = struct.unpack(self._order + "q", value)
            at += 4 + length + -length % 4
        return found

    def _add_packet(self, packet: bytes, link_type: int, time_ns: int) -> int:
        """Add the payload of one packet; returns its length, also if it is dropped."""
        payload = self._udp.of_packet(packet, link_type)
        if self._unit and len(payload) % self._unit:
            self.dropped_bytes += len(payload)
        elif payload:
            self._payloads.append(payload)
            self._times.append(time_ns)
        return len(payload)
