"""`decode.json`: pass and contents of the column files in a folder. It prevents a mixture of files of two passes."""

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
    """What is decoded: recordings of a mission, to raw or calibrated values.

    `lineage`: dictionary, software and clock, as attributes of files and Datasets.
    """

    mission: str = ""
    paths: tuple[Path, ...] = ()
    raw: bool = False
    lineage: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """Entries of `decode.json` that are the same for files of the same source."""
        recordings = [{"name": printable_name(path), "bytes": _size(path)} for path in self.paths]
        content = content_of_all(self.paths)
        return {"mission": self.mission, "recordings": recordings, "raw": self.raw, "content": content}

    def attributes(self) -> dict[str, str]:
        """Attributes of a file or Dataset."""
        words = {"mission": self.mission, "recordings": ", ".join(map(printable_name, self.paths))}
        known = {key: value for key, value in (words | dict(self.lineage)).items() if value}
        return known | {"values": "raw" if self.raw else "calibrated"}


@dataclass(frozen=True, slots=True)
class Listing:
    """`containers`: contents, by name; `files`: names of the files in the folder."""

    containers: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def earlier_listing(folder: Path, source: Source, *, overwrite: bool) -> Listing:
    """Read the listing of an earlier run. Raises ConfigError if it is of another pass, unless `overwrite` is set."""
    path = folder / NAME
    if not path.exists():
        return Listing()
    written = _read(path)
    if written is None and not overwrite:
        raise ConfigError(f"{path} exists and was not written by this command: --overwrite replaces it")
    if written is None:
        return Listing()
    if any(written.get(key) != value for key, value in source.identity().items()) and not overwrite:
        raise ConfigError(
            f"{folder} has the decoded packets of {_title(written)}: name another folder, or --overwrite replaces them"
        )
    return Listing(written["containers"], tuple(written["files"]))


def write_listing(folder: Path, source: Source, listing: Listing, before: Listing, ending: str) -> None:
    """Write `decode.json`, and remove the files of an earlier run that are of another pass or not written any more."""
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
