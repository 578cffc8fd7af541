"""What a calibration may ask for beside a radargram as it is: noise, migration, topography, loss tangent, polarimetry.

In: a `Section`, the traces of one run with their background removed. Out: the traces with noise attenuated and
migrated, and the words for the lineage; arrays over elevation; drafts of `gpr/loss_tangent_high` (and `_low`; HH, a
row a run) and `gpr/polarimetry_high` (the places of HH, where all four polarisations came). Loss tangent and
polarimetry are of amplitudes before noise attenuation and migration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Quantity
from ....products.draft import Draft
from .kinds import KINDS
from .radar_calibration import LossTangent, Noise, Processing
from .radar_denoising import low_rank_in_windows, median, predicted
from .radar_depth import velocity_m_ns
from .radar_filters import Floats, Samples
from .radar_loss import Loss, loss_tangent
from .radar_migration import migrate
from .radar_migration_layers import Velocity, kirchhoff, phase_shift
from .radar_polarimetry import POLARIZATIONS, looks, polarimetry, same_cycle
from .radar_spacing import Grid
from .radar_topography import over_elevation

_IMAGE = ("row", "sample")


@dataclass(frozen=True, slots=True)
class Section:
    """Traces of one run and polarisation at even distances, background removed: `clean`; without alignment: `still`.

    Both complex64 [n, m]; two-way times [m]; the grid of n places, east, north, up [n, 3], the shift of the direct
    wave ns [n], onboard times and quality [n]. `rows`: the records that it was made of; `noise`: one sigma of each.
    """

    rows: ColumnBatch
    clean: Samples
    still: Samples
    twt_ns: Floats
    grid: Grid
    position_enu_m: Floats
    shift_ns: Floats
    noise: Floats
    time_ns: NDArray[np.int64]
    quality: NDArray[np.uint32]

    @property
    def interval_ns(self) -> float:
        return float(self.twt_ns[1] - self.twt_ns[0]) if len(self.twt_ns) > 1 else 1.0


def improved(section: Section, wanted: Processing) -> tuple[Samples, list[str]]:
    """The traces with noise attenuated, then migrated, where that is asked for; and what was done, in words."""
    clean, steps = section.clean, []
    if wanted.noise is not None:
        clean, step = _attenuated(clean, section, wanted.noise, wanted.signal.band_mhz)
        steps.append(step)
    method = "stolt" if wanted.filters.migrate else wanted.migration.method if wanted.migration else None
    if method is not None and len(section.twt_ns) > 1:
        clean, step = _migrated(clean, section, wanted, method)
        steps.append(step)
    return clean, steps


def _attenuated(clean: Samples, section: Section, noise: Noise, band_mhz: list[float]) -> tuple[Samples, str]:
    size = f"{noise.n_traces} traces by {noise.n_samples} samples"
    if noise.method == "median":
        return median(clean, noise.n_traces, noise.n_samples), f"noise: median of {size}"
    if noise.method == "fx":
        done = predicted(clean, noise.n_before, noise.n_traces, noise.n_samples)
        return done, f"noise: f-x prediction from {noise.n_before} traces, in windows of {size}"
    band = (band_mhz[0], band_mhz[1])
    done, rank = low_rank_in_windows(clean, noise.n_samples, section.interval_ns, band, noise.rank)
    step = f"noise: the {rank:.1f} largest singular values, on average, of {len(clean)} traces"
    return done, f"{step} by {noise.n_samples} samples"


def _migrated(clean: Samples, section: Section, wanted: Processing, method: str) -> tuple[Samples, str]:
    ground, spacing_m, start_ns = wanted.ground, section.grid.spacing_m, float(section.twt_ns[0])
    velocity = Velocity.of(ground.permittivity, ground.thickness_m)
    if method == "kirchhoff" and wanted.migration is not None:
        angle = wanted.migration.aperture_deg
        done = kirchhoff(clean, spacing_m, section.interval_ns, velocity, start_ns, angle)
        return done, f"Kirchhoff migration within {angle:g} degrees"
    if method == "phase_shift":
        return phase_shift(clean, spacing_m, section.interval_ns, velocity, start_ns), "phase-shift migration"
    speed = velocity_m_ns(ground.permittivity[0])
    return migrate(clean, spacing_m, section.interval_ns, speed, start_ns), "Stolt migration"


def topographic(
    amplitude: NDArray[np.float32], depth_m: Floats, up_m: Floats, wanted: Processing
) -> dict[str, Quantity]:
    """The amplitude over elevation; nothing where it is not asked for."""
    if wanted.topography is None or amplitude.shape[1] < 2:
        return {}
    counted = "up from where the position was last re-zeroed"
    return over_elevation(amplitude, depth_m, up_m, wanted.topography.step_m, counted)


def loss_drafts(name: str, sections: Mapping[str, Section], wanted: Processing) -> Iterator[Draft]:
    """`gpr/loss_tangent_...` of HH, one row; nothing where it is not asked for, or the run holds too little."""
    how, section = wanted.loss_tangent, sections.get("HH")
    found = None if how is None or section is None else _loss_of(section, how)
    if how is None or section is None or found is None:
        return
    arrays = {
        "loss_tangent": (found.decay, "1", "of amplitudes that fall with time, spreading taken off"),
        "loss_tangent_sigma": (found.decay_sigma, "1", "one sigma, by what the fit leaves"),
        "loss_tangent_systematic": (
            found.decay_spreading_sigma, "1", "one sigma of the spreading's power, the same in every run",
        ),
        "loss_tangent_spectral": (found.spectral, "1", "of high frequencies that fall faster than low ones"),
        "loss_tangent_spectral_sigma": (found.spectral_sigma, "1", "one sigma, by what the fit leaves"),
        "first_window_ns": (found.time_ns[0], "ns", "two-way time of the middle of the first window"),
        "last_window_ns": (found.time_ns[-1], "ns", "two-way time of the middle of the last window"),
        "run_m": (section.grid.distance_m[-1], "m", "length of the run"),
    }  # fmt: skip
    quantities = {
        key: Quantity(np.array([value], np.float64), unit, what) for key, (value, unit, what) in arrays.items()
    }
    middle = section.time_ns[len(section.time_ns) // 2 :][:1]
    lineage = {
        "polarization": "HH",
        "spreading_power": how.spreading_power,
        "spreading_power_sigma": how.spreading_power_sigma,
        "window_ns": how.window_ns,
        "n_windows": len(found.time_ns),
        "n_frequencies": found.n_frequencies,
    }
    quality = np.bitwise_or.reduce(section.quality, keepdims=True)
    product = name.replace("radargram", "loss_tangent")
    yield Draft(KINDS[product], section.rows, middle, quantities, quality, lineage)


def _loss_of(section: Section, how: LossTangent) -> Loss | None:
    return loss_tangent(
        section.clean,
        section.twt_ns,
        span_ns=(how.span_ns[0], how.span_ns[1]),
        window_ns=how.window_ns,
        band_mhz=(how.band_mhz[0], how.band_mhz[1]),
        spreading=(how.spreading_power, how.spreading_power_sigma),
        noise_from_ns=how.noise_from_ns,
    )


def polarimetry_drafts(
    name: str, rows: ColumnBatch, sections: Mapping[str, Section], wanted: Processing
) -> Iterator[Draft]:
    """`gpr/polarimetry_...` at the places of HH; nothing where it is not asked for or a polarisation is missing."""
    how = wanted.polarimetry
    if how is None or any(kind not in sections for kind in POLARIZATIONS):
        return
    hh, band = sections["HH"], (wanted.signal.band_mhz[0], wanted.signal.band_mhz[1])
    at = {kind: same_cycle(one.time_ns, hh.time_ns) for kind, one in sections.items()}
    traces = {kind: one.clean[at[kind]] for kind, one in sections.items()}
    n_looks = looks(how.n_traces, how.n_samples, hh.interval_ns, band)
    found = asdict(polarimetry(traces, how.n_traces, how.n_samples, n_looks))
    arrays = {
        key: Quantity(values, _unit(key), _SAID[key.removesuffix("_sigma")], _IMAGE)
        for key, values in found.items()
    }
    arrays |= {
        "twt_ns": Quantity(hh.twt_ns, "ns", "two-way travel time from the peak of the direct wave", ("sample",)),
        "distance_m": Quantity(hh.grid.distance_m, "m", "along the track, from the first trace of the run"),
    }
    quality = np.bitwise_or.reduce([one.quality[at[kind]] for kind, one in sections.items()], axis=0)
    lineage = {"n_looks": n_looks, "window_traces": how.n_traces, "window_samples": how.n_samples}
    product = name.replace("radargram", "polarimetry")
    yield Draft(KINDS[product], rows, hh.time_ns, arrays, quality.astype(np.uint32), lineage)


def _unit(name: str) -> str:
    return "dB" if "_db" in name else "degree" if name.endswith("_deg") else "1"


_SAID = {
    "vv_over_hh_db": "power of VV over that of HH, mean of a window",
    "cross_over_hh_db": "mean power of HV and VH over that of HH, mean of a window",
    "coherence_hh_vv": "of HH with VV, 0 to 1",
    "phase_hh_vv_deg": "of HH times the conjugate of VV",
    "coherence_hv_vh": "of HV with VH, 0 to 1; 1 where the ground is reciprocal and nothing is noise",
}
