"""Parts of BokehJS that few looks need (tables, WebGL, TeX): a page loads them before it shows such a look.

The looks of this room need the scripts of each page alone (`web_scripts.py`); those of packages may hold any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from bokeh.embed.bundle import bundle_for_objs_and_resources
from bokeh.models import CustomJS, TextInput
from bokeh.resources import Resources
from bokeh.server.views.static_handler import StaticHandler

from .panels import UNMADE
from .web_scripts import COMPONENTS


class ExtraScripts:
    """Puts parts of looks into their places once the page has the scripts for them.

    `wanted` has the addresses of scripts, one after the other, which the page's script loads; it adds each to `loaded`.
    """

    def __init__(self) -> None:
        self.wanted, self.loaded = (
            TextInput(name=f"scripts_{name}", visible=False) for name in ("wanted", "loaded")
        )
        self.wanted.js_on_change("value", CustomJS(code="load_scripts()"))
        self.loaded.on_change("value", self._came)
        self._waiting: dict[Any, tuple[set[str], list[Any]]] = {}

    def put(self, place: Any, parts: Sequence[Any]) -> None:
        """Make `parts` the children of `place` when all scripts that they need are there."""
        self._waiting.pop(place, None)
        missing = needed_scripts(parts) - set(self.loaded.value.split())
        if not missing:
            place.update(children=list(parts), css_classes=[])
            return
        self._waiting[place] = missing, list(parts)
        self.wanted.value = " ".join(sorted({*self.wanted.value.split(), *missing}))

    def drop(self, place: Any) -> None:
        """Empty a place, of which nothing is to come any more."""
        self._waiting.pop(place, None)
        place.update(children=[], css_classes=[UNMADE])

    def _came(self, _attr: str, _old: str, loaded: str) -> None:
        there = set(loaded.split())
        for place, (missing, parts) in list(self._waiting.items()):
            if missing <= there:
                del self._waiting[place]
                place.update(children=parts, css_classes=[])


def needed_scripts(parts: Sequence[Any]) -> set[str]:
    """Addresses of scripts that models, with those that they refer to, need beside those of each page."""
    files = bundle_for_objs_and_resources(list(parts), _resources()).js_files
    return {one.url for one in files} - _of_each_page()


@cache
def _of_each_page() -> frozenset[str]:
    return frozenset(_resources().clone(components=list(COMPONENTS)).js_files)


@cache
def _resources() -> Resources:
    return Resources(mode="server", root_url="/", path_versioner=StaticHandler.append_version)
