"""Every instrument by the name that configuration uses. A new one: its file, its calibration file, a line here.

An instrument's module is imported when a mission names it: other missions do not pay for its calibration model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any

from .calibration import problems
from .instrument import Instrument


class Register(MutableMapping[str, type[Instrument]]):
    """Instruments by name. `places`: of those not imported yet, `module:class` within this package."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._known: dict[str, str | type[Instrument]] = dict(places)

    def __getitem__(self, name: str) -> type[Instrument]:
        known = self._known[name]
        if isinstance(known, str):
            module, kind = known.split(":")
            self._known[name] = known = getattr(import_module(f".{module}", __package__), kind)
        return known

    def __setitem__(self, name: str, instrument: type[Instrument]) -> None:
        self._known[name] = instrument

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, name: object) -> bool:
        return name in self._known


REGISTER = Register(
    {
        "gpr": ".missions.zhurong.gpr.gpr:Gpr",
        "radargram": ".missions.zhurong.gpr.radargram:Radargram",
        "magnetometer": ".missions.zhurong.magnetometer.magnetometer:Magnetometer",
        "site_field": ".missions.zhurong.magnetometer.site_field:SiteField",
        "weather": ".missions.zhurong.weather.weather:Weather",
        "dust_devils": ".missions.zhurong.weather.dust_devils:DustDevils",
        "sound": ".missions.zhurong.weather.sound:SoundBursts",
        "libs": ".missions.zhurong.libs.libs:Libs",
        "swir": ".missions.zhurong.swir.swir:Swir",
        "rover": ".missions.zhurong.rover.rover:Rover",
        "traverse": ".missions.zhurong.rover.traverse:Traverse",
        "energy": ".missions.zhurong.rover.energy:Energy",
        "orbiter": ".missions.zhurong.orbiter.orbiter:Orbiter",
        "clock": ".missions.zhurong.clock.clock:Clock",
        "momag": ".missions.zhurong.momag.momag:Momag",
        "mms": ".missions.zhurong.mms.mms:Mms",
        "minpa": ".missions.zhurong.minpa.minpa:Minpa",
        "mepa": ".missions.zhurong.mepa.mepa:Mepa",
        "mosir": ".missions.zhurong.mosir.mosir:Mosir",
        "mscam": ".missions.zhurong.mscam.mscam:Mscam",
        "natecam": ".missions.zhurong.natecam.natecam:Natecam",
        "moric": ".missions.zhurong.moric.moric:Moric",
        "hiric": ".missions.zhurong.hiric.hiric:Hiric",
    }
)


def family(name: str) -> str:
    """The instrument whose name the products of this one have, and whose calibration file it reads."""
    return REGISTER[name].family or name


def load_libraries(names: Sequence[str]) -> None:
    """Import what these instruments need besides this package, before a pass begins: it can take seconds."""
    for name in names:
        for library in REGISTER[name].libraries:
            import_module(library)


def check_calibration(instrument: str, calibration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(dotted key, problem) for every missing, unknown or absurd key of a calibration file."""
    if instrument not in REGISTER:
        return [("", f"there is no instrument '{instrument}': {', '.join(sorted(REGISTER))}")]
    return problems(REGISTER[instrument].model, calibration)
