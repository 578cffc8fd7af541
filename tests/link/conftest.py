"""A sender and a plain reader that share nothing with the link: their constants come from the standards.

The sender writes frames one at a time in plain Python; the reader walks frames one at a time and drops an
unfinished packet at every gap.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # where receiving.py is

ASM = bytes.fromhex("1ACFFC1D")


# -- GF(256) by long multiplication -------------------------------------------------------------------------------


def gf_multiply(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x187  # x^8 + x^7 + x^2 + x + 1
        b >>= 1
    return product


def gf_power(base: int, exponent: int) -> int:
    result = 1
    for _ in range(exponent % 255):
        result = gf_multiply(result, base)
    return result


def trace(value: int) -> int:
    """Sum of the conjugates; 0 or 1."""
    total = 0
    for _ in range(8):
        total ^= value
        value = gf_multiply(value, value)
    return total


def to_dual(symbol: int) -> int:
    """131.0-B annex F: bit i of the dual representation, first bit first, is Tr(u alpha^(117 i))."""
    bits = 0
    for i in range(8):
        bits = bits << 1 | trace(gf_multiply(symbol, gf_power(2, 117 * i)))
    return bits


DUAL = [to_dual(symbol) for symbol in range(256)]
CONVENTIONAL = [DUAL.index(symbol) for symbol in range(256)]
PRODUCTS = [bytes(gf_multiply(a, b) for b in range(256)) for a in range(256)]


def generator(parity: int) -> list[int]:
    """g(x) = product of (x - alpha^(11 j)) for 128 - E <= j <= 127 + E, highest power first."""
    g = [1]
    half = parity // 2
    for j in range(128 - half, 128 + half):
        root = gf_power(2, 11 * j)
        shifted = [*g, 0]
        scaled = [0, *(gf_multiply(root, c) for c in g)]
        g = [a ^ b for a, b in zip(shifted, scaled, strict=True)]
    return g


GENERATORS = {parity: generator(parity) for parity in (16, 32)}


def rs_parity(message: bytes, parity: int) -> bytes:
    """Remainder of the message over the generator, conventional basis."""
    g = GENERATORS[parity][1:]
    remainder = [0] * parity
    for symbol in message:
        feedback = PRODUCTS[symbol ^ remainder[0]]
        remainder = [r ^ feedback[c] for r, c in zip([*remainder[1:], 0], g, strict=True)]
    return bytes(remainder)


def rs_block(frame: bytes, parity: int = 32, interleave: int = 1, basis: str = "conventional") -> bytes:
    """The frame and its parity symbols, interleaved."""
    lanes = []
    for lane in range(interleave):
        message = frame[lane::interleave]
        if basis == "dual":
            check = rs_parity(bytes(CONVENTIONAL[s] for s in message), parity)
            lanes.append(bytes(DUAL[s] for s in check))
        else:
            lanes.append(rs_parity(message, parity))
    return frame + bytes(itertools.chain.from_iterable(zip(*lanes, strict=True)))


def randomize(block: bytes) -> bytes:
    """131.0-B 10.4: x^8 + x^7 + x^5 + x^3 + 1, registers all one, output from the last."""
    register, out = [1] * 8, bytearray()
    for octet in block:
        mask = 0
        for _ in range(8):
            mask = mask << 1 | register[0]
            register = [*register[1:], register[7] ^ register[5] ^ register[3] ^ register[0]]
        out.append(octet ^ mask)
    return bytes(out)


def crc16(octets: bytes) -> bytes:
    """x^16 + x^12 + x^5 + 1, preset to ones (732.0-B 4.1.6.2)."""
    value = 0xFFFF
    for octet in octets:
        value ^= octet << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value.to_bytes(2, "big")


# -- packets and frames -------------------------------------------------------------------------------------------


def packet(apid: int, count: int, payload: bytes, flags: int = 3) -> bytes:
    head = [apid, flags << 14 | count & 0x3FFF, len(payload) - 1]
    return b"".join(field.to_bytes(2, "big") for field in head) + payload


def zones(packets: Sequence[bytes], zone_bytes: int, apid_idle: int = 0x7FF) -> list[tuple[bytes, int]]:
    """Packets laid end to end in zones of one size, the last filled with an idle packet; each with its pointer."""
    stream, starts = b"".join(packets), [0, *itertools.accumulate(map(len, packets))]
    rest = -len(stream) % zone_bytes
    if rest:
        rest = rest if rest >= 7 else rest + zone_bytes
        while rest < 7:
            rest += zone_bytes
        stream += packet(apid_idle, 0, bytes(rest - 6))
    else:
        starts.pop()
    cut = []
    for at in range(0, len(stream), zone_bytes):
        inside = [start - at for start in starts if at <= start < at + zone_bytes]
        cut.append((stream[at : at + zone_bytes], inside[0] if inside else 0x7FF))
    return cut


def aos_frame(
    zone: bytes, pointer: int, count: int, *, scid=245, vcid=5, insert=b"", ocf=b"", fecf=False, replay=False
) -> bytes:
    head = (1 << 14 | scid << 6 | vcid).to_bytes(2, "big") + (count & 0xFFFFFF).to_bytes(3, "big")
    frame = head + bytes([0x80 * replay]) + insert + pointer.to_bytes(2, "big") + zone + ocf
    return frame + crc16(frame) if fecf else frame


def tm_frame(
    zone: bytes, pointer: int, count: int, *, scid=234, vcid=7, secondary=b"", ocf=b"", fecf=False, sync=False
) -> bytes:
    head = (scid << 4 | vcid << 1 | bool(ocf)).to_bytes(2, "big") + bytes([count & 0xFF, count & 0xFF])
    status = bool(secondary) << 15 | sync << 14 | 3 << 11 | pointer
    frame = head + status.to_bytes(2, "big")
    if secondary:
        frame += bytes([len(secondary)]) + secondary
    frame += zone + ocf
    return frame + crc16(frame) if fecf else frame


def cadu(frame: bytes, *, parity=32, interleave=1, basis="conventional", random=True) -> bytes:
    block = rs_block(frame, parity, interleave, basis) if parity else frame
    return ASM + (randomize(block) if random else block)


# -- the plain reader ---------------------------------------------------------------------------------------------


def plain_read(frames: Sequence[tuple[int, int, bytes]], modulus: int = 1 << 24) -> SimpleNamespace:
    """Packets of one channel from (count, pointer, zone), one frame at a time; identical repeats are skipped."""
    result = SimpleNamespace(packets=[], idle=0, gaps=0, lost=0, duplicates=0)
    expected, running, before = None, None, None
    for count, pointer, zone in frames:
        if before == (count, pointer, zone):
            result.duplicates += 1
            continue
        before = (count, pointer, zone)
        missing = 0 if expected is None else (count - expected) % modulus
        expected = (count + 1) % modulus
        if missing:
            result.gaps += 1
            result.lost += missing
            running = None
        if running is None:
            if pointer >= 0x7FE:
                continue
            running = zone[pointer:]
        else:
            running += zone
        while len(running) >= 6:
            length = int.from_bytes(running[4:6], "big") + 7
            if len(running) < length:
                break
            if int.from_bytes(running[:2], "big") & 0x7FF == 0x7FF:
                result.idle += 1
            else:
                result.packets.append(running[:length])
            running = running[length:]
    return result


class Functions(SimpleNamespace):
    def __repr__(self):
        return "sender"


@pytest.fixture(scope="session")
def sender() -> SimpleNamespace:
    """The plain sender's functions."""
    names = ("packet", "zones", "aos_frame", "tm_frame", "cadu", "rs_block", "rs_parity", "randomize", "crc16")
    return Functions(ASM=ASM, DUAL=DUAL, **{name: globals()[name] for name in names})


@pytest.fixture(scope="session")
def read_plainly():
    """The plain reader."""
    return plain_read


@pytest.fixture(scope="session")
def recording(real_data):
    """Reads a real recording."""
    return lambda name: (real_data / name).read_bytes()


@pytest.fixture(scope="session")
def frames_case():
    """Reads a small recording that failed once, from tests/link/cases."""
    return lambda name: (Path(__file__).parent / "cases" / name).read_bytes()
