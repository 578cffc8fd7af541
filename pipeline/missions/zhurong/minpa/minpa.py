"""MINPA, the orbiter's ion and neutral particle analyser: counts over energy and direction become flux and moments.

In: MINPA, one scan of 4 s of one species a packet. Out: `minpa/spectrum`, one row a scan: differential energy flux by
energy (mean over directions) and by direction (mean over energies), density, velocity and temperature:

    DEF = C / (t G eta);  f = m^2 DEF / (2 E^2);  n = sum f v^2 dv dOmega = sum (m / 2E)^0.5 DEF dlnE dOmega
    n V = - sum DEF dlnE dOmega look;  P = m/3 sum f |v - V|^2 v^2 dv dOmega;  T = P / n

Moments as in Paschmann and Daly 1998 (ISSI SR-001, ch. 6). The sums over bins are unfolded from the width of the
bins and the field of view (`ion_moments`), with one sigma of counting; a scan whose counts are in too few bins has the
plain sums, and NaN as sigma. Range, 4 s, field of view and species: Kong et al. 2020 (Earth Planet. Phys., doi
10.26464/epp2020053). Steps, geometric factor and efficiency are assumed. Neither background nor the potential of the
spacecraft is taken off: nothing is published of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Positive, Range, Source, Span, Table
from ....products.draft import Draft, column_quantity, flag
from ....products.instrument import Instrument
from ....products.rotations import Floats
from .ion_moments import Directions, Moments, maxwellian_moments
from .kinds import SPECTRUM

_CHARGE_C, _ATOMIC_MASS_KG = 1.602176634e-19, 1.66053906660e-27
_UNIT = "eV cm-2 s-1 sr-1 eV-1"
_END_OF_SCALE = 65535
_MASS_U = {"H+": 1.00728, "HE2+": 4.0015, "HE+": 4.0021, "O+": 15.9944, "O2+": 31.9893, "CO2+": 43.9892}
_CHARGES = {"HE2+": 2}
_OF_COUNTING = "one sigma of counting; NaN where too few bins have counts: the value is then a plain sum over them"


class Grid(Table):
    """Energies per charge and directions."""

    source: Source
    energy_ev: Span
    elevation_deg: Range
    azimuth_deg: Range

    def directions(self, n_elevations: int, n_azimuths: int) -> Directions:
        """Bins that divide both ranges equally."""
        sizes = ((self.elevation_deg, n_elevations), (self.azimuth_deg, n_azimuths))
        elevation, azimuth = (np.radians(np.linspace(low, high, n + 1)) for (low, high), n in sizes)
        return Directions(tuple(elevation.tolist()), tuple(azimuth.tolist()))


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
        of = grid.directions(*counts.shape[2:])
        _, solid_angle = of.middles()
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
            **_flux_sigmas(counts, let_in, share),
            "counts": Quantity(counts.sum(axis=(1, 2, 3)), "1", "of the whole scan"),
            "energy_ev": Quantity(energy, "eV", "per charge, middle of the step", ("energy",)),
            **self._moments(counts, let_in, energy, charges, mass_kg),
        }
        nothing = np.asarray(counts.sum(axis=(1, 2, 3)) == 0)
        strange = np.asarray(~(seconds > 0) | np.isnan(mass_kg))
        quality = rows.quality | flag(strange, Quality.OUT_OF_RANGE) | flag(nothing, Quality.NO_REFERENCE)
        quality |= flag(np.asarray((counts >= _END_OF_SCALE).any(axis=(1, 2, 3))), Quality.SATURATED)
        frames = {"velocity, elevation, azimuth": "axes of the instrument (assumed); attitude is not sent"}
        yield Draft(SPECTRUM, rows, rows.time_ns, arrays, quality, {"frames": frames})

    def _moments(
        self, counts: Floats, let_in: Floats, energy_ev: Floats, charges: Floats, mass_kg: Floats
    ) -> dict[str, Quantity]:
        """Those of a Maxwellian with the sums of the counts, else the plain sums."""
        of = self.calibration.grid.directions(*counts.shape[2:])
        flux = counts / let_in[:, None, None, None]
        plain = moments(flux, let_in, energy_ev, charges, mass_kg, *of.middles())
        speed = np.sqrt(2 * energy_ev * _CHARGE_C * charges[:, None] / mass_kg[:, None]) * 1e-3
        step = float(np.log(energy_ev[-1] / energy_ev[0]) / (len(energy_ev) - 1))
        found = maxwellian_moments(counts, let_in, speed, step, of)
        return _with_sigmas(plain, found, mass_kg * 1e6 / _CHARGE_C)


def _flux_sigmas(counts: Floats, let_in: Floats, share: Floats) -> dict[str, Quantity]:
    """One sigma of both means, with that of one count where nothing was counted."""
    words = "one sigma of counting; that of one count where there was none"
    of_energy = np.sqrt((counts * share**2).sum(axis=(2, 3)))
    of_energy = np.where(of_energy > 0, of_energy, share.mean()) / let_in[:, None]
    of_direction = np.sqrt(np.maximum(counts.sum(axis=1), 1)) / (counts.shape[1] * let_in[:, None, None])
    return {
        "energy_flux_sigma": Quantity(of_energy, _UNIT, words, ("row", "energy")),
        "direction_flux_sigma": Quantity(of_direction, _UNIT, words, ("row", "elevation", "azimuth")),
    }


def _with_sigmas(plain: Mapping[str, Quantity], found: Moments, ev_per_km2_s2: Floats) -> dict[str, Quantity]:
    """The unfolded values with one sigma of counting; where there are none, the plain sums."""
    known = np.isfinite(found.density)
    speed = np.sqrt((found.velocity**2).sum(axis=1))
    sigma = np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))
    along = found.velocity / speed[:, None]
    temperature = found.variance * ev_per_km2_s2
    unfolded: dict[str, Floats] = {
        "density_cm3": found.density,
        "density_cm3_sigma": found.density * sigma[:, 0],
        "velocity_km_s": found.velocity,
        "velocity_km_s_sigma": sigma[:, 1:4],
        "speed_km_s": speed,
        "speed_km_s_sigma": np.sqrt(np.einsum("na,nab,nb->n", along, found.covariance[:, 1:4, 1:4], along)),
        "temperature_ev": temperature,
        "temperature_ev_sigma": temperature * sigma[:, 4],
    }
    arrays: dict[str, Quantity] = {}
    for name, values in unfolded.items():
        of = plain[name.removesuffix("_sigma")]
        instead = plain[name].values if name in plain else np.nan
        words = _OF_COUNTING if name.endswith("_sigma") else of.description
        mixed = np.where(known if values.ndim == 1 else known[:, None], values, instead)
        arrays[name] = Quantity(mixed, of.unit, words, of.dims)
    return arrays


def moments(
    flux: Floats,
    let_in: Floats,
    energy_ev: Floats,
    charges: Floats,
    mass_kg: Floats,
    look: Floats,
    solid_angle: Floats,
) -> dict[str, Quantity]:
    """Plain sums over the bins of differential energy flux [n, k, e, a]: density, velocity, speed, temperature.

    `let_in [n]`: counts per unit of flux; `energy_ev [k]` per charge; `look [e, a, 3]`; `solid_angle [e, a]`. What is
    out of view is not in them. With the density's sigma of counting.
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
    size = np.sqrt((velocity**2).sum(axis=1))
    return {
        "density_cm3": Quantity(density * 1e-6, "cm-3", "of a Maxwellian with the sums of the counts"),
        "density_cm3_sigma": Quantity(sigma * 1e-6, "cm-3", _OF_COUNTING),
        "velocity_km_s": Quantity(velocity * 1e-3, "km s-1", "axes of the instrument", ("row", "axis")),
        "speed_km_s": Quantity(size * 1e-3, "km s-1", "of the bulk"),
        "temperature_ev": Quantity(mass_kg * spread / 3 / _CHARGE_C, "eV", "k T, a third of the pressure's trace"),
    }
