"""The UDP payload of a captured packet: link header, IP header, reassembly of fragments.

Source: link types of tcpdump.org; RFC 791 (IPv4), RFC 8200 (IPv6), RFC 768 (UDP).
"""

from __future__ import annotations

_ETHERNET, _NULL, _LOOP, _SLL, _SLL2 = 1, 0, 108, 113, 276
_RAW = frozenset({12, 14, 101, 228, 229})
_VLAN = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
_IP_TYPES = frozenset({b"\x08\x00", b"\x86\xdd"})
_UDP, _FRAGMENT, _OPTIONS = 17, 44, frozenset({0, 43, 60})
_UDP_HEADER_BYTES = 8
_FRAGMENTED_AT_ONCE = 64


class UdpPayloads:
    """Extracts payloads from packets, and reassembles fragmented datagrams (a bounded number at a time).

    `port`: destination port of the wanted payloads; None: all.
    """

    def __init__(self, port: int | None) -> None:
        self._port = port
        self._fragments: dict[bytes, dict[int, tuple[bytes, bool]]] = {}

    def of_packet(self, packet: bytes, link_type: int) -> bytes:
        """Return the payload; of a fragmented datagram with its last fragment. Empty if there is none."""
        datagram = self._datagram(_network_packet(packet, link_type))
        if len(datagram) < _UDP_HEADER_BYTES:
            return b""
        length = int.from_bytes(datagram[4:6], "big")
        if self._port not in (None, int.from_bytes(datagram[2:4], "big")):
            return b""
        whole = length == 0 or _UDP_HEADER_BYTES <= length <= len(datagram)
        return datagram[_UDP_HEADER_BYTES : length or len(datagram)] if whole else b""

    def _datagram(self, packet: bytes) -> bytes:
        """Return the UDP datagram of an IP packet; empty if there is none, or if fragments are missing."""
        version = packet[0] >> 4 if packet else 0
        if version == 4 and len(packet) >= 20:
            return self._of_ipv4(packet)
        if version == 6 and len(packet) >= 40:
            return self._of_ipv6(packet)
        return b""

    def _of_ipv4(self, packet: bytes) -> bytes:
        header, total = 4 * (packet[0] & 0x0F), int.from_bytes(packet[2:4], "big")
        if packet[9] != _UDP or len(packet) < total:
            return b""
        body = packet[header : total or len(packet)]
        word = int.from_bytes(packet[6:8], "big")
        if not word & 0x3FFF:
            return body
        return self._joined(packet[4:6] + packet[12:20], 8 * (word & 0x1FFF), body, more=bool(word & 0x2000))

    def _of_ipv6(self, packet: bytes) -> bytes:
        following, body = packet[6], packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
        while following in _OPTIONS and len(body) >= 8:
            following, body = body[0], body[8 + 8 * body[1] :]
        if following == _FRAGMENT and len(body) >= 8:
            word = int.from_bytes(body[2:4], "big")
            if body[0] != _UDP:
                return b""
            return self._joined(packet[8:40] + body[4:8], word & 0xFFF8, body[8:], more=bool(word & 1))
        return body if following == _UDP else b""

    def _joined(self, key: bytes, offset: int, body: bytes, *, more: bool) -> bytes:
        """Add a fragment; return the datagram if it is complete, else empty."""
        if key not in self._fragments and len(self._fragments) >= _FRAGMENTED_AT_ONCE:
            del self._fragments[next(iter(self._fragments))]
        parts = self._fragments.setdefault(key, {})
        parts[offset] = body, more
        joined, at = b"", 0
        while at in parts:
            piece, has_more = parts[at]
            joined += piece
            if not has_more:
                del self._fragments[key]
                return joined
            if not piece:
                return b""
            at += len(piece)
        return b""


def _network_packet(packet: bytes, link_type: int) -> bytes:
    """Remove the link header; empty if the link type is unknown or carries no IP."""
    if link_type in _RAW:
        return packet
    if link_type in {_NULL, _LOOP}:
        return packet[4:]
    kind_at, begin = {_ETHERNET: (12, 14), _SLL: (14, 16), _SLL2: (0, 20)}.get(link_type, (-1, 0))
    if kind_at < 0:
        return b""
    kind = packet[kind_at : kind_at + 2]
    while kind in _VLAN:
        kind, begin = packet[begin + 2 : begin + 4], begin + 4
    return packet[begin:] if kind in _IP_TYPES else b""
