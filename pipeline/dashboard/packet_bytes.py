"""The bytes of the last packets of each APID, in bounded memory. A mission publishes packets where it is asked to."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

MAX_BYTES = 2 << 20
"""Of all packets of a stream: the oldest go first."""
MAX_PACKETS, MAX_OF_APID = 4096, 20
_PACKET_BYTES = 400
"""Upper bound of what a packet takes beside its bytes."""


@dataclass(frozen=True, slots=True)
class KeptPacket:
    """`number`: how many packets of the stream came before; `utc_ns`: when it came to this page, 0 where not known."""

    number: int
    apid: int
    octets: bytes
    utc_ns: int

    @property
    def seq_count(self) -> int:
        """Its sequence count (CCSDS 133.0-B 4.1.3.4.3)."""
        return int.from_bytes(self.octets[2:4]) & 0x3FFF


class PacketBytes:
    """The last packets of one stream."""

    def __init__(self) -> None:
        self._packets: OrderedDict[int, KeptPacket] = OrderedDict()
        """By number, the oldest first."""
        self._by_apid: dict[int, deque[KeptPacket]] = {}
        self._n_octets = 0
        self.n = 0
        """Packets that came."""

    @property
    def n_bytes(self) -> int:
        return self._n_octets + len(self._packets) * _PACKET_BYTES

    @property
    def apids(self) -> list[int]:
        """Those of which there are packets, sorted."""
        return sorted(self._by_apid)

    def of(self, apid: int) -> list[KeptPacket]:
        """The packets of an APID, the newest first."""
        return list(self._by_apid.get(apid, ()))[::-1]

    def take(self, apid: int, octets: bytes, utc_ns: int) -> None:
        """Keep a packet; ValueError for an APID that there cannot be, and for more bytes than a packet has."""
        if not 0 <= apid < 1 << 11 or not 0 < len(octets) <= (1 << 16) + 6:
            raise ValueError("not a space packet")
        packet = KeptPacket(self.n, apid, bytes(octets), utc_ns)
        self.n += 1
        of_apid = self._by_apid.setdefault(apid, deque())
        of_apid.append(packet)
        self._packets[packet.number] = packet
        self._n_octets += len(octets)
        if len(of_apid) > MAX_OF_APID:
            self._forget(of_apid[0])
        while self.n_bytes > MAX_BYTES or len(self._packets) > MAX_PACKETS:
            self._forget(next(iter(self._packets.values())))

    def _forget(self, packet: KeptPacket) -> None:
        del self._packets[packet.number]
        self._n_octets -= len(packet.octets)
        of_apid = self._by_apid[packet.apid]
        of_apid.popleft()
        if not of_apid:
            del self._by_apid[packet.apid]
