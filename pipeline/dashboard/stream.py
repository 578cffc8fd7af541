"""What is kept of one `<mission>/<stream>`, in bounded memory.

When a replay restarts, because it seeks back or is started again, all that was kept of it is dropped.
`Stream.n_bytes` is computed from the arrays and the numbers of entries.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .album import Album
from .missions import KnownMission
from .packet_bytes import PacketBytes
from .packets import PacketCounts
from .parameters import Parameters
from .progress import SILENT_S, Progress
from .ring import Ring
from .tabs import Shown

if TYPE_CHECKING:
    from .history_source import StoredPass

MAX_EVENTS = 500
MAX_IDS = 8192
ONBOARD_KIND = "onboard"
"""Of events that the spacecraft reports itself: the Events look has them, beside the others."""
SEVERITIES = ("error", "warning", "info")
MAX_COUNTS = 2000
MAX_CLOCKS = 2000
_KIND_BYTES = 2500
"""Of a name, and of the words that describe its arrays."""
_EVENT_BYTES, _COUNT_BYTES, _ID_BYTES, _OBJECT_BYTES, _CLOCK_BYTES = 13_000, 600, 150, 32_000, 150
"""Upper bounds of what an event, a row of counts, an id, the counters of a channel and a pair of times take as Python
objects.
"""

NOTHING = Shown()


class Stream:
    """What is kept of one `<mission>/<stream>`. `n_changes` grows with each message: a reader compares it."""

    def __init__(self, name: str, shown: Shown = NOTHING, mission: KnownMission | None = None) -> None:
        """`mission`: its dictionary and alarms, where they are known."""
        self.name = name
        self.mission = mission
        self.shown = shown
        self.n_changes = 0
        self.arrived_s = 0.0
        """Arrival of its last message that was not retained; 0 before the first one."""
        self.progress: Progress | None = None
        self.progress_arrived_s = 0.0
        """Arrival of the last progress of a replay that was not retained; 0 before the first one."""
        self.forget()

    def forget(self) -> None:
        """Drop everything, as a restarted replay needs."""
        self.n_changes += 1
        self.products: dict[str, Ring] = {}
        self.images = Album()
        self.parameters = Parameters()
        self.packets = PacketCounts()
        self.octets = PacketBytes()
        self.alarms: dict[str, tuple[str, str]] = {}
        """Of each parameter beyond its limits (`<container>/<name>`), the level of concern and its severity."""
        self.n_products: Counter[str] = Counter()
        self.n_unlisted = 0
        """Products of kinds that have no room in `n_products`."""
        self.described: dict[str, str] = {}
        """Of each kind of product, the arrays that the dictionary describes, with its words."""
        self.channels: dict[str, dict[str, Any]] = {}
        self.counts: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MAX_COUNTS)
        """(channel, its counters) as they came, for what is drawn against time."""
        self.onboard: dict[str, Any] = {}
        """The latest onboard time of any product: `utc`, and `sol`, `ltst`, `ltst_sol` where it has them."""
        self.link_arrived_s = 0.0
        """Arrival of the last counters that were not retained; 0 before the first. So is `report_arrived_s`."""
        self.frames_arrived_s = 0.0
        """Arrival of the last counters with more frames than before; 0 before the first that were not retained."""
        self.lag_s: float | None = None
        """From the reception of the last frame to the arrival of its counters, by this computer's clock."""
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self.event_arrived_s = 0.0
        self.light_time_s: float | None = None
        self.light_time_of = ""
        """The newest `light_time_s` of any product, and its description."""
        self.clocks: deque[tuple[int, int]] = deque(maxlen=MAX_CLOCKS)
        """Pairs (time of reception, onboard time as UTC) of rows, ns."""
        self.report: dict[str, Any] = {}
        self.report_arrived_s = 0.0
        self._ids: dict[bytes, None] = {}
        self.passes: Sequence[StoredPass] = ()
        """Of a range of a history, the passes whose rows are of its days."""

    @property
    def n_bytes(self) -> int:
        """Bytes kept: exact for arrays, an upper bound for other objects."""
        small = (
            len(self.events) * _EVENT_BYTES
            + len(self.counts) * _COUNT_BYTES
            + len(self._ids) * _ID_BYTES
            + len(self.clocks) * _CLOCK_BYTES
            + len(self.n_products) * _KIND_BYTES
            + (len(self.channels) + 2) * _OBJECT_BYTES
        )
        small += self.parameters.n_bytes + self.packets.n_bytes + self.octets.n_bytes
        return small + self.images.n_bytes + sum(ring.n_bytes for ring in self.products.values())

    def drop_largest(self) -> None:
        """Drop the rows of the kind that takes most bytes."""
        largest = max(self.products, key=lambda kind: self.products[kind].n_bytes, default="")
        self.products.pop(largest, None)

    @property
    def last_received_ns(self) -> int:
        """Time of reception of the last frame; 0 if it is not known."""
        known = (one.get("last_received_ns") for one in self.channels.values())
        return max((one for one in known if isinstance(one, int)), default=0)

    @property
    def is_over(self) -> bool:
        """Whether no more rows are expected: a replay that has ended or is paused, or a pass with its report."""
        if self.progress:
            return self.progress.state != "playing"
        return bool(self.report) and self.report_arrived_s >= self.arrived_s

    def replaying(self, now_s: float) -> Progress | None:
        """The progress of the replay that publishes this stream now, if one does."""
        return self.progress if now_s - self.progress_arrived_s < SILENT_S and self.progress_arrived_s else None

    def is_new(self, product_id: str) -> bool:
        """Deduplicate: whether an id was not seen before. It is remembered, among the last MAX_IDS."""
        digest = hashlib.blake2b(product_id.encode(errors="surrogatepass"), digest_size=16).digest()
        if digest in self._ids:
            return False
        self._ids[digest] = None
        if len(self._ids) > MAX_IDS:
            del self._ids[next(iter(self._ids))]
        return True
