"""What a dictionary says, frozen, with every reference resolved: parameters, their types, containers.

A parameter is known by its key: its plain name, or its path below the root system where two systems use one
name. Sizes and offsets are in bits. Nothing here reads XML or touches a packet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf

MAX_CONTAINER_BITS = 8 * (64 << 20)
"""No packet or joined record is longer; an offset beyond is a mistake in the file."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of another parameter, calibrated or raw."""

    parameter: str
    calibrated: bool = True
    line: int = 0


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A number of bits, elements or repeats that a packet tells itself: slope * value + intercept."""

    of: Reference
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, slots=True)
class Lookup:
    """The value of the first case that holds."""

    cases: tuple[tuple[Condition, int], ...]


Size = int | Dynamic | Lookup


@dataclass(frozen=True, slots=True)
class Terminated:
    """A string that goes on to its terminator, to `max_bits` at most, or to the end of the packet."""

    terminator: bytes
    max_bits: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """A string whose own first `tag_bits` tell how many bits of text follow."""

    tag_bits: int
    max_bits: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One parameter against a literal, or against another parameter."""

    left: Reference
    operator: str
    right: str | Reference
    line: int = 0


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part at least holds."""

    parts: tuple[Condition, ...]


Condition = Comparison | AllOf | AnyOf


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


CheckAlgorithm = Crc | Checksum | Parity


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
    MILSTD_1750A. `little_endian`: bytes, `mirrored`: bits of each byte come least significant first.
    """

    size_bits: int
    form: str = "unsigned"
    little_endian: bool = False
    mirrored: bool = False
    calibrator: Calibrator | None = None
    contexts: tuple[tuple[Condition, Calibrator], ...] = ()
    check: ErrorCheck | None = None

    @property
    def is_contextual(self) -> bool:
        """Whether its calibration depends on other parameters."""
        formulas = [each for each in (self.calibrator, *(c for _, c in self.contexts)) if isinstance(each, Formula)]
        return bool(self.contexts) or any(each.operands for each in formulas)

    @property
    def is_float(self) -> bool:
        return self.form in {"IEEE754", "MILSTD_1750A"}

    @property
    def is_plain(self) -> bool:
        """Whether a native number stands there, but for the order of its bytes."""
        sized = self.size_bits in {8, 16, 32, 64} and not self.mirrored
        return sized and self.form in {"unsigned", "twosComplement", "IEEE754"}


@dataclass(frozen=True, slots=True)
class BinaryEncoding:
    """`size`: bits."""

    size: Size
    check: ErrorCheck | None = None


