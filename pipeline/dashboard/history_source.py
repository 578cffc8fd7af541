"""What the page asks of a history: its streams, passes, parameters, and rows of a range of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .binned import Binned

Ns = int
"""Nanoseconds since 1970-01-01, UTC."""
Range = tuple[Ns, Ns]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """A stream of a history: its kinds as topics have them (`<instrument>/<product>`), and the times of its rows."""

    mission: str
    name: str
    kinds: tuple[str, ...]
    first_ns: Ns
    last_ns: Ns

    @property
    def key(self) -> str:
        return f"{self.mission}/{self.name}"


@dataclass(frozen=True, slots=True)
class StoredPass:
    """A pass of a stream, as the history keeps it. `received`: ISO 8601 texts of its first and last frame, empty where
    not known; `state`: `open` while a service still writes it, else `complete`; `first_ns`, `end_ns`: the days that its
    rows are of, or when it was received where they have no time; `rows`: by kind as topics have it; `report`, `events`:
    as their topics have them.
    """

    name: str
    received: tuple[str, str] = ("", "")
    state: str = "complete"
    first_ns: Ns = 0
    end_ns: Ns = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()

    def is_in(self, start: Ns, end: Ns) -> bool:
        """Whether any of its days is in a range of time."""
        return self.first_ns < end and start < self.end_ns


@dataclass(frozen=True, slots=True)
class LoadedKind:
    """Rows of a kind in a range, as product maps like those of messages. `n_rows`: that the history has, of which
    `n_drawn` are here, as bins of `bin_ns` where that is not 0. `note`: what is left out, and why.
    """

    products: Sequence[Mapping[str, Any]]
    n_rows: int = 0
    n_drawn: int = 0
    bin_ns: int = 0
    note: str = ""
    binned: Mapping[str, Binned] = field(default_factory=dict)
    """By name of the parameter, counts and means of the bins."""
    step: int = 1
    """Of what has no least and greatest values, such as arrays, every so many rows are here."""


class HistorySource(Protocol):
    """A history as the page asks it. Every call may take long, and is made in a thread; a DownlinkError where it cannot
    be read.
    """

    url: str

    def streams(self) -> Sequence[StoredStream]:
        """The streams that it has."""

    def load(
        self, stream: StoredStream, kind: str, start: Ns, end: Ns, max_rows: int, *, whole: bool = False
    ) -> LoadedKind:
        """Rows of a kind; `whole`: no row without all of its arrays, as looks need them."""

    def parameters(self, stream: StoredStream) -> Sequence[tuple[str, str, str, str]]:
        """Kind, name, unit and description of every parameter of a stream."""

    def coverage(self, stream: StoredStream, kind: str, start: Ns, end: Ns, n: int) -> Sequence[Range]:
        """When there are rows of a kind: of `n` even bins those with rows, neighbours joined."""

    def http(self, hosts: Sequence[str]) -> Any:
        """Its HTTP interface as an ASGI application, asked by these names alone (none: by any)."""

    def passes(self, stream: StoredStream) -> Sequence[StoredPass]:
        """The passes of a stream, in order of reception."""
