"""RoPeR's radargrams: the traces of one run, filtered, at even distances and in depth; a product for each polarisation.

In: GPR_HF and GPR_LF. Out: `gpr/radargram_high` and `gpr/radargram_low` (HH, and the only one of the low
frequency), the first also with `_hv`, `_vh` and `_vv`. A run ends at a long pause, a long gap, a clock that goes back,
a self-test that restarts the frame counter, and after `max_rows` records. Dropped: self-tests, traces with values that
are no numbers or without time or place, and runs of fewer than three traces.

The order is that of WDC Geophysics Beijing, dataset 417: mean and wow removed, band-pass without phase, even spacing
(traces as received where they have it), background of a sliding window. That of the direct wave, which jitters, is
taken from aligned traces and put back; no other part of a trace is moved. What comes out so is `amplitude` and
`envelope`, in counts as received, and `amplitude_unaligned`; gains are for `quicklook` only. What a calibration may ask
for beside (noise, migration, topography, loss tangent, polarimetry) is in `radar_options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import NO_TIME, ColumnBatch, Quality, Quantity
from ....products.context import Context
from ....products.draft import Draft, flag
from ....products.rotations import east_north_up
from ....products.rows import take, with_columns
from ..shared.attitude import Navigation
from ..shared.on_rover import OnRover
from . import radar_filters as filters
from . import radar_options as options
from .gpr import complex_parts, trace_lengths
from .kinds import KINDS
from .radar_calibration import GprCalibration, Processing
from .radar_depth import depth_m, depth_sigma_m, range_resolution_m, velocity_m_ns
from .radar_noise import noise_in_band
from .radar_options import Section
from .radar_spacing import Grid, along_track_m, at_grid, spaced, trace_numbers

FEWEST_TRACES = 3
_COURSE_M = 0.5
_LARGEST = 1e30
_PLACE = ("POSITION_X", "POSITION_Y", "POSITION_Z")
_NAME = {"GPR_HF": "radargram_high", "GPR_LF": "radargram_low"}
_NEEDED = frozenset({*_PLACE, "FRAME_COUNT", "WORK_MODE", "EFFECTIVE_LENGTH_BYTES", "SAMPLES"})


class Radargram(OnRover):
    """The radar, run by run. State of each channel: the last record's time, place and frame count, the run's number."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"GPR_HF": _NEEDED | {"POLARIZATION"}, "GPR_LF": _NEEDED}
    model = GprCalibration
    max_rows = 1024
    family = "gpr"
    calibration: GprCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._last: dict[tuple[str, int], tuple[NDArray[np.int64], NDArray[np.float64], int]] = {}

    def attach(
        self,
        rows: ColumnBatch,
        navigation: Navigation,  # noqa: ARG002 - the records bring their own
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        numbered = with_columns(rows, {"run": self._runs(rows)})
        science = np.asarray(rows.columns["WORK_MODE"]) != "SELF_TEST"
        return numbered if science.all() else take(numbered, science)

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        lengths = trace_lengths(rows, self.calibration.channel(rows.container))
        return np.stack([np.asarray(rows.columns["run"]), lengths], axis=1)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        wanted = self.calibration.processing(rows.container)
        kinds = np.asarray(rows.columns.get("POLARIZATION", np.full(len(rows), "HH")))
        sections = {}
        for kind in ("HH", "HV", "VH", "VV"):
            traces = _of(rows, kinds == kind)
            usable = _usable(traces)
            if np.count_nonzero(usable) >= FEWEST_TRACES:
                sections[kind] = self._section(_of(traces, usable), wanted)
                yield self._draft(sections[kind], kind)
        yield from options.loss_drafts(_NAME[rows.container], sections, wanted)
        yield from options.polarimetry_drafts(_NAME[rows.container], rows, sections, wanted)

    def _runs(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """The number of the run of each record: int64[n]."""
        channel, wanted = (
            self.calibration.channel(rows.container),
            self.calibration.processing(rows.container).filters,
        )
        place = _together(rows)
        count = np.asarray(rows.columns["FRAME_COUNT"]).astype(np.int64)
        known = np.stack([rows.time_ns, count], axis=1)
        before, last_place, run = self._last.get((rows.container, int(rows.apid[0])), (known[0], place[0], 0))
        earlier = np.vstack([before, known[:-1]])
        pause_s = (rows.time_ns - earlier[:, 0].astype(np.float64)) / 1e9
        moved = np.diff(np.vstack([last_place, place]), axis=0)
        far = ~((moved * moved).sum(axis=1) <= (wanted.longest_gap_traces * wanted.trace_interval_m) ** 2)
        step = (count - earlier[:, 1]) % 256
        tested = (np.asarray(rows.columns["WORK_MODE"]) == "SELF_TEST") & ((rows.quality & Quality.AFTER_GAP) == 0)
        restarted = tested & (count == 1) & ~np.isin(step, (0, 1, channel.frame_count_step))
        runs = run + np.cumsum(~((pause_s >= 0) & (pause_s <= wanted.longest_pause_s)) | far | restarted)
        self._last[rows.container, int(rows.apid[0])] = (known[-1], place[-1], int(runs[-1]))
        return np.asarray(runs)

    def _section(self, rows: ColumnBatch, wanted: Processing) -> Section:
        """The traces of one run and polarisation, their background removed, at even distances."""
        received = self._samples(rows)
        analytic, twt_ns, shift_ns = steadied(received, self._interval_ns(rows), wanted)
        place = _together(rows)
        grid = self._grid(rows, place, wanted)
        traces = at_grid(analytic, grid)
        clean = still = filters.remove_background(traces, wanted.filters.background_window_traces)
        if wanted.time_zero.longest_shift_ns > 0:
            clean = without_direct_wave(traces, still, twt_ns, at_grid(shift_ns, grid), wanted)
        position = east_north_up(at_grid(place, grid))
        noise = noise_in_band(received, self._interval_ns(rows), wanted)
        time_ns, quality = _times_and_quality(rows, grid)
        return Section(rows, clean, still, twt_ns, grid, position, at_grid(shift_ns, grid), noise, time_ns, quality)

    def _draft(self, section: Section, polarization: str) -> Draft:
        rows, grid = section.rows, section.grid
        wanted = self.calibration.processing(rows.container)
        clean, steps = options.improved(section, wanted)
        amplitude = np.ascontiguousarray(clean.real)
        arrays = {
            **_samples(amplitude, clean, section.twt_ns, wanted, self._time_share(rows)),
            **_unaligned(section.still, wanted),
            **_sigmas(section.noise, grid, wanted, steps),
            "distance_m": Quantity(grid.distance_m, "m", "along the track, from the first trace of the run"),
            "interpolated": Quantity(
                grid.part > 0, "", "between two traces; the others are traces as they were received"
            ),
            "position_enu_m": Quantity(
                section.position_enu_m,
                "m",
                "east, north, up from where the position was last re-zeroed",
                ("row", "east_north_up"),
            ),
            "time_shift_ns": Quantity(section.shift_ns, "ns", "how much later the direct wave was than the mean"),
        }
        arrays |= options.topographic(amplitude, arrays["depth_m"].values, section.position_enu_m[:, 2], wanted)
        product = _NAME[rows.container] + ("" if polarization == "HH" else f"_{polarization.lower()}")
        lineage = _history(wanted, polarization, grid, steps)
        return Draft(KINDS[product], rows, section.time_ns, arrays, section.quality, lineage)

    def _time_share(self, rows: ColumnBatch) -> float:
        """One sigma of the sample interval, as a share of it."""
        channel = self.calibration.channel(rows.container)
        return channel.sample_interval_sigma_ns / channel.sample_interval_ns

    def _grid(self, rows: ColumnBatch, place: NDArray[np.float64], wanted: Processing) -> Grid:
        step = self.calibration.channel(rows.container).frame_count_step
        numbers = trace_numbers(np.asarray(rows.columns["FRAME_COUNT"]).astype(np.int64), step)
        reach = _reach(wanted)
        nominal_m, tolerance = wanted.filters.trace_interval_m, wanted.filters.spacing_tolerance
        return spaced(along_track_m(place, reach), numbers, nominal_m, 2 * reach, tolerance)

    def _samples(self, rows: ColumnBatch) -> NDArray[np.complex64]:
        n_samples = int(trace_lengths(rows, self.calibration.channel(rows.container))[0])
        if rows.container == "GPR_HF":
            pairs = np.ascontiguousarray(rows.columns["SAMPLES"], np.float32)
            return pairs.view(np.complex64)[:, :n_samples]
        samples = np.empty((len(rows), n_samples), np.complex64)
        samples.real, samples.imag = complex_parts(rows, n_samples)
        return samples

    def _interval_ns(self, rows: ColumnBatch) -> float:
        return self.calibration.channel(rows.container).sample_interval_ns


def steadied(
    samples: NDArray[np.complex64], sample_interval_ns: float, wanted: Processing
) -> tuple[filters.Samples, filters.Floats, filters.Floats]:
    """Traces without mean and wow, in the band of the signal; none is moved in time.

    In: complex samples [n, m] as received. Out: analytic traces complex64 [n, k], two-way time ns [k] from the direct
    wave, and by how much that of each trace was later than the mean of all, ns [n].
    """
    signal, zero = wanted.signal, wanted.time_zero
    n_kept = min(int((zero.direct_wave_ns + zero.kept_after_ns) / sample_interval_ns) + 1, samples.shape[1])
    interval_ns, n_fine = sample_interval_ns / signal.upsampling, n_kept * signal.upsampling
    window_ns, longest_ns = zero.correlation_window_ns, zero.longest_shift_ns
    within = filters.direct_wave_window(n_fine, interval_ns, zero.direct_wave_ns, window_ns)
    first = max(0, int(np.ceil((zero.direct_wave_ns - zero.kept_before_ns) / interval_ns)))
    band = (signal.band_mhz[0], signal.band_mhz[1])
    passed = np.empty((len(samples), max(n_fine - first, 0)), np.complex64)
    waves = np.empty((len(samples), within.stop - within.start), np.complex64)
    for start in range(0, len(samples), filters.BLOCK_TRACES):
        block = slice(start, start + filters.BLOCK_TRACES)
        analytic, _ = filters.to_analytic(
            samples[block, :n_kept],
            sample_interval_ns,
            signal.carrier_mhz,
            conjugate=signal.conjugate,
            upsampling=signal.upsampling,
        )
        steady = filters.dewow(filters.remove_dc(analytic), wanted.filters.dewow_window_ns / interval_ns)
        waves[block] = steady[:, within]
        passed[block] = filters.band_pass(steady, interval_ns, band, signal.taper_mhz)[:, first:]
    shift_ns = np.zeros(len(samples))
    if longest_ns > 0:
        place = within.start, interval_ns, zero.direct_wave_ns
        shift_ns = filters.direct_wave_shift_ns(waves, *place, window_ns, longest_ns)
    twt_ns = np.arange(first, n_fine, dtype=np.float64) * interval_ns - zero.direct_wave_ns
    return passed, twt_ns, shift_ns


def without_direct_wave(
    traces: filters.Samples,
    still: filters.Samples,
    twt_ns: filters.Floats,
    shift_ns: filters.Floats,
    wanted: Processing,
) -> filters.Samples:
    """Traces less their background, that of the direct wave aligned; `still`: with none aligned.

    The direct wave fades out from half to the whole of the window that its shift is looked for in.
    """
    window_ns, interval_ns = wanted.time_zero.correlation_window_ns, float(twt_ns[1] - twt_ns[0])
    until = int(np.searchsorted(twt_ns, window_ns / 2)), int(np.searchsorted(twt_ns, window_ns))
    window = wanted.filters.background_window_traces
    return filters.remove_jittering(traces, still, window, shift_ns, until, interval_ns)


def quicklook(amplitude: NDArray[np.float32], twt_ns: filters.Floats, wanted: Processing) -> NDArray[np.float32]:
    """The picture: amplitudes with the gain that the calibration names, AGC or SEC."""
    use = wanted.filters
    if use.gain == "agc":
        interval_ns = float(twt_ns[1] - twt_ns[0]) if len(twt_ns) > 1 else 1.0
        return np.asarray(filters.agc(amplitude, use.agc_window_ns / interval_ns), np.float32)
    speed = velocity_m_ns(wanted.ground.permittivity[0])
    gain = filters.sec_gain(twt_ns, speed, use.sec_power, use.sec_attenuation_db_ns, use.sec_cap_ns)
    return amplitude * gain.astype(np.float32)


def _samples(
    amplitude: NDArray[np.float32],
    clean: filters.Samples,
    twt_ns: filters.Floats,
    wanted: Processing,
    time_share: float,
) -> dict[str, Quantity]:
    ground, image = wanted.ground, ("row", "sample")
    depth = depth_m(twt_ns, ground.permittivity, ground.thickness_m, ground.antenna_separation_m)
    sigma = depth_sigma_m(
        twt_ns,
        ground.permittivity,
        ground.permittivity_sigma,
        ground.thickness_m,
        ground.antenna_separation_m,
        time_share,
    )
    gain = wanted.filters.gain.upper()
    return {
        "amplitude": Quantity(amplitude, "1", "counts as received, filtered, without gain", image),
        "quicklook": Quantity(quicklook(amplitude, twt_ns, wanted), "1", f"with gain ({gain}): a picture", image),
        "envelope": Quantity(np.abs(clean), "1", "magnitude of the analytic signal, without gain", image),
        "twt_ns": Quantity(twt_ns, "ns", "two-way travel time from the peak of the direct wave", ("sample",)),
        "depth_m": Quantity(depth, "m", "with the permittivity of the calibration", ("sample",)),
        "depth_m_sigma": Quantity(sigma, "m", "one sigma, of permittivity and sample interval", ("sample",)),
    }


def _unaligned(still: filters.Samples, wanted: Processing) -> dict[str, Quantity]:
    """The same without any alignment; nothing where none was done."""
    if wanted.time_zero.longest_shift_ns == 0:
        return {}
    what = "as amplitude, the direct wave not aligned, nothing migrated"
    return {"amplitude_unaligned": Quantity(np.ascontiguousarray(still.real), "1", what, ("row", "sample"))}


def _sigmas(noise: filters.Floats, grid: Grid, wanted: Processing, improved: list[str]) -> dict[str, Quantity]:
    """One sigma of the noise of each place [k], by that of each trace [n]; less between two traces."""
    right = np.minimum(grid.left + 1, len(noise) - 1)
    sigma = np.hypot((1 - grid.part) * noise[grid.left], grid.part * noise[right])
    before = ", before it was attenuated and migrated" if improved else ""
    words = f"one sigma of the noise, of all samples of the trace{before}"
    names = ["amplitude", "envelope", *(["amplitude_unaligned"] if wanted.time_zero.longest_shift_ns > 0 else [])]
    return {f"{name}_sigma": Quantity(sigma, "1", words) for name in names}


def _times_and_quality(rows: ColumnBatch, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Between those of the two traces; FRAGMENT where some that should stand between them are missing."""
    right = np.minimum(grid.left + 1, len(rows) - 1)
    span_ns = rows.time_ns[right] - rows.time_ns[grid.left]
    time_ns = rows.time_ns[grid.left] + np.rint(grid.part * span_ns).astype(np.int64)
    missing = grid.gap_m > 2.5 * grid.spacing_m
    beside = np.where(grid.part > 0, rows.quality[right], np.uint32(0))
    quality = rows.quality[grid.left] | beside | flag(missing, Quality.FRAGMENT)
    return time_ns, quality


def _history(wanted: Processing, polarization: str, grid: Grid, improved: list[str]) -> dict[str, Any]:
    use, ground, band = wanted.filters, wanted.ground, wanted.signal.band_mhz
    steps = [
        "self-tests removed",
        "trace mean removed",
        f"dewow over {use.dewow_window_ns:g} ns",
        "peak of the direct wave is time zero",
        f"band-pass {band[0]:g} to {band[1]:g} MHz, zero phase",
        f"traces {'as received' if grid.as_received else 'interpolated'}, each {grid.spacing_m:.4f} m",
        f"background of {use.background_window_traces} traces removed{_of_direct_wave(wanted)}",
        *improved,
    ]
    return {
        "processing": steps,
        "polarization": polarization,
        "trace_spacing_m": grid.spacing_m,
        "permittivity": list(ground.permittivity),
        "permittivity_sigma": list(ground.permittivity_sigma),
        "layer_thickness_m": list(ground.thickness_m),
        "antenna_separation_m": ground.antenna_separation_m,
        "range_resolution_m": range_resolution_m(band[1] - band[0], ground.permittivity[0]),
        "frames": {"position": "local east, north, up"},
    }


def _of_direct_wave(wanted: Processing) -> str:
    zero = wanted.time_zero
    if zero.longest_shift_ns == 0:
        return ""
    until = f"{zero.correlation_window_ns / 2:g} to {zero.correlation_window_ns:g} ns"
    return f", that of the direct wave (until {until}) aligned by at most {zero.longest_shift_ns:g} ns"


def _of(rows: ColumnBatch, chosen: NDArray[np.bool_]) -> ColumnBatch:
    """The chosen rows [n]; the same, not copied, where all are."""
    return rows if chosen.all() else take(rows, chosen)


def _usable(rows: ColumnBatch) -> NDArray[np.bool_]:
    """Traces of finite numbers with a time and a place."""
    samples = np.asarray(rows.columns["SAMPLES"])
    finite = (samples.max(axis=1, initial=0.0) < _LARGEST) & (samples.min(axis=1, initial=0.0) > -_LARGEST)
    return np.asarray(finite & np.isfinite(_together(rows)).all(axis=1) & (rows.time_ns != NO_TIME))


def _together(rows: ColumnBatch) -> NDArray[np.float64]:
    """Position north, east, down [n, 3]."""
    return np.stack([np.asarray(rows.columns[name], np.float64) for name in _PLACE], axis=1)


def _reach(wanted: Processing) -> int:
    return max(1, round(_COURSE_M / wanted.filters.trace_interval_m))
