"""CFDP class 1 for any mission: `service = "cfdp"` on an APID or a channel. PDUs by 727.0-B-5, chapter 5."""

import json
import zlib
from pathlib import Path

import pytest
from downlink_pipeline.commands.recordings import write_products
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass

APID = 300
CONTENT = bytes(range(256)) * 10
MISSION = """
name = "probe"
[link]
framing = "packets"
[[apid]]
apid = 300
service = "cfdp"
header_bytes = {header}
"""


def crc16(octets):
    register = 0xFFFF
    for octet in octets:
        register ^= octet << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return register.to_bytes(2, "big")


def pdu(content, *, data, number=7, source=2, large=False, checked=False, width=1):
    """Header 5.1.1: version 1, towards the receiver, unacknowledged; entities and number of `width` bytes."""
    flags = 0x24 | (0x10 if data else 0) | (2 if checked else 0) | (1 if large else 0)
    n = len(content) + (2 if checked else 0)
    head = bytes([flags, n >> 8, n & 255, (width - 1) << 4 | width - 1])
    head += source.to_bytes(width, "big") + number.to_bytes(width, "big") + (1).to_bytes(width, "big")
    return head + content + (crc16(head + content) if checked else b"")


def transfer(content=CONTENT, name="image.bin", step=500, checksum=None, **how):
    """Metadata 5.2.5 (CRC-32 of 4.2.2), file data 5.3, EOF 5.2.2."""
    wide = 8 if how.get("large") else 4
    size = len(content).to_bytes(wide, "big")
    check = (zlib.crc32(content) if checksum is None else checksum).to_bytes(4, "big")
    metadata = bytes([7, 3]) + size + bytes([3]) + b"src" + bytes([len(name)]) + name.encode()
    parts = [at.to_bytes(wide, "big") + content[at : at + step] for at in range(0, len(content), step)]
    return [
        pdu(metadata, data=False, **how),
        *(pdu(part, data=True, **how) for part in parts),
        pdu(bytes([4, 0]) + check + size, data=False, **how),
    ]


def packets(pdus, header=0, apid=APID):
    heads = [(0x0800 | apid, 0xC000 | i, len(one) + header - 1) for i, one in enumerate(pdus)]
    return b"".join(
        b"".join(word.to_bytes(2, "big") for word in head) + bytes(header) + one
        for head, one in zip(heads, pdus, strict=True)
    )


@pytest.fixture
def received(tmp_path):
    """Products, events and report of a recording of these PDUs."""

    def run(pdus, header=0, chunk=1 << 20, mission=MISSION):
        (tmp_path / "mission.toml").write_text(mission.format(header=header))
        (tmp_path / "pass.packets").write_bytes(packets(pdus, header))
        chain = ProcessingChain(load_mission(str(tmp_path)), "test")
        outcomes = [chain.process(batch) for batch in read_pass(tmp_path / "pass.packets", chunk)]
        outcomes.append(chain.flush())
        products = [one for outcome in outcomes for one in outcome.products]
        events = [one for outcome in outcomes for one in outcome.events if one.kind == "file"]
        return products, events, chain.report()["cfdp"]

    return run


def of(product):
    return product.arrays["content"].values.tobytes()


@pytest.mark.parametrize("how", [{}, {"large": True}, {"checked": True}, {"width": 2}, {"width": 8}], ids=str)
def test_a_file_is_complete(received, how):
    [product], events, report = received(transfer(**how))
    assert (product.instrument, product.product) == ("cfdp", "file")
    assert of(product) == CONTENT
    assert product.arrays["file_name"].values.tolist() == ["image.bin"]
    assert product.arrays["checksum"].values.tolist() == [1]
    assert (product.arrays["source"].values[0], product.arrays["transaction"].values[0]) == (2, 7)
    assert events == []
    assert report == {"files": 1, "incomplete_files": 0, "packets": 8, "unusable_packets": 0}


def test_bytes_before_the_pdu_are_passed_over(received):
    [product], _, _ = received(transfer(), header=10)
    assert of(product) == CONTENT


@pytest.mark.parametrize("chunk", [37, 1000])
def test_any_split_gives_the_same_file(received, chunk):
    whole, split = received(transfer())[0], received(transfer(), chunk=chunk)[0]
    assert [one.id for one in split] == [one.id for one in whole]


def test_missing_pieces_are_reported(received):
    pdus = transfer()
    [product], [event], report = received([*pdus[:2], *pdus[3:]])
    assert product.arrays["missing_first"].values.tolist() == [500]
    assert product.arrays["missing_length"].values.tolist() == [500]
    assert of(product) == CONTENT[:500] + bytes(500) + CONTENT[1000:]
    assert (event.severity, event.details["missing_bytes"]) == ("warning", 500)
    assert "image.bin" in event.text
    assert "bytes 500-999 are missing" in event.text
    assert report["incomplete_files"] == 1


