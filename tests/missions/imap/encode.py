"""Packets of MAG, written from the layout alone: nothing of the package that reads them is used.

A packet's science data are text of bits here, most significant first.
"""

from itertools import pairwise

import numpy as np

FIBONACCI = [1, 2]
while FIBONACCI[-1] < 1 << 24:
    FIBONACCI.append(FIBONACCI[-1] + FIBONACCI[-2])


def two(value, width):
    return format(int(value) % (1 << width), f"0{width}b")


def fibonacci(number):
    """The code of a number from 1 on: the greatest number that fits is taken first, the smallest is sent first."""
    bits = []
    for part in reversed([each for each in FIBONACCI if each <= number]):
        bits.append("1" if part <= number else "0")
        number -= part if part <= number else 0
    return "".join(reversed(bits)) + "1"


def zigzag(step):
    return 2 * step if step >= 0 else -2 * step - 1


def plain(vectors, ranges):
    return "".join(
        "".join(two(part, 16) for part in vector) + two(r, 2) for vector, r in zip(vectors, ranges, strict=True)
    )


def section(vectors, first_range, width):
    bits = "".join(two(part, width) for part in vectors[0]) + two(first_range, 2)
    is_plain = False
    for before, vector in pairwise(vectors):
        if is_plain:
            bits += "".join(two(part, width) for part in vector)
            continue
        code = "".join(fibonacci(zigzag(int(b) - int(a)) + 1) for a, b in zip(before, vector, strict=True))
        bits += code
        is_plain = len(code) > 60
    return bits


def compressed(primary, secondary, width, ranges=None):
    """`primary`, `secondary`: vectors and ranges of each; `ranges`: whether those follow."""
    bits = two(width, 6) + ("1" if ranges else "0") + "0"
    bits += section(primary[0], primary[1][0], width) + section(secondary[0], secondary[1][0], width)
    if ranges:
        bits += "0" * (-len(bits) % 8)
        bits += "".join(two(r, 2) for _, all_ranges in (primary, secondary) for r in all_ranges[1:])
    return bits


def rows(*texts):
    """Packets of differing length as uint8[n, L], and the bytes of each."""
    whole = [text + "0" * (-len(text) % 8) for text in texts]
    data = [np.packbits(np.array(list(text), np.uint8)) if text else np.empty(0, np.uint8) for text in whole]
    most = max(map(len, data))
    return np.stack([np.pad(each, (0, most - len(each))) for each in data]), np.array([len(each) for each in data])
