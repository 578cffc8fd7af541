"""Packets by APID: how many were decoded, as what, how often, what is missing; and what the report counts of the rest.

In: lineages of products, which name the packets of each; reports. Several products are made of the same packets of a
container, so they are counted kind by kind, and the largest count is that of the container. An APID has the packets of
all its containers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model.printable import printable
from .rows import last_received_ns

MAX_APIDS = 2048
MAX_KINDS = 10_000
"""Kinds of product of all APIDs of a stream; what the link counts has no such limit."""
RATE_S = 10.0
"""Over which a rate is computed."""
_APID_BYTES, _KIND_BYTES = 12_000, 400


@dataclass(slots=True)
class Apid:
    """Counts of one APID. `last`: time of reception of its last packet, as text; `arrived_s`: when that came."""

    by_container: dict[str, dict[str, int]] = field(default_factory=dict)
    """Packets by their container and the kind of product."""
    n_counted: int = 0
    """Packets on the link, decoded or not."""
    n_decoded: int = 0
    last_received_ns: int = 0
    arrived_s: float = 0.0
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=100))

    @property
    def n(self) -> int:
        return max(self.n_counted, self.n_decoded)

    def add(self, container: str, kind: str, n: int) -> None:
        """Count packets of a product."""
        kinds = self.by_container.setdefault(container, {})
        before = max(kinds.values(), default=0)
        kinds[kind] = kinds.get(kind, 0) + n
        self.n_decoded += max(kinds.values()) - before

    def rate(self, now_s: float) -> float:
        """Packets a second, over the last RATE_S."""
        return sum(n for at_s, n in self.arrivals if now_s - at_s <= RATE_S) / RATE_S


class PacketCounts:
    """The APIDs of one stream."""

    def __init__(self) -> None:
        self.by_apid: dict[int, Apid] = {}
        self.books: dict[str, Any] = {}
        """Counts of the link, the newest: as `packets` of a pass report."""
        self.n_changes = 0
        self._n_kinds = 0

    @property
    def n_bytes(self) -> int:
        return len(self.by_apid) * _APID_BYTES + self._n_kinds * _KIND_BYTES

    def take(self, kind: str, lineage: Mapping[str, Any], heard_s: float) -> None:
        """Count the packets of a product; one that is made of several APIDs or of no packets counts for none."""
        match lineage:
            case {"apid": [int(apid)], "n_packets": int(n), "container": str(container)}:
                pass
            case _:
                return
        counts = self._of(apid)
        if counts is None:
            return
        container = printable(container[:80])
        is_new = kind not in counts.by_container.get(container, ())
        if is_new and self._n_kinds >= MAX_KINDS:
            return
        self._n_kinds += is_new
        before = counts.n
        counts.add(container, kind, n)
        counts.last_received_ns = max(counts.last_received_ns, last_received_ns(lineage) or 0)
        counts.arrived_s = heard_s or counts.arrived_s
        if heard_s and counts.n > before:
            counts.arrivals.append((heard_s, counts.n - before))
        self.n_changes += 1

    def take_books(self, books: Mapping[str, Any], heard_s: float) -> None:
        """Take counts of the link: `by_apid` of all packets, those that are not decoded too."""
        is_first, self.books = not self.books, dict(books)
        for apid, n in books["by_apid"].items():
            counts = self._of(int(apid))
            if counts is None:
                continue
            before = counts.n
            counts.n_counted = int(n)
            if heard_s and counts.n > before and not is_first:  # the first ones may be of the whole pass so far
                counts.arrivals.append((heard_s, counts.n - before))
                counts.arrived_s = heard_s
        self.n_changes += 1

    def _of(self, apid: int) -> Apid | None:
        """The counts of an APID; None where there is no room for a new one."""
        if apid not in self.by_apid and len(self.by_apid) >= MAX_APIDS:
            return None
        return self.by_apid.setdefault(apid, Apid())


def set_aside(report: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """What a pass report counts that became no packet, no frame of a channel, or no row: what, how many, why."""
    packets, frames, read = (report.get(part) or {} for part in ("packets", "frames", "bytes"))
    found = [
        ("bytes", read.get("skipped"), "stand between frames or packets, where no marker or header is"),
        ("frames", frames.get("uncorrectable"), "more symbols are wrong than the code corrects"),
        ("frames", frames.get("failed_check"), "their checksum is wrong"),
        ("frames", frames.get("other_channel"), "of a channel that the mission file does not name"),
        ("packets", packets.get("idle_packets"), "idle: they carry nothing"),
        ("packets", packets.get("truncated_packets"), "a frame with a part of them is missing"),
        ("headers", packets.get("bad_headers"), "are no packet header"),
        ("packets", packets.get("fragments"), "segments whose others are missing"),
        *(("packets", n, str(why)) for why, n in (packets.get("set_aside") or {}).items()),
    ]
    return [(what, n, why) for what, n, why in found if isinstance(n, int) and n > 0]
