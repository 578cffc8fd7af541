"""The weather station: products, and the instruments that make them."""

from __future__ import annotations

from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

_WIND_SIGMA = "one sigma, noise of films and air temperature; not of the heading"

METEOROLOGY = ProductKind(
    "weather",
    "meteorology",
    "2B",
    {
        "air_temperature_k": ("f8", "row", "K", "air_temperature"),
        "pressure_pa": ("f8", "row", "Pa", "surface_air_pressure"),
        "wind_speed_m_s": ("f8", "row", "m s-1", "wind_speed"),
        "wind_from_direction_deg": ("f8", "row", "degree", "wind_from_direction, clockwise from north"),
        "wind_from_rover_direction_deg": ("f8", "row", "degree", "wind from, clockwise from forward"),
        "heading_deg": ("f8", "row", "degree", "of the rover, clockwise from north"),
        "wind_speed_m_s_sigma": ("f8", "row", "m s-1", _WIND_SIGMA),
        "wind_from_direction_deg_sigma": ("f8", "row", "degree", _WIND_SIGMA),
        "air_density_kg_m3": ("f8", "row", "kg m-3", "air_density"),
        "pressure_sensor_temperature_degc": ("f8", "row", "degC", "of the pressure sensor"),
        "air_temperature_k_sigma": ("f8", "", "K", "one sigma of a sample, noise alone"),
        "pressure_pa_sigma": ("f8", "", "Pa", "one sigma of a sample, noise alone"),
    },
    latest=("air_temperature_k", "pressure_pa", "wind_speed_m_s", "wind_from_direction_deg"),
    view=(
        View("Pressure", "lines", {"label": "pressure", "arrays": {"pressure_pa": "pressure"}}),
        View("Air", "lines", {"label": "temperature", "arrays": {"air_temperature_k": "air"}}),
        View(
            "Wind",
            "direction",
            {"size": "wind_speed_m_s", "from": "wind_from_direction_deg", "label": "wind speed"},
        ),
    ),
    file_word="MCS",
)
SOUND = ProductKind(
    "weather",
    "sound",
    "2A",
    {
        "sound_pressure_pa": ("f4", "row sample", "Pa", "of the air"),
        "sample_rate_hz": ("f8", "row", "Hz", "samples a second; the first is at the row's time"),
        "sound_level_db": ("f8", "row", "dB", "of all bands, to 20 uPa"),
        "burst_id": ("u2", "row", "", ""),
        "amplifier_gain_db": ("u1", "row", "dB", "taken out of the pressure"),
        "frequency_hz": ("f8", "frequency", "Hz", "of the power spectral density"),
        "power_density_pa2_hz": ("f8", "row frequency", "Pa2 Hz-1", "one-sided, Hann windows"),
        "band_centre_hz": ("f8", "band", "Hz", "exact mid-band frequency"),
        "band_low_hz": ("f8", "band", "Hz", "lower edge of the third octave"),
        "band_high_hz": ("f8", "band", "Hz", "upper edge of the third octave"),
        "band_level_db": ("f8", "row band", "dB", "third octaves, to 20 uPa"),
        "sound_pressure_pa_sigma": ("f8", "row", "Pa", "one sigma of a sample, noise alone"),
    },
    latest=("sound_level_db", "burst_id"),
    files=("netcdf", "quicklook", "zarr", "wav"),
    view=(
        View(
            "Sound, newest burst",
            "bands",
            {"centre": "band_centre_hz", "level": "band_level_db", "label": "level, to 20 uPa"},
        ),
    ),
    file_word="MCS-S",
)
DUST_DEVIL = ProductKind(
    "weather",
    "dust_devil",
    "2C",
    {
        "depth_pa": ("f8", "row", "Pa", "how far the pressure dipped"),
        "depth_pa_sigma": ("f8", "row", "Pa", "one sigma, by what the fit leaves"),
        "width_s": ("f8", "row", "s", "full width at half depth"),
        "background_pressure_pa": ("f8", "row", "Pa", "pressure without the dip"),
    },
    latest=("depth_pa", "width_s"),
    view=(),
    file_word="MCS-DD",
)

INSTRUMENT = InstrumentFolder(
    instruments={
        "weather": "weather:Weather",
        "dust_devils": "dust_devils:DustDevils",
        "sound": "sound:SoundBursts",
    },
    kinds=(METEOROLOGY, SOUND, DUST_DEVIL),
)
