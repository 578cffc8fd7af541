"""The tabs of the page: those of the engine, and those that mission packages declare.

In: looks, each with what imports its class. Out: for the state what it keeps, for pages what makes each tab. A look
whose class cannot be imported is left out, with a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import structlog

from ..model.errors import DownlinkError
from ..model.looks import Kept, Look

_log = structlog.get_logger("dashboard")


@dataclass(frozen=True, slots=True)
class Tab:
    """A look of a mission, and what imports its class; None where the engine draws it from its declaration."""

    look: Look
    mission: str = ""
    load: Callable[[], Any] | None = None


class MadeTab(NamedTuple):
    """A look of a mission, and its class or what else makes it; one that `opens_others` is given what opens them."""

    look: Look
    make: Callable[..., Any]
    mission: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Kinds of product of which rows are kept, and those that are pictures with what their camera is called."""

    rows: Mapping[str, Kept] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


def shown(tabs: Sequence[Tab]) -> Shown:
    """What all tabs need together: of a kind that several show, the most rows and all columns."""
    rows: dict[str, Kept] = {}
    for tab in tabs:
        for kind, kept in tab.look.kept.items():
            rows[kind] = _joined(rows[kind], kept) if kind in rows else kept
    return Shown(rows, {kind: name for tab in tabs for kind, name in tab.look.images.items()})


def _joined(one: Kept, other: Kept) -> Kept:
    columns = tuple(dict.fromkeys((*one.columns, *other.columns)))
    common = tuple(dict.fromkeys((*one.common, *other.common)))

    def derive(rows: Any, before: Any) -> Any:
        return one.derive(dict(rows), before) | other.derive(rows, before)

    return Kept(max(one.capacity, other.capacity), columns, common, derive)


def makers(tabs: Sequence[Tab]) -> Iterator[MadeTab]:
    """What makes each tab, imported; Bokeh is imported with it."""
    from .cameras_look import CamerasLook  # noqa: PLC0415 - needs Bokeh, an optional extra
    from .curves_look import CurvesLook  # noqa: PLC0415

    for tab in tabs:
        if tab.load is None:
            engine: Any = CamerasLook if tab.look.images else CurvesLook
            yield MadeTab(tab.look, partial(engine, tab.look), tab.mission)
            continue
        try:
            yield MadeTab(tab.look, tab.load(), tab.mission)
        except DownlinkError as error:
            _log.warning("a tab is left out", tab=tab.look.title, why=str(error))
