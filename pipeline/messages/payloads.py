"""A product becomes the bytes of its message: one msgpack map, as topics.py tells.

In: what is told of the product, and its arrays. Out: exactly what msgpack makes of the whole map, put together from
pieces: what stays the same from one product to the next is packed once, and large arrays are copied once, into place.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
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
    pieces: list[bytes | memoryview] = [_map_of(len(front) + 5), _entries(front), _ARRAYS]
    pieces += _packed_arrays(Quantities.of(product.arrays))
    pieces += [
        _QUALITY,
        _head("quality", product.quality.dtype, product.quality.shape)[0],
        _octets(product.quality),
    ]
    pieces += [_BITS_AND_LINEAGE, _pack(dict(product.lineage))]
    return b"".join(pieces)


def _packer() -> msgpack.Packer:
    """One that has its memory already takes a seventh of the time, so each thread keeps one."""
    if not hasattr(_own, "packer"):
        _own.packer = msgpack.Packer(default=plain, buf_size=_PACKER_BYTES)
    return _own.packer


def _pack(told: Any) -> bytes:
    packed: bytes = _packer().pack(told)
    return packed


def _map_of(n: int) -> bytes:
    """What msgpack puts before the keys and values of a map."""
    header: bytes = _packer().pack_map_header(n)
    return header


def _entries(told: Mapping[str, Any]) -> bytes:
    """The keys and values of a map, without the bytes that say how many they are."""
    return _pack(told)[len(_map_of(len(told))) :]


def _packed_arrays(quantities: Quantities) -> list[bytes | memoryview]:
    """A map of them: what stands between the bytes of one array and those of the next, and these bytes, in turn."""
    arrays, names = quantities.arrays, tuple(quantities.arrays)
    between, is_small = quantities.legend.once(
        ("message", names), partial(_ArrayMap, quantities.legend, names)
    ).between(arrays)
    pieces: list[bytes | memoryview] = [b""] * (2 * len(arrays) + 1)
    pieces[::2] = between
    pieces[1::2] = [array.tobytes() for array in arrays.values()] if is_small else map(_octets, arrays.values())
    return pieces


class _ArrayMap:
    """The arrays of one kind of product in its messages. Keeps what the last message had between its arrays: types and
    shapes are mostly the same in the next one.
    """

    def __init__(self, metadata: ArrayMetadata, names: tuple[str, ...]) -> None:
        self._around = _around(metadata, names)
        self._last: tuple[Layout | None, list[bytes], bool] = None, [], False

    def between(self, arrays: Mapping[str, NDArray[Any]]) -> tuple[list[bytes], bool]:
        """What stands before each array and behind the last one; whether all are small and little-endian already.

        ValueError for an array whose type other languages cannot read.
        """
        layout = *map(_DTYPE, arrays.values()), *map(_SHAPE, arrays.values())
        known, between, is_small = self._last
        if layout != known:
            heads = [_head(name, array.dtype, array.shape) for name, array in arrays.items()]
            between = [*map(add, self._around, map(_HEAD, heads)), self._around[-1]]
            is_small = all(map(_IS_SMALL, heads))
            self._last = layout, between, is_small
        return between, is_small


def _around(metadata: ArrayMetadata, names: tuple[str, ...]) -> list[bytes]:
    """What is said between one array and the next that does not depend on their types and shapes."""
    front, around = _map_of(len(names)), []
    for name in names:
        around.append(front + _pack(name) + _map_of(6))
        front = _entries(dict(zip(("unit", "description", "dims"), metadata.said[name], strict=True)))
    return [*around, front]


def _head(name: str, dtype: DType, shape: Shape) -> tuple[bytes, bool]:
    """What is said of an array before its bytes; whether these go into the payload as they are, by way of a copy."""
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
    return little.reshape(-1).view(np.uint8).data


def plain(value: Any) -> Any:
    """A NumPy value as one of Python; TypeError for what has no place in a message."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in a message")
