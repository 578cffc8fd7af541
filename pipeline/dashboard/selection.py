"""What a viewer of one page has chosen, and its address: a link opens the same, a reload loses nothing.

The address is a query string: `look`, `stream`, `theme`, and of the selection `p` (a drawn parameter) and `pin`, once
for each, `from` and `to` (ISO 8601, UTC), `pass` (of a history), `q` (the search), `list` (pinned), `fold` (all:
containers are folded up) and `but` (a container that is not as the others, once for each), `limits` (a limits set).
It comes from outside: `read_address` leaves out what is not printable, too long, too many or no time, and never raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from ..model.printable import printable

MAX_CHOSEN = 12
"""Parameters drawn at once."""
MAX_PINS = 60
MAX_UNLIKE, MAX_FOLDED = 40, 2000
"""Containers that are folded or opened one by one: in an address, and in all."""
MAX_KEY, MAX_NAME, MAX_SEARCH = 330, 200, 100
"""Characters of the key of a parameter, of the name of a look or a stream, and of a search."""
MAX_ADDRESS = 6000
"""Characters of a query string: servers and proxies take 8,000. Pins that have no room are left out."""
_EARLIEST_MS, _LATEST_MS = -631_152_000_000.0, 7_258_118_400_000.0
"""1950 and 2200."""

Query = Mapping[str, Sequence[str]]
RangeMs = tuple[float, float]
"""First and last instant of what is drawn, UTC in ms since 1970."""


@dataclass(slots=True)
class Selection:
    """Shared by the looks of one page. `range_ms`: of all plots against time; None: they follow what comes."""

    chosen: list[str] = field(default_factory=list)
    """Keys of the parameters that are drawn, in order."""
    pins: list[str] = field(default_factory=list)
    range_ms: RangeMs | None = None
    moment_ms: RangeMs | None = None
    """A moment that is marked in all plots: onboard time and time of reception, NaN where one is not known."""
    apid: str = ""
    """Of the packets that are taken apart."""
    pass_name: str = ""
    """Of the pass of a history whose books are shown; empty: the last one of the range."""
    limits_set: str = ""
    """By which ranges of alarms are drawn and values judged; empty: that of the services."""
    search: str = ""
    only_pins: bool = False
    fold_all: bool = False
    """Whether containers are folded up: their parameters are not listed."""
    unlike: set[str] = field(default_factory=set)
    """Containers that are folded up where the others are not, or open where the others are folded up."""

    def draw_only(self, key: str) -> None:
        """Draw one parameter, and no other."""
        self.chosen = [key]

    def toggle_drawn(self, key: str) -> None:
        """Add a parameter to the plot, or remove it; beyond MAX_CHOSEN the oldest one is removed."""
        self.chosen = _toggled(self.chosen, key)[-MAX_CHOSEN:]

    def toggle_pin(self, key: str) -> None:
        """Pin or unpin a parameter; beyond MAX_PINS the oldest pin is removed."""
        self.pins = _toggled(self.pins, key)[-MAX_PINS:]

    def toggle_folded(self, container: str) -> None:
        """Fold a container up, or open it."""
        if container in self.unlike or len(self.unlike) < MAX_FOLDED:
            self.unlike ^= {container}

    def is_folded(self, container: str) -> bool:
        """Whether the parameters of a container are not listed: a search and the list of pins show them all."""
        return (container in self.unlike) != self.fold_all and not (self.search or self.only_pins)

    def act(self, verb: str, key: str) -> bool:
        """Carry out an action on a parameter or a container. False for a verb that is none of ours."""
        actions = {
            "draw": self.draw_only,
            "toggle": self.toggle_drawn,
            "add": self._add,
            "drop": self._drop,
            "pin": self.toggle_pin,
            "fold": self.toggle_folded,
        }
        is_known = verb in actions and 0 < len(key) <= MAX_KEY
        if is_known:
            actions[verb](printable(key))
        return is_known

    def _add(self, key: str) -> None:
        if key not in self.chosen:
            self.toggle_drawn(key)

    def _drop(self, key: str) -> None:
        self.chosen = [one for one in self.chosen if one != key]

    def take(self, other: Selection) -> None:
        """Become equal to another selection; looks that share this one see the change."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))