def test_a_file_without_its_end_comes_at_the_end_of_the_pass(received):
    [product], [event], _ = received(transfer()[:-1])
    assert of(product) == CONTENT
    assert "its EOF is missing" in event.text


def test_a_checksum_that_fails_is_reported(received):
    [product], [event], _ = received(transfer(checksum=1))
    assert product.arrays["checksum"].values.tolist() == [0]
    assert "its checksum fails" in event.text


def test_transfers_may_be_mixed(received):
    one, other = transfer(name="a"), transfer(CONTENT[::-1], name="b", number=8)
    products, events, _ = received([part for pair in zip(one, other, strict=True) for part in pair])
    assert {one.arrays["file_name"].values[0]: of(one) for one in products} == {"a": CONTENT, "b": CONTENT[::-1]}
    assert events == []


def test_what_is_no_pdu_is_counted(received):
    products, _, report = received([b"\xff" * 20, b"\x24", *transfer()])
    assert len(products) == 1
    assert report["unusable_packets"] == 2


def test_a_pdu_whose_crc_fails_is_not_used(received):
    pdus = transfer(checked=True)
    pdus[2] = pdus[2][:-1] + bytes([pdus[2][-1] ^ 1])
    [product], _, report = received(pdus)
    assert product.arrays["missing_first"].values.tolist() == [500]
    assert report["unusable_packets"] == 1


def test_files_are_written_as_they_are(received, tmp_path):
    received([*transfer(name="dir/a.bin"), *transfer(name="b.bin", number=8)[:3]])
    out = tmp_path / "out"
    write_products(
        [tmp_path / "pass.packets"], load_mission(str(tmp_path)), out, lambda _: None, file_format="archive"
    )
    names = {path.name: path.read_bytes() for path in out.iterdir() if "bin" in path.name}
    assert {name[-len("7_a.bin") :] for name in names if not name.endswith("incomplete")} >= {"7_a.bin"}
    assert next(data for name, data in names.items() if name.endswith("7_a.bin")) == CONTENT


def test_a_channel_may_carry_files(tmp_path):
    text = """name = "probe"\n[link]\nframing = "frames"\nframe_type = "tm"\nframe_length_bytes = 100\n[[channel]]
spacecraft_id = 5\nvirtual_channel = 3\nname = "files"\nservice = "cfdp"\n"""
    (tmp_path / "mission.toml").write_text(text)
    mission = load_mission(str(tmp_path))
    assert mission.channels[0].service == "packets"
    assert mission.cfdp.channels == {(5, 3)}
    stream = packets(transfer(step=60), apid=9)
    frames, at, heads = [], 0, starts(stream)
    for count in range(-(-len(stream) // 94)):
        part = stream[at : at + 94]
        first = next((head - at for head in heads if at <= head < at + 94), 2047)
        frame = (5 << 4 | 3 << 1).to_bytes(2, "big") + bytes([count & 255, count & 255])
        part += idle(94 - len(part))
        frames.append(frame + (0x1800 | first).to_bytes(2, "big") + part)
        at += 94
    (tmp_path / "pass.frames").write_bytes(b"".join(frames))
    chain = ProcessingChain(mission, "test")
    outcomes = [*(chain.process(batch) for batch in read_pass(tmp_path / "pass.frames", 1000)), chain.flush()]
    [product] = [one for outcome in outcomes for one in outcome.products]
    assert of(product) == CONTENT


def starts(stream):
    found, at = [], 0
    while at < len(stream):
        found.append(at)
        at += 7 + int.from_bytes(stream[at + 4 : at + 6], "big")
    return found


def idle(n):
    """An idle packet (133.0-B 4.1.3.3.4) that fills so many bytes."""
    return (
        (0x07FF).to_bytes(2, "big") + b"\xc0\0" + (n - 7).to_bytes(2, "big") + bytes(n - 6) if n >= 7 else bytes(n)
    )


def test_files_of_another_implementation_are_read(received):
    """PDUs that the package cfdp-py wrote (tests/missions/zhurong/instruments/make_cfdp_witness.py)."""
    path = Path(__file__).parents[1] / "missions/zhurong/instruments/data/cfdp_py.json"
    witness = json.loads(path.read_text())
    for pdus in witness["pdus"].values():
        products, _, _ = received([bytes.fromhex(one) for one in pdus])
        assert [of(one).hex() for one in products] == [witness["content"]]
