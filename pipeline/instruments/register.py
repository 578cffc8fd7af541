"""Every instrument by the name that configuration uses. A new one: its file, its calibration file, a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.instruments.calibration import problems
from pipeline.instruments.clock import Clock
from pipeline.instruments.dust_devils import DustDevils
from pipeline.instruments.energy import Energy
from pipeline.instruments.gpr import Gpr
from pipeline.instruments.hiric import Hiric
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.libs import Libs
from pipeline.instruments.magnetometer import Magnetometer
from pipeline.instruments.mepa import Mepa
from pipeline.instruments.minpa import Minpa
from pipeline.instruments.mms import Mms
from pipeline.instruments.momag import Momag
from pipeline.instruments.moric import Moric
from pipeline.instruments.mosir import Mosir
from pipeline.instruments.mscam import Mscam
from pipeline.instruments.natecam import Natecam
from pipeline.instruments.orbiter import Orbiter
from pipeline.instruments.radargram import Radargram
from pipeline.instruments.rover import Rover
from pipeline.instruments.site_field import SiteField
from pipeline.instruments.sound import SoundBursts
from pipeline.instruments.swir import Swir
from pipeline.instruments.traverse import Traverse
from pipeline.instruments.weather import Weather

REGISTER: Mapping[str, type[Instrument]] = {
    "gpr": Gpr,
    "radargram": Radargram,
    "magnetometer": Magnetometer,
    "site_field": SiteField,
    "weather": Weather,
    "dust_devils": DustDevils,
    "sound": SoundBursts,
    "libs": Libs,
    "swir": Swir,
    "rover": Rover,
    "traverse": Traverse,
    "energy": Energy,
    "orbiter": Orbiter,
    "clock": Clock,
    "momag": Momag,
    "mms": Mms,
    "minpa": Minpa,
    "mepa": Mepa,
    "mosir": Mosir,
    "mscam": Mscam,
    "natecam": Natecam,
    "moric": Moric,
    "hiric": Hiric,
}


def family(name: str) -> str:
    """The instrument whose name the products of this one have, and whose calibration file it reads."""
    return REGISTER[name].family or name


def check_calibration(instrument: str, calibration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(dotted key, problem) for every missing, unknown or absurd key of a calibration file."""
    if instrument not in REGISTER:
        return [("", f"there is no instrument '{instrument}': {', '.join(sorted(REGISTER))}")]
    return problems(REGISTER[instrument].model, calibration)
