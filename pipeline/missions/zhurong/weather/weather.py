"""MCS, the climate station: resistances, voltage and heating power become temperature, pressure and wind.

In: WEATHER, 10 samples a packet, and the rover's heading. Out: `weather/meteorology`, one row a sample.

- air temperature: platinum resistor, Callendar-Van Dusen (IEC 60751): R = R0 (1 + A T + B T^2 + C (T - 100) T^3),
  C = 0 at or above 0 degC; solved for T, below zero by Newton's method;
- pressure sensor's thermistor: Steinhart & Hart 1968: 1/T = a + b ln R + c (ln R)^3;
- pressure: p = sum c_ij V^i Ts^j;
- wind: hot films, King 1914: P = (A + B U^0.5) (Tw - Ta), B growing with density^0.5; each film feels
  U (1 + d cos(theta - theta_k)); least squares over the films gives U and theta.

The forms are published, the numbers are assumed but those of IEC 60751.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Finite, Positive, Range, Source, Table, outside
from ....products.draft import Draft, flag
from ....products.rotations import Floats, roll_pitch_yaw_deg
from ....products.rows import sample_times
from ..shared.attitude import AttitudeLimit, Navigation, attitude_of, with_attitude
from ..shared.on_rover import OnRover
from .kinds import METEOROLOGY

END_OF_SCALE = 65535
_ZERO_DEGC_K = 273.15
_OF_FILMS = "noise of films and air temperature; not of the heading"
_NEWTON_STEPS = 6  # from the quadratic's root, within 0.3 K: the 3rd step is below 1e-9 K


class AirPrt(Table):
    """Counts to ohm, and the resistor's curve."""

    source: Source
    ohm_at_zero_counts: Finite
    ohm_per_count: Positive
    r0_ohm: Positive
    a: Positive
    b: Finite
    c: Finite
    valid_degc: Range


class Thermistor(Table):
    """Counts to ohm, and the Steinhart-Hart coefficients (kelvin, ohm)."""

    source: Source
    ohm_per_count: Positive
    a: Finite
    b: Finite
    c: Finite


class Pressure(Table):
    """Counts to volt; `coefficients_pa[i][j]` multiplies V^i Ts^j."""

    source: Source
    volt_per_count: Positive
    coefficients_pa: Annotated[
        list[Annotated[list[Finite], Field(min_length=1, max_length=6)]], Field(min_length=1)
    ]
    valid_pa: Range


class Wind(Table):
    """Counts to milliwatt, King's law of the films, and how they stand."""

    source: Source
    milliwatt_per_count: Positive
    film_temperature_degc: Finite
    a_mw_per_k: Finite
    b_mw_per_k: Positive
    reference_density_kg_m3: Positive
    gas_constant_j_kg_k: Positive
    directivity: Positive
    film_azimuth_deg: Annotated[list[Finite], Field(min_length=3, max_length=16)]
    valid_m_s: Range
    calm_m_s: Positive


class WeatherNoise(Table):
    """One sigma of a sample of each sensor."""

    source: Source
    air_degc: Positive
    pressure_pa: Positive
    film_milliwatt: Positive
    sound_pa: Positive


class DustDevil(Table):
    """What counts as one: running median over `detrend_s`, depth in Pa and in sigma, widths, bottoms that lie apart."""

    source: Source
    detrend_s: Positive
    min_depth_pa: Positive
    n_sigma: Positive
    width_s: Range
    apart_s: Positive
    longest_gap_s: Positive


class Sound(Table):
    """Counts to volt before the amplifier, and the microphone."""

    source: Source
    reference_volt: Positive
    full_scale_counts: Positive
    volt_per_pa: Positive
    valid_rate_hz: Range


class WeatherCalibration(Calibration):
    """`calibration/weather.toml`."""

    sample_interval_s: Positive
    air_prt: AirPrt
    thermistor: Thermistor
    pressure: Pressure
    wind: Wind
    attitude: AttitudeLimit
    noise: WeatherNoise
    dust_devils: DustDevil
    sound: Sound


