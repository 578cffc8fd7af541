"""Packets: each APID with its name, count, rate, last reception and gaps; what was set aside, and why; and a packet of
the APID that is chosen, byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokeh.models import ColumnDataSource, TextInput, UIElement

from . import print_page
from .packet_view import PacketView
from .packets import Apid, set_aside
from .panels import below, beside_or_below, utc_text
from .selection import Selection
from .stream import Stream
from .table import Table
from .words import number_of

_COLUMNS = ("apid", "name", "packets", "per_second", "last", "sequence_gaps")
_HEADS = {"apid": "APID", "per_second": "a second", "last": "last received, UTC"}
_MAX_NAMES = 8
"""Of the containers of one APID."""
_RATE_STEP_S = 2.0
"""Rates are computed anew this often, whether or not packets came."""


class PacketsLook:
    """A table of APIDs; beside it what was set aside."""

    title = "Packets"
    shares_selection = True

    def __init__(self, selection: Selection | None = None) -> None:
        self._selection = selection if selection is not None else Selection()
        self.packets = ColumnDataSource({name: [] for name in _COLUMNS}, name="packets")
        self.aside = ColumnDataSource({"what": [], "count": [], "why": []}, name="set_aside")
        self.picked = TextInput(name="picked_apid", value=self._selection.apid, visible=False)
        self._packets = Table(
            "Packets", self.packets, _COLUMNS, _HEADS, max_shown=2048, key="apid", picked=self.picked
        )
        self._aside = Table("Set aside", self.aside, ("what", "count", "why"))
        self._view = PacketView()
        self._known: tuple[Any, ...] = ()
        self._stream: Stream | None = None
        self._now_s = 0.0
        self.picked.on_change("value", self._chosen)
        self._aside.root.sizing_mode, self._aside.root.height = "stretch_width", 190
        left = below(self._packets.root, self._aside.root, self.picked)
        self.root: UIElement = beside_or_below(left, self._view.root, css=print_page.BELOW)

    def _chosen(self, _attr: str, _old: object, _new: object) -> None:
        self._known, self._selection.apid = (), self.picked.value
        self.refresh(self._stream, self._now_s)

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        self._stream, self._now_s = stream, now_s
        if self.picked.value != self._selection.apid:  # the viewer went back
            self.picked.value = self._selection.apid
        stream = stream or Stream("")
        self._show_packet(stream)
        known = (stream.name, stream.n_changes, now_s // _RATE_STEP_S if stream.packets.by_apid else 0)
        if known == self._known:
            return
        self._known = known
        self._packets.fill(rows_of(stream, now_s))
        rows = set_aside(stream.report or {"packets": stream.packets.books}) + _undecoded(stream)
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
        self._aside.fill(dict(zip(("what", "count", "why"), columns, strict=True)))
        arrived_s = max((one.arrived_s for one in stream.packets.by_apid.values()), default=0.0)
        total = _total_gaps(stream)
        self._packets.panel.set_caption(
            "" if arrived_s or stream.packets.by_apid else "none yet", total, arrived_s=arrived_s, now_s=now_s
        )
        self._aside.panel.set_caption(
            ("" if rows else "nothing") if stream.report else "what the link skips comes at the end of the pass"
        )

    def _show_packet(self, stream: Stream) -> None:
        chosen = self.picked.value
        self._view.root.visible = chosen.isdecimal()
        if chosen.isdecimal():
            self._view.show(stream, int(chosen))


def rows_of(stream: Stream, now_s: float) -> dict[str, list[Any]]:
    """Each APID: counts of the report where the pass is over, else those of the link and of what was decoded."""
    reported = stream.report.get("packets", {}).get("by_apid", {}) if stream.is_over else {}
    by_apid = {int(apid): n for apid, n in reported.items() if str(apid).isdigit()}
    books = _books(stream)
    gaps = books.get("gaps_by_apid", {})
    is_known = isinstance(books.get("sequence_gaps"), int) and sum(gaps.values()) == books["sequence_gaps"]
    rows = []
    for apid in sorted({*by_apid, *stream.packets.by_apid}):
        counts = stream.packets.by_apid.get(apid)
        n = max(by_apid.get(apid, 0), counts.n if counts else 0)
        rate = counts.rate(now_s) if counts else 0.0
        rows.append(
            (
                str(apid),
                _names_of(counts),
                n,
                f"{rate:.1f}" if rate else "",
                utc_text(counts.last_received_ns) if counts and counts.last_received_ns else "",
                gaps.get(str(apid), 0) if is_known else "",
            )
        )
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _COLUMNS]
    return dict(zip(_COLUMNS, columns, strict=True))


def _names_of(counts: Apid | None) -> str:
    """The containers of an APID's packets, the first _MAX_NAMES of them."""
    names = list(counts.by_container) if counts else []
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{', '.join(names[:_MAX_NAMES])}{more}" if names else "not decoded"


def _undecoded(stream: Stream) -> list[tuple[str, int, str]]:
    """Packets on the link whose APID no product is made of."""
    books = stream.report.get("packets", {}) or stream.packets.books
    known = {apid for apid, one in stream.packets.by_apid.items() if one.by_container}
    reported = books.get("by_apid", {})
    numbers = sorted(int(apid) for apid in reported if str(apid).isdigit() and int(apid) not in known)
    unknown = {apid: reported[str(apid)] for apid in numbers}
    if not unknown:
        return []
    apids = ", ".join(map(str, numbers[:12])) + (" ..." if len(unknown) > 12 else "")
    return [("packets", sum(unknown.values()), f"no product is made of APID {apids}")]


def _total_gaps(stream: Stream) -> str:
    n_gaps = _books(stream).get("sequence_gaps")
    return number_of(n_gaps, "sequence gap") if isinstance(n_gaps, int) and n_gaps else ""


def _books(stream: Stream) -> Mapping[str, Any]:
    """The link's counts of packets: of the report where the pass is over, else those that came last."""
    return (stream.report.get("packets") if stream.is_over else None) or stream.packets.books
