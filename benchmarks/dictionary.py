"""The dictionary's decoder alone, in one run on one core: `python -m benchmarks.dictionary [--quick]`.

Clock: processor time of the decoder, on packets that are in memory and apart already. Packets and dictionaries are made
here; a batch has 8 MB. `benchmarks.calls` has whole calls beside those of ccsdspy and space_packet_parser.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import PacketBatch
from downlink_pipeline.model.reused_memory import MEMORY
from numpy.typing import NDArray

MB = 1e6
HEADER = (("VERSION", 3), ("TYPE", 1), ("SHF", 1), ("APID", 11), ("FLAGS", 2), ("COUNT", 14), ("LENGTH", 16))
SIZED = "bas"
FULL_BYTES, QUICK_BYTES = 8_000_000, 2_000_000


@dataclass(frozen=True)
class Field:
    name: str
    kind: str  # u, i, f; sized by N: b (bytes), a (numbers), s (text behind its size)
    bits: int
    polynomial: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


# -- dictionaries and packets --------------------------------------------------------------------------------------


def jpss_fields() -> list[Field]:
    times = [("1DAY", 16), ("1MS", 32), ("1US", 16)]
    first = [Field("DOY", "u", 16), Field("MSEC", "u", 32), Field("USEC", "u", 16), Field("ESCID", "u", 8)]
    first += [Field(f"T{name}", "u", bits) for name, bits in times]
    first += [Field(f"{what}{axis}", "f", 32) for what in ("POS", "VEL") for axis in "XYZ"]
    first += [Field(f"S{name}", "u", bits) for name, bits in times]
    return first + [Field(f"Q{i}", "f", 32) for i in range(4)]


def packed_fields() -> list[Field]:
    widths = [
        1,
        1,
        2,
        4,
        12,
        12,
        3,
        5,
        10,
        10,
        4,
        8,
        12,
        12,
        1,
        7,
        6,
        10,
        16,
        11,
        13,
        3,
        13,
        12,
        4,
        10,
        6,
        14,
        2,
        16,
    ]
    fields = [Field(f"P{i}", "u", bits) for i, bits in enumerate(widths)]
    for i in (4, 5, 12, 13, 18, 23):
        fields[i] = Field(f"P{i}", "u", widths[i], polynomial=(-5.0, 0.25, 1e-4))
    for i in (2, 6, 21):
        fields[i] = Field(f"P{i}", "u", widths[i], labels=tuple(f"STATE_{k}" for k in range(1 << widths[i])))
    return fields


def wide_fields() -> list[Field]:
    kinds = [("u", 16), ("u", 8), ("u", 32), ("f", 32), ("i", 16)]
    return [Field(f"W{i}", *kinds[(i // 7) % 5]) for i in range(1003)]


def variable_fields(kind: str = "b") -> list[Field]:
    return [Field("TIME", "u", 32), Field("N", "u", 16), Field("DATA", kind, 16), Field("CHECK", "u", 16)]


def xtce_of(fields: Sequence[Field]) -> bytes:
    all_fields = [Field(name, "u", bits) for name, bits in HEADER] + list(fields)
    types = "".join(map(type_of, all_fields))
    parameters = "".join(f'<Parameter name="{f.name}" parameterTypeRef="{f.name}_T"/>' for f in all_fields)
    entries = [f'<ParameterRefEntry parameterRef="{f.name}"/>' for f in all_fields]
    return f"""<SpaceSystem name="BENCH" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
    <ParameterTypeSet>{types}</ParameterTypeSet><ParameterSet>{parameters}</ParameterSet><ContainerSet>
    <SequenceContainer name="CCSDSPacket" abstract="true"><EntryList>{"".join(entries[:7])}</EntryList>
    </SequenceContainer>
    <SequenceContainer name="PACKET"><EntryList>{"".join(entries[7:])}</EntryList><BaseContainer
    containerRef="CCSDSPacket"><RestrictionCriteria><Comparison parameterRef="APID" value="11"
    useCalibratedValue="false"/></RestrictionCriteria></BaseContainer></SequenceContainer></ContainerSet>
    </TelemetryMetaData></SpaceSystem>""".encode()


def type_of(field: Field) -> str:
    name = f'name="{field.name}_T"'
    if field.kind == "a":
        last = '<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="1" intercept="-1"/>'
        number = type_of(Field("ELEMENT", "u", field.bits))
        return f"""{number}<ArrayParameterType {name} arrayTypeRef="ELEMENT_T"><DimensionList><Dimension><StartingIndex>
        <FixedValue>0</FixedValue></StartingIndex><EndingIndex>{last}</DynamicValue></EndingIndex></Dimension>
        </DimensionList></ArrayParameterType>"""
    if field.kind == "s":
        size = '<Variable maxSizeInBits="65536"><LeadingSize sizeInBitsOfSizeTag="16"/></Variable>'
        return (
            f"""<StringParameterType {name}><StringDataEncoding>{size}</StringDataEncoding></StringParameterType>"""
        )
    if field.kind == "b":
        size = '<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8" intercept="0"/>'
        binary = f"<BinaryDataEncoding><SizeInBits>{size}</DynamicValue></SizeInBits></BinaryDataEncoding>"
        return f"<BinaryParameterType {name}>{binary}</BinaryParameterType>"
    if field.kind == "f":
        return f'<FloatParameterType {name}><FloatDataEncoding sizeInBits="{field.bits}"/></FloatParameterType>'
    form = "twosComplement" if field.kind == "i" else "unsigned"
    terms = "".join(f'<Term coefficient="{c}" exponent="{e}"/>' for e, c in enumerate(field.polynomial))
    inside = f"<DefaultCalibrator><PolynomialCalibrator>{terms}</PolynomialCalibrator></DefaultCalibrator>"
    encoding = (
        f'<IntegerDataEncoding sizeInBits="{field.bits}" encoding="{form}">'
        f"{inside if terms else ''}</IntegerDataEncoding>"
    )
    if field.labels:
        listed = "".join(f'<Enumeration value="{i}" label="{label}"/>' for i, label in enumerate(field.labels))
        listed = f"<EnumerationList>{listed}</EnumerationList>"
        return f"<EnumeratedParameterType {name}>{encoding}{listed}</EnumeratedParameterType>"
    return f"<IntegerParameterType {name}>{encoding}</IntegerParameterType>"


def fixed_packets(fields: Sequence[Field], n_bytes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Random bodies; floats are made finite by a fixed exponent."""
    body = sum(field.bits for field in fields) // 8
    n = max(n_bytes // (body + 6), 1)
    packets = np.random.default_rng(1).integers(0, 256, (n, body + 6), np.uint8)
    offset = 0
    for field in fields:
        if field.kind == "f":
            packets[:, offset // 8 + 6] = 0x41
        offset += field.bits
    head(packets, np.arange(n), body)
    return packets.reshape(-1), np.full(n, body + 6, np.int64)


def head(packets: NDArray[np.uint8], count: NDArray[np.int64], body: int) -> None:
    packets[:, 0], packets[:, 1] = 0x08, 11
    packets[:, 2], packets[:, 3] = 0xC0 | (count >> 8 & 0x3F), count & 0xFF
    packets[:, 4], packets[:, 5] = (body - 1) >> 8, (body - 1) & 0xFF


def variable_packets(n_bytes: int, kind: str = "b") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    random = np.random.default_rng(2)
    packets = []
    total = 0
    while total < n_bytes:
        n = int(random.integers(10, 200)) if kind == "a" else int(random.integers(20, 400))
        body = random.bytes({"a": 2 * n, "s": 0}.get(kind, n))
        if kind == "s":
            n = n // 8
            body = (8 * n).to_bytes(2, "big") + bytes(random.integers(65, 91, n, np.uint8))
        body = random.bytes(4) + n.to_bytes(2, "big") + body + random.bytes(2)
        packet = np.empty((1, len(body) + 6), np.uint8)
        packet[0, 6:] = np.frombuffer(body, np.uint8)
        head(packet, np.array([len(packets)]), len(body))
        packets.append(packet[0])
        total += len(body) + 6
    return np.concatenate(packets), np.array([len(packet) for packet in packets], np.int64)


def batch_of(data: NDArray[np.uint8], length: NDArray[np.int64]) -> PacketBatch:
    n = len(length)
    start = np.cumsum(length) - length
    zeros = np.zeros(n, np.uint16)
    small, wide, flags = zeros.astype(np.uint8), np.zeros(n, np.int64), np.zeros(n, np.uint32)
    return PacketBatch(data, start, length, zeros + np.uint16(11), zeros, small, zeros, small, wide, flags)


# -- peers ---------------------------------------------------------------------------------------------------------


def ccsdspy_reader(fields: Sequence[Field]) -> Callable[[Any], Any] | None:
    """Arrays of a file by ccsdspy; None where it is not installed, or has no such fields."""
    here = Path.cwd()
    try:
        os.chdir(tempfile.mkdtemp())  # importing it opens a log file where one stands
        import ccsdspy  # noqa: PLC0415 - a peer that need not be there
        from ccsdspy.converters import EnumConverter, PolyConverter  # noqa: PLC0415 - as above
    except ImportError:
        return None
    finally:
        os.chdir(here)
    kinds = {"u": "uint", "i": "int", "f": "float"}
    variable = any(field.kind in SIZED for field in fields)
    if any(field.kind == "s" for field in fields):
        return None  # it has no strings of varying size
    described = [
        ccsdspy.PacketArray(
            name=f.name,
            data_type="uint",
            bit_length=8 if f.kind == "b" else f.bits,
            array_shape="expand" if f.kind == "b" else "N",
        )
        if f.kind in SIZED
        else ccsdspy.PacketField(name=f.name, data_type=kinds[f.kind], bit_length=f.bits)
        for f in fields
    ]
    decoder = ccsdspy.VariableLength(described) if variable else ccsdspy.FixedLength(described)
    for field in fields:
        if field.polynomial:
            decoder.add_converted_field(field.name, f"{field.name}_C", PolyConverter(list(field.polynomial[::-1])))
        elif field.labels:
            labels = dict(enumerate(field.labels))
            decoder.add_converted_field(field.name, f"{field.name}_C", EnumConverter(labels))
    return lambda file: decoder.load(file, include_primary_header=True)


def witness_decoder(document: bytes) -> Callable[[bytes], Any] | None:
    try:
        import space_packet_parser as spp  # noqa: PLC0415 - a peer that need not be there
    except ImportError:
        return None
    try:
        definition = spp.load_xtce(io.BytesIO(document))
    except (KeyError, ValueError, TypeError, AttributeError, NotImplementedError):
        return None  # it has no arrays
    return lambda octets: [definition.parse_bytes(raw) for raw in spp.ccsds_generator(octets)]


def by_hand(data: NDArray[np.uint8], fields: Sequence[Field]) -> Callable[[], Any]:
    """What one would write for this one packet: a structured view, in blocks that stay in the cache."""
    names, formats, offsets, offset = [], [], [], 6
    for field in fields:
        names.append(field.name)
        formats.append(f">{field.kind}{field.bits // 8}")
        offsets.append(offset)
        offset += field.bits // 8
    layout = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": offset})
    rows = data.view(layout)
    words = data.reshape(-1, offset)[:, :6].view(np.dtype(">u2"))

    def decode() -> dict[str, NDArray[Any]]:
        n = len(rows)
        out = {
            name: np.empty(n, np.dtype(form).newbyteorder("=")) for name, form in zip(names, formats, strict=True)
        }
        for name, dtype in (("VERSION", "u1"), ("TYPE", "u1"), ("SHF", "u1"), ("APID", "u2"), ("FLAGS", "u1")):
            out[name] = np.empty(n, dtype)
        out["COUNT"], out["LENGTH"] = np.empty(n, "u2"), np.empty(n, "u2")
        for low in range(0, n, 4096):
            part = slice(low, low + 4096)
            for name in names:
                out[name][part] = rows[name][part]
            first, second = words[part, 0].astype("u2"), words[part, 1].astype("u2")
            out["VERSION"][part] = first >> 13
            out["TYPE"][part] = first >> 12 & 1
            out["SHF"][part] = first >> 11 & 1
            out["APID"][part] = first & 0x7FF
            out["FLAGS"][part] = second >> 14
            out["COUNT"][part] = second & 0x3FFF
            out["LENGTH"][part] = words[part, 2]
        return out

    return decode


# -- measuring -----------------------------------------------------------------------------------------------------


def best_s(act: Callable[[], Any], times: int = 5) -> float:
    """Seconds of the processor's time: others on the machine do not count."""
    found = []
    for _ in range(times):
        began = time.process_time()
        act()
        found.append(time.process_time() - began)
    return min(found)


def decoder_alone(title: str, fields: Sequence[Field], n_bytes: int) -> None:
    """Our decoder on packets that are in memory and apart already; `benchmarks.calls` has whole calls and peers."""
    sized = next((field.kind for field in fields if field.kind in SIZED), "")
    data, length = variable_packets(n_bytes, sized) if sized else fixed_packets(fields, n_bytes)
    batch, decoder = batch_of(data, length), Decoder(compile_plan(read_xtce(xtce_of(fields))))
    ours = len(data) / best_s(lambda: decoder.decode(batch)) / MB
    print(f"{title:34} {ours:8.0f} MB/s")


def beside_the_hand(n_bytes: int) -> None:
    fields = jpss_fields()
    data, length = fixed_packets(fields, n_bytes)
    batch, decoder = batch_of(data, length), Decoder(compile_plan(read_xtce(xtce_of(fields))))
    hand = by_hand(data, fields)
    ours, theirs = best_s(lambda: decoder.decode(batch), 7), best_s(hand, 7)
    rate = len(data) / theirs / MB
    print(f"{'written by hand, 71 B flat':34} {rate:8.0f} MB/s | ours is {theirs / ours:.0%} of it (goal 60%)")


def beside_the_least(n_bytes: int) -> None:
    """Blobs: no way round one gather of each packet's front and one of what stands behind its blob."""
    data, length = variable_packets(n_bytes)
    batch, decoder = batch_of(data, length), Decoder(compile_plan(read_xtce(xtce_of(variable_fields()))))
    start = batch.start
    fronts: NDArray[Any] = np.ndarray((len(data) - 11,), "V12", data, 0, (1,))
    behinds: NDArray[Any] = np.ndarray((len(data) - 1,), ">u2", data, 0, (1,))

    def least() -> tuple[NDArray[Any], NDArray[Any]]:
        front = fronts[start]
        n = np.ndarray((len(start),), ">u2", front, 10, (12,))
        return front, behinds[start + 12 + n]

    ours, theirs = best_s(lambda: decoder.decode(batch), 7), best_s(least, 7)
    text = f"ours is {theirs / ours:.0%} of it: {ours / len(start) * 1e9:.0f} ns a packet"
    print(f"{'the two gathers alone, blobs':34} {len(data) / theirs / MB:8.0f} MB/s | {text}")


def one_packet() -> None:
    fields = jpss_fields()
    data, length = fixed_packets(fields, 1)
    document = xtce_of(fields)
    batch, decoder = batch_of(data, length), Decoder(compile_plan(read_xtce(document)))
    ours = best_s(lambda: [decoder.decode(batch) for _ in range(500)]) / 500 * 1e6
    line = f"{'a batch of one packet':34} {ours:8.0f} us"
    witness, octets = witness_decoder(document), data.tobytes()
    if witness is not None:
        theirs = best_s(lambda: [witness(octets) for _ in range(200)]) / 200 * 1e6
        line += f"   | space_packet_parser {theirs:.0f} us (goal: no more than that)"
    print(line)


def loading() -> None:
    fields = [Field(f"LONG_PARAMETER_NAME_{i:05}", "u", 16, polynomial=(0.5, 0.25)) for i in range(9500)]
    body = xtce_of(fields)
    took = best_s(lambda: compile_plan(read_xtce(body)), 3)
    print(f"{'loading 9,500 parameters':34} {took:8.2f} s    | {len(body) / MB:.1f} MB (goal: 1.6 MB in 1 s)")


def memory(n_bytes: int) -> None:
    for title, fields in (("71 B flat", jpss_fields()), ("bit fields", packed_fields())):
        data, length = fixed_packets(fields, n_bytes)
        batch, decoder = batch_of(data, length), Decoder(compile_plan(read_xtce(xtce_of(fields))))
        MEMORY.forget()
        tracemalloc.start()
        (found,) = decoder.decode(batch)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        result = sum(column.nbytes for column in found.columns.values())  # type: ignore[union-attr]
        factor = (peak + len(data)) / (result + len(data))
        print(f"{'peak memory, ' + title:34} {factor:8.2f} of input and result (goal 1.5)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--megabytes", type=float, default=FULL_BYTES / MB, help="of a batch")
    arguments = parser.parse_args()
    n_bytes = QUICK_BYTES if arguments.quick else int(arguments.megabytes * MB)
    print(f"batches of {n_bytes / MB:g} MB; processor time of the decoder alone")
    decoder_alone("71 B flat", jpss_fields(), n_bytes)
    decoder_alone("bit fields, polynomials, labels", packed_fields(), n_bytes)
    decoder_alone("1,003 fields", wide_fields(), n_bytes)
    decoder_alone("variable length, blobs", variable_fields(), n_bytes)
    decoder_alone("variable length, arrays of u16", variable_fields("a"), n_bytes)
    decoder_alone("variable length, strings", variable_fields("s"), n_bytes)
    beside_the_hand(n_bytes)
    beside_the_least(n_bytes)
    one_packet()
    loading()
    memory(n_bytes)


if __name__ == "__main__":
    main()
