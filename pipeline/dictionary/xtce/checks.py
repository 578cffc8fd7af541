"""ErrorDetectCorrect: the CRC, checksum or parity bit that an encoding declares."""

from __future__ import annotations

from ..model.document import Node
from ..model.encodings import CheckAlgorithm, CheckDigit, Checksum, Crc, ErrorCheck, Parity
from ..run.digits import DIGIT_CHECKS
from .scope import Context

MAX_BITS = 1 << 32
CHECKSUM_BITS = {"sum8": 8, "sum16": 16, "sum24": 24, "sum32": 32, "adler32": 32}
CHECKSUM_BITS |= {"fletcher4": 4, "fletcher8": 8, "fletcher16": 16, "fletcher32": 32}
REFUSED = {
    "unix_sum": ": the programs of that name, of BSD and of System V, give different sums, and XTCE says not which",
    "custom": ": its algorithm is a program",
}


def read_check(node: Node, context: Context) -> ErrorCheck | None:
    """ErrorDetectCorrect of an encoding; None where it has none, or none that is implemented."""
    reading = context.reading
    holder = reading.child(node, "ErrorDetectCorrect")
    if holder is None:
        return None
    found = reading.child(holder, "CRC", "Checksum", "Parity")
    if found is None and not holder.children:
        reading.problem(holder, "wants one Checksum, CRC or Parity")
    reading.finish(holder)
    if found is None:
        return None
    places = "bitsFromReference" in found.attributes
    bits = reading.integer(found, "bitsFromReference", 0, 0, MAX_BITS) if places else None
    from_end = reading.choice(found, "reference", "start", ("start", "end")) == "end"
    algorithm = _read_algorithm(found, context)
    reading.finish(found)
    if algorithm is None:
        return None
    return ErrorCheck(algorithm, 0 if bits is None and from_end else bits, from_end, found.line)


def _read_algorithm(node: Node, context: Context) -> CheckAlgorithm | None:
    if node.tag == "CRC":
        return _read_crc(node, context)
    if node.tag == "Parity":
        return Parity(context.reading.choice(node, "type", "Even", ("Even", "Odd")) == "Odd")
    name = context.reading.required(node, "name")
    if name not in CHECKSUM_BITS:
        context.reading.integer(node, "hashSizeInBits", 1, 1, MAX_BITS)
        if name in DIGIT_CHECKS:
            return CheckDigit(name)
        context.reading.problem(node, f'name="{name}" is not implemented{REFUSED.get(name, "")}')
        return None
    width_bits = CHECKSUM_BITS[name]
    context.reading.integer(node, "hashSizeInBits", width_bits, width_bits, width_bits)
    return Checksum(name, width_bits)


def _read_crc(node: Node, context: Context) -> Crc | None:
    reading = context.reading
    width_bits = reading.number_in(node, reading.required(node, "width"), "width", 1, 64, 1)
    polynomial = _read_hexadecimal(node, "Polynomial", width_bits, context)
    initial = _read_hexadecimal(node, "InitRemainder", width_bits, context)
    final_xor = _read_hexadecimal(node, "FinalXOR", width_bits, context)
    data, remainder = (reading.flag(node, name, default=False) for name in ("reflectData", "reflectRemainder"))
    if polynomial is None:
        reading.problem(node, "Polynomial is missing")
        return None
    return Crc(width_bits, polynomial, initial or 0, final_xor or 0, data, remainder)


def _read_hexadecimal(node: Node, tag: str, width_bits: int, context: Context) -> int | None:
    found = context.reading.child(node, tag)
    if found is None:
        return None
    text = context.reading.text(found)
    context.reading.finish(found)
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << width_bits:
        context.reading.problem(found, f'"{text}" is not hexadecimal of {width_bits} bits')
        return 0
    return value
