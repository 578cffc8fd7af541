"""Bytes of one stripe become samples: plain, packed by 12 bits, or a JPEG 2000 codestream.

In: bytes from outside, and what the record says of their size. Out: uint16 samples, or None where the bytes are not
that: too few, too many, no codestream, one of another size, or one that the library cannot decode. Nothing larger
than the record says is ever made: the size in the codestream is looked at before the library sees it.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_SAMPLES = 1 << 22
"""Of one stripe."""
_SIZ = struct.Struct(">HHHHIIIIIIIIH")  # SOC, SIZ, Lsiz, Rsiz, image and tile sizes, components (15444-1 A.5.1)
_SOC, _SIZ_MARKER = 0xFF4F, 0xFF51


def decode_stripe(mode: str, octets: NDArray[np.uint8], n_lines: int, n_samples: int) -> NDArray[np.uint16] | None:
    """Samples uint16[n_lines, n_samples] of a stripe sent in this COMPRESS_MODE; None where they cannot be had."""
    if not 0 < n_lines * n_samples <= MAX_SAMPLES:
        return None
    if mode == "NONE":
        found = _plain(octets, n_lines * n_samples)
    elif mode == "PACKED":
        found = _packed(octets, n_lines * n_samples)
    elif mode in ("LOSSLESS", "LOSSY"):
        return _codestream(octets.tobytes(), n_lines, n_samples)
    else:
        return None
    return None if found is None else found.reshape(n_lines, n_samples)


def _plain(octets: NDArray[np.uint8], n: int) -> NDArray[np.uint16] | None:
    return octets.copy().view(">u2").astype(np.uint16) if len(octets) == 2 * n else None


def _packed(octets: NDArray[np.uint8], n: int) -> NDArray[np.uint16] | None:
    """Two samples in three bytes, the first in the high bits."""
    n_pairs = (n + 1) // 2
    if len(octets) != 3 * n_pairs:
        return None
    first, middle, last = octets.reshape(-1, 3).astype(np.uint16).T
    pairs = np.stack([first << 4 | middle >> 4, (middle & 15) << 8 | last], axis=1)
    return pairs.reshape(-1)[:n]


def _codestream(octets: bytes, n_lines: int, n_samples: int) -> NDArray[np.uint16] | None:
    if not _is_of_size(octets, n_lines, n_samples):
        return None
    from PIL import Image  # noqa: PLC0415 -- slow to import, and most streams have no pictures

    try:
        with Image.open(io.BytesIO(octets), formats=("JPEG2000",)) as one:
            if one.size != (n_samples, n_lines) or one.mode not in ("L", "I;16"):
                return None
            found: NDArray[Any] = np.asarray(one)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, struct.error, Image.DecompressionBombError):
        return None
    return found.astype(np.uint16)


def _is_of_size(octets: bytes, n_lines: int, n_samples: int) -> bool:
    """Whether a codestream begins here, of one component and of this size, in tiles that are not too many."""
    if len(octets) < _SIZ.size:
        return False
    soc, siz, _, _, x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0, n_components = _SIZ.unpack_from(octets)
    known = (soc, siz, x, y, n_components) == (_SOC, _SIZ_MARKER, n_samples, n_lines, 1)
    return known and (x0, y0, tile_x0, tile_y0) == (0, 0, 0, 0) and 8 * tile_x >= x and 8 * tile_y >= y
