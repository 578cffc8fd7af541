"""The looks of one page, a tab each: which are shown, which one is in sight, and which are made.

A look is made when it is first seen, or ahead of that while few pages are open; of hidden looks of all pages together a
bounded number is kept (`HiddenLooks`), and one that was dropped is made again when it is seen again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bokeh.models import TabPanel, Tabs

from ..model.displays import Display
from . import theme
from .admission import HiddenLooks
from .display_tabs import DisplayTabs
from .extra_scripts import ExtraScripts
from .panels import empty_place
from .selection import Selection
from .tabs import MadeTab
from .theme import sheet


class LookTabs:
    """Tabs are numbered in the order of `makers`; a display that comes later is put at its end."""

    def __init__(
        self,
        makers: list[MadeTab],
        displays: Mapping[str, Sequence[Display]],
        title: str,
        selection: Selection,
        hidden: HiddenLooks,
        open_kind: Callable[[str, int], None],
        turned: Callable[[], None],
    ) -> None:
        """`title`: of the look in sight at first, the first one where there is none of that title. `open_kind`: for
        looks that open others. `turned` is called when another look is in sight.
        """
        self._makers, self._selection, self._hidden = makers, selection, hidden
        self._open_kind, self._on_turn = open_kind, turned
        self.made: dict[int, Any] = {}
        """Looks, by number."""
        self._unwanted: set[int] = set()
        """Looks to take from the page at the next tick."""
        self._dropped: set[int] = set()
        """Looks that were taken from the page: they are made again when they are seen, not ahead of that."""
        self._empty: set[int] = set()
        """Looks of kinds of products that never came."""
        self.places: list[Any] = [empty_place(is_row=one.look.is_row) for one in makers]
        self._panels = [
            TabPanel(title=one.look.title, child=place) for one, place in zip(makers, self.places, strict=True)
        ]
        self._displays = DisplayTabs(makers, self.places, self._panels, selection)
        self._displays.follow(displays, self._make_anew)
        self._shown = list(range(len(makers)))
        """Numbers of the tabs that are shown: those of the mission in sight, all where it has none of its own."""
        titles = [one.look.title for one in makers]
        self._seen = titles.index(title) if title in titles else 0
        self.scripts = ExtraScripts()
        self.root = Tabs(
            tabs=list(self._panels),
            active=self._seen,
            sizing_mode="stretch_both",
            name="looks",
            stylesheets=[sheet(theme.TABS_CSS)],
        )
        self.root.on_change("active", self._turned)

    @property
    def title(self) -> str:
        """Of the look in sight."""
        return self._makers[self._seen].look.title

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of product that the look in sight shows."""
        return self._makers[self._seen].look.kinds

    @property
    def place(self) -> Any:
        """Where the look in sight stands."""
        return self.places[self._seen]

    @property
    def in_sight(self) -> Any:
        """The look in sight, made where it was not yet."""
        return self.look(self._seen)

    def look(self, number: int) -> Any:
        """A look, made and put into its place where it was not yet."""
        if number not in self.made:
            make = self._makers[number].make
            look = self.made[number] = make(*self._given(make))
            parts, look.root.children = look.root.children, []
            self.scripts.put(self.places[number], parts)
        return self.made[number]

    def showing(self, kind: str) -> int | None:
        """The number of the last tab in the row that shows a kind of product; None where none does."""
        return next((i for i in reversed(self._shown) if kind in self._makers[i].look.kinds), None)

    def turn_to(self, number: int) -> None:
        """Bring a look into sight, of a tab that is shown."""
        self.root.active = self._shown.index(number)

    def turn_to_title(self, title: str) -> None:
        """Bring the look of a title into sight; the first one where there is none."""
        number = self.titled(title)
        self.turn_to(self._shown[0] if number is None else number)

    def titled(self, title: str) -> int | None:
        """The number of the tab of a title, of those shown."""
        return next((i for i in self._shown if self._makers[i].look.title == title), None)

    def follow(self, displays: Mapping[str, Sequence[Display]], mission: str, came: Iterable[str]) -> None:
        """Show the tabs of a mission. `came`: kinds of product that there are of its stream."""
        self._displays.follow(displays, self._make_anew)
        self._show_tabs(mission)
        self._hide_empty(set(came))

    def unmade(self) -> int | None:
        """The number of a look to be made ahead, where there is one."""
        unmade = (i for i in self._shown if i not in self.made and i not in self._dropped)
        return next((i for i in unmade if i not in self._empty), None)

    def make_ahead(self, number: int) -> None:
        """Make a look that was not seen yet; it counts as hidden."""
        if number not in self.made:  # it was seen meanwhile
            self.look(number)
            self._hidden.hide(self, number, self._unwanted.add)

    def drop_unwanted(self) -> None:
        """Remove the looks that are not to be kept; each is made again when it is seen again."""
        while self._unwanted:
            number = self._unwanted.pop()
            if number != self._seen and self.made.pop(number, None):
                self.scripts.drop(self.places[number])
                self._dropped.add(number)

    def close(self) -> None:
        """Nobody looks at the page any more."""
        self._hidden.closed(self)

    def _given(self, make: Any) -> Iterator[Any]:
        """What a look asks for: what opens other looks, the selection that looks share."""
        if getattr(make, "opens_others", False):
            yield self._open_kind
        if getattr(make, "shares_selection", False):
            yield self._selection

    def _make_anew(self, number: int) -> None:
        """A look is drawn otherwise from now on."""
        if self.made.pop(number, None):
            self.scripts.drop(self.places[number])

    def _show_tabs(self, mission: str) -> None:
        """Show the tabs of a mission beside those of any; of all missions where it has none of its own."""
        of = [one.mission for one in self._makers]
        has_own = mission != "" and mission in of
        numbers = [i for i, one in enumerate(of) if not has_own or one in ("", mission)]
        numbers = [i for i in numbers if i not in self._displays.gone]
        panels = [self._panels[i] for i in numbers]
        if panels != self.root.tabs:
            self._shown = numbers
            seen = self._seen if self._seen in numbers else 0
            self.root.update(tabs=panels, active=numbers.index(seen))

    def _hide_empty(self, came: set[str]) -> None:
        """Show no tabs of looks whose products never came, but for the one in sight."""
        kinds = [one.look.kinds for one in self._makers]
        self._empty = {i for i, of in enumerate(kinds) if of and came.isdisjoint(of) and i != self._seen}
        places = [place for place, i in enumerate(self._shown) if i in self._empty]
        if self.root.tags != [places]:
            self.root.tags = [places]

    def _turned(self, _attr: str, _old: int, active: int) -> None:
        """Another look is seen."""
        old, new = self._seen, self._shown[min(active, len(self._shown) - 1)]
        if old == new:
            return
        self._seen = new
        if old in self.made:
            self._hidden.hide(self, old, self._unwanted.add)
        self._hidden.shown(self, new)
        self._unwanted.discard(new)
        self._on_turn()
