"""MINPA, the orbiter's ion and neutral particle analyser: counts over energy and direction become flux and moments.

In: MINPA, one scan of 4 s of one species a packet. Out: `minpa/spectrum`, one row a scan: differential energy flux by
energy (mean over directions) and by direction (mean over energies), and the moments of what was in view:

    DEF = C / (t G eta);  f = m^2 DEF / (2 E^2);  n = sum f v^2 dv dOmega = sum (m / 2E)^0.5 DEF dlnE dOmega
    n V = - sum DEF dlnE dOmega look;  P = m/3 sum f |v - V|^2 v^2 dv dOmega;  T = P / n

Moments as in Paschmann and Daly 1998 (ISSI SR-001, ch. 6). Range, 4 s, field of view and species: Kong et al. 2020
(Earth Planet. Phys., doi 10.26464/epp2020053). Steps, geometric factor and efficiency are assumed. Ions out of the
field of view (90 deg wide) are missing, and the moments are as coarse as the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from pipeline.batches import ColumnBatch, Quality, Quantity
from pipeline.instruments.calibration import Calibration, Positive, Range, Source, Span, Table
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.products import Draft, column_quantity, flag
from pipeline.instruments.rotations import Floats

_CHARGE_C, _ATOMIC_MASS_KG = 1.602176634e-19, 1.66053906660e-27
_UNIT = "eV cm-2 s-1 sr-1 eV-1"
_END_OF_SCALE = 65535
_MASS_U = {"H+": 1.00728, "HE2+": 4.0015, "HE+": 4.0021, "O+": 15.9944, "O2+": 31.9893, "CO2+": 43.9892}
_CHARGES = {"HE2+": 2}


class Grid(Table):
    """Energies per charge and directions."""

    source: Source
    energy_ev: Span
    elevation_deg: Range
    azimuth_deg: Range


class Analyzer(Table):
    """What is let in."""

    source: Source
    geometric_factor_cm2_sr: Positive
    efficiency: Annotated[float, Field(gt=0, le=1)]
    s_per_count: Positive


class MinpaCalibration(Calibration):
    """`calibration/minpa.toml`."""

    grid: Grid
    analyzer: Analyzer


class Minpa(Instrument):
    """One species a scan."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"MINPA": frozenset({"SPECIES", "ACCUMULATION", "COUNTS"})}
    model = MinpaCalibration
    max_rows = 256
    landed = False
    calibration: MinpaCalibration

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        counts = np.asarray(rows.columns["COUNTS"], np.float64)
        species = np.asarray(rows.columns["SPECIES"])
        analyzer, grid = self.calibration.analyzer, self.calibration.grid
        seconds = np.asarray(rows.columns["ACCUMULATION"], np.float64) * analyzer.s_per_count
        let_in = seconds * analyzer.geometric_factor_cm2_sr * analyzer.efficiency
        flux = counts / let_in[:, None, None, None]
        energy = np.geomspace(grid.energy_ev[0], grid.energy_ev[1], counts.shape[1])
        look, solid_angle = directions(grid, *counts.shape[2:])
        charges = np.array([_CHARGES.get(one, 1) for one in species], np.float64)
        mass_kg = np.array([_MASS_U.get(one, np.nan) for one in species]) * _ATOMIC_MASS_KG
        share = solid_angle / solid_angle.sum()
        arrays = {
            "species": column_quantity(rows, "SPECIES", "", "of the ions"),
            "energy_flux": Quantity(
                (flux * share).sum(axis=(2, 3)), _UNIT, "mean over directions", ("row", "energy")
            ),
            "direction_flux": Quantity(
                flux.mean(axis=1), _UNIT, "mean over energies", ("row", "elevation", "azimuth")
            ),
            "counts": Quantity(counts.sum(axis=(1, 2, 3)), "1", "of the whole scan"),
            "energy_ev": Quantity(energy, "eV", "per charge, middle of the step", ("energy",)),
            **moments(flux, let_in, energy, charges, mass_kg, look, solid_angle),
        }
        nothing = np.asarray(counts.sum(axis=(1, 2, 3)) == 0)
        strange = np.asarray(~(seconds > 0) | np.isnan(mass_kg))
        quality = rows.quality | flag(strange, Quality.OUT_OF_RANGE) | flag(nothing, Quality.NO_REFERENCE)
        quality |= flag(np.asarray((counts >= _END_OF_SCALE).any(axis=(1, 2, 3))), Quality.SATURATED)
        frames = {"velocity, elevation, azimuth": "axes of the instrument (assumed); attitude is not sent"}
        latest = ("species", "density_cm3", "speed_km_s", "temperature_ev")
        yield Draft("spectrum", "2B", rows, rows.time_ns, arrays, quality, latest, {"frames": frames})


def directions(grid: Grid, n_elevations: int, n_azimuths: int) -> tuple[Floats, Floats]:
    """Unit vectors looked at [e, a, 3] and solid angles [e, a], sr; bins divide both ranges equally."""
    elevation, azimuth = (
        np.radians(np.linspace(limits[0], limits[1], n + 1))
        for limits, n in ((grid.elevation_deg, n_elevations), (grid.azimuth_deg, n_azimuths))
    )
    up, round_ = (elevation[1:] + elevation[:-1])[:, None] / 2, (azimuth[1:] + azimuth[:-1]) / 2
    level = np.cos(up) * np.ones_like(round_)
    look = np.stack([level * np.cos(round_), level * np.sin(round_), np.sin(up) * np.ones_like(round_)], axis=-1)
    return look, np.diff(np.sin(elevation))[:, None] * np.diff(azimuth)


def moments(
    flux: Floats,
    let_in: Floats,
    energy_ev: Floats,
    charges: Floats,
    mass_kg: Floats,
    look: Floats,
    solid_angle: Floats,
) -> dict[str, Quantity]:
    """Density, velocity and temperature of differential energy flux [n, k, e, a], with the density's sigma of counting.

    `let_in [n]`: counts per unit of flux; `energy_ev [k]` per charge; `look [e, a, 3]`; `solid_angle [e, a]`.
    """
    step = np.log(energy_ev[-1] / energy_ev[0]) / (len(energy_ev) - 1)
    joule = energy_ev * _CHARGE_C * charges[:, None]
    speed = np.sqrt(2 * joule / mass_kg[:, None])  # m/s [n, k]
    weight = solid_angle * step * 1e4 / speed[:, :, None, None]  # m^-3 per (cm-2 s-1 sr-1)
    density = (flux * weight).sum(axis=(1, 2, 3))
    sigma = np.sqrt((flux / let_in[:, None, None, None] * weight**2).sum(axis=(1, 2, 3)))
    part = flux * weight / density[:, None, None, None]
    velocity = -np.einsum("nkea,nk,eac->nc", part, speed, look)
    mean_square = np.einsum("nkea,nk->n", part, speed**2)
    spread = mean_square - (velocity**2).sum(axis=1)
    return {
        "density_cm3": Quantity(density * 1e-6, "cm-3", "of what was in view"),
        "density_sigma_cm3": Quantity(sigma * 1e-6, "cm-3", "one sigma of counting"),
        "velocity_km_s": Quantity(velocity * 1e-3, "km s-1", "axes of the instrument", ("row", "axis")),
        "speed_km_s": Quantity(np.sqrt((velocity**2).sum(axis=1)) * 1e-3, "km s-1", "of the bulk"),
        "temperature_ev": Quantity(mass_kg * spread / 3 / _CHARGE_C, "eV", "k T, a third of the pressure's trace"),
    }
