"""A product becomes the bytes of its message: one msgpack map, as topics.py tells.

In: what is told of the product, and its arrays. Out: exactly what msgpack makes of the whole map, put together from
pieces: what stays the same from one product to the next is packed once, and large arrays are copied once, into place.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from functools import cache, lru_cache
from operator import add
from threading import local
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL, QUALITY_MEANINGS, Product, Quality
from ..model.layouts import MAX_FORMS, DType, Form, Shape, form_of
from ..model.quantities import ArrayMetadata, Quantities

ARRAY_KINDS = frozenset("biufcSUMm")
"""Types of arrays that other languages read."""
_COPIED_BYTES = 1 << 12
"""An array larger than this goes into the payload from where it lies."""
_PACKER_BYTES = 1 << 18
_QUALITY_BITS = {str(bit.value): f"{bit.name}: {QUALITY_MEANINGS[str(bit.name)]}" for bit in Quality}
_ARRAYS = msgpack.packb("arrays")
_QUALITY = msgpack.packb("quality") + msgpack.Packer().pack_map_header(3)
_BITS_AND_LINEAGE = b"".join(
    map(msgpack.packb, ("quality_bits", _QUALITY_BITS, "doubtful_mask", int(DOUBTFUL), "lineage"))
)
_own = local()


def product_payload(front: Mapping[str, Any], product: Product) -> bytes:
    """`front`: the keys that stand before its arrays, up to 10. ValueError where an array has no form to tell it in."""
    pieces: list[bytes | memoryview] = [_map_of(len(front) + 5), _entries(front), _ARRAYS]
    pieces += _packed_arrays(Quantities.of(product.arrays))
    pieces += [_QUALITY, _head(product.quality.dtype, product.quality.shape), _octets(product.quality)]
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
    """The keys and values of a map, without the byte that says how many they are: up to 15."""
    return _pack(told)[1:]


def _packed_arrays(quantities: Quantities) -> list[bytes | memoryview]:
    """A map of them: what stands between the bytes of one array and those of the next, and these bytes, in turn."""
    arrays = quantities.arrays
    between, as_they_are = _between(quantities.legend, form_of(arrays))
    pieces: list[bytes | memoryview] = [b""] * (2 * len(arrays) + 1)
    pieces[::2] = between
    if not as_they_are:
        pieces[1::2] = [_octets(array) for array in arrays.values()]
    else:
        pieces[1::2] = [array.tobytes() for array in arrays.values()]
    return pieces


@lru_cache(MAX_FORMS)
def _between(legend: ArrayMetadata, form: Form) -> tuple[list[bytes], bool]:
    """What stands before each array and behind the last one; whether all are small and have their form already."""
    for name, dtype in zip(form.names, form.dtypes, strict=True):
        if not _little(dtype)[0]:
            raise ValueError(f"array {name!r} of type {dtype} has no form that other languages read")
    around = _around(legend, form.names)
    between = [*map(add, around, map(_head, form.dtypes, form.shapes)), around[-1]]
    return between, all(map(_is_octets, form.dtypes, form.shapes))


@lru_cache(MAX_FORMS)
def _around(legend: ArrayMetadata, names: tuple[str, ...]) -> list[bytes]:
    """What is said between one array and the next that does not depend on their types and shapes."""
    front, around = _map_of(len(names)), []
    for name in names:
        around.append(front + _pack(name) + _map_of(6))
        front = _entries(dict(zip(("unit", "description", "dims"), legend.said[name], strict=True)))
    return [*around, front]


@lru_cache(MAX_FORMS)
def _head(dtype: DType, shape: Shape) -> bytes:
    """What is said of an array before its bytes."""
    told = {"dtype": _little(dtype)[0], "shape": shape}
    return _entries(told) + _pack("data") + _bytes_follow(math.prod(shape) * dtype.itemsize)


@lru_cache(MAX_FORMS)
def _is_octets(dtype: DType, shape: Shape) -> bool:
    """Whether an array's bytes go into the payload as they are, by way of a copy."""
    return _little(dtype)[1] and math.prod(shape) * dtype.itemsize <= _COPIED_BYTES


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
