"""A product becomes the bytes of its message: one msgpack map, as topics.py tells.

In: what is told of the product, and its arrays. Out: exactly what msgpack makes of the whole map, put together from
pieces: what stays the same from one product to the next is packed once, and large arrays are copied once, into place.
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
"""Types of arrays that other languages read."""
_COPIED_BYTES = 1 << 12
"""An array larger than this goes into the payload from where it lies."""
_PACKER_BYTES = 1 << 18
MAX_HEADS = 512
"""Types and shapes remembered: a product has few, and what is forgotten is made in 2 us."""
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
    """`front`: the keys that stand before its arrays. ValueError where an array has no form to tell it in."""
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
    """One that has its memory already takes a seventh of the time, so each thread keeps one."""
    if not hasattr(_own, "packer"):
        _own.packer = msgpack.Packer(default=plain, buf_size=_PACKER_BYTES)
    return _own.packer


def _pack(told: Any) -> bytes:
    packed: bytes = _packer().pack(told)
    return packed


@lru_cache(64)
def _map_of(n: int) -> bytes:
    """What msgpack puts before the keys and values of a map."""
    header: bytes = msgpack.Packer().pack_map_header(n)
    return header


def _entries(told: Mapping[str, Any]) -> bytes:
    """The keys and values of a map, without the bytes that say how many they are."""
    return _pack(told)[len(_map_of(len(told))) :]


class _ArrayMap:
    """The arrays of one kind of product, and the quality of its rows, in its messages.

    Keeps what the last message had between its arrays: types and shapes are mostly the same in the next one.
    """

    def __init__(self, metadata: ArrayMetadata, names: tuple[str, ...]) -> None:
        self._names = names
        self._around = _around(metadata, names)
        self._last: tuple[Layout | None, list[bytes], bool] = None, [], False

    def pieces(self, arrays: Sequence[NDArray[Any]]) -> list[bytes | memoryview]:
        """From the key "arrays" to the last byte of the quality, which is the last array: in turn what stands before
        an array, and its bytes. ValueError for an array whose type other languages cannot read.
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
    """What stands before each array, and before the quality, as far as it does not depend on types and shapes."""
    front, around = _ARRAYS + _map_of(len(names)), []
    for name in names:
        around.append(front + _pack(name) + _map_of(6))
        front = _entries(dict(zip(("unit", "description", "dims"), metadata.arrays[name], strict=True)))
    return [*around, front + _QUALITY]


def _head(name: str, dtype: DType, shape: Shape) -> tuple[bytes, bool]:
    """The bytes of a message before those of an array; whether these go into the payload as they are, by a copy."""
    form, as_it_is = _little(dtype)
    if not form:
        raise ValueError(f"array {name!r} of type {dtype} has no form that other languages read")
    n_bytes = math.prod(shape) * dtype.itemsize
    return _head_of(form, shape) + _bytes_follow(n_bytes), as_it_is and n_bytes <= _COPIED_BYTES


@lru_cache(MAX_HEADS)
def _head_of(form: str, shape: Shape) -> bytes:
    return _entries({"dtype": form, "shape": shape}) + _pack("data")


def _bytes_follow(n: int) -> bytes:
    """What msgpack puts before `n` bytes: bin 8, bin 16 or bin 32 of its specification."""
    if n < 1 << 8:
        return struct.pack(">BB", 0xC4, n)
    return struct.pack(">BH", 0xC5, n) if n < 1 << 16 else struct.pack(">BI", 0xC6, n)


@cache
def _little(dtype: DType) -> tuple[str, bool]:
    """The little-endian type, and whether it is this one; empty where other languages do not read it."""
    form = dtype.newbyteorder("<").str if dtype.kind in ARRAY_KINDS else ""
    return form, dtype.str == form


def _octets(array: NDArray[Any]) -> bytes | memoryview:
    """Little-endian, in C order, as a view where that spares a large copy."""
    form, as_it_is = _little(array.dtype)
    little = array if as_it_is else array.astype(form)
    if little.nbytes <= _COPIED_BYTES or not little.flags.c_contiguous:
        return little.tobytes()
    return little.data if little.dtype.kind in "iuf" else little.reshape(-1).view(np.uint8).data


def plain(value: Any) -> Any:
    """A NumPy value as one of Python; TypeError for what has no place in a message."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in a message")
