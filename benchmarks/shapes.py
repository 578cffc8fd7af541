"""Dictionaries and packets of odd shapes: `python -m benchmarks.shapes`. Clock: processor time of this process.

Each line has the time or memory, and the goal. Loading is from the bytes of a file to a plan; packets are in memory.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.model.reused_memory import MEMORY

from benchmarks.dictionary import HEADER, MB, Field, batch_of, best_s, type_of

NAMESPACE = "http://www.omg.org/spec/XTCE/20180204"
BY_N = '<RepeatEntry><Count><DynamicValue><ParameterInstanceRef parameterRef="N"/></DynamicValue></Count></RepeatEntry>'
Shape = tuple[bytes, list[bytes]]
"""A dictionary, and packets."""


def parameter(name: str, kind: str = "") -> str:
    return f'<Parameter name="{name}" parameterTypeRef="{kind or name}_T"/>'


def entry(name: str, inside: str = "") -> str:
    return f'<ParameterRefEntry parameterRef="{name}">{inside}</ParameterRefEntry>'


def document(types: str, parameters: str, entries: str, containers: str = "", *, abstract: bool = False) -> bytes:
    """The primary header and `entries` in one container, and others."""
    header = [Field(name, "u", bits) for name, bits in HEADER]
    return f"""<SpaceSystem name="SHAPE" xmlns="{NAMESPACE}"><TelemetryMetaData>
    <ParameterTypeSet>{"".join(map(type_of, header))}{types}</ParameterTypeSet>
    <ParameterSet>{"".join(parameter(each.name) for each in header)}{parameters}</ParameterSet><ContainerSet>
    <SequenceContainer name="H" abstract="{str(abstract).lower()}">
    <EntryList>{"".join(entry(each.name) for each in header)}{entries}</EntryList></SequenceContainer>{containers}
    </ContainerSet></TelemetryMetaData></SpaceSystem>""".encode()


def packet(body: bytes) -> bytes:
    return struct.pack(">HHH", 0x080B, 0xC000, (len(body) - 1) & 0xFFFF) + body


def many_containers(n: int) -> bytes:
    """Containers of one base, told apart by APID and sequence count, each with a parameter of its own."""
    containers = "".join(
        f"""<SequenceContainer name="C{i}"><EntryList>{entry(f"P{i}")}</EntryList><BaseContainer containerRef="H">
        <RestrictionCriteria><ComparisonList><Comparison parameterRef="APID" value="{i % 2048}"/>
        <Comparison parameterRef="COUNT" value="{i // 2048}"/></ComparisonList></RestrictionCriteria></BaseContainer>
        </SequenceContainer>"""
        for i in range(n)
    )
    parameters = "".join(parameter(f"P{i}", "V") for i in range(n))
    return document(type_of(Field("V", "u", 16)), parameters, "", containers, abstract=True)


def records(n: int) -> Shape:
    size = """<SizeInBits><DynamicValue><ParameterInstanceRef parameterRef="R.L"/>
    <LinearAdjustment slope="8" intercept="0"/></DynamicValue></SizeInBits>"""
    types = type_of(Field("L", "u", 16)) + type_of(Field("N", "u", 16))
    types += (
        f'<BinaryParameterType name="D_T"><BinaryDataEncoding>{size}</BinaryDataEncoding></BinaryParameterType>'
    )
    types += """<AggregateParameterType name="R_T"><MemberList><Member name="L" typeRef="L_T"/>
    <Member name="D" typeRef="D_T"/></MemberList></AggregateParameterType>"""
    random = np.random.default_rng(0)
    blobs = [random.bytes(size) for size in random.integers(0, 9, n).tolist()]
    body = struct.pack(">H", n) + b"".join(struct.pack(">H", len(blob)) + blob for blob in blobs)
    return document(types, parameter("N") + parameter("R"), entry("N") + entry("R", BY_N)), [packet(body)]


def empty_strings(n: int) -> Shape:
    size = '<Variable maxSizeInBits="8000"><TerminationChar>00</TerminationChar></Variable>'
    text = f"<StringDataEncoding>{size}</StringDataEncoding>"
    types = type_of(Field("N", "u", 16)) + f'<StringParameterType name="S_T">{text}</StringParameterType>'
    body = struct.pack(">H", n) + bytes(n)
    return document(types, parameter("N") + parameter("S"), entry("N") + entry("S", BY_N)), [packet(body)]


def conditions(n: int) -> Shape:
    """Entries of which one in 40 is there."""

    def included(i: int) -> str:
        return entry(
            f"P{i}", f'<IncludeCondition><Comparison parameterRef="N" value="{i % 40}"/></IncludeCondition>'
        )

    parameters = parameter("N") + "".join(parameter(f"P{i}", "N") for i in range(n))
    entries = entry("N") + "".join(map(included, range(n)))
    body = struct.pack(">H", 7) + bytes(2 * (n // 40))
    return document(type_of(Field("N", "u", 16)), parameters, entries), [packet(body)]


def enumerations(n: int, n_packets: int) -> Shape:
    fields = [Field(f"E{i}", "u", 1, labels=("OFF", "ON")) for i in range(n)]
    random = np.random.default_rng(0)
    body = document(
        "".join(map(type_of, fields)),
        "".join(parameter(each.name) for each in fields),
        "".join(entry(each.name) for each in fields),
    )
    return body, [packet(random.bytes(n // 8)) for _ in range(n_packets)]


def doubling_aggregates(n: int, members: Sequence[str]) -> bytes:
    types = type_of(Field("A0", "u", 8))
    for i in range(n):
        inside = "".join(f'<Member name="{name}" typeRef="A{i}_T"/>' for name in members)
        types += (
            f'<AggregateParameterType name="A{i + 1}_T"><MemberList>{inside}</MemberList></AggregateParameterType>'
        )
    return document(types, parameter("X", f"A{n}"), entry("X"))


def refused(body: bytes) -> int:
    """How many problems a dictionary has."""
    try:
        compile_plan(read_xtce(body))
    except ConfigError as error:
        return len(error.problems)
    return 0


def line(title: str, act: Callable[[], object], goal: str, *, unit_s: float = 1e-3, unit: str = "ms") -> None:
    print(f"{title:52} {best_s(act, 3) / unit_s:10.2f} {unit:8} (goal {goal})", flush=True)


def decoding(title: str, shape: Shape, goal: str, *, memory_goal: str = "") -> None:
    """Time of a batch of one packet, or of each of many; the most memory, where it has a goal."""
    body, packets = shape
    batch = batch_of(np.frombuffer(b"".join(packets), np.uint8), np.array([len(each) for each in packets]))
    decoder = Decoder(compile_plan(read_xtce(body)))
    decoder.decode(batch)
    each = {"unit_s": 1e-6 * len(packets), "unit": "us/packet"} if len(packets) > 1 else {}
    line(title, lambda: decoder.decode(batch), goal, **each)  # type: ignore[arg-type]
    if memory_goal:
        MEMORY.forget()
        tracemalloc.start()
        found = decoder.decode(batch)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        del found
        print(f"{title + ', memory':52} {peak / MB:10.0f} MB       (goal {memory_goal})")


def main() -> None:
    for n, goal in ((1_000, "linear"), (8_000, "linear"), (10_000, "2 s")):
        body = many_containers(n)
        line(f"loading {n:,} containers", lambda body=body: compile_plan(read_xtce(body)), goal, unit_s=1, unit="s")  # type: ignore[misc]
    decoding("a packet of 10,000 (length, blob) records", records(10_000), "5 ms")
    decoding("a packet of 60,000 empty strings", empty_strings(60_000), "50 ms")
    decoding("a packet with 800 include conditions", conditions(800), "3 ms")
    decoding("3,000 one-bit enumerations", enumerations(3_000, 5_000), "30 us", memory_goal="60 MB")
    for title, body in (
        ("aggregates doubling 30 times", doubling_aggregates(30, "ab")),
        ("aggregates 600 deep", doubling_aggregates(600, "a")),
    ):
        assert refused(body) == 1
        line(f"{title}, refused in one line", lambda body=body: refused(body), "1 s", unit_s=1, unit="s")  # type: ignore[misc]


if __name__ == "__main__":
    main()
