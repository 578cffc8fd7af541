"""`calibration/gpr.toml`: the two channels of the radar, and how their radargrams are made."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ....products.calibration import Calibration, Positive, Range, Source, Span, Table

_FEWEST_SAMPLES = 32
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Permittivity = Annotated[float, Field(ge=1, le=100)]


class RadarChannel(Table):
    """One channel: two-way time of a bin with one sigma, lengths of a record, and the step of its frame counter."""

    source: Source
    sample_interval_ns: Positive
    sample_interval_sigma_ns: _NotNegative
    valid_lengths_bytes: Annotated[list[Annotated[int, Field(ge=8, le=65528)]], Field(min_length=1)]
    frame_count_step: Annotated[int, Field(ge=1, le=128)]


class Signal(Table):
    """Where the signal lies: `carrier_mhz` was mixed away on board; `conjugate`: phases turn the other way."""

    source: Source
    carrier_mhz: _NotNegative
    conjugate: bool
    band_mhz: Range
    taper_mhz: Positive
    upsampling: Annotated[int, Field(ge=1, le=16)]


class TimeZero(Table):
    """When the direct wave comes, how far a trace may be moved to meet the others, and what is kept around it."""

    source: Source
    direct_wave_ns: _NotNegative
    correlation_window_ns: Positive
    longest_shift_ns: _NotNegative
    kept_before_ns: _NotNegative
    kept_after_ns: Positive


class Filters(Table):
    """Spacing, windows and gains. `gain`: of the quick-look.

    `trace_interval_m`: about how far traces are apart, the positions tell how far; `spacing_tolerance`: the share of it
    by which the spacing may vary within a run before traces are interpolated.
    """

    source: Source
    trace_interval_m: Positive
    spacing_tolerance: Annotated[float, Field(gt=0, le=0.5)]
    longest_gap_traces: Annotated[int, Field(ge=2, le=20)]
    longest_pause_s: Positive
    dewow_window_ns: Positive
    background_window_traces: Annotated[int, Field(ge=2, le=10_000)]
    gain: Literal["agc", "sec"]
    agc_window_ns: Positive
    sec_power: _NotNegative
    sec_attenuation_db_ns: _NotNegative
    sec_cap_ns: Positive
    migrate: bool


class Ground(Table):
    """What turns time into depth: layers from the top, the last without an end; how far the antennas are apart.

    `permittivity_sigma`: one sigma for each layer.
    """

    source: Source
    permittivity: Annotated[list[_Permittivity], Field(min_length=1, max_length=32)]
    permittivity_sigma: Annotated[list[_NotNegative], Field(min_length=1, max_length=32)]
    thickness_m: Annotated[list[Positive], Field(max_length=31)]
    antenna_separation_m: _NotNegative

    @model_validator(mode="after")
    def _one_less(self) -> Self:
        if len(self.thickness_m) != len(self.permittivity) - 1:
            raise ValueError("every layer but the last has a thickness")
        if len(self.permittivity_sigma) != len(self.permittivity):
            raise ValueError("every layer has a permittivity and one sigma of it")
        return self


class Noise(Table):
    """Attenuation of random noise, which changes amplitudes. `method`: what is done, see `radar_denoising`.

    `median`: over `n_traces` by `n_samples`. `svd`: the `rank` largest singular values of all traces, in windows of
    `n_samples`; 0: as many as stand out of noise. `fx`: prediction from `n_before` traces, in windows of `n_traces` by
    `n_samples`.
    """

    source: Source
    method: Literal["median", "svd", "fx"]
    n_traces: Annotated[int, Field(ge=1, le=1024)] = 5
    n_samples: Annotated[int, Field(ge=1, le=8192)] = 1
    rank: Annotated[int, Field(ge=0, le=1024)] = 0
    n_before: Annotated[int, Field(ge=1, le=32)] = 4

    @model_validator(mode="after")
    def _wide_enough(self) -> Self:
        if self.method == "fx" and self.n_traces <= 2 * self.n_before:
            raise ValueError("fx: a window of n_traces holds more than twice n_before")
        if self.method == "svd" and self.n_samples < _FEWEST_SAMPLES:
            raise ValueError(f"svd: a window has {_FEWEST_SAMPLES} samples or more")
        return self


class Migration(Table):
    """Migration in the layers of `ground`, which changes amplitudes; `aperture_deg`: of Kirchhoff's sum."""

    source: Source
    method: Literal["stolt", "kirchhoff", "phase_shift"]
    aperture_deg: Annotated[float, Field(gt=0, le=80)] = 35.0


class Topography(Table):
    """Radargrams over elevation beside those over time; `step_m` of elevation, without the finest that depth has."""

    source: Source
    step_m: Positive | None = None


class LossTangent(Table):
    """Where and how the loss tangent is looked for; `spreading_power`: of time, with one sigma."""

    source: Source
    span_ns: Span
    window_ns: Positive
    band_mhz: Range
    spreading_power: _NotNegative
    spreading_power_sigma: _NotNegative
    noise_from_ns: Positive | None = None


class Polarimetry(Table):
    """The window over which the four polarisations are compared."""

    source: Source
    n_traces: Annotated[int, Field(ge=1, le=1024)]
    n_samples: Annotated[int, Field(ge=1, le=8192)]


class Processing(Table):
    """How the radargrams of one channel are made. What is None is not done."""

    signal: Signal
    time_zero: TimeZero
    filters: Filters
    ground: Ground
    noise: Noise | None = None
    migration: Migration | None = None
    topography: Topography | None = None
    loss_tangent: LossTangent | None = None
    polarimetry: Polarimetry | None = None

    @model_validator(mode="after")
    def _migrated_once(self) -> Self:
        if self.filters.migrate and self.migration is not None:
            raise ValueError("filters.migrate is Stolt's migration: false where a table migration says which")
        return self


class GprCalibration(Calibration):
    """`calibration/gpr.toml`."""

    high_frequency: RadarChannel
    low_frequency: RadarChannel
    radargram_high: Processing
    radargram_low: Processing

    def channel(self, container: str) -> RadarChannel:
        return self.high_frequency if container == "GPR_HF" else self.low_frequency

    def processing(self, container: str) -> Processing:
        return self.radargram_high if container == "GPR_HF" else self.radargram_low
