"""MarSCoDe LIBS: counts of three spectrometers become net spectra in vacuum wavelength, each shot and the mean.

In: LIBS, one packet a shot or dark. Out, for each target point: `libs/shot` (every laser shot) and `libs/mean`
(without the first shots, which blow the dust away). Dropped: darks of a point without any shot.

    net = DN - mean of the point's darks
    per spectrometer, pixel p: u = (p - ps) / n, ps = s0 + s1 (T - T0), lambda = c0 + c1 u + c2 u^2 (vacuum)

Ranges and number of channels are recalled, the other numbers assumed. MarSCoDe papers tabulate vacuum wavelengths
(C I 247.9310 nm).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.batches import ColumnBatch, Quality, Quantity
from pipeline.instruments.calibration import Calibration, Finite, Source, Table
from pipeline.instruments.context import Context
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.products import Draft, any_beyond_row, column_quantity, flag
from pipeline.instruments.rotations import Floats
from pipeline.instruments.rows import take

_END_OF_SCALE = 65535
_SPECTRUM = ("row", "channel")
_VACUUM = {"wavelength_medium": "vacuum"}


class Spectrometer(Table):
    """Pixels, their wavelengths c0 + c1 u + c2 u^2, and the drift s0 + s1 (T - T0) in pixels."""

    name: str
    n_pixels: Annotated[int, Field(ge=2, le=8192)]
    wavelength_nm: Annotated[list[Finite], Field(min_length=3, max_length=3)]
    drift_px: Annotated[list[Finite], Field(min_length=2, max_length=2)]


class Wavelength(Table):
    """The three spectrometers in the order of their pixels in the packet."""

    source: Source
    reference_temperature_degc: Finite
    spectrometer: Annotated[list[Spectrometer], Field(min_length=1, max_length=8)]


class Shots(Table):
    """Shots of a point that only clean it."""

    source: Source
    n_dust_shots: Annotated[int, Field(ge=0, le=254)]


class LibsCalibration(Calibration):
    """`calibration/libs.toml`."""

    wavelength: Wavelength
    shots: Shots


class Libs(Instrument):
    """LIBS, a point at a time. State: the point whose darks were seen last, for a point cut by `max_rows`."""

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
                "SPECTRUM",
            }
        )
    }
    model = LibsCalibration
    max_rows = 256
    calibration: LibsCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._dark: tuple[int, Floats | None] = (-1, None)

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return np.asarray(rows.columns["POINT_ID"]).astype(np.int64)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        dark, n_darks = self._dark_of(rows)
        lit = np.asarray(rows.columns["KIND"]) != "DARK"
        if not lit.any():
            return
        shots = take(rows, lit)
        net = np.asarray(shots.columns["SPECTRUM"], np.float64) - (np.nan if dark is None else dark)
        quality = self._quality(shots, dark)
        lineage = {**_VACUUM, "n_darks": n_darks, "point_id": int(np.asarray(rows.columns["POINT_ID"])[0])}
        yield self._shot(shots, net, dark, quality, lineage)
        kept = np.asarray(shots.columns["SHOT"]).astype(np.int64) > self.calibration.shots.n_dust_shots
        kept &= np.asarray(shots.columns["KIND"]) == "LASER"
        if kept.any():
            yield self._mean(take(shots, kept), net[kept], quality[kept], lineage)

    def _dark_of(self, rows: ColumnBatch) -> tuple[Floats | None, int]:
        """The mean of the point's darks and how many are in these rows."""
        point = int(np.asarray(rows.columns["POINT_ID"])[0])
        is_dark = np.asarray(rows.columns["KIND"]) == "DARK"
        if is_dark.any():
            self._dark = (point, np.asarray(rows.columns["SPECTRUM"])[is_dark].mean(axis=0, dtype=np.float64))
        return (self._dark[1] if self._dark[0] == point else None), int(is_dark.sum())

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
        latest = ("total_net_counts", "shot", "point_id", "distance_mm")
        return Draft("shot", "2A", shots, shots.time_ns, arrays, quality, latest, lineage)

    def _mean(self, shots: ColumnBatch, net: Floats, quality: NDArray[np.uint32], lineage: dict[str, Any]) -> Draft:
        """One row: the mean and standard deviation of the net shots, at their mean detector temperature."""
        temperature = np.asarray(shots.columns["DETECTOR_TEMPERATURE"], np.float64).mean(keepdims=True)
        n_shots = len(shots)
        std = net.std(axis=0, ddof=1, keepdims=True) if n_shots > 1 else np.full((1, net.shape[1]), np.nan)
        arrays = {
            "net_counts": Quantity(net.mean(axis=0, keepdims=True), "1", "mean of the net shots", _SPECTRUM),
            "net_counts_std": Quantity(std, "1", "standard deviation over the shots (n - 1)", _SPECTRUM),
            "wavelength_nm": Quantity(self._wavelength_nm(temperature, net.shape[1]), "nm", "in vacuum", _SPECTRUM),
            "n_shots": Quantity(np.array([n_shots]), "1", "shots in the mean"),
            "point_id": Quantity(np.asarray(shots.columns["POINT_ID"])[:1], "", ""),
            "detector_temperature_degc": Quantity(temperature, "degC", "mean of the detectors"),
        }
        bits = np.bitwise_or.reduce(quality, keepdims=True)
        lineage = {**lineage, "n_dust_shots": self.calibration.shots.n_dust_shots}
        return Draft("mean", "2A", shots, shots.time_ns[:1], arrays, bits, ("n_shots", "point_id"), lineage)

    def _wavelength_nm(self, temperature_degc: Floats, n_channels: int) -> Floats:
        """Vacuum wavelength [n, channels] at detector temperatures [n]; NaN beyond the last spectrometer."""
        out = np.full((len(temperature_degc), n_channels), np.nan)
        warmer = (temperature_degc - self.calibration.wavelength.reference_temperature_degc)[:, None]
        start = 0
        for one in self.calibration.wavelength.spectrometer:
            n = min(one.n_pixels, n_channels - start)
            shift_px = one.drift_px[0] + one.drift_px[1] * warmer
            u = (np.arange(n) - shift_px) / one.n_pixels
            c0, c1, c2 = one.wavelength_nm
            out[:, start : start + n] = c0 + c1 * u + c2 * u * u
            start += n
        return out
