"""Read a mission's dictionary: XTCE files, folders of them, Yamcs lists of them (mdb.yaml), CSV tables.

In: paths. Out: a `Dictionary` and the SHA-256 of its files. Raises ConfigError with every problem, OSError if a file
cannot be read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..dictionary.csv.reader import read_csv, read_csv_files
from ..dictionary.model.definitions import Dictionary
from ..dictionary.model.notices import Notice
from ..dictionary.xtce.reader import Source, read_sources
from ..model.errors import ConfigError, Problem
from .toml_lines import MAX_FILE_BYTES, read_limited

MAX_LIST_BYTES = 1 << 20
MAX_FILES = 4096
_CONTAINER = re.compile(rb"<(?:\w+:)?SequenceContainer\b[^>]*?\bname\s*=\s*[\"']([^\"']+)")
_BASE = re.compile(rb"<(?:\w+:)?BaseContainer\b[^>]*?\bcontainerRef\s*=\s*[\"']([^\"']+)")


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """`strict`: ignored elements are problems. `leading_size_in_bits`: unit of a LeadingSize. `roots`: root containers
    of packets; empty: all containers without a base.
    """

    strict: bool = False
    leading_size_in_bits: bool = False
    roots: str | Sequence[str] = ()

    @property
    def root(self) -> str | Sequence[str] | None:
        return self.roots or None


def load_xtce(paths: Sequence[Path], options: ReaderOptions) -> Dictionary:
    """Read XTCE files into one name space."""
    return dictionary_of(xtce_sources(paths), options)


def dictionary_of(sources: Sequence[Source], options: ReaderOptions) -> Dictionary:
    """Read XTCE documents into one name space."""
    return read_sources(
        sources,
        strict=options.strict,
        roots=[options.roots] if isinstance(options.roots, str) else options.roots,
        leading_size_in_bits=options.leading_size_in_bits,
    )


def digest_of(sources: Sequence[Source]) -> str:
    """SHA-256 of all documents; of a single one that of its content, as by `sha256sum`."""
    if len(sources) == 1:
        return hashlib.sha256(sources[0].document).hexdigest()
    whole = b"".join(f"{Path(each.file).name}\0{len(each.document)}\0".encode() + each.document for each in sources)
    return hashlib.sha256(whole).hexdigest()


def xtce_sources(paths: Sequence[Path], included: list[Source] | None = None) -> list[Source]:
    """The documents of paths: files, folders (all .xml files), lists in YAML. `included`: takes documents that they
    include, when these are read.
    """
    found: list[Source] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*.xml"))
            if not inside:
                raise ConfigError([Problem("has no .xml file", str(path))])
            found += [_source(each) for each in inside]
        elif path.suffix in {".yaml", ".yml"}:
            _listed(path, _loaders(path), None, found)
        else:
            found.append(_source(path))
        if len(found) > MAX_FILES:
            raise ConfigError([Problem(f"more than {MAX_FILES} files", str(path))])
    load = partial(_load, included if included is not None else [])
    return [replace(each, load=load) for each in found]


def known_extensions(paths: Sequence[Path], extensions: Sequence[Path]) -> tuple[list[Path], list[Notice]]:
    """The XTCE files of instruments that extend containers of the mission's files, and a notice for each other file.

    A mission may have the dictionaries of only some of its instruments, or other versions.
    """
    if not extensions:
        return [], []
    texts = {path: read_limited(path, MAX_FILE_BYTES) for path in extensions}
    known = {name for text in (*texts.values(), *(each.document for each in xtce_sources(paths)))
             for name in _CONTAINER.findall(text)}  # fmt: skip
    usable, notices = list[Path](), list[Notice]()
    for path, text in texts.items():
        missing = {base for base in _BASE.findall(text) if base.rpartition(b"/")[2] not in known}
        if missing:
            words = ", ".join(sorted(base.decode("utf-8", "replace") for base in missing))
            notices.append(
                Notice(f"is left out: it extends {words}, which the dictionary does not have", str(path))
            )
        else:
            usable.append(path)
    return usable, notices


def _load(included: list[Source], file: str, reference: str) -> tuple[str, bytes] | None:
    """Find a file in or below the folder of the one that includes it; None if there is none."""
    path = Path(file).parent / reference
    if not reference or ":" in reference or Path(reference).is_absolute() or not path.is_file():
        return None
    document = read_limited(path, MAX_FILE_BYTES)
    included.append(Source(document, str(path)))
    return str(path), document


def reread(source: Source) -> Source | None:
    """Read a document that another one includes; None if its file no longer exists."""
    path = Path(source.file)
    return _source(path) if path.is_file() else None


def _source(path: Path, below: int | None = None) -> Source:
    return Source(read_limited(path, MAX_FILE_BYTES), str(path), below)


def _loaders(path: Path) -> list[Any]:
    """The list of loaders: under `mdb` in an instance's file, else under any name, in the order of the file."""
    import yaml  # noqa: PLC0415 - most dictionaries have no such list

    try:
        content = yaml.safe_load(read_limited(path, MAX_LIST_BYTES))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"is no YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigError([Problem(what, str(path), mark.line + 1 if mark else 0)]) from error
    if isinstance(content, dict):
        lists = [content["mdb"]] if "mdb" in content else list(content.values())
        content = [each for some in lists if isinstance(some, list) for each in some]
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content) or not content:
        raise ConfigError([Problem("lists no loaders of a mission database", str(path))])
    return content


