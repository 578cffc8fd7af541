"""Finds recordings, and decides whether their product files are up to date.

`made.json`, in the folder with the product files of a pass, has the digest of the recording, the versions that they
were made with, and the list of files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError
from ..system.files import PACKED, receive_times_path, whole_file
from .product_index import NAME as INDEX
from .product_index import is_index

NAME = "made.json"
_ENDINGS = {".bin", ".cadu", ".dat", ".frames", ".packets", ".raw"}


def find_passes(folder: Path, pattern: str | None = None) -> list[Path]:
    """Find the recordings below a folder, in order of their names: files, and folders that `ingest` has finished.

    `pattern`: of names; default: the usual extensions of recordings, compressed or not. Symbolic links are followed,
    but each file and folder is found once, preferably by its real name. Raises ConfigError if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder")
    return sorted(_below(folder, pattern, {folder.resolve()}))


def _below(folder: Path, pattern: str | None, seen: set[Path]) -> Iterator[Path]:
    """`seen`: real paths that were visited, to avoid cycles."""
    for path in sorted(folder.iterdir(), key=lambda one: (one.is_symlink(), one)):
        real = path.resolve()
        if path.name.startswith(".") or real in seen:
            continue
        seen.add(real)
        if path.is_dir() and any(path.glob("[0-9]*.raw")):
            if (path / "ended").exists():
                yield path
        elif path.is_dir():
            yield from _below(path, pattern, seen)
        elif path.match(pattern) if pattern else _is_recording(path):
            yield path


def _is_recording(path: Path) -> bool:
    name = path.with_suffix("") if path.suffix in PACKED else path
    return name.suffix in _ENDINGS


def recording_sha256(recording: Path) -> str:
    """SHA-256 of a recording and of its receive times."""
    files = (
        sorted(recording.glob("[0-9]*.raw*")) if recording.is_dir() else [recording, receive_times_path(recording)]
    )
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        digest.update(b"\0")
    return digest.hexdigest()


def is_made(folder: Path, made_from: Mapping[str, Any]) -> bool:
    """Whether the files of a pass exist, with the recorded sizes, and were made from `made_from`."""
    try:
        record = json.loads((folder / NAME).read_text())
        same = record["from"] == dict(made_from) and (not record["files"] or is_index(folder / INDEX))
        return same and all(_size(folder / name) == size for name, size in record["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def write_made(folder: Path, made_from: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Write `made.json`: what the files in a folder were made from. Raises RunError if it cannot be written."""
    record = {"from": dict(made_from), "files": {path.name: _size(path) for path in sorted(files)}}
    with whole_file(folder / NAME) as file:
        file.write(json.dumps(record, indent=1).encode())


def _size(path: Path) -> int:
    """Size of a file, or of all files in a folder, in bytes; -1 if it does not exist."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.is_file() else -1
