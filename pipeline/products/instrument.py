"""What an instrument is: the containers it reads, how their rows group, and what it makes of a group.

The suite calls `attach` with rows as they arrive (the place for what needs their order: attitude, counters), cuts
them by `keys`, calls `drafts` with one whole group at a time, and `end` when nothing more comes. Several instruments
may read one container, each with groups of its own: products of another scale (a section of a whole run, the field of
a whole site) are an instrument of another's `family`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..model.batches import ColumnBatch, Event
from .calibration import Calibration
from .context import Context
from .draft import Draft
from .rows import window_keys
from .uncertainty import UNKNOWN


class Auxiliary(ABC):
    """Rows of some containers that other instruments look up by time, such as attitude. One object for a stream.

    It takes every row of the stream before instruments see them, also those of instruments that do not use it.
    """

    containers: ClassVar[frozenset[str]]
    """What it takes rows of; rows of other containers are passed over."""

    @abstractmethod
    def add_rows(self, batches: Sequence[ColumnBatch], jumps: NDArray[np.int64]) -> None:
        """Add rows in packet order. `jumps: int64[k]`: ascending orders at which a container's clock went back."""

    @abstractmethod
    def complete_to(self, containers: Iterable[str]) -> int:
        """Give the packet order below which all rows of `containers` were added; rows before it need not wait."""

    @abstractmethod
    def forget(self) -> None:
        """Drop what no later row can see."""


class Instrument(ABC):
    """One instrument of one stream.

    `containers` names the columns that it needs of each container; `model` is its calibration file; a group has at
    most `max_rows` rows; each row of a container in `singles` is a product of its own, made at once. With an
    `auxiliary`, a row waits for the next row of each container in `waits_for` while at most `wait_rows` rows of its own
    come. `family`: the instrument whose name its products have and whose calibration file it reads; empty: its own.
    One that has not `landed` is not at the mission's site: its context has none, and its clock is uncorrelated.
    """

    containers: ClassVar[Mapping[str, frozenset[str]]]
    model: ClassVar[type[Calibration]]
    max_rows: ClassVar[int] = 1024
    singles: ClassVar[frozenset[str]] = frozenset()
    wait_rows: ClassVar[int] = 0
    waits_for: ClassVar[tuple[str, ...]] = ()
    auxiliary: ClassVar[type[Auxiliary] | None] = None
    family: ClassVar[str] = ""
    landed: ClassVar[bool] = True
    row_by_row: ClassVar[frozenset[str]] = frozenset()
    """Containers of whose drafts each row depends on one row alone, as many on each; all else in a draft, types too, is
    always the same, and no event comes with it. `drafts` then takes several groups at once, and the suite cuts what
    it gives into those of each: a call for a batch costs little more than one for a group."""
    no_uncertainty: ClassVar[str] = UNKNOWN
    """Why those of its products have no uncertainty that have none."""
    frames: ClassVar[Mapping[str, str]] = {}
    """Reference frames in words, by the part of array names that stands for them, beside those of `frames.py`."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules that this instrument alone needs and imports where it uses them; loaded before the first bytes come."""

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        self.context = context
        self.calibration = self.model.model_validate(dict(calibration))

    def attach(
        self,
        rows: ColumnBatch,
        auxiliary: Any,  # noqa: ARG002 - most need none
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        """The rows with columns that depend on what came before them. `auxiliary`: of the class that it names, or None.

        A row may also use the first auxiliary row after it, if its order is below `until int64[n]`.
        """
        return rows

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """Int64[n, k]: a group ends where a key changes."""
        return window_keys(rows, self.context.window_s)

    def alike(self, rows: ColumnBatch) -> bool:  # noqa: ARG002 - most always are
        """Whether `drafts` takes these rows of several groups at once, of a container in `row_by_row`."""
        return True

    @abstractmethod
    def drafts(self, rows: ColumnBatch) -> Iterator[Draft | Event]:
        """Products of one group of rows (at least one) of one container and APID, and what an operator should hear.

        An event tells the receive time of the row that it is about, and in its details the onboard time.
        """

    def end(self) -> Iterator[Draft | Event]:
        """What is made of rows that were held over from earlier groups, when the stream ends."""
        yield from ()


def load_libraries(instruments: Iterable[type[Instrument]]) -> None:
    """Import what these instruments need besides their own modules, before a pass begins: it can take seconds."""
    for instrument in instruments:
        for library in instrument.libraries:
            import_module(library)


def family(name: str, instrument: type[Instrument]) -> str:
    """The instrument whose name the products of this one have, and whose calibration file it reads."""
    return instrument.family or name
