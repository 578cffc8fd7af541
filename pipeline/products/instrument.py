"""The interface of an instrument: the containers that it reads, how it groups their rows, what it makes of a group.

The suite calls `attach` with rows as they arrive (for what depends on their order: attitude, counters), cuts them by
`keys`, calls `drafts` with one complete group at a time, and `end` at the end of the stream. Several instruments may
read one container, each with its own groups: products of another scale (a section of a complete drive, the field of a
site) are made by an instrument of the same `family`.
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
    """Rows of some containers that instruments look up by time, such as attitude. One object for each stream.

    It gets every row of the stream before the instruments do.
    """

    containers: ClassVar[frozenset[str]]
    """Containers whose rows it uses; rows of others are ignored."""

    @abstractmethod
    def add_rows(self, batches: Sequence[ColumnBatch], jumps: NDArray[np.int64]) -> None:
        """Add rows in packet order. `jumps: int64[k]`: ascending packet orders at which a clock went back."""

    @abstractmethod
    def complete_to(self, containers: Iterable[str]) -> int:
        """Return the packet order below which all rows of `containers` were added; rows before it need not wait."""

    @abstractmethod
    def forget(self) -> None:
        """Drop rows that no later row can use."""


class Instrument(ABC):
    """One instrument of one stream.

    `containers`: the columns that it needs, by container. `model`: of its calibration file. `max_rows`: of a group.
    `singles`: containers of which each row is a group of its own, processed at once. With an `auxiliary`, a row waits
    until the next row of each container in `waits_for` has arrived, or `wait_rows` more rows of its own container.
    `family`: the instrument whose name its products have and whose calibration file it reads; empty: its own. `landed`:
    whether it is at the mission's site; if not, its context has no site and an uncorrelated clock.
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
    """Containers whose drafts have the same number of rows for each packet, each computed from that packet only;
    everything else in a draft, types included, must be constant, and no events are allowed. The suite then calls
    `drafts` with several groups at once and splits the result, since a call costs more than a group."""
    any_groups: ClassVar[frozenset[str]] = frozenset()
    """Containers whose groups only limit how long rows wait: products do not depend on where a group ends. The suite
    then calls `drafts` with adjacent groups as one."""
    no_uncertainty: ClassVar[str] = UNKNOWN
    """The reason to give in products without an uncertainty."""
    frames: ClassVar[Mapping[str, str]] = {}
    """Descriptions of reference frames, by the part of array names that means them, beside those of `frames.py`."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules that only this instrument needs and imports in functions; loaded before a pass begins."""

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        self.context = context
        self.calibration = self.model.model_validate(dict(calibration))

    def attach(
        self,
        rows: ColumnBatch,
        auxiliary: Any,  # noqa: ARG002 - most need none
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        """Return the rows, with columns added that depend on earlier rows. `auxiliary`: object of its class, or None.

        A row may also use the first auxiliary row after it, if the packet order of that is below `until int64[n]`.
        """
        return rows

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """Return keys int64[n, k]: a group ends where one changes."""
        return window_keys(rows, self.context.window_s)

    def alike(self, rows: ColumnBatch) -> bool:  # noqa: ARG002 - most always are
        """Whether `drafts` may be called with these rows of several groups of a container in `row_by_row`."""
        return True

    @abstractmethod
    def drafts(self, rows: ColumnBatch) -> Iterator[Draft | Event]:
        """Make the products of a group of rows (at least one) of one container and APID, and events for the operator.

        An event has the receive time of its row, and the onboard time in its details.
        """

    def copy_views(self) -> None:  # noqa: B027 - most keep no rows
        """Copy the rows kept from earlier calls of `drafts`, which may be views of a batch and keep all of it.

        Called before the rows of each next batch.
        """

    def end(self) -> Iterator[Draft | Event]:
        """End the stream: make the products of rows that were kept from earlier groups."""
        yield from ()


def load_libraries(instruments: Iterable[type[Instrument]]) -> None:
    """Import the `libraries` of instruments before a pass begins, since it can take seconds."""
    for instrument in instruments:
        for library in instrument.libraries:
            import_module(library)


def family(name: str, instrument: type[Instrument]) -> str:
    """The instrument whose name the products of this one have, and whose calibration file it reads."""
    return instrument.family or name
