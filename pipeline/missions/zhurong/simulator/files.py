"""Files that are written whole or not at all."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ....model.errors import RunError
from .arrays import Anything

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def check_writable(paths: Iterable[Path]) -> None:
    """Raise RunError for a path that is taken by a folder or a device, before any work is done."""
    for path in paths:
        if path.exists() and not path.is_file():
            raise RunError(f"{path}: cannot be written: is not a regular file")
        if not path.parent.is_dir():
            raise RunError(f"{path}: cannot be written: its folder does not exist")


def write_together(contents: Mapping[Path, bytes | memoryview]) -> None:
    """Write all files beside their places, then move each into its place, in this order; RunError if one fails."""
    parts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in contents}
    path = next(iter(contents))
    try:
        for path, content in contents.items():
            parts[path].write_bytes(content)
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        for part in parts.values():
            if part.exists():
                part.unlink()


def npz(arrays: Mapping[str, Anything]) -> bytes:
    """A compressed npz file that is the same for the same arrays, whenever it is made."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as members:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(values), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _NO_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            members.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, 6)
    return archive.getvalue()
