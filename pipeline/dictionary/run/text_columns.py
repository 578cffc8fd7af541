"""Strings of differing length as one unicode column.

Where the field itself tells how long its text is (a tag before it, a terminator behind), that is cut off by lengths,
and not looked for again. Plain text is widened a cache-sized piece at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Ragged
from ...model.reused_memory import reused_empty
from ..model.encodings import Tagged, Terminated
from .ragged import byte_matrix, padded_rows
from .texts import ToText, decode_text

Array = NDArray[Any]
BLOCK_BYTES = 256 << 10
CODE_POINTS: np.dtype[Any] = np.dtype(np.uint32)


def texts_of(raw: Ragged, size: Any, conversion: ToText) -> Array:
    """unicode[n] of fields with tags and terminators, whose `size` is how they tell it."""
    if isinstance(size, Tagged):
        tag_bytes = np.minimum(raw.length, size.tag_bits // 8)
        return _decoded(Ragged(raw.values, raw.start + tag_bytes, raw.length - tag_bytes), conversion.charset)
    if isinstance(size, Terminated):
        return _decoded(_without_terminator(raw, size.terminator), conversion.charset)
    matrix = byte_matrix(raw)
    return conversion.decode(matrix) if matrix.shape[1] else np.zeros(len(raw), "U1")


def _without_terminator(raw: Ragged, terminator: bytes) -> Ragged:
    """The first terminator is the end of the field, if there is one at all."""
    width = len(terminator)
    ends = (raw.length >= width) & (raw.length % width == 0)
    for k, octet in enumerate(terminator):
        place = raw.start + raw.length - width + k
        ends &= raw.values.take(place, mode="clip") == octet if len(raw.values) else False
    return Ragged(raw.values, raw.start, raw.length - ends * width)


def _decoded(text: Ragged, charset: str) -> Array:
    width, n = int(text.length.max(initial=0)), len(text)
    if not width:
        return np.zeros(n, "U1")
    if charset in {"ascii", "utf-8", "latin-1"}:
        plain = _widened(text, width, every=charset == "latin-1")
        if plain is not None:
            return plain
    return decode_text(byte_matrix(text), charset, b"")


def _widened(text: Ragged, width: int, *, every: bool) -> Array | None:
    """Code points that are bytes; None: there is one that is not. `every`: all bytes are code points."""
    n, shape = len(text), (len(text), width)
    codes = reused_empty(shape, CODE_POINTS)
    step = max(BLOCK_BYTES // width, 1)
    for low in range(0, n, step):
        part = slice(low, low + step)
        block = padded_rows(text.values, text.start[part], text.length[part], width)
        if not every and int(block.max(initial=0)) >= 0x80:
            return None
        codes[part] = block
    return codes.view(f"U{width}")[:, 0]
