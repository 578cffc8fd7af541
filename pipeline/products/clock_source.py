"""What an instrument is that reads time correlation packets: its pairs are fitted by `downlink clock`."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ..clock.correlation import FitSettings, Pairs
from ..model.batches import ColumnBatch
from .instrument import Instrument


class ClockSource(Instrument):
    """An instrument whose packets pair onboard counts with UTC."""

    pair_container: ClassVar[str]
    """The container of these packets."""

    @abstractmethod
    def correlation_pairs(self, rows: ColumnBatch) -> Pairs:
        """The sound pairs of rows of that container."""

    @abstractmethod
    def fit_settings(self) -> FitSettings:
        """How pairs are taken apart."""
