"""Check words of packets that are being made: in plain Python, apart from the tables that check them."""

from __future__ import annotations

from .model.encodings import CheckAlgorithm, Crc


def check_word(algorithm: CheckAlgorithm, octets: bytes) -> bytes:
    """The check word over the octets, most significant byte first. Raises ValueError for parity, which has no word."""
    if not algorithm.width_bits or algorithm.width_bits % 8:
        raise ValueError(f"{algorithm.name} is not written: it is no whole bytes")
    value = _crc(algorithm, octets) if isinstance(algorithm, Crc) else _sum(algorithm.name, octets)
    return (value & ((1 << algorithm.width_bits) - 1)).to_bytes(algorithm.width_bits // 8, "big")


def _crc(crc: Crc, octets: bytes) -> int:
    """The shift register, bit by bit."""
    register, top = crc.initial, 1 << (crc.width_bits - 1)
    for octet in octets:
        for i in range(8):
            bit = octet >> (i if crc.reflect_data else 7 - i) & 1
            falls_out = bool(register & top) != bool(bit)
            register = register << 1 & (2 * top - 1)
            register ^= crc.polynomial if falls_out else 0
    if crc.reflect_remainder:
        register = int(f"{register:0{crc.width_bits}b}"[::-1], 2)
    return register ^ crc.final_xor


def _sum(name: str, octets: bytes) -> int:
    if name.startswith("sum"):
        return sum(octets)
    if name == "adler32":
        return _two_sums(list(octets), 65521, 1, 16)
    half = int(name.removeprefix("fletcher")) // 2
    text = "".join(f"{octet:08b}" for octet in octets)
    text += "0" * (-len(text) % half)
    return _two_sums([int(text[i : i + half], 2) for i in range(0, len(text), half)], (1 << half) - 1, 0, half)


def _two_sums(blocks: list[int], modulus: int, first: int, shift: int) -> int:
    """Of Fletcher and Adler: the sum of the blocks, and the sum of these sums."""
    second = 0
    for block in blocks:
        first = (first + block) % modulus
        second = (second + first) % modulus
    return second << shift | first
