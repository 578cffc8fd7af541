"""Bytes to text: charsets, terminators, size tags; strings of differing length as one unicode column.

Where a field itself tells how long its text is (a tag before it, a terminator behind), that is cut off by lengths,
and not looked for again. Plain text is widened a cache-sized piece at a time.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Ragged
from ...model.constants import constants
from ...model.reused_memory import reused_empty
from ..model.encodings import StringEncoding, Tagged, Terminated
from .ragged import byte_matrix, padded_rows

Array = NDArray[Any]
Flags = NDArray[np.bool_]
(HIGH_BIT,) = constants(np.uint8, 0x80)
WIDTHS = {"utf-16-be": 2, "utf-16-le": 2, "utf-32-be": 4, "utf-32-le": 4}
"""Bytes of one code unit."""
BLOCK_BYTES = 256 << 10
CODE_POINTS: np.dtype[Any] = np.dtype(np.uint32)
MARKS = {"utf-16": (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE), "utf-32": (codecs.BOM_UTF32_BE, codecs.BOM_UTF32_LE)}


@dataclass(frozen=True, slots=True)
class ToText:
    """Bytes uint8[..., k] to unicode: up to the terminator, without trailing NULs. Bytes that are no text in
    the charset become U+FFFD. `tag_bytes` before the text tell its length, in units of `unit_bits`.
    """

    charset: str
    terminator: bytes
    tag_bytes: int
    dtype: np.dtype[Any]
    unit_bits: int = 1

    def fill(self, raw: Array, out: Array) -> Flags | None:
        out[...] = self.decode(raw)
        return self.overflows(raw, raw.shape[-1]) if self.tag_bytes else None

    def decode(self, raw: Array) -> Array:
        """uint8[..., k] to unicode[...]."""
        if self.tag_bytes:
            raw = _untagged(raw, self.tag_bytes, self.n_bytes(raw))
        return decode_text(raw, self.charset, self.terminator)

    def n_bytes(self, raw: Array) -> Array:
        """uint64[...]: bytes of text that the tag announces."""
        count = np.zeros(raw.shape[:-1], np.uint64)
        for i in range(min(self.tag_bytes, raw.shape[-1])):
            count = (count << np.uint64(8)) | raw[..., i]
        return count if self.unit_bits == 8 else count >> np.uint64(3)

    def overflows(self, raw: Array, length: Any) -> Flags | None:
        """bool[...]: the tag announces more text than the buffer, of so many bytes, holds; None: none does."""
        room = np.maximum(np.asarray(length, np.int64) - self.tag_bytes, 0).astype(np.uint64)
        over = np.asarray((self.n_bytes(raw) > room) | (np.asarray(length) < self.tag_bytes))
        return over if over.any() else None


def decode_text(raw: Array, charset: str, terminator: bytes) -> Array:
    """uint8[..., k] to unicode[...]."""
    if terminator:
        raw = _cut(raw, terminator)
    if charset in {"ascii", "utf-8", "latin-1"} and (charset == "latin-1" or not np.count_nonzero(raw & HIGH_BIT)):
        wide = np.ascontiguousarray(raw.astype(np.uint32))
        return wide.view(f"U{raw.shape[-1]}")[..., 0]
    rows = raw.reshape(-1, raw.shape[-1])
    texts = [_decoded(row.tobytes(), charset).rstrip("\0") for row in rows]
    return np.array(texts, dtype=f"U{max(map(len, texts), default=1) or 1}").reshape(raw.shape[:-1])


def _decoded(octets: bytes, charset: str) -> str:
    """The text; of UTF-16 and UTF-32 a byte order mark decides, and is dropped."""
    family = charset.removesuffix("-be").removesuffix("-le")
    return octets.decode(family if octets.startswith(MARKS.get(family, ())) else charset, "replace")


def _untagged(raw: Array, tag_bytes: int, n_bytes: Array) -> Array:
    """The text behind the tag, `n_bytes` of it; zeros behind the text."""
    text = raw[..., tag_bytes:]
    if not text.shape[-1]:
        return np.zeros((*raw.shape[:-1], 1), np.uint8)
    inside = np.arange(text.shape[-1], dtype=np.uint64) < n_bytes[..., None]
    return np.where(inside, text, np.uint8(0))


def _cut(raw: Array, terminator: bytes) -> Array:
    """Zeros from the first terminator on, which stands at a whole number of its own widths."""
    width, k = len(terminator), raw.shape[-1] // len(terminator) * len(terminator)
    units = raw[..., :k].reshape(*raw.shape[:-1], -1, width)
    ends = units == np.frombuffer(terminator, np.uint8)
    over = np.logical_or.accumulate(ends[..., 0] if width == 1 else ends.all(axis=-1), axis=-1)
    cut = raw.copy()
    cut[..., :k][over if width == 1 else np.repeat(over, width, axis=-1)] = 0
    if k < raw.shape[-1]:
        cut[..., k:][over[..., -1:].any(axis=-1)] = 0
    return cut


def text_of(encoding: StringEncoding) -> ToText:
    """`dtype` is as wide as the buffer, or 1 where a packet tells its size."""
    n_bytes = encoding.size // 8 if isinstance(encoding.size, int) else 1
    width = np.dtype(f"U{max(n_bytes // WIDTHS.get(encoding.charset, 1), 1)}")
    return ToText(encoding.charset, encoding.terminator, encoding.tag_bits // 8, width, encoding.unit_bits)


def texts_of(raw: Ragged, size: Any, conversion: ToText) -> Array:
    """unicode[n] of fields with tags and terminators, whose `size` is how they tell it."""
    if isinstance(size, Tagged):
        tag_bytes = np.minimum(raw.length, size.tag_bits // 8)
        return _of_ragged(Ragged(raw.values, raw.start + tag_bytes, raw.length - tag_bytes), conversion.charset)
    if isinstance(size, Terminated):
        return _of_ragged(_without_terminator(raw, size.terminator), conversion.charset)
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


def _of_ragged(text: Ragged, charset: str) -> Array:
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
