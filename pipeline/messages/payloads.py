"""Encodes a product as the payload of its message: one msgpack map, described in topics.py.

In: the keys before the arrays, and the product. Out: the same bytes as msgpack gives for the whole map, joined from
pieces: metadata that repeat from one product to the next are packed once, and large arrays are copied once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache, partial
from operator import add, attrgetter, itemgetter
from threading import local
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL, QUALITY_MEANINGS, Product, Quality
from ..model.quantities import ArrayMetadata, Quantities

ARRAY_KINDS = frozenset("biufcSUMm")
"""Kinds of NumPy types that readers in other languages support."""
_COPIED_BYTES = 1 << 12
"""A larger array is joined into the payload from its own memory, without a copy before."""
_PACKER_BYTES = 1 << 18
MAX_HEADS = 512
"""Packed types and shapes that are cached: a product has few, and one is made in 2 us."""
DType = np.dtype[Any]
Shape = tuple[int, ...]
Layout = tuple[DType | Shape, ...]
"""The types of some arrays, then their shapes."""
_DTYPE, _SHAPE = attrgetter("dtype"), attrgetter("shape")
_HEAD, _IS_SMALL = itemgetter(0), itemgetter(1)
_QUALITY_BITS = {str(bit.value): f"{bit.name}: {QUALITY_MEANINGS[str(bit.name)]}" for bit in Quality}
_ARRAYS = msgpack.packb("arrays")
_QUALITY = msgpack.packb("quality") + msgpack.Packer().pack_map_header(3)
_BITS_AND_LINEAGE = b"".join(
    map(msgpack.packb, ("quality_bits", _QUALITY_BITS, "doubtful_mask", int(DOUBTFUL), "lineage"))
)
_own = local()


def product_payload(front: Mapping[str, Any], product: Product) -> bytes:
    """The payload of a product. `front`: the keys before its arrays. ValueError for an array of an unsupported type."""
    pack = _packer().pack
    quantities = Quantities.of(product.arrays)
    names = tuple(quantities.arrays)
    array_map = quantities.metadata.once(("message", names), partial(_ArrayMap, quantities.metadata, names))
    pieces = array_map.pieces([*quantities.arrays.values(), product.quality])
    n = len(front)
    pieces[0] = b"".join((_map_of(n + 5), pack(front)[len(_map_of(n)) :], pieces[0]))
    pieces += [_BITS_AND_LINEAGE, pack(dict(product.lineage))]
    return b"".join(pieces)


def _packer() -> msgpack.Packer:
    """The packer of this thread: with its buffer allocated already, packing takes a seventh of the time."""
    if not hasattr(_own, "packer"):
        _own.packer = msgpack.Packer(default=plain, buf_size=_PACKER_BYTES)
    return _own.packer


def _pack(value: Any) -> bytes:
    packed: bytes = _packer().pack(value)
    return packed


@lru_cache(64)
def _map_of(n: int) -> bytes:
    """Header that msgpack writes before the keys and values of a map of n entries."""
    header: bytes = msgpack.Packer().pack_map_header(n)
    return header


def _entries(fields: Mapping[str, Any]) -> bytes:
    """The packed keys and values of a map, without its header."""
    return _pack(fields)[len(_map_of(len(fields))) :]


class _ArrayMap:
    """The arrays of one kind of product, and the quality of its rows, as parts of its payloads.

    Caches the bytes between the arrays of the last message: types and shapes are mostly the same in the next.
    """

    def __init__(self, metadata: ArrayMetadata, names: tuple[str, ...]) -> None:
        self._names = names
        self._around = _around(metadata, names)
        self._last: tuple[Layout | None, list[bytes], bool] = None, [], False

    def pieces(self, arrays: Sequence[NDArray[Any]]) -> list[bytes | memoryview]:
        """Give the parts of the payload from the key "arrays" to the quality, the last of `arrays`: alternately the
        bytes before an array, and those of the array. ValueError for an array of an unsupported type.
        """
        layout = *map(_DTYPE, arrays), *map(_SHAPE, arrays)
        known, between, is_small = self._last
        if layout != known:
            heads = [
                _head(name, one.dtype, one.shape)
                for name, one in zip((*self._names, "quality"), arrays, strict=True)
            ]
            between = [*map(add, self._around, map(_HEAD, heads))]
            is_small = all(map(_IS_SMALL, heads))
            self._last = layout, between, is_small
        pieces: list[bytes | memoryview] = [b""] * (2 * len(arrays))
        pieces[::2] = between
        pieces[1::2] = [one.tobytes() for one in arrays] if is_small else map(_octets, arrays)
        return pieces


def _around(metadata: ArrayMetadata, names: tuple[str, ...]) -> list[bytes]:
    """The bytes before each array, and before the quality, that do not depend on types and shapes."""
    front, around = _ARRAYS + _map_of(len(names)), []
    for name in names:
        around.append(front + _pack(name) + _map_of(6))
        front = _entries(dict(zip(("unit", "description", "dims"), metadata.arrays[name], strict=True)))
    return [*around, front + _QUALITY]


def _head(name: str, dtype: DType, shape: Shape) -> tuple[bytes, bool]:
    """The bytes before those of an array; and whether its `tobytes` gives these: it is small and little-endian."""
    form, as_it_is = _little(dtype)
    if not form:
        raise ValueError(f"array {name!r} of type {dtype} has no form that other languages read")
    n_bytes = math.prod(shape) * dtype.itemsize
    return _head_of(form, shape) + _bytes_follow(n_bytes), as_it_is and n_bytes <= _COPIED_BYTES


@lru_cache(MAX_HEADS)
def _head_of(form: str, shape: Shape) -> bytes:
    return _entries({"dtype": form, "shape": shape}) + _pack("data")


def _bytes_follow(n: int) -> bytes:
    """Header that msgpack writes before `n` bytes: bin 8, bin 16 or bin 32 of its specification."""
    if n < 1 << 8:
        return struct.pack(">BB", 0xC4, n)
    return struct.pack(">BH", 0xC5, n) if n < 1 << 16 else struct.pack(">BI", 0xC6, n)


@cache
def _little(dtype: DType) -> tuple[str, bool]:
    """The little-endian type string, and whether the type is that already; empty for an unsupported type."""
    form = dtype.newbyteorder("<").str if dtype.kind in ARRAY_KINDS else ""
    return form, dtype.str == form


def _octets(array: NDArray[Any]) -> bytes | memoryview:
    """The bytes of an array, little-endian in C order; a view of a large array where it has that layout."""
    form, as_it_is = _little(array.dtype)
    little = array if as_it_is else array.astype(form)
    if little.nbytes <= _COPIED_BYTES or not little.flags.c_contiguous:
        return little.tobytes()
    return little.data if little.dtype.kind in "iuf" else little.reshape(-1).view(np.uint8).data


def plain(value: Any) -> Any:
    """A NumPy value as one of Python, for msgpack and JSON; TypeError for any other type."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in a message")
