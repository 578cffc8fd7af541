"""History: what is stored of the stream when, a lane of bands for each kind of product; a range is chosen from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bokeh.events import SelectionGeometry
from bokeh.models import (
    BoxAnnotation,
    BoxSelectTool,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    NoOverlap,
    TextInput,
    UIElement,
)

from ..model.batches import GENERIC_INSTRUMENT
from . import print_page, theme
from .history_source import Range, StoredPass
from .panels import Panel, below, beside_or_below, controls, plot, utc_text
from .past import Covered, Past
from .selection import Selection, checked_range_ms
from .stream import Stream
from .table import Table
from .theme import sheet
from .words import number_of

MAX_LANES = 80
PRINT_PX = 900
"""Height of the lanes on paper: one page."""
STORED = "time of the stored rows, UTC"
MAX_PASSES = 200
_PASSES = ("pass", "received", "state", "rows")
_COLUMNS = ("kind", "from", "to", "bands")


class HistoryLook:
    """Bands against time; beside them a table of the kinds."""

    title = "History"

    def __init__(self, past: Past, selection: Selection, update_soon: Callable[[], None]) -> None:
        self._past, self._selection, self._update_soon = past, selection, update_soon
        self.bands = ColumnDataSource({name: [] for name in ("left", "right", "lane", "kind")}, name="coverage")
        self.figure = plot(STORED, "", is_time=True, print_px=PRINT_PX)
        self.figure.hbar("lane", left="left", right="right", height=0.7, source=self.bands, color=theme.BLUE,
                         line_color=theme.BLUE)  # fmt: skip
        tips = [("", "@kind"), ("from", "@left{%F %H:%M:%S}"), ("to", "@right{%F %H:%M:%S}")]
        self.figure.add_tools(
            HoverTool(tooltips=tips, formatters={"@left": "datetime", "@right": "datetime"}),
            BoxSelectTool(dimensions="width"),
        )
        self.figure.toolbar.active_drag = self.figure.select_one(BoxSelectTool)
        self.figure.y_range.flipped = True
        self.figure.yaxis.major_label_policy = NoOverlap(min_distance=0)  # a lane without a name says little
        self.figure.grid.grid_line_alpha = 0.2
        self._chosen = BoxAnnotation(visible=False, fill_color=theme.ORANGE, fill_alpha=0.1,
                                     line_color=theme.ORANGE, name="chosen_range")  # fmt: skip
        self.figure.add_layout(self._chosen)
        self.figure.on_event(SelectionGeometry, self._selected)
        names = {"kind": "kind", "left": "from_ms", "right": "to_ms"}
        self._panel = Panel("What is stored when", self.figure, self.bands, names, "coverage.csv")
        self._panel.root.stylesheets = [*self._panel.root.stylesheets, sheet(theme.TALL_CSS)]
        self.picked = TextInput(name="picked_kind", visible=False)
        self.kinds = ColumnDataSource({name: [] for name in _COLUMNS}, name="stored_kinds")
        self._table = Table("Kinds", self.kinds, _COLUMNS, max_shown=MAX_LANES, key="kind", picked=self.picked)
        self._table.root.width, self._table.root.sizing_mode = 540, "stretch_height"
        self.picked.on_change("value", self._pick)
        self.passes = ColumnDataSource({name: [] for name in _PASSES}, name="stored_passes")
        self.picked_pass = TextInput(name="picked_stored_pass", visible=False)
        self._passes = Table(
            "Passes", self.passes, _PASSES, {"received": "received, UTC"}, max_shown=MAX_PASSES, key="pass",
            picked=self.picked_pass,
        )  # fmt: skip
        self.picked_pass.on_change("value", self._pick_pass)
        self.search = TextInput(placeholder="search kinds", width=220, name="kind_search", height=28,
                                stylesheets=[sheet(theme.WIDGET_CSS)])  # fmt: skip
        self.search.on_change("value_input", lambda _attr, _old, _new: self._update_soon())
        self._stored_passes: Sequence[StoredPass] = ()
        self._known: tuple[Any, ...] = ()
        self._name, self._kinds = "", list[str]()
        self.root: UIElement = beside_or_below(
            self._panel.root,
            below(
                controls(self.search),
                self._table.root,
                self._passes.root,
                self.picked,
                self.picked_pass,
                width=540,
                sizing_mode="stretch_height",
            ),
            css=print_page.BELOW,
        )

    def _selected(self, event: Any) -> None:
        geometry = event.geometry
        if event.final and (found := checked_range_ms(float(geometry["x0"]), float(geometry["x1"]))):
            self._selection.range_ms = found
            self._update_soon()

    def _pick(self, _attr: str, _old: str, kind: str) -> None:
        """Choose the range in which there are rows of a kind."""
        covered = self._past.covered(self._name, self._kinds)
        ranges = covered.ranges.get(_topic_kind(kind)) if covered else None
        if ranges and (found := checked_range_ms(ranges[0][0] / 1e6, ranges[-1][1] / 1e6 + 1)):
            self._selection.range_ms = found
            self._update_soon()

    def _pick_pass(self, _attr: str, _old: str, name: str) -> None:
        """Choose the days of the rows of a pass; the Pass look shows its books then."""
        one = next((one for one in self._stored_passes if one.name == name), None)
        if one and (found := checked_range_ms(one.first_ns / 1e6, one.end_ns / 1e6)):
            self._selection.range_ms, self._selection.pass_name = found, name
            self._update_soon()

    def _list_passes(self, covered: Covered) -> None:
        self._stored_passes = covered.passes
        newest_first = list(reversed(covered.passes))[:MAX_PASSES]
        self._passes.fill(
            {
                "pass": [one.name for one in newest_first],
                "received": [one.received[0][:19].replace("T", " ") for one in newest_first],
                "state": [one.state for one in newest_first],
                "rows": [sum(one.rows.values()) for one in newest_first],
            }
        )
        n = len(covered.passes)
        more = f"the last {MAX_PASSES} of {n:,} · " if n > MAX_PASSES else ""
        self._passes.panel.set_caption(
            f"{more}a click chooses its days, and its books in Pass" if n else "none of this stream"
        )

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        """Show what is known of the stream in sight."""
        self._name = stream.name if stream else next(iter(self._past.streams), "")
        self._show_chosen()
        stored = self._past.streams.get(self._name)
        words = (self.search.value_input or "").lower().split()
        matching = [
            kind for kind in (stored.kinds if stored else ()) if all(word in kind.lower() for word in words)
        ]
        self._kinds = matching[:MAX_LANES]
        covered = self._past.covered(self._name, self._kinds)
        known = (
            self._name,
            id(covered),
            covered.n_changes if covered else 0,
            tuple(self._kinds),
            len(matching),
            self.picked.value,
            self.picked_pass.value,
        )
        if known == self._known:
            return
        self._known = known
        if covered is None or stored is None:
            for panel in (self._panel, self._table.panel, self._passes.panel):
                panel.set_caption("nothing of this stream")
            self.bands.data = bands_of((), {})
            self._table.fill(_rows_of((), {}))
            self._passes.fill({name: [] for name in _PASSES})
            self._stored_passes = ()
            return
        kinds = [kind for kind in self._kinds if covered.ranges.get(kind)]
        self.bands.data = bands_of(kinds, covered.ranges)
        axis = self.figure.yaxis[0]
        axis.ticker = FixedTicker(ticks=list(range(len(kinds))))
        axis.major_label_overrides = {k: _name_of(kind) for k, kind in enumerate(kinds)}
        self._table.fill(_rows_of(kinds, covered.ranges))
        self._list_passes(covered)
        self._table.panel.set_caption("a click chooses the range of a kind" if kinds else "")
        self._panel.set_caption(_words(self._kinds, len(matching), len(stored.kinds), covered), now_s=now_s)

    def _show_chosen(self) -> None:
        wanted = self._selection.range_ms
        for picked in (self.picked, self.picked_pass):
            if wanted is None and picked.value:
                picked.value = ""  # so that the same row may be chosen again
        if self._chosen.visible != (wanted is not None):
            self._chosen.visible = wanted is not None
        if wanted is not None and (self._chosen.left, self._chosen.right) != wanted:
            self._chosen.update(left=wanted[0], right=wanted[1])


def bands_of(kinds: Sequence[str], ranges: Mapping[str, Sequence[Range]]) -> dict[str, list[Any]]:
    """A bar for each range in which there are rows, in the lane of its kind."""
    bars = [(lane, kind, first, last) for lane, kind in enumerate(kinds) for first, last in ranges[kind]]
    return {
        "left": [first / 1e6 for _, _, first, _ in bars],
        "right": [last / 1e6 for _, _, _, last in bars],
        "lane": [lane for lane, _, _, _ in bars],
        "kind": [_name_of(kind) for _, kind, _, _ in bars],
    }


def _rows_of(kinds: Sequence[str], ranges: Mapping[str, Sequence[Range]]) -> dict[str, list[Any]]:
    return {
        "kind": [_name_of(kind) for kind in kinds],
        "from": [utc_text(ranges[kind][0][0]) for kind in kinds],
        "to": [utc_text(ranges[kind][-1][1]) for kind in kinds],
        "bands": [len(ranges[kind]) for kind in kinds],
    }


def _name_of(kind: str) -> str:
    return kind.removeprefix(f"{GENERIC_INSTRUMENT}/")


def _topic_kind(name: str) -> str:
    return name if "/" in name else f"{GENERIC_INSTRUMENT}/{name}"


def _words(kinds: Sequence[str], n_matching: int, n: int, covered: Covered) -> str:
    """How many kinds are shown, of those that match the search, of all."""
    n_looked = sum(kind in covered.ranges for kind in kinds)
    found = number_of(n, "kind") if n_matching == n else f"{n_matching:,} of {number_of(n, 'kind')}"
    looking = f", looking: {n_looked} of {len(kinds)}" if covered.is_looking and n_looked < len(kinds) else ""
    more = f", the first {MAX_LANES} shown: search for others" if n_matching > len(kinds) else ""
    return f"{found}{more}{looking} \N{MIDDLE DOT} drag over a range to choose it"