def _listed(path: Path, loaders: Sequence[Any], below: int | None, found: list[Source]) -> None:
    """Yield the files of loaders of type xtce, each followed by those of its subLoaders."""
    for loader in loaders:
        kind = str(loader.get("type", ""))
        if kind.rpartition(".")[2].lower() not in {"xtce", "xtceloader", "xtcestaxreader"}:
            raise ConfigError([Problem(f'a loader of type "{kind}" is not implemented: only xtce', str(path))])
        arguments = loader.get("args") if isinstance(loader.get("args"), dict) else {}
        names = [loader.get("spec"), arguments.get("file"), loader.get("args")]
        sets = arguments.get("fileset") or loader.get("fileset") or []
        names += sets if isinstance(sets, list) else [sets]
        files = [each for name in names if isinstance(name, str) for each in _matching(path, name)]
        if not files:
            raise ConfigError([Problem("no file of a loader exists", str(path), 0, f"{loader}"[:80])])
        place = len(found)
        found += [_source(each, below) for each in files]
        inside = loader.get("subLoaders") or []
        if inside and len(files) > 1:
            raise ConfigError([Problem("subLoaders below several files", str(path), 0, "subLoaders")])
        _listed(path, inside, place, found)


def _matching(path: Path, name: str) -> Iterator[Path]:
    """Find the files of a name or pattern. Yamcs resolves them from the folder above etc/, where the list is."""
    if Path(name).is_absolute():
        yield from [Path(name)] if Path(name).is_file() else []
        return
    for folder in (path.parent, path.parent.parent):
        some = sorted(each for each in folder.glob(name) if each.is_file())
        if some:
            yield from some
            return


def load_csv(path: Path) -> tuple[Dictionary, str]:
    """Read a table, or a folder of them: one packet type or more in each file."""
    if not path.is_dir():
        document = read_limited(path, MAX_FILE_BYTES)
        return read_csv(document, str(path), path.stem), hashlib.sha256(document).hexdigest()
    paths = sorted(path.glob("*.csv"))
    if not paths:
        raise ConfigError([Problem("has no .csv file", str(path))])
    documents = {str(each): read_limited(each, MAX_FILE_BYTES) for each in paths}
    whole = b"".join(f"{Path(name).name}\0{len(each)}\0".encode() + each for name, each in documents.items())
    names = {str(each): each.stem for each in paths}
    return read_csv_files(documents, names), hashlib.sha256(whole).hexdigest()
