"""The interface of an instrument that reads time correlation packets, for `downlink clock`."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ..clock.correlation import FitSettings, Pairs
from ..model.batches import ColumnBatch
from .instrument import Instrument


class ClockSource(Instrument):
    """An instrument whose packets pair onboard counts with UTC."""

    pair_container: ClassVar[str]
    """Container of the time correlation packets."""

    @abstractmethod
    def correlation_pairs(self, rows: ColumnBatch) -> Pairs:
        """Return the valid pairs of rows of `pair_container`."""

    @abstractmethod
    def fit_settings(self) -> FitSettings:
        """Return how pairs are split into contacts and partitions."""
