"""Formats of definitions: detection, readers and writers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..dictionary.compile.plan import compile_plan
from ..dictionary.csv.reader import read_csv
from ..dictionary.model.definitions import Dictionary
from ..dictionary.xtce.reader import read_xtce
from ..mission.dictionary_files import ReaderOptions, load_csv, load_xtce
from ..mission.toml_lines import MAX_FILE_BYTES, read_limited
from ..model.errors import ConfigError, Problem, RunError
from .ait import read_ait
from .cosmos import read_cosmos
from .csv_writer import write_csv
from .fprime import read_fprime
from .kaitai import read_kaitai
from .losses import Converted, Losses, Source
from .scos import COLUMNS, read_scos
from .xtce_writer import write_xtce

READERS: Mapping[str, Callable[[Sequence[Source]], Converted]] = {
    "cosmos": read_cosmos,
    "kaitai": read_kaitai,
    "fprime": read_fprime,
    "scos": read_scos,
    "ait": read_ait,
}
WRITERS: Mapping[str, Callable[[Dictionary, Losses], bytes]] = {"xtce": write_xtce, "csv": write_csv}
OURS = ("xtce", "csv")
HEAD_BYTES = 1 << 16
TABLES = frozenset({".dat", ".tab", ".asc", ".txt"})
"""Suffixes of the names of SCOS-2000 tables."""
COSMOS = re.compile(rb"^\s*(?:SELECT_)?(?:TELEMETRY|COMMAND)\s", re.MULTILINE)
AIT = re.compile(rb"^\s*-\s*!Packet\b", re.MULTILINE)
KAITAI = re.compile(rb"^meta:\s*$[\s\S]*^seq:", re.MULTILINE)


def detect(path: Path) -> str:
    """The format of a file or folder, by content and name. Raises ConfigError if it is unknown."""
    if path.is_dir():
        return _detect_folder(path)
    known = _format_of(path, read_limited(path, MAX_FILE_BYTES)[:HEAD_BYTES])
    if not known:
        formats = ", ".join((*READERS, *OURS))
        raise ConfigError([Problem(f"its format is not known: say --from {formats}", str(path))])
    return known


def _format_of(path: Path, head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    tests = {
        "xtce": text.startswith(b"<") and b"SpaceSystem" in head,
        "csv": path.suffix == ".csv",
        "fprime": text.startswith(b"{") and path.suffix in {".json", ""},
        "kaitai": path.suffix == ".ksy" or KAITAI.search(head) is not None,
        "ait": AIT.search(head) is not None,
        "scos": path.stem.lower() in COLUMNS and path.suffix.lower() in TABLES,
        "cosmos": COSMOS.search(head) is not None,
    }
    return next((name for name, holds in tests.items() if holds), "")


def _detect_folder(path: Path) -> str:
    if any(path.glob("*.csv")) and not any(path.rglob("*.xml")):
        return "csv"
    if any(path.rglob("*.xml")):
        return "xtce"
    for each in _files(path):
        with suppress(ConfigError):
            return detect(each)
    raise ConfigError([Problem("no file in it is of a format that is known", str(path))])


def read_definition(paths: Sequence[Path], source_format: str = "", options: Any = None) -> Converted:
    """Read files of one format. Raises ConfigError with all problems of the files.

    `source_format`: by default detected; `options`: of XTCE (`ReaderOptions`).
    """
    kinds = {source_format} if source_format else {detect(path) for path in paths}
    if len(kinds) > 1:
        raise ConfigError(f"the files are of several formats ({', '.join(sorted(kinds))}): convert each by itself")
    (kind,) = kinds
    if kind in OURS:
        return Converted(_load(paths, kind, options or ReaderOptions()))
    files = [each for path in paths for each in _files(path)]
    return READERS[kind]([Source(read_limited(each, MAX_FILE_BYTES), str(each)) for each in files])


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def _load(paths: Sequence[Path], kind: str, options: ReaderOptions) -> Dictionary:
    if kind == "csv":
        if len(paths) > 1:
            raise ConfigError("name one table, or the folder of several")
        return load_csv(paths[0])[0]
    return load_xtce(paths, options)


def write_definition(converted: Converted, target_format: str, file: str) -> tuple[bytes, tuple[Any, ...]]:
    """The document in the target format, and all losses."""
    losses = Losses(file)
    document = WRITERS[target_format](converted.dictionary, losses)
    return document, (*converted.losses, *losses)


def check_document(document: bytes, target_format: str) -> None:
    """Raise RunError if our loader would refuse the document."""
    if target_format == "csv" and document.count(b"\n") < 2:
        raise RunError("nothing of it can be described by a table")
    try:
        compile_plan(read_xtce(document) if target_format == "xtce" else read_csv(document))
    except ConfigError as error:
        raise RunError(f"the converted definition cannot be loaded, and is not written: {error}") from error