def _toggled(keys: Sequence[str], key: str) -> list[str]:
    return [one for one in keys if one != key] if key in keys else [*keys, key]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a page asks for: a look and a stream by name ("": none), the theme, and the selection."""

    look: str = ""
    stream: str = ""
    dark: bool = True
    selection: Selection = field(default_factory=Selection)

    def query(self) -> str:
        """The query string, without its question mark."""
        one = self.selection
        pairs = [("look", self.look)] if self.look else []
        pairs += [("stream", self.stream)] if self.stream else []
        pairs += [] if self.dark else [("theme", "light")]
        pairs += [("p", key) for key in one.chosen]
        pairs += [("apid", one.apid)] if one.apid else []
        pairs += [("pass", one.pass_name)] if one.pass_name else []
        pairs += [("limits", one.limits_set)] if one.limits_set else []
        pairs += [("q", one.search)] if one.search else []
        pairs += [("list", "pinned")] if one.only_pins else []
        pairs += [("fold", "all")] if one.fold_all else []
        if one.range_ms:
            pairs += [(name, _iso(ms)) for name, ms in zip(("from", "to"), one.range_ms, strict=True)]
        if one.moment_ms:
            names = zip(("at", "at_received"), one.moment_ms, strict=True)
            pairs += [(name, _iso(ms)) for name, ms in names if math.isfinite(ms)]
        n_free = MAX_ADDRESS - len(_encoded(pairs))
        for pair in [*(("pin", key) for key in one.pins), *(("but", name) for name in sorted(one.unlike))]:
            n_free -= len(_encoded([pair])) + 1
            if n_free < 0:
                break
            pairs.append(pair)
        return _encoded(pairs)


def read_address(query: Query) -> Asked:
    """What a query string asks for, within the bounds above; what is wrong in it is left out."""
    keys = [key[:MAX_KEY] for key in _texts(query, "p", MAX_CHOSEN, MAX_KEY)]
    selection = Selection(
        chosen=keys,
        pins=_texts(query, "pin", MAX_PINS, MAX_KEY),
        range_ms=read_range_ms(_last(query, "from", 40), _last(query, "to", 40)),
        moment_ms=_moment_ms(_last(query, "at", 40), _last(query, "at_received", 40)),
        apid=apid if (apid := _last(query, "apid", 4)).isdecimal() else "",
        pass_name=_last(query, "pass", MAX_NAME),
        limits_set=_last(query, "limits", MAX_NAME),
        search=_last(query, "q", MAX_SEARCH),
        only_pins=_last(query, "list", 10) == "pinned",
        fold_all=_last(query, "fold", 10) == "all",
        unlike=set(_texts(query, "but", MAX_UNLIKE, MAX_KEY)),
    )
    return Asked(
        look=_last(query, "look", MAX_NAME),
        stream=_last(query, "stream", MAX_NAME),
        dark=_last(query, "theme", 10) != "light",
        selection=selection,
    )


def _texts(query: Query, name: str, max_n: int, max_length: int) -> list[str]:
    """Distinct printable texts, the first `max_n` of them; longer ones are none of ours."""
    found = (printable(text) for text in query.get(name, ()) if 0 < len(text) <= max_length)
    return list(dict.fromkeys(found))[:max_n]


def _last(query: Query, name: str, max_length: int) -> str:
    return printable(query[name][-1][:max_length]) if query.get(name) else ""


def read_range_ms(first: str, last: str) -> RangeMs | None:
    """A range from two ISO 8601 times, UTC without a zone; None for what is none."""
    found = _milliseconds(first), _milliseconds(last)
    return checked_range_ms(*found)


def _moment_ms(onboard: str, received: str) -> RangeMs | None:
    """A moment by one or two clocks; None where neither is a time near this century."""
    found = [_milliseconds(text) for text in (onboard, received)]
    first, second = (ms if _EARLIEST_MS <= ms <= _LATEST_MS else math.nan for ms in found)
    return None if math.isnan(first) and math.isnan(second) else (first, second)


def checked_range_ms(first_ms: float, last_ms: float) -> RangeMs | None:
    """A range of times that can be drawn; None where the two are not finite, not in order, or not near this century."""
    known = math.isfinite(first_ms) and math.isfinite(last_ms)
    return (first_ms, last_ms) if known and _EARLIEST_MS <= first_ms < last_ms <= _LATEST_MS else None


def _milliseconds(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1e3


def _iso(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1e3, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    return urlencode(pairs)
