"""Writes sound recordings as WAV, one file each: 32-bit floats in pascals, so that full scale is 1 Pa.

In: collections with `sound_pressure_pa` (row, sample) and `sample_rate_hz`. Dropped: recordings without a sample rate.
NaN becomes silence.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..model.batches import NO_TIME
from ..system.files import whole_path
from .collection import ROW, Collection, Origin
from .jobs import Job
from .libraries import science
from .product_names import file_stem
from .provenance import notes

_PRESSURE, _RATE = "sound_pressure_pa", "sample_rate_hz"
_MOST_HZ = 1_000_000


def plan_wav(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan a job for each recording."""
    for one in collections:
        columns = one.columns
        if any(name not in columns or columns[name].dims[:1] != (ROW,) for name in (_PRESSURE, _RATE)):
            continue
        rate_hz, utc_ns = columns[_RATE].array.whole(), columns["time_utc_ns"].array.whole()
        sols = one.local_times["sol"].whole() if "sol" in one.local_times else np.zeros(len(utc_ns), np.int64)
        ids = np.repeat(one.ids, one.n_rows)
        for row in np.flatnonzero((rate_hz >= 1) & (rate_hz <= _MOST_HZ)).tolist():
            start_ns = int(utc_ns[row])
            span_ns = round(columns[_PRESSURE].array.shape[1] / float(rate_hz[row]) * 1e9)
            ends = (start_ns, start_ns + span_ns) if start_ns != NO_TIME else (NO_TIME, NO_TIME)
            stem = file_stem(one, origin, row=(*ends, max(int(sols[row]), 0)))
            write = partial(_write, one, row, round(float(rate_hz[row])), origin)
            yield Job(stem, (("wav", ".wav"),), write, (one,), ends, 1, (str(ids[row]),))


def _write(collection: Collection, row: int, rate_hz: int, origin: Origin, paths: Sequence[Path]) -> None:

    pressure = collection.columns[_PRESSURE].array.whole()[row]
    [path] = paths
    with whole_path(path) as part:
        science("scipy.io.wavfile").write(part, rate_hz, np.nan_to_num(pressure).astype(np.float32))
        words = "; ".join(f"{key}: {text}" for key, text in notes(collection, origin).items())
        _add_comment(part, f"pascals; {words}")


def _add_comment(path: Path, words: str) -> None:
    """Append a comment: a RIFF list INFO with the chunk ICMT."""
    text = words.encode("ascii", "replace") + b"\0"
    text += b"\0" * (len(text) % 2)
    entry = b"INFOICMT" + struct.pack("<I", len(text)) + text
    content = path.read_bytes()
    content += b"\0" * (len(content) % 2) + b"LIST" + struct.pack("<I", len(entry)) + entry
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content) - 8) + content[8:])
