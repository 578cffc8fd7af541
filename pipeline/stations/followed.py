"""Identifies the content of a followed file: inodes are reused, names rotated, files truncated.

The identity is the inode and the SHA-256 of the first bytes. If both match and the file is not shorter than the bytes
already read, it is the same content and continues the same pass; otherwise it is new content with a new pass name. The
identities are saved in a small JSON file beside the recordings, so that a restart does not mix two contents.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from ..model.errors import RunError
from ..system.files import whole_file

HEAD_BYTES = 4096
"""Length of a file's beginning that identifies its content; fewer bytes while the file is shorter."""
MAX_FILES = 256
"""Identities that are kept: more than a rotation has files."""
MAX_NAME = 60
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.\-]+")
_log = structlog.get_logger("station")


@dataclass(frozen=True, slots=True)
class Followed:
    """One content of a file. `head`: SHA-256 of its first `head_bytes` bytes, all of which were read."""

    name: str
    inode: int
    number: int = 1
    head: str = ""
    head_bytes: int = 0

    @property
    def pass_name(self) -> str:
        """The pass that the content is recorded as: the same name in each run of this process."""
        suffix = f".{self.number}" if self.number > 1 else ""
        return f"{self.name}.{self.inode}{suffix}"


class FollowedFiles:
    """The identities of the files that a station has read, in memory and in the file `memory`."""

    def __init__(self, memory: Path, station: str) -> None:
        self._memory = memory
        self._station = station
        self._known = _load(memory)

    def resume(self, file_name: str, file: int, position_of: Callable[[str], int]) -> Followed:
        """Return the saved identity of an open file if its content still matches, else a new one."""
        name, inode = safe_name(file_name), os.fstat(file).st_ino
        followed = self._known.get(_key(name, inode), Followed(name, inode))
        while not self.is_content_of(followed, file, position_of(followed.pass_name)):
            followed = self._new_content(followed)
        self._save(followed)
        return followed

    def is_content_of(self, followed: Followed, file: int, position: int) -> bool:
        """Whether an open file still has the content of which `position` bytes were read."""
        if os.fstat(file).st_size < position:
            return False
        return not followed.head or followed.head == _head(file, followed.head_bytes)

    def extend(self, followed: Followed, file: int, position: int) -> Followed:
        """Hash a longer head once `position` bytes were read: whenever it has doubled, up to HEAD_BYTES."""
        n_bytes = min(position, HEAD_BYTES)
        if n_bytes < min(2 * followed.head_bytes, HEAD_BYTES) or n_bytes == followed.head_bytes:
            return followed
        followed = replace(followed, head=_head(file, n_bytes), head_bytes=n_bytes)
        self._save(followed)
        return followed

    def replaced(self, followed: Followed) -> None:
        """Save that the content was replaced: later bytes of the file are new content."""
        self._save(self._new_content(followed))

    @staticmethod
    def _new_content(followed: Followed) -> Followed:
        return Followed(followed.name, followed.inode, followed.number + 1)

    def _save(self, followed: Followed) -> None:
        key = _key(followed.name, followed.inode)
        if self._known.get(key) == followed:
            return
        self._known.pop(key, None)
        self._known[key] = followed
        while len(self._known) > MAX_FILES:
            del self._known[next(iter(self._known))]
        try:
            with whole_file(self._memory) as file:
                file.write(json.dumps([asdict(one) for one in self._known.values()], indent=1).encode())
        except RunError as error:
            _log.error("the identity of the file is not kept", station=self._station, reason=str(error))


def safe_name(file_name: str) -> str:
    """Make a file's name a part of a pass name: ASCII letters, digits, `_.-`, a letter or digit in front.

    A name that had to be changed gets eight digits of its own hash, so that two files never share one.
    """
    safe = _NOT_IN_A_NAME.sub("_", file_name).lstrip("_.-")[:MAX_NAME]
    if safe == file_name:
        return safe
    digest = hashlib.sha256(os.fsencode(file_name)).hexdigest()[:8]
    return f"{safe}-{digest}" if safe else f"file-{digest}"


def _head(file: int, n_bytes: int) -> str:
    return hashlib.sha256(os.pread(file, n_bytes, 0)).hexdigest()


def _key(name: str, inode: int) -> tuple[str, int]:
    return name, inode


def _load(memory: Path) -> dict[tuple[str, int], Followed]:
    """Read the identities; none if there is no such file, or none that can be read."""
    try:
        entries = json.loads(memory.read_bytes())
        found = [_entry(entry) for entry in entries]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        _log.warning(
            "the identities of followed files cannot be read: files are compared by length", file=str(memory)
        )
        return {}
    return {_key(one.name, one.inode): one for one in found}


def _entry(entry: dict[str, Any]) -> Followed:
    return Followed(
        str(entry["name"]), int(entry["inode"]), int(entry["number"]), str(entry["head"]), int(entry["head_bytes"])
    )
