"""Parses commands for a replay: JSON objects, which the player executes.

{"command": "pause"}   {"command": "resume"}   {"command": "speed", "speed": 10}   (or "max")
{"command": "seek", "share": 0.25}   {"command": "seek", "time": "2021-05-26T09:12:31Z"}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_COMMAND_BYTES = 1000
SLOWEST, FASTEST = 0.01, 10_000.0
_LAST_DAY = 100_000
"""Days since 1970: in 2243, within the range of int64 nanoseconds."""
_KEYS: dict[str, list[set[str]]] = {
    "pause": [set()],
    "resume": [set()],
    "speed": [{"speed"}],
    "seek": [{"share"}, {"time"}],
}


@dataclass(frozen=True, slots=True)
class Command:
    """`speed`: None: maximum. Target of a seek: `share` of the bytes, or `time_ns` since 1970 UTC."""

    name: str
    speed: float | None = None
    share: float | None = None
    time_ns: int | None = None


def read_command(payload: bytes) -> Command:
    """Parse a command. Raises ValueError, in one line, for anything else."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise ValueError(f"a command of {len(payload)} bytes is too long: at most {MAX_COMMAND_BYTES}")
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        raise ValueError("a command must be a JSON object") from None
    name = found.get("command") if isinstance(found, dict) else None
    if not isinstance(name, str) or name not in _KEYS:
        raise ValueError(f"a command must be one of {', '.join(_KEYS)}")
    given = set(found) - {"command"}
    if given not in _KEYS[name]:
        wanted = " or ".join(", ".join(keys) or "nothing else" for keys in _KEYS[name])
        raise ValueError(f"{name}: needs {wanted}")
    return Command(name, _speed(found), _share(found), _time_ns(found))


def _speed(found: dict[str, Any]) -> float | None:
    if found.get("speed", "max") == "max":
        return None
    return _number(found, "speed", SLOWEST, FASTEST)


def _share(found: dict[str, Any]) -> float | None:
    return _number(found, "share", 0.0, 1.0) if "share" in found else None


def _number(found: dict[str, Any], key: str, least: float, most: float) -> float:
    value = found[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{key}: a number from {least:g} to {most:g}")
    return float(value)


def _time_ns(found: dict[str, Any]) -> int | None:
    if "time" not in found:
        return None
    try:
        since_1970 = datetime.fromisoformat(str(found["time"])) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, TypeError):  # no time, or one without a zone
        since_1970 = timedelta(-1)
    if not timedelta(0) <= since_1970 < timedelta(_LAST_DAY):
        raise ValueError("time: ISO 8601 with its zone, from 1970 on, such as 2021-05-26T09:12:31Z")
    return since_1970 // timedelta(microseconds=1) * 1000
