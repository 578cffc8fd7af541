"""Laser-induced breakdown spectra of MarSCoDe: products."""

from __future__ import annotations

from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

_OF_TITANIUM = "one sigma, by what the lines of titanium leave; NaN without titanium"
_WITH_CONTINUUM = "one sigma: read and photon noise, the dark's, and the continuum's with it"
_OF_SMOOTHER = "one sigma of the smoother: noise of the channels that it goes through"
_OF_GAUSSIAN = "one sigma: noise of the channels that the Gaussian goes through"

DRIFT = ProductKind(
    "libs",
    "drift",
    "2A",
    {
        "spectrometer": ("U", "row", "", ""),
        "shift_px": ("f8", "row", "1", "d0, pixels"),
        "stretch_px": ("f8", "row", "1", "d1, pixels from the middle to the end"),
        "rms_px": ("f8", "row", "1", "what the fit leaves, pixels"),
        "n_lines": ("i8", "row", "1", "lines that took part"),
        "line_wavelength_nm": ("f8", "line", "nm", "of titanium, in vacuum"),
        "line_residual_px": ("f8", "line", "1", "found - fitted, pixels; NaN: not found"),
        "line_used": ("?", "line", "", "whether it took part"),
    },
    view=(),
    file_word="MarSCoDe-LIBS-DRIFT",
)
SHOT = ProductKind(
    "libs",
    "shot",
    "2A",
    {
        "net_counts": ("f4", "row channel", "1", "counts without the dark"),
        "net_counts_sigma": ("f4", "row channel", "1", "one sigma, read and photon noise, dark's"),
        "wavelength_nm": ("f8", "row channel", "nm", "in vacuum"),
        "dark_counts": ("f8", "channel", "1", "mean of the darks"),
        "total_net_counts": ("f8", "row", "1", "sum over the spectrum"),
        "detector_temperature_degc": ("f8", "row", "degC", "of the detectors"),
        "point_id": ("u2", "row", "", ""),
        "kind": ("U", "row", "", ""),
        "shot": ("u1", "row", "", ""),
        "exposure_us": ("u4", "row", "us", "exposure time"),
        "distance_mm": ("u2", "row", "mm", "of the target"),
    },
    latest=("total_net_counts", "shot", "point_id", "distance_mm"),
    view=(),
    file_word="MarSCoDe-LIBS-SHOT",
)
MEAN = ProductKind(
    "libs",
    "mean",
    "2A",
    {
        "net_counts": ("f8", "row channel", "1", "mean of the net shots"),
        "net_counts_sigma": ("f8", "row channel", "1", "one sigma, read and photon noise, dark's"),
        "net_counts_std": ("f8", "row channel", "1", "standard deviation over the shots (n - 1)"),
        "wavelength_nm": ("f8", "row channel", "nm", "in vacuum"),
        "wavelength_nm_sigma": ("f8", "channel", "nm", _OF_TITANIUM),
        "n_shots": ("i8", "row", "1", "shots in the mean"),
        "detector_temperature_degc": ("f8", "row", "degC", "mean of the detectors"),
        "point_id": ("u2", "row", "", ""),
    },
    latest=("n_shots", "point_id"),
    view=(View("LIBS, mean of the shots", "spectra", {"array": "net_counts", "label": "net counts"}),),
    file_word="MarSCoDe-LIBS-MEAN",
)
SPECTRUM = ProductKind(
    "libs",
    "spectrum",
    "2B",
    {
        "signal_counts": ("f4", "row channel", "1", "net counts without continuum"),
        "signal_counts_sigma": ("f4", "row channel", "1", _WITH_CONTINUUM),
        "continuum_counts": ("f4", "row channel", "1", "what was taken off"),
        "continuum_counts_sigma": ("f4", "row channel", "1", _OF_SMOOTHER),
        "norm1": ("f4", "row channel", "1", "share in the sum of all spectrometers"),
        "norm1_sigma": ("f4", "row channel", "1", "one sigma: that of the signal and of the sum"),
        "norm3": ("f4", "row channel", "1", "share in the sum of its spectrometer"),
        "norm3_sigma": ("f4", "row channel", "1", "one sigma: that of the signal and of the sum"),
        "radiance": ("f4", "row channel", "mm-2 sr-1 nm-1", "photons of one shot"),
        "radiance_sigma": ("f4", "row channel", "mm-2 sr-1 nm-1", _WITH_CONTINUUM),
        "wavelength_nm": ("f8", "row channel", "nm", "in vacuum"),
        "wavelength_nm_sigma": ("f8", "channel", "nm", _OF_TITANIUM),
        "channel_usable": ("?", "channel", "", "not at an edge of a spectrometer"),
        "distance_mm": ("f8", "row", "mm", "of the target"),
        "total_signal_counts": ("f8", "row", "1", "sum over the usable channels"),
        "total_signal_counts_sigma": ("f8", "row", "1", _WITH_CONTINUUM),
        "signal_at_reference_counts": (
            "f4",
            "row channel",
            "1",
            "signal_counts, at 3000 mm by a power of distance",
        ),
        "signal_at_reference_counts_sigma": (
            "f4",
            "row channel",
            "1",
            "one sigma, that of signal_counts; the exponent's is not in it",
        ),
        "point_id": ("u2", "row", "", ""),
    },
    latest=("total_signal_counts", "point_id"),
    view=(),
    file_word="MarSCoDe-LIBS-SPEC",
    optional=frozenset(["signal_at_reference_counts", "signal_at_reference_counts_sigma"]),
)
LINES = ProductKind(
    "libs",
    "lines",
    "2C",
    {
        "species": ("U", "row", "", "element and ion of the line"),
        "listed_wavelength_nm": ("f8", "row", "nm", "of the line, in vacuum"),
        "found_wavelength_nm": ("f8", "row", "nm", "of the peak, in vacuum"),
        "found_wavelength_nm_sigma": (
            "f8",
            "row",
            "nm",
            "one sigma: noise of the channels that the Gaussian goes through; of the scale of wavelengths too",
        ),
        "height_counts": ("f8", "row", "1", "of the fitted Gaussian"),
        "height_counts_sigma": ("f8", "row", "1", _OF_GAUSSIAN),
        "area_counts_nm": ("f8", "row", "nm", "counts times nanometres of the fitted Gaussian"),
        "area_counts_nm_sigma": ("f8", "row", "nm", _OF_GAUSSIAN),
        "fwhm_nm": ("f8", "row", "nm", "full width at half height"),
        "fwhm_nm_sigma": ("f8", "row", "nm", _OF_GAUSSIAN),
        "snr": ("f8", "row", "1", "height over one sigma of its channel"),
        "confidence": ("f8", "row", "1", "that the peak is this line, 0 to 1; not a probability"),
        "point_id": ("u2", "row", "", ""),
    },
    view=(),
    file_word="MarSCoDe-LIBS-LINES",
)

INSTRUMENT = InstrumentFolder(
    instruments={"libs": "libs:Libs"},
    kinds=(DRIFT, SHOT, MEAN, SPECTRUM, LINES),
)
