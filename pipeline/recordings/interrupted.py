"""Resumes a pass whose recording was interrupted: where to append, and what to cut off its last file.

Bytes at the end that are not a whole record are saved in the file `FILE.AT.cut`, unless all of them are zeros.
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
    """Name a pass without a name by its begin time in UTC, `20260522T123456.123456Z`."""
    return datetime.fromtimestamp(now_ns / 1e9, UTC).strftime(_TIME)


def begun_of(folder: PassFolder) -> Begun:
    """Return the `begun` of a pass. If that file is lost: with a new id, `resumable` if a sender named the pass."""
    begun = folder.begun
    if begun.pass_id is not None:
        return begun
    return Begun(begun.begun_ns, secrets.randbits(62), resumable=not _is_time(folder.name))


def resume_point(tail: Tail, damages: Sequence[tuple[int, Damage]], *, resumable: bool) -> tuple[int, int]:
    """Return the file position at which to append, and the number of bytes of the pass before it.

    That is behind the last whole record; in a `resumable` pass, whose sender sends the rest again, before the first
    damaged record that was not synced. `damages`: each with the number of bytes of the pass before it.
    """
    torn = [(n_bytes, damage) for n_bytes, damage in damages if n_bytes >= tail.confirmed]
    if torn and resumable:
        n_bytes, damage = torn[0]
        return damage.at, n_bytes
    return tail.stop, tail.n_bytes


def save_torn_end(path: Path, at: int) -> None:
    """Copy a file from byte `at` on to `FILE.AT.cut`, unless all these bytes are zeros."""
    copy, is_zero = path.with_name(f"{path.name}.{at}.cut"), True
    with path.open("rb") as file, copy.open("wb") as copied:
        file.seek(at)
        while octets := file.read(1 << 20):
            is_zero &= not any(octets)
            copied.write(octets)
    if is_zero:
        copy.unlink()


def _is_time(name: str) -> bool:
    """Whether a pass has the name that `time_name` gives."""
    try:
        datetime.strptime(name, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
