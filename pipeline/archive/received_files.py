"""Writes files that a spacecraft sent, under their names.

In: collections with `content` (row, byte), `file_name` and `transaction`. Missing bytes are zero, and the name of an
incomplete file ends with `.incomplete`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..system.files import whole_path
from .collection import ROW, Collection, Origin
from .jobs import Job
from .product_names import file_stem

_MOST_NAME = 120


def plan_files(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan a job for each file."""
    for one in collections:
        columns = one.columns
        if any(
            name not in columns for name in ("content", "file_name", "transaction", "size_bytes", "received_bytes")
        ):
            continue
        if columns["content"].dims[:1] != (ROW,):
            continue
        for number, product_id in enumerate(one.ids):
            known = {name: columns[name].array.part(number)[0] for name in ("file_name", "transaction", "content")}
            counts = [int(columns[name].array.part(number)[0]) for name in ("size_bytes", "received_bytes")]
            ending = "" if counts[0] == counts[1] else ".incomplete"
            stem = f"{file_stem(one, origin)}_{int(known['transaction'])}_{_plain(str(known['file_name']))}"
            write = partial(_write, np.asarray(known["content"], np.uint8))
            yield Job(stem, (("file", ending),), write, (one,), (NO_TIME, NO_TIME), 1, (product_id,))


def _plain(name: str) -> str:
    """Last part of a path, with characters that every file system allows."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", re.split(r"[/\\]", name)[-1]).strip("-.")[:_MOST_NAME] or "unnamed"


def _write(content: NDArray[np.uint8], paths: Sequence[Path]) -> None:
    with whole_path(paths[0]) as part:
        part.write_bytes(content.tobytes())
