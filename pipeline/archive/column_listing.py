"""`decode.json`: of which pass the column files of a folder are, and what is in each of them.

It keeps a folder to one pass: files of two passes under one name each would be a silent mixture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError
from ..system.files import printable_name, whole_file
from ..system.identity import content_of_all

NAME = "decode.json"


@dataclass(frozen=True, slots=True)
class Source:
    """What is decoded: the recordings of a mission, to raw counts or calibrated."""

    mission: str = ""
    paths: tuple[Path, ...] = ()
    raw: bool = False
    lineage: Mapping[str, str] = field(default_factory=dict)
    """What else made it: dictionary, software, clock; attributes of files and Datasets."""

    def identity(self) -> dict[str, Any]:
        """What files of the same source agree in."""
        recordings = [{"name": printable_name(path), "bytes": _size(path)} for path in self.paths]
        content = content_of_all(self.paths)
        return {"mission": self.mission, "recordings": recordings, "raw": self.raw, "content": content}

    def words(self) -> dict[str, str]:
        """The same as attributes of a file."""
        words = {"mission": self.mission, "recordings": ", ".join(map(printable_name, self.paths))}
        known = {key: value for key, value in (words | dict(self.lineage)).items() if value}
        return known | {"values": "raw" if self.raw else "calibrated"}


@dataclass(frozen=True, slots=True)
class Listing:
    """`containers`: what is in each; `files`: names of the files in the folder."""

    containers: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def earlier_listing(folder: Path, source: Source, *, overwrite: bool) -> Listing:
    """Give what an earlier run left in a folder. ConfigError where that was of another pass, without `overwrite`."""
    path = folder / NAME
    if not path.exists():
        return Listing()
    written = _read(path)
    if written is None and not overwrite:
        raise ConfigError(
            f"{path} is there, and something else than this command would write: --overwrite replaces it"
        )
    if written is None:
        return Listing()
    if any(written.get(key) != value for key, value in source.identity().items()) and not overwrite:
        raise ConfigError(
            f"{folder} has the decoded packets of {_title(written)}: name another folder, or --overwrite replaces them"
        )
    return Listing(written["containers"], tuple(written["files"]))


def write_listing(folder: Path, source: Source, listing: Listing, before: Listing, ending: str) -> None:
    """Write `decode.json`. Files of an earlier run that are not of this one are removed: of another pass, or old."""
    same = _read(folder / NAME) or {}
    is_same = all(same.get(key) == value for key, value in source.identity().items())
    kept = [name for name in before.files if is_same and not name.endswith(f".{ending}")]
    for name in set(before.files) - {*listing.files, *kept}:
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)
    written = {**source.identity(), "files": sorted({*listing.files, *kept}), "containers": listing.containers}
    with whole_file(folder / NAME) as file:
        file.write(json.dumps(written, indent=2, ensure_ascii=False).encode())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        written = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    is_ours = (
        isinstance(written, dict)
        and isinstance(written.get("containers"), dict)
        and _is_names(written.get("files"))
    )
    return written if is_ours else None


def _is_names(files: Any) -> bool:
    return isinstance(files, list) and all(isinstance(name, str) for name in files)


def _title(written: Mapping[str, Any]) -> str:
    recordings: Sequence[Any] = written.get("recordings") or ()
    names = ", ".join(str(one.get("name")) for one in recordings if isinstance(one, dict)) or "another pass"
    return f"{names}{', raw' if written.get('raw') else ''}"


def _size(path: Path) -> int | None:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.glob("[0-9]*.raw"))
    return path.stat().st_size if path.is_file() else None
