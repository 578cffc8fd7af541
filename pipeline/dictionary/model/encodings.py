"""How values stand in a packet: numbers, text and bytes, their calibrators, and the checks that protect them."""

from __future__ import annotations

from dataclasses import dataclass

from .conditions import Condition, Reference, Size


@dataclass(frozen=True, slots=True)
class Terminated:
    """A string that goes on to its terminator, to `max_bits` at most, or to the end of the packet."""

    terminator: bytes
    max_bits: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """Text or bytes behind `tag_bits` that tell how much follows, in units of `unit_bits` (8: bytes, 1: bits).
    `max_bits`: of what follows.
    """

    tag_bits: int
    max_bits: int
    unit_bits: int = 1


@dataclass(frozen=True, slots=True)
class Polynomial:
    """`coefficients[i]` stands before x**i."""

    coefficients: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Spline:
    """(raw, calibrated) points."""

    points: tuple[tuple[float, float], ...]
    order: int = 1
    extrapolate: bool = False


@dataclass(frozen=True, slots=True)
class Formula:
    """A MathOperation in postfix notation: numbers, other parameters, operators, and "this" for the count."""

    tokens: tuple[float | str | Reference, ...]

    @property
    def operands(self) -> tuple[Reference, ...]:
        return tuple(token for token in self.tokens if isinstance(token, Reference))


Calibrator = Polynomial | Spline | Formula


@dataclass(frozen=True, slots=True)
class Crc:
    """A cyclic redundancy check; `polynomial` without its highest term."""

    width_bits: int
    polynomial: int
    initial: int = 0
    final_xor: int = 0
    reflect_data: bool = False
    reflect_remainder: bool = False

    @property
    def name(self) -> str:
        return f"CRC-{self.width_bits}"


@dataclass(frozen=True, slots=True)
class Checksum:
    """A sum by its XTCE name."""

    name: str
    width_bits: int


@dataclass(frozen=True, slots=True)
class Parity:
    """Ones counted together with the parity bit: an odd or an even number."""

    odd: bool = False
    width_bits: int = 1

    @property
    def name(self) -> str:
        return "odd parity" if self.odd else "even parity"


@dataclass(frozen=True, slots=True)
class CheckDigit:
    """A last decimal digit that checks those before it: luhn, verhoeff or damm. It is no word of bits of its own."""

    name: str
    width_bits: int = 0


CheckAlgorithm = Crc | Checksum | Parity | CheckDigit


@dataclass(frozen=True, slots=True)
class ErrorCheck:
    """A check word inside of what it protects: it covers all bytes before it. `bits`: between it and the start, or
    the end, of the packet or field; None: the file does not say. A parity bit covers all bits, its own included.
    """

    algorithm: CheckAlgorithm
    bits: int | None = None
    from_end: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class NumberEncoding:
    """An integer or float in the packet. `form` is XTCE's name of the encoding; a float's is IEEE754 or
    MILSTD_1750A. `little_endian`: bytes, `mirrored`: bits of each byte come least significant first. `places`: of a
    mixed order, the byte of the field that is the most significant, the next, and so on.

    `lsb_first`: a bit field of a little-endian structure (x86). Bits are counted from the least significant of the
    field's first byte on, so the field at bit p of n bits is (little-endian number at byte p // 8) >> p % 8.
    """

    size_bits: int
    form: str = "unsigned"
    little_endian: bool = False
    mirrored: bool = False
    calibrator: Calibrator | None = None
    contexts: tuple[tuple[Condition, Calibrator], ...] = ()
    check: ErrorCheck | None = None
    lsb_first: bool = False
    places: tuple[int, ...] = ()

    @property
    def is_contextual(self) -> bool:
        """Whether its calibration depends on other parameters."""
        if self.contexts:
            return True
        return isinstance(self.calibrator, Formula) and bool(self.calibrator.operands)

    @property
    def is_float(self) -> bool:
        return self.form in {"IEEE754", "MILSTD_1750A"}

    @property
    def is_plain(self) -> bool:
        """Whether a native number stands there, but for the order of its bytes."""
        sized = self.size_bits in {8, 16, 32, 64} and not self.mirrored and not self.lsb_first and not self.places
        return sized and self.form in {"unsigned", "twosComplement", "IEEE754"}


@dataclass(frozen=True, slots=True)
class BinaryEncoding:
    """`size`: bits. What is tagged does not include its tag."""

    size: Size | Tagged
    check: ErrorCheck | None = None


@dataclass(frozen=True, slots=True)
class StringEncoding:
    """`size`: bits of the whole buffer. `charset`: Python's name of the codec. `terminator`: what ends the text.
    `tag_bits`: the buffer begins with so many bits that tell how much text follows, in units of `unit_bits`.
    """

    size: Size | Terminated | Tagged
    charset: str = "utf-8"
    terminator: bytes = b""
    tag_bits: int = 0
    check: ErrorCheck | None = None
    unit_bits: int = 1
