"""Identify a recording by its content, since file names are not unique.

In: the path of a recording. Out: a digest in hexadecimal of its size and of samples of its bytes. Transfer frames and
packets have counters, so different recordings differ in any sample; a long recording costs one read of 1 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

_N_SAMPLES, _SAMPLE_BYTES = 64, 16 << 10


def content_digest(recording: Path) -> str | None:
    """Digest of a recording, compressed or not; None for standard input and other paths that are no file.

    Of a folder of `ingest`: that of its `.raw` files in order. Raises OSError if a file cannot be read.
    """
    files = sorted(recording.glob("[0-9]*.raw")) if recording.is_dir() else [recording]
    if not files or not all(file.is_file() for file in files):
        return None
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        for sample in _samples(file):
            digest.update(sample)
    return digest.hexdigest()


def content_of_all(recordings: Sequence[Path]) -> str:
    """Digest of several recordings in order; empty if one of them has none."""
    digests = [content_digest(path) for path in recordings]
    whole = "".join(digest or "" for digest in digests)
    return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest() if all(digests) and digests else ""


def _samples(file: Path) -> Iterable[bytes]:
    """Yield the size, then the content of a short file, or evenly spaced samples of a long one."""
    size = file.stat().st_size
    yield size.to_bytes(8, "big")
    with file.open("rb") as opened:
        if size <= _N_SAMPLES * _SAMPLE_BYTES:
            yield opened.read()
            return
        for number in range(_N_SAMPLES):
            opened.seek((size - _SAMPLE_BYTES) * number // (_N_SAMPLES - 1))
            yield opened.read(_SAMPLE_BYTES)
