"""What becomes of a pass whose recording was interrupted: where it goes on, and what is cut off its last file.

Bytes at the end that are no whole record are kept in a file beside (`FILE.AT.cut`), unless all of them are zeros.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .pass_folder import Begun, PassFolder, Tail
from .records import Damage

_TIME = "%Y%m%dT%H%M%S.%fZ"


def time_name(now_ns: int) -> str:
    """The name of a pass whose sender gave it none: the time at which it begins."""
    return datetime.fromtimestamp(now_ns / 1e9, UTC).strftime(_TIME)


def begun_of(one: PassFolder) -> Begun:
    """What is known of a pass that goes on; where the file `begun` is lost, its name shows whether it had one."""
    begun = one.begun
    if begun.pass_id is not None:
        return begun
    return Begun(begun.begun_ns, secrets.randbits(62), resumable=not _is_time(one.name))


def resume_point(tail: Tail, damages: Sequence[tuple[int, Damage]], *, resumable: bool) -> tuple[int, int]:
    """Where recording goes on: the byte of the file, and the bytes of the pass before it.

    Behind the last whole record; of a pass whose sender sends the rest again (`resumable`), before the first torn one
    that was not synced. `damages`: each with the bytes of the pass before it.
    """
    torn = [(n_bytes, damage) for n_bytes, damage in damages if n_bytes >= tail.confirmed]
    if torn and resumable:
        n_bytes, damage = torn[0]
        return damage.at, n_bytes
    return tail.stop, tail.n_bytes


def keep_aside(path: Path, at: int) -> None:
    """Copy what stands in a file from byte `at` on to a file beside, unless it is zeros."""
    aside, is_zero = path.with_name(f"{path.name}.{at}.cut"), True
    with path.open("rb") as file, aside.open("wb") as kept:
        file.seek(at)
        while octets := file.read(1 << 20):
            is_zero &= not any(octets)
            kept.write(octets)
    if is_zero:
        aside.unlink()


def _is_time(name: str) -> bool:
    """Whether a pass has the name that `time_name` gives."""
    try:
        datetime.strptime(name, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
