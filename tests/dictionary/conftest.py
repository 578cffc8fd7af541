"""What the dictionary's tests build on: batches made by hand, XTCE documents from pieces, and a reader that goes
bit by bit, in plain Python, and shares nothing with the decoder.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder, TimeTerm
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import ColumnBatch, PacketBatch

sys.path.insert(0, str(Path(__file__).parent))  # where pieces.py is

HEADER_TYPES = """
<IntegerParameterType name="U1"><IntegerDataEncoding sizeInBits="1"/></IntegerParameterType>
<IntegerParameterType name="U2"><IntegerDataEncoding sizeInBits="2"/></IntegerParameterType>
<IntegerParameterType name="U3"><IntegerDataEncoding sizeInBits="3"/></IntegerParameterType>
<IntegerParameterType name="U8"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<IntegerParameterType name="U11"><IntegerDataEncoding sizeInBits="11"/></IntegerParameterType>
<IntegerParameterType name="U14"><IntegerDataEncoding sizeInBits="14"/></IntegerParameterType>
<IntegerParameterType name="U16"><IntegerDataEncoding sizeInBits="16"/></IntegerParameterType>
"""
HEADER = {"VERSION": "U3", "TYPE": "U1", "SHF": "U1", "APID": "U11", "FLAGS": "U2", "COUNT": "U14", "LENGTH": "U16"}


def make_document(
    types: str = "",
    parameters: dict[str, str] | None = None,
    entries: str = "",
    containers: str = "",
    namespace: str = "http://www.omg.org/spec/XTCE/20180204",
) -> bytes:
    """A document whose root HEADER holds the primary header, and whose container PACKET adds `entries`."""
    named = {**HEADER, **(parameters or {})}
    parameter_set = "".join(f'<Parameter name="{k}" parameterTypeRef="{v}"/>\n' for k, v in named.items())
    header = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in HEADER)
    if not entries:
        entries = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in parameters or {})
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<SpaceSystem name="TEST" xmlns="{namespace}">
<TelemetryMetaData>
<ParameterTypeSet>{HEADER_TYPES}{types}</ParameterTypeSet>
<ParameterSet>{parameter_set}</ParameterSet>
<ContainerSet>
<SequenceContainer name="HEADER" abstract="true"><EntryList>{header}</EntryList></SequenceContainer>
<SequenceContainer name="PACKET"><EntryList>{entries}</EntryList>
<BaseContainer containerRef="HEADER"><RestrictionCriteria>
<Comparison parameterRef="APID" value="1"/>
</RestrictionCriteria></BaseContainer></SequenceContainer>
{containers}
</ContainerSet>
</TelemetryMetaData>
</SpaceSystem>""".encode()


def make_packet(body: bytes, apid: int = 1, seq_count: int = 0, flags: int = 3) -> bytes:
    """A space packet by CCSDS 133.0-B 4.1.3."""
    return (
        apid.to_bytes(2, "big")
        + (flags << 14 | seq_count).to_bytes(2, "big")
        + (len(body) - 1 & 0xFFFF).to_bytes(2, "big")
        + body
    )


def make_batch(
    packets: Sequence[bytes], *, quality: Sequence[int] = (), received: Sequence[int] = ()
) -> PacketBatch:
    heads = [int.from_bytes(packet[:4].ljust(4, b"\0"), "big") for packet in packets]
    length = np.array([len(packet) for packet in packets], np.int64)
    start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64) if packets else length
    n = len(packets)
    return PacketBatch(
        np.frombuffer(b"".join(packets), np.uint8),
        start,
        length,
        np.array([head >> 16 & 0x7FF for head in heads], np.uint16),
        np.array([head & 0x3FFF for head in heads], np.uint16),
        np.array([head >> 14 & 3 for head in heads], np.uint8),
        np.full(n, 245, np.uint16),
        np.full(n, 5, np.uint8),
        np.array(received or range(1000, 1000 + n), np.int64),
        np.array(quality or [0] * n, np.uint32),
    )


def read_bits(octets: bytes, offset: int, size: int) -> int:
    """Bit by bit, most significant first, as an unsigned integer."""
    value = 0
    for bit in range(offset, offset + size):
        value = value << 1 | octets[bit // 8] >> (7 - bit % 8) & 1
    return value


def decode_document(
    document: bytes, packets: Sequence[bytes], time_terms: Sequence[TimeTerm] = (), *, raw: bool = False
) -> list[ColumnBatch]:
    return Decoder(compile_plan(read_xtce(document)), time_terms, raw=raw).decode(make_batch(packets))


@pytest.fixture(scope="session")
def document() -> Callable[..., bytes]:
    return make_document


@pytest.fixture(scope="session")
def packet() -> Callable[..., bytes]:
    return make_packet


@pytest.fixture(scope="session")
def batch() -> Callable[..., PacketBatch]:
    return make_batch


@pytest.fixture(scope="session")
def bits() -> Callable[[bytes, int, int], int]:
    return read_bits


@pytest.fixture(scope="session")
def decode() -> Callable[..., list[ColumnBatch]]:
    return decode_document


@pytest.fixture(scope="session")
def column() -> Callable[..., object]:
    """The column of the only parameter X of type T behind the header."""

    def decoded(type_element: str, bodies: Sequence[bytes], *, raw: bool = False, entries: str = "") -> object:
        document = make_document(type_element, {"X": "T"}, entries)
        (batch,) = decode_document(document, [make_packet(body) for body in bodies], raw=True)
        return (batch.raw if raw else batch.columns)["X"]

    return decoded