@dataclass(frozen=True, slots=True)
class StringEncoding:
    """`size`: bits of the whole buffer. `charset`: Python's name of the codec. `terminator`: what ends the text.
    `tag_bits`: the buffer begins with so many bits that tell how many bits of text follow.
    """

    size: Size | Terminated | Tagged
    charset: str = "utf-8"
    terminator: bytes = b""
    tag_bits: int = 0
    check: ErrorCheck | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, each inclusive or not."""

    low: float = -inf
    high: float = inf
    with_low: bool = True
    with_high: bool = True


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a value is of concern. Levels are places in CONCERN_LEVELS; the highest that applies counts.

    `bands`: (level, range, whether being inside it is what matters). `labels`: level by label; others have
    `default`. `conditions`: level by what other parameters say. A level holds when so many values in a row have it
    (`violations`; `conformance` for normal).
    """

    bands: tuple[tuple[int, Range, bool], ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    default: int = 0
    violations: int = 1
    conformance: int = 1
    conditions: tuple[tuple[int, Condition], ...] = ()


CONCERN_LEVELS = ("normal", "watch", "warning", "distress", "critical", "severe")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is checked on a parameter's values. `contexts`: alarms that go before the default one."""

    valid: Range | None = None
    valid_is_raw: bool = False
    alarm: Alarm | None = None
    contexts: tuple[tuple[Condition, Alarm], ...] = ()


@dataclass(frozen=True, slots=True)
class NumberType:
    """Integers and floats. `real`: the calibrated value is a float even where the raw one is an integer."""

    name: str
    encoding: NumberEncoding
    real: bool = False
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class EnumeratedType:
    """`labels`: (lowest, highest, label), in the order of the file."""

    name: str
    encoding: NumberEncoding
    labels: tuple[tuple[int, int, str], ...]
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class BooleanType:
    """Not zero is true; `one` and `zero` are the words for it in comparisons."""

    name: str
    encoding: NumberEncoding
    one: str = "True"
    zero: str = "False"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class StringType:
    """Text."""

    name: str
    encoding: StringEncoding
    unit: str = ""


@dataclass(frozen=True, slots=True)
class BinaryType:
    """A blob."""

    name: str
    encoding: BinaryEncoding
    unit: str = ""


@dataclass(frozen=True, slots=True)
class TimeType:
    """A time in int64 nanoseconds: `unit_ns` times the count, plus `offset_ns`.

    An absolute time is counted since 1970-01-01 in the scale of its epoch: no leap seconds are put in or out.
    """

    name: str
    encoding: NumberEncoding
    unit_ns: Fraction
    offset_ns: Fraction = Fraction(0)
    absolute: bool = False
    offset_from: Reference | None = None
    """The time, in the same packet, from which it counts on."""

    @property
    def unit(self) -> str:
        return unit_of_time(absolute=self.absolute)


@dataclass(frozen=True, slots=True)
class TimeCode:
    """A CCSDS time code (301.0-B-4): octets of its T-field. CUC: whole seconds and the fraction. CDS: days, and what is
    behind the four of milliseconds: none, 2 (microseconds) or 4 (picoseconds). `agency_epoch`: not 1958-01-01.
    """

    form: str
    coarse: int
    fine: int
    agency_epoch: bool = False

    @property
    def n_octets(self) -> int:
        return self.coarse + self.fine + (4 if self.form == "CDS" else 0)


@dataclass(frozen=True, slots=True)
class CodedTimeType:
    """A time in a CCSDS code. `codes`: by the P-field that stands before it in the packet; with the one key b"" the
    P-field is implicit. `epoch_ns`: from 1970-01-01 to the agency's epoch.
    """

    name: str
    encoding: BinaryEncoding
    codes: tuple[tuple[bytes, TimeCode], ...]
    epoch_ns: int = 0
    absolute: bool = False
    offset_from: Reference | None = None

    @property
    def unit(self) -> str:
        return unit_of_time(absolute=self.absolute)


def unit_of_time(*, absolute: bool) -> str:
    """Of the columns of times."""
    return "ns since 1970-01-01" if absolute else "ns"


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`dimensions`: number of elements along each axis, slowest first; None: the entry says."""

    name: str
    element: ParameterType
    dimensions: tuple[Size, ...] | None = None

    @property
    def unit(self) -> str:
        return self.element.unit


@dataclass(frozen=True, slots=True)
class AggregateType:
    """Members (name, type) one behind the other."""

    name: str
    members: tuple[tuple[str, ParameterType], ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class UnencodedType:
    """A type that does not say how its values stand in a packet; no container may hold one."""

    name: str
    unit: str = ""


BytesType = StringType | BinaryType | CodedTimeType
ScalarType = NumberType | EnumeratedType | BooleanType | TimeType
ParameterType = ScalarType | BytesType | ArrayType | AggregateType | UnencodedType


@dataclass(frozen=True, slots=True)
class Parameter:
    """`name`: as the file has it, which names the column. `validity`: when its values mean something."""

    key: str
    name: str
    type: ParameterType
    line: int = 0
    validity: Condition | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """Where an entry begins: `bits` after the end of the entry before it, or after the container's start."""

    bits: Size
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class Repetition:
    """An entry that stands `count` times, `gap_bits` between one and the next."""

    count: Size
    gap_bits: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an entry stands, how often, and when; where the condition does not hold it is not there at all."""

    location: Location | None = None
    repetition: Repetition | None = None
    condition: Condition | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class ParameterEntry:
    """A parameter stands here. `dimensions`: of its array, where they are not its type's."""

    parameter: str
    place: Placement = Placement()
    dimensions: tuple[Size, ...] | None = None


@dataclass(frozen=True, slots=True)
class ContainerEntry:
    """The entries of another container stand here."""

    container: str
    place: Placement = Placement()


@dataclass(frozen=True, slots=True)
class FixedEntry:
    """`size_bits` that are always the same: `value`, left-aligned. A packet that has others is flagged."""

    value: bytes
    size_bits: int
    place: Placement = Placement()


Entry = ParameterEntry | ContainerEntry | FixedEntry


@dataclass(frozen=True, slots=True)
class Container:
    """`entries` are its own, without those of its base. `criteria`: when a packet of the base is one of these.
    `size`: bits that it takes, where it says so itself; `check`: of all its bytes.
    """

    key: str
    entries: tuple[Entry, ...]
    abstract: bool = False
    base: str | None = None
    criteria: Condition | None = None
    size: Size | None = None
    check: ErrorCheck | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Parameters and containers by key, in the order of the file."""

    name: str
    parameters: Mapping[str, Parameter]
    containers: Mapping[str, Container]
    file: str = ""
