"""MEPA, the orbiter's energetic particle analyser: counts of three kinds of particle become rates and flux.

In: MEPA, eight channels each of electrons, protons and ions. Out: `mepa/flux`, one row an accumulation.

    r = C / t;  r_true = r / (1 - r d);  J = r_true / (G eta dE);  sigma = J / C^0.5

The dead time of a counter that cannot be extended is textbook (Knoll); the telescope: Tang et al. 2020 (Earth Planet.
Phys., doi 10.26464/epp2020055). Energies are recalled, all other numbers assumed. A channel that counted nothing has
the sigma of one count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Positive, Source, Span, Table
from ....products.draft import Draft, flag
from ....products.instrument import Instrument
from ....products.rotations import Floats
from .kinds import FLUX

_KINDS = ("electron", "proton", "ion")
_UNIT = "cm-2 s-1 sr-1 MeV-1"


class Telescope(Table):
    """One kind of particle: the range that its channels divide equally in the logarithm, and what is let in."""

    source: Source
    energy_mev: Span
    geometric_factor_cm2_sr: Positive
    efficiency: Annotated[float, Field(gt=0, le=1)]

    def edges_mev(self, n_channels: int) -> Floats:
        return np.asarray(np.geomspace(self.energy_mev[0], self.energy_mev[1], n_channels + 1))


class Counter(Table):
    """The electronics behind it."""

    source: Source
    dead_time_s: Positive
    s_per_count: Positive


class MepaCalibration(Calibration):
    """`calibration/mepa.toml`."""

    counter: Counter
    electron: Telescope
    proton: Telescope
    ion: Telescope


class Mepa(Instrument):
    """All three kinds."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "MEPA": frozenset({"ACCUMULATION", *(kind.upper() for kind in _KINDS)})
    }
    model = MepaCalibration
    landed = False
    calibration: MepaCalibration

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        seconds = np.asarray(rows.columns["ACCUMULATION"], np.float64) * self.calibration.counter.s_per_count
        arrays: dict[str, Quantity] = {"accumulation_s": Quantity(seconds, "s", "from the time of the row on")}
        quality = rows.quality.copy()
        for kind in _KINDS:
            found, bits = self._flux(rows, kind, seconds)
            arrays |= found
            quality |= bits
        tuple(f"{kind}_total_flux" for kind in _KINDS)
        frames = {"look": "the one direction of the telescope; attitude is not sent"}
        yield Draft(FLUX, rows, rows.time_ns, arrays, quality, {"frames": frames})

    def _flux(
        self, rows: ColumnBatch, kind: str, seconds: Floats
    ) -> tuple[dict[str, Quantity], NDArray[np.uint32]]:
        telescope: Telescope = getattr(self.calibration, kind)
        counts = np.asarray(rows.columns[kind.upper()], np.float64)
        rate = counts / seconds[:, None]
        alive = 1 - rate * self.calibration.counter.dead_time_s
        blind = np.asarray(~(alive > 0).all(axis=1))
        true = rate / np.where(alive > 0, alive, np.nan)
        edges = telescope.edges_mev(counts.shape[1])
        wide = np.diff(edges)
        flux = true / (telescope.geometric_factor_cm2_sr * telescope.efficiency * wide)
        one = 1 / (seconds[:, None] * telescope.geometric_factor_cm2_sr * telescope.efficiency * wide)
        sigma = np.where(counts > 0, flux / np.sqrt(np.maximum(counts, 1)), one)
        channel = f"{kind}_channel"
        return {
            f"{kind}_rate_per_s": Quantity(true, "s-1", "without dead time", ("row", channel)),
            f"{kind}_flux": Quantity(flux, _UNIT, "differential", ("row", channel)),
            f"{kind}_flux_sigma": Quantity(sigma, _UNIT, "one sigma of counting", ("row", channel)),
            f"{kind}_total_flux": Quantity((flux * wide).sum(axis=1), "cm-2 s-1 sr-1", "over the channels"),
            f"{kind}_energy_low_mev": Quantity(edges[:-1], "MeV", "of the channel", (channel,)),
            f"{kind}_energy_high_mev": Quantity(edges[1:], "MeV", "of the channel", (channel,)),
        }, flag(blind, Quality.SATURATED) | flag(np.asarray(~(seconds > 0)), Quality.OUT_OF_RANGE)
