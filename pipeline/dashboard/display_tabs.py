"""Tabs of a page for the displays of missions: one for each file, made again when the file changes, removed with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bokeh.models import TabPanel

from ..model.displays import Display
from ..model.looks import Look
from .display_look import DisplayLook
from .panels import empty_place
from .selection import Selection
from .tabs import MadeTab


class DisplayTabs:
    """Adds to the lists of a page, whose numbers stay: `makers`, `places` and `panels`, an entry for each tab."""

    def __init__(
        self, makers: list[MadeTab], places: list[Any], panels: list[TabPanel], selection: Selection
    ) -> None:
        self._makers, self._places, self._panels, self._selection = makers, places, panels, selection
        self._known: Mapping[str, Sequence[Display]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._shown: dict[int, Display] = {}
        self.gone: set[int] = set()
        """Numbers of tabs whose files are no longer there."""

    def follow(self, displays: Mapping[str, Sequence[Display]], drop: Callable[[int], None]) -> None:
        """Bring the tabs up to the displays of each mission; `drop` gets the number of one that has changed."""
        if displays is self._known:
            return
        self._known = displays
        there: set[int] = set()
        for mission, of in displays.items():
            for one in of:
                number = self._number(mission, one)
                there.add(number)
                if self._shown[number] != one:
                    self._shown[number] = one
                    self._makers[number] = self._maker(mission, one)
                    if self._panels[number].title != one.title:  # Bokeh writes the title of a panel once
                        self._panels[number] = TabPanel(title=one.title, child=self._places[number])
                    drop(number)
        self.gone = set(self._numbers.values()) - there

    def _number(self, mission: str, one: Display) -> int:
        key = mission, one.name
        if key not in self._numbers:
            number = self._numbers[key] = len(self._makers)
            self._shown[number] = one
            self._makers.append(self._maker(mission, one))
            self._places.append(empty_place())
            self._panels.append(TabPanel(title=one.title, child=self._places[number]))
        return self._numbers[key]

    def _maker(self, mission: str, one: Display) -> MadeTab:
        return MadeTab(Look(one.title), partial(DisplayLook, one, self._selection), mission)