class Weather(OnRover):
    """Temperature, pressure and wind, sample by sample."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "WEATHER": frozenset({"PRESSURE_SENSOR_THERMISTOR", "AIR_PRT", "PRESSURE_VOLTAGE", "WIND_POWER"})
    }
    row_by_row = frozenset({"WEATHER"})
    model = WeatherCalibration
    wait_rows = 2  # 20 s: navigation comes each 10 s at rest
    calibration: WeatherCalibration

    def attach(self, rows: ColumnBatch, navigation: Navigation, until: NDArray[np.int64]) -> ColumnBatch:
        return with_attitude(rows, self._sample_ns(rows), navigation, until)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        calibration = self.calibration
        thermistor, prt, voltage, power = (
            np.asarray(rows.columns[name], np.float64)
            for name in ("PRESSURE_SENSOR_THERMISTOR", "AIR_PRT", "PRESSURE_VOLTAGE", "WIND_POWER")
        )
        power = power.reshape(*prt.shape, -1)
        air_degc = air_temperature_degc(prt, calibration.air_prt)
        sensor_degc = thermistor_degc(thermistor, calibration.thermistor)
        pressure = pressure_pa(voltage, sensor_degc[:, None], calibration.pressure)
        density = pressure / (calibration.wind.gas_constant_j_kg_k * (air_degc + _ZERO_DEGC_K))
        speed, angle_deg = wind(power, air_degc, density, calibration.wind)
        speed_sigma, angle_sigma_deg = wind_sigma(power, air_degc, density, calibration.wind, calibration.noise)
        heading_deg = roll_pitch_yaw_deg(attitude_of(rows).quaternion)[..., 2] % 360
        from_deg = (angle_deg + heading_deg) % 360
        ends = (prt >= END_OF_SCALE) | (voltage >= END_OF_SCALE) | (power >= END_OF_SCALE).any(axis=-1)
        bad = outside(air_degc, calibration.air_prt.valid_degc) | outside(pressure, calibration.pressure.valid_pa)
        bad |= outside(speed, calibration.wind.valid_m_s) | ~np.isfinite(sensor_degc)[:, None]
        old = attitude_of(rows).doubtful(calibration.attitude)
        quality = rows.quality[:, None] | flag(ends | (thermistor >= END_OF_SCALE)[:, None], Quality.SATURATED)
        quality = quality | flag(bad, Quality.OUT_OF_RANGE) | flag(old, Quality.NO_ATTITUDE)
        sensor_degc = np.broadcast_to(sensor_degc[:, None], prt.shape)
        arrays = {
            "air_temperature_k": Quantity(air_degc + _ZERO_DEGC_K, "K", "air_temperature"),
            "pressure_pa": Quantity(pressure, "Pa", "surface_air_pressure"),
            "wind_speed_m_s": Quantity(speed, "m s-1", "wind_speed"),
            "wind_from_direction_deg": Quantity(from_deg, "degree", "wind_from_direction, clockwise from north"),
            "wind_from_rover_direction_deg": Quantity(angle_deg, "degree", "wind from, clockwise from forward"),
            "heading_deg": Quantity(heading_deg, "degree", "of the rover, clockwise from north"),
            "wind_speed_m_s_sigma": Quantity(speed_sigma, "m s-1", f"one sigma, {_OF_FILMS}"),
            "wind_from_direction_deg_sigma": Quantity(angle_sigma_deg, "degree", f"one sigma, {_OF_FILMS}"),
            "air_density_kg_m3": Quantity(density, "kg m-3", "air_density"),
            "pressure_sensor_temperature_degc": Quantity(sensor_degc, "degC", "of the pressure sensor"),
        }
        flat = {name: Quantity(q.values.ravel(), q.unit, q.description) for name, q in arrays.items()}
        flat["air_temperature_k_sigma"] = _constant(calibration.noise.air_degc, "K")
        flat["pressure_pa_sigma"] = _constant(calibration.noise.pressure_pa, "Pa")
        yield Draft(METEOROLOGY, rows, self._sample_ns(rows).ravel(), flat, quality.ravel())

    def _sample_ns(self, rows: ColumnBatch) -> NDArray[np.int64]:
        interval_ns = round(self.calibration.sample_interval_s * 1e9)
        return sample_times(rows, np.arange(np.asarray(rows.columns["AIR_PRT"]).shape[1]) * interval_ns)


def _constant(sigma: float, unit: str) -> Quantity:
    return Quantity(np.array(sigma), unit, "one sigma of a sample, noise alone", ())


def air_temperature_degc(counts: Floats, prt: AirPrt) -> Floats:
    """Callendar-Van Dusen, solved for temperature."""
    ratio = (prt.ohm_at_zero_counts + prt.ohm_per_count * counts) / prt.r0_ohm
    above = (-prt.a + np.sqrt(prt.a**2 - 4 * prt.b * (1 - ratio))) / (2 * prt.b) if prt.b else (ratio - 1) / prt.a
    t = above.copy()
    for _ in range(_NEWTON_STEPS):
        value = 1 + prt.a * t + prt.b * t**2 + prt.c * (t - 100) * t**3 - ratio
        slope = prt.a + 2 * prt.b * t + prt.c * (4 * t - 300) * t**2
        t = t - value / slope
    return np.asarray(np.where(ratio < 1, t, above))


def thermistor_degc(counts: Floats, thermistor: Thermistor) -> Floats:
    """Steinhart-Hart; NaN where the resistance is none."""
    log_r = np.log(counts * thermistor.ohm_per_count)
    kelvin = 1 / (thermistor.a + thermistor.b * log_r + thermistor.c * log_r**3)
    return np.where(np.isfinite(log_r), kelvin - _ZERO_DEGC_K, np.nan)


def pressure_pa(counts: Floats, sensor_degc: Floats, pressure: Pressure) -> Floats:
    """Polynomial in voltage and sensor temperature."""
    volt = counts * pressure.volt_per_count
    terms = (
        coefficient * volt**i * sensor_degc**j
        for i, row in enumerate(pressure.coefficients_pa)
        for j, coefficient in enumerate(row)
    )
    return np.asarray(sum(terms))


def wind(counts: Floats, air_degc: Floats, density: Floats, king: Wind) -> tuple[Floats, Floats]:
    """Speed and the direction it comes from, clockwise from rover forward: `counts [..., films]`.

    A film that needs less power than in still air counts as a negative speed, so that noise does not make wind;
    a speed below zero is calm down to -calm_m_s and NaN beyond. The direction of calm is NaN.
    """
    root = _root_of_speed(counts, air_degc, density, king)
    mean, forward, right = np.moveaxis((root * np.abs(root)) @ _of_films(king).T, -1, 0)
    speed = np.where(mean > -king.calm_m_s, np.maximum(mean, 0.0), np.nan)
    angle_deg = np.rad2deg(np.arctan2(right, forward)) % 360
    return speed, np.where(speed > 0, angle_deg, np.nan)


def wind_sigma(
    counts: Floats, air_degc: Floats, density: Floats, king: Wind, noise: WeatherNoise
) -> tuple[Floats, Floats]:
    """One sigma of speed and direction (degrees): each film has noise of its own, the air's is in all of them.

    dU/dP = 2 r / (B (Tw - Ta)), dU/dTa = 2 r P / (B (Tw - Ta)^2), r the root of the speed that a film feels; through
    the least squares of `wind`, to first order.
    """
    root = _root_of_speed(counts, air_degc, density, king)
    warmer = (king.film_temperature_degc - air_degc)[..., None]
    by_power = 2 * np.abs(root) / (_cooling(density, king)[..., None] * warmer)
    by_air = by_power * counts * king.milliwatt_per_count / warmer
    films = _of_films(king)
    _, forward, right = np.moveaxis((root * np.abs(root)) @ films.T, -1, 0)[..., None]
    turn = (forward * films[2] - right * films[1]) / (forward**2 + right**2)  # d theta / d U of each film

    def spread(weight: Floats) -> Floats:
        own = np.sum((weight * by_power) ** 2, axis=-1) * noise.film_milliwatt**2
        return np.asarray(np.sqrt(own + (np.sum(weight * by_air, axis=-1) * noise.air_degc) ** 2))

    return spread(films[0]), np.rad2deg(spread(turn))


def _cooling(density: Floats, king: Wind) -> Floats:
    """B at this density, mW/K/(m/s)^0.5."""
    return np.asarray(king.b_mw_per_k * np.sqrt(density / king.reference_density_kg_m3))


def _root_of_speed(counts: Floats, air_degc: Floats, density: Floats, king: Wind) -> Floats:
    """King's law solved for the root of the speed that each film feels [..., films]; below still air negative."""
    power = counts * king.milliwatt_per_count
    warmer = (king.film_temperature_degc - air_degc)[..., None]
    return np.asarray((power / warmer - king.a_mw_per_k) / _cooling(density, king)[..., None])


def _of_films(king: Wind) -> Floats:
    """Mean, forward and right part of the wind by what the films feel: float64[3, films]."""
    return _least_squares(tuple(king.film_azimuth_deg))


@lru_cache(maxsize=4)
def _least_squares(azimuth_deg: tuple[float, ...]) -> Floats:
    azimuth = np.deg2rad(azimuth_deg)
    design = np.stack([np.ones_like(azimuth), np.cos(azimuth), np.sin(azimuth)], axis=1)
    return np.linalg.pinv(design)
