"""MarSCoDe LIBS: counts of three spectrometers become net spectra in vacuum wavelength, and the lines in them.

In: LIBS, one packet a shot or dark. Out, for each target point: `libs/shot` (every laser shot), `libs/mean` (without
the first shots, which blow the dust away), `libs/spectrum` (the mean without continuum, normalised, as light) and
`libs/lines` (what is named of it); for the titanium target also `libs/drift`. Dropped: darks of a point without shots.

    net = DN - mean of the point's darks
    signal = net - continuum, of channels that are not at an edge
    norm1 = signal / sum of all spectrometers, norm3 = signal / sum of its spectrometer
    photons/(shot mm2 sr nm) = signal g / (omega A dl), omega = pi (D/2)^2 / d^2, A = pi/4 (field d)^2

The wavelengths of a point are those of the last titanium target before it whose fit was believed (`libs_wavelength`).
Ranges, number of channels and widths are recalled, opening and vacuum are published, all else is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Event, Quality, Quantity
from ....products.context import Context
from ....products.draft import Draft, any_beyond_row, column_quantity, flag
from ....products.rotations import Floats
from ....products.rows import take
from ..shared.on_rover import OnRover
from . import whittaker
from .kinds import SHOT
from .libs_calibration import LibsCalibration
from .libs_products import (
    MeanSpectrum,
    SpectrometerPart,
    drift_draft,
    mean_draft,
    signal_of,
    spectrometer_parts,
    spectrum_drafts,
)
from .libs_wavelength import Drift, fit_drift, sigma_nm, wavelengths_nm

_END_OF_SCALE = 65535
_SPECTRUM = ("row", "channel")
_VACUUM = {"wavelength_medium": "vacuum"}


class Libs(OnRover):
    """LIBS, a point at a time.

    State: the point whose darks were seen last, for a point cut by `max_rows`; the last drift that was believed.
    """

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "LIBS": frozenset(
            {
                "POINT_ID",
                "KIND",
                "SHOT",
                "DETECTOR_TEMPERATURE",
                "EXPOSURE",
                "DISTANCE",
                "CHANNEL_COUNT",
                "TARGET",
                "SPECTRUM",
            }
        )
    }
    model = LibsCalibration
    no_uncertainty = "rms_px is what the fit leaves in each spectrometer"
    max_rows = 256
    libraries = (whittaker.LIBRARY,)
    calibration: LibsCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._dark: tuple[int, Floats | None, int] = (-1, None, 0)
        self._drift: Drift | None = None
        self._titanium: dict[str, Any] = {"titanium": None}

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return np.asarray(rows.columns["POINT_ID"]).astype(np.int64)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft | Event]:
        dark = self._dark_of(rows)
        lit = np.asarray(rows.columns["KIND"]) != "DARK"
        if not lit.any():
            return
        shots = take(rows, lit)
        net = np.asarray(shots.columns["SPECTRUM"], np.float64) - (np.nan if dark is None else dark)
        quality = self._quality(shots, dark)
        kept = np.asarray(shots.columns["SHOT"]).astype(np.int64) > self.calibration.shots.n_dust_shots
        kept &= np.asarray(shots.columns["KIND"]) == "LASER"
        mean = self._mean_of(take(shots, kept), net[kept], quality[kept]) if kept.any() else None
        parts = [] if mean is None or dark is None else spectrometer_parts(mean, self.calibration)
        is_titanium = (np.asarray(shots.columns["TARGET"]) == "TITANIUM").all()
        if mean is not None and is_titanium and dark is not None:
            yield from self._take_titanium(mean, parts)
        lineage = {**_VACUUM, **self._titanium, "n_darks": self._dark[2], "point_id": self._point(rows)}
        yield self._shot(shots, net, dark, quality, lineage)
        if mean is not None:
            mean = self._with_wavelengths(mean, lineage)
            yield mean_draft(mean)
            if dark is not None:
                yield from spectrum_drafts(mean, parts, self.calibration)

    def _take_titanium(self, mean: MeanSpectrum, parts: Sequence[SpectrometerPart]) -> Iterator[Draft | Event]:
        """Fit the drift to the target; a fit that is not believed leaves the one before in use."""
        signal = signal_of(mean, parts)
        model, titanium = self.calibration.wavelength, self.calibration.titanium
        drift = fit_drift(model, titanium, signal, mean.sigma, mean.temperature_degc)
        point = int(np.asarray(mean.shots.columns["POINT_ID"])[0])
        if drift.believed(titanium):
            self._drift = drift
            self._titanium = {"titanium": {"point_id": point, "rms_px": drift.rms_px.round(4).tolist()}}
        yield drift_draft(mean, drift, self.calibration)
        if not drift.believed(titanium):
            text = f"titanium of point {point} not used: lines {drift.n_lines.tolist()}, rms {drift.rms_px.round(2)} px"
            details = {"onboard_ns": int(mean.shots.time_ns[0]), "point_id": point}
            yield Event("warning", "wavelength", text, int(mean.shots.received_ns[-1]), details)

    def _mean_of(self, shots: ColumnBatch, net: Floats, quality: NDArray[np.uint32]) -> MeanSpectrum:
        noise, n_darks = self.calibration.noise, max(self._dark[2], 1)
        counts = net.mean(axis=0)
        variance = noise.read_counts**2 + noise.photon_counts * np.clip(counts, 0, None)
        temperature = float(np.asarray(shots.columns["DETECTOR_TEMPERATURE"], np.float64).mean())
        return MeanSpectrum(
            shots,
            counts,
            net.std(axis=0, ddof=1) if len(net) > 1 else np.full(net.shape[1], np.nan),
            np.sqrt(variance / len(net) + noise.read_counts**2 / n_darks),
            temperature,
            quality=np.bitwise_or.reduce(quality, keepdims=True),
        )

    def _with_wavelengths(self, mean: MeanSpectrum, lineage: dict[str, Any]) -> MeanSpectrum:
        wavelength = self._wavelength_nm(np.array([mean.temperature_degc]), len(mean.net))[0]
        lineage = {**lineage, "n_dust_shots": self.calibration.shots.n_dust_shots}
        sigma = sigma_nm(self.calibration.wavelength, wavelength, self._drift)
        return replace(mean, wavelength_nm=wavelength, wavelength_sigma_nm=sigma, lineage=lineage)

    def _wavelength_nm(self, temperature_degc: Floats, n_channels: int) -> Floats:
        return wavelengths_nm(self.calibration.wavelength, temperature_degc, n_channels, self._drift)

    @staticmethod
    def _point(rows: ColumnBatch) -> int:
        return int(np.asarray(rows.columns["POINT_ID"])[0])

    def _dark_of(self, rows: ColumnBatch) -> Floats | None:
        """The mean of the point's darks; those of a point that was cut are in its first rows."""
        point = self._point(rows)
        is_dark = np.asarray(rows.columns["KIND"]) == "DARK"
        if is_dark.any():
            mean = np.asarray(rows.columns["SPECTRUM"])[is_dark].mean(axis=0, dtype=np.float64)
            self._dark = (point, mean, int(is_dark.sum()))
        elif self._dark[0] != point:
            self._dark = (point, None, 0)
        return self._dark[1]

    def _quality(self, shots: ColumnBatch, dark: Floats | None) -> NDArray[np.uint32]:
        spectrum = np.asarray(shots.columns["SPECTRUM"])
        count = np.asarray(shots.columns["CHANNEL_COUNT"])
        bits = shots.quality | flag(any_beyond_row(spectrum >= _END_OF_SCALE), Quality.SATURATED)
        bits = bits | flag(np.asarray(count != spectrum.shape[1]), Quality.OUT_OF_RANGE)
        return bits | flag(np.full(len(shots), dark is None), Quality.NO_REFERENCE)

    def _shot(
        self,
        shots: ColumnBatch,
        net: Floats,
        dark: Floats | None,
        quality: NDArray[np.uint32],
        lineage: dict[str, Any],
    ) -> Draft:
        n_channels = net.shape[1]
        temperature = np.asarray(shots.columns["DETECTOR_TEMPERATURE"], np.float64)
        nothing = np.full(n_channels, np.nan)
        arrays = {
            "net_counts": Quantity(net.astype(np.float32), "1", "counts without the dark", _SPECTRUM),
            "net_counts_sigma": Quantity(
                self._shot_sigma(net), "1", "one sigma, read and photon noise, dark's", _SPECTRUM
            ),
            "wavelength_nm": Quantity(self._wavelength_nm(temperature, n_channels), "nm", "in vacuum", _SPECTRUM),
            "dark_counts": Quantity(nothing if dark is None else dark, "1", "mean of the darks", ("channel",)),
            "total_net_counts": Quantity(net.sum(axis=1), "1", "sum over the spectrum"),
            "detector_temperature_degc": Quantity(temperature, "degC", "of the detectors"),
            "point_id": column_quantity(shots, "POINT_ID"),
            "kind": column_quantity(shots, "KIND"),
            "shot": column_quantity(shots, "SHOT"),
            "exposure_us": column_quantity(shots, "EXPOSURE", "us", "exposure time"),
            "distance_mm": column_quantity(shots, "DISTANCE", "mm", "of the target"),
        }
        return Draft(SHOT, shots, shots.time_ns, arrays, quality, lineage)

    def _shot_sigma(self, net: Floats) -> NDArray[np.float32]:
        noise, n_darks = self.calibration.noise, max(self._dark[2], 1)
        variance = np.maximum(net, 0).astype(np.float32)  # NaN stays
        variance *= np.float32(noise.photon_counts)
        variance += np.float32(noise.read_counts**2 * (1 + 1 / n_darks))
        return np.asarray(np.sqrt(variance, out=variance))
