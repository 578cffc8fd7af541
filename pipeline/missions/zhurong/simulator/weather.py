"""WEATHER: pressure, air temperature and wind at 1 Hz, as raw sensor values (fact sheet 5).

Truth first, which is `air`, then each sensor's transfer function backwards.
Forms published, numbers assumed but for the resistance thermometer's (IEC 60751).
"""

from __future__ import annotations

import numpy as np

from . import chance
from .air import air_at
from .arrays import Octets, Reals
from .octets import counts, onboard_time, rows, unsigned
from .packets import Measurement, records_at
from .timeline import Timeline
from .traverse import Traverse

APID = 305
_SAMPLES = 10
_NOISE_DEGC = 0.05
_NOISE_PA = 0.1
_NOISE_MW = 0.05
_FILM_DEGC = 60.0
_KING_A = 0.55
_FILMS_DEG = np.array([0.0, 90.0, 180.0, 270.0])
_AIR_KG_MOL = 0.043446  # 94.9 % CO2, 2.8 % N2, 2.1 % Ar and a little else
_GAS_CONSTANT = 8.314463 / _AIR_KG_MOL


def observe_weather(timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float) -> Measurement:
    """Packets of ten samples each, sent with the tenth; an unfinished ten at the end is not sent."""
    draw = chance.stream(seed, "weather")
    n_packets = timeline.duration_s // _SAMPLES
    time_s = np.arange(n_packets * _SAMPLES, dtype=np.float64)
    packet_s = time_s[::_SAMPLES]
    around = air_at(timeline, time_s, draw)
    pressure, air = around.pressure_pa, around.temperature_degc
    speed, direction = around.wind_m_s, around.wind_from_deg
    sensor_degc = -12.0 + chance.random_course(draw, packet_s, 1.0, 200.0, 2000.0)
    films = _film_speeds(speed, direction - rover.at(rover.attitude_deg, time_s)[:, 0])
    slope, power = _king(films, air, pressure)
    speed_sigma, direction_sigma = _wind_sigma(slope, power, air, speed)
    packet_ns = timeline.start_ns + (packet_s * 1e9).astype(np.int64)
    octets = _octets(
        onboard_time(packet_ns, drift_ppm),
        sensor_degc,
        pressure + _NOISE_PA * draw.standard_normal(len(time_s)),
        air + _NOISE_DEGC * draw.standard_normal(len(time_s)),
        power + _NOISE_MW * draw.standard_normal(power.shape),
    )
    truth = {
        "time_utc_ns": timeline.start_ns + (time_s * 1e9).astype(np.int64),
        "pressure_pa": pressure,
        "air_temperature_degc": air,
        "wind_speed_m_s": speed,
        "wind_from_direction_deg": direction % 360.0,
        "wind_speed_sigma_m_s": speed_sigma,
        "wind_from_direction_sigma_deg": direction_sigma,
        "packet_time_utc_ns": packet_ns,
        "sensor_temperature_degc": sensor_degc,
        "dip_time_utc_ns": timeline.start_ns + np.rint(around.devils.time_s * 1e9).astype(np.int64),
        "dip_depth_pa": around.devils.depth_pa,
        "dip_width_s": around.devils.width_s,
    }
    done_ns = packet_ns + (_SAMPLES - 1) * 1_000_000_000
    noise = {"pressure_pa": _NOISE_PA, "air_temperature_degc": _NOISE_DEGC, "film_power_mw": _NOISE_MW}
    return Measurement("weather", records_at(APID, done_ns, octets), truth, noise)


def _film_speeds(speed_m_s: Reals, theta_deg: Reals) -> Reals:
    """Effective wind speed at each of the four films: float64[n, 4]."""
    angle = np.radians(theta_deg[:, None] - _FILMS_DEG)
    effective: Reals = speed_m_s[:, None] * (1.0 + 0.6 * np.cos(angle))
    return effective


def _king(films_m_s: Reals, air_degc: Reals, pressure_pa: Reals) -> tuple[Reals, Reals]:
    """King's law: dP/dU (mW per m/s) and heating power P (mW) of each film, float64[n, 4]."""
    density = pressure_pa / (_GAS_CONSTANT * (air_degc + 273.15))
    cooling = (0.42 * np.sqrt(density / 0.0155))[:, None]
    warmer = (_FILM_DEGC - air_degc)[:, None]
    return cooling * warmer / (2.0 * np.sqrt(films_m_s)), (_KING_A + cooling * np.sqrt(films_m_s)) * warmer


def _wind_sigma(slope: Reals, power: Reals, air_degc: Reals, speed_m_s: Reals) -> tuple[Reals, Reals]:
    """One sigma of wind speed and direction that the noise of film power and air temperature leaves.

    The temperature enters every film alike, so it is not averaged away.
    """
    by_power = _NOISE_MW / slope
    by_temperature = _NOISE_DEGC * power / ((_FILM_DEGC - air_degc)[:, None] * slope)
    speed_sigma = np.sqrt(np.sum(by_power**2, axis=1)) / 4.0 + np.mean(by_temperature, axis=1)
    across = np.sqrt(np.max(by_power, axis=1) ** 2 / 2.0 + np.max(by_temperature, axis=1) ** 2 / 2.0)
    return speed_sigma, np.degrees(across / (0.6 * speed_m_s))


def _octets(time: Octets, sensor_degc: Reals, pressure_pa: Reals, air_degc: Reals, power_mw: Reals) -> list[bytes]:
    n = len(time)
    volts = _pressure_volts(pressure_pa.reshape(n, _SAMPLES), sensor_degc[:, None])
    ohms = _platinum_ohms(air_degc).reshape(n, _SAMPLES)
    return rows(
        time,
        unsigned(counts(_thermistor_ohms(sensor_degc), 10.0), 2),
        unsigned(counts(ohms - 500.0, 0.0125), 2),
        unsigned(counts(volts, 5.0 / 65535.0), 2),
        unsigned(np.minimum(counts(power_mw.reshape(n, -1), 0.005), 65535), 2),
    )


def _platinum_ohms(degc: Reals) -> Reals:
    """Callendar-Van Dusen with R0 = 1000 ohm."""
    low = np.minimum(degc, 0.0)
    ohms: Reals = 1000.0 * (1.0 + 3.9083e-3 * degc - 5.775e-7 * degc**2 - 4.183e-12 * (degc - 100.0) * low**3)
    return ohms


def _thermistor_ohms(degc: Reals) -> Reals:
    """Steinhart-Hart, solved for ln R by the one real root of the cubic."""
    a, b, c = 1.129148e-3, 2.34125e-4, 8.76741e-8
    half_q = (a - 1.0 / (degc + 273.15)) / (2.0 * c)
    root = np.sqrt((b / (3.0 * c)) ** 3 + half_q**2)
    ohms: Reals = np.exp(np.cbrt(root - half_q) - np.cbrt(root + half_q))
    return ohms


def _pressure_volts(pressure_pa: Reals, sensor_degc: Reals) -> Reals:
    """Solve p = -12 + 240 V + 1.5 V^2 + 0.08 T - 0.05 V T for V."""
    linear = 240.0 - 0.05 * sensor_degc
    constant = -12.0 + 0.08 * sensor_degc - pressure_pa
    return (-linear + np.sqrt(linear**2 - 4.0 * 1.5 * constant)) / (2.0 * 1.5)
