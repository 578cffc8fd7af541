"""What a link is, found in bytes of senders that are written here: the packets that went in must come out again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from downlink_pipeline.commands.detect import detected
from downlink_pipeline.link.detection.detector import detect
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.model.errors import RunError

T0_MS = 1_764_547_200_123


@pytest.fixture(scope="module")
def sent(sender):
    """Packets of three APIDs with noise in them, as zones of any size."""
    rng = np.random.default_rng(5)
    counts = [0, 0, 0]
    packets = []
    for _ in range(60):
        which = int(rng.integers(0, 3))
        packets.append(sender.packet(100 + which, counts[which], rng.bytes(int(rng.integers(20, 160)))))
        counts[which] += 1

    def aos(length, insert=b"", ocf=b"", *, fecf=False, **header):
        zone = length - 8 - len(insert) - len(ocf) - 2 * fecf
        cut = enumerate(sender.zones(packets, zone))
        return [sender.aos_frame(z, at, k, insert=insert, ocf=ocf, fecf=fecf, **header) for k, (z, at) in cut]

    def tm(length, secondary=b"", before=b"", behind=b"", *, fecf=False, **header):
        zone = length - 6 - (1 + len(secondary) if secondary else 0) - len(before + behind) - 2 * fecf
        cut = enumerate(sender.zones(packets, zone))
        return [
            sender.tm_frame(before + z + behind, at, k, secondary=secondary, fecf=fecf, **header)
            for k, (z, at) in cut
        ]

    return SimpleNamespace(packets=packets, aos=aos, tm=tm)


def read(stream):
    """What is found of the link, and the packets that a receiver with it gives."""
    guess = detect(np.frombuffer(stream, np.uint8))
    assert guess is not None
    receiver = Receiver(guess.settings, guess.channels)
    outputs = [receiver.receive(ByteBatch.of(stream)), receiver.flush()]
    packets = [
        batch.data[a : a + n].tobytes()
        for batch in (output.packets for output in outputs)
        for a, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]
    return guess.settings, guess.channels, packets


def framed(frames, before=b"", behind=b""):
    return b"".join(before + one + behind for one in frames)


def test_bare_aos_frames_with_insert_zone_and_control_field(sent):
    link, channels, packets = read(framed(sent.aos(160, insert=b"\x55clock\x30\x0b", ocf=b"\x01\0\0\x07")))
    assert (link.framing, link.frame_type, link.frame_length_bytes) == ("frames", "aos", 160)
    assert (link.insert_zone_bytes, link.operational_control_field, link.fecf) == (8, True, False)
    assert [(one.spacecraft_id, one.virtual_channel) for one in channels] == [(245, 5)]
    assert packets == sent.packets


def test_bare_tm_frames_with_secondary_header_control_field_and_fecf(sent):
    link, _, packets = read(framed(sent.tm(160, secondary=b"time", behind=b"", ocf=b"\x01\0\0\x07", fecf=True)))
    assert (link.frame_type, link.frame_length_bytes, link.fecf) == ("tm", 164, True)
    assert link.secondary_header_bytes is None
    assert packets == sent.packets


def test_a_secondary_header_whose_length_field_is_wrong(sent):
    frames = [bytearray(one) for one in sent.tm(160, secondary=b"time", fecf=False)]
    for frame in frames:
        frame[6] = 0x02
    link, _, packets = read(framed(map(bytes, frames)))
    assert link.secondary_header_bytes == 5
    assert packets == sent.packets


def test_security_header_and_trailer(sent):
    link, _, packets = read(framed(sent.tm(160, before=b"\0\x05\0\0\0\x01", behind=b"\xa5" * 16)))
    assert (link.security_header_bytes, link.security_trailer_bytes) == (6, 16)
    assert packets == sent.packets


def test_a_synchronisation_flag_that_is_to_be_ignored(sent):
    link, _, packets = read(framed(sent.tm(160, sync=True)))
    assert link.ignore_synchronization_flag
    assert packets == sent.packets


def test_data_fields_that_begin_with_a_packet(sender):
    packets = [sender.packet(100, k, bytes([k + 1]) * (100 + k % 9)) for k in range(60)]
    zones = [one + bytes(130 - len(one)) for one in packets]
    frames = [sender.aos_frame(z[2:], int.from_bytes(z[:2], "big"), k) for k, z in enumerate(zones)]
    link, _, found = read(framed(frames))
    assert not link.mpdu_header
    assert found == packets


@pytest.mark.parametrize(("basis", "parity", "interleave"), [("dual", 32, 2), ("conventional", 16, 3)])
@pytest.mark.parametrize("form", ["cadu", "codeblocks"])
def test_codes_under_the_randomiser_with_and_without_markers(sender, sent, basis, parity, interleave, form):
    length = interleave * 60
    blocks = [
        sender.randomize(sender.rs_block(one, parity, interleave, basis)) for one in sent.tm(length, fecf=True)
    ]
    link, _, packets = read(framed(blocks, sender.ASM if form == "cadu" else b""))
    code = link.reed_solomon
    assert (link.framing, link.randomizer, link.frame_length_bytes) == (form, True, length)
    assert (code.basis, code.parity, code.interleave, code.virtual_fill) == (
        basis,
        parity,
        interleave,
        195 - parity,
    )
    assert packets == sent.packets


def test_codewords_with_errors_in_each(sender, sent):
    rng = np.random.default_rng(1)
    stream = b""
    for frame in sent.aos(120):
        block = np.frombuffer(sender.rs_block(frame, 32, 1), np.uint8).copy()
        block[rng.choice(len(block), 7, replace=False)] ^= 0x3C
        stream += sender.ASM + block.tobytes()
    link, _, packets = read(stream)
    assert (link.reed_solomon.parity, link.reed_solomon.virtual_fill, link.randomizer) == (32, 103, False)
    assert packets == sent.packets


def test_codewords_one_after_another_and_fill_that_is_not_zero(sender, sent):
    stream = b""
    for frame in sent.aos(120):
        words = [sender.rs_block(b"\x5a" * 163 + part, 32, 1)[163:] for part in (frame[:60], frame[60:])]
        stream += sender.ASM + b"".join(words)
    link, _, packets = read(stream)
    code = link.reed_solomon
    assert (code.codewords, code.interleave, code.virtual_fill, code.fill_value) == ("consecutive", 2, 163, 0x5A)
    assert packets == sent.packets


def test_a_stream_that_is_inverted_and_begins_at_any_bit(sender, sent):
    marked = framed([sender.cadu(one, parity=0) for one in sent.tm(160, fecf=True)])
    bits = np.concatenate(([1, 0, 1], 1 - np.unpackbits(np.frombuffer(marked, np.uint8))))
    link, _, packets = read(np.packbits(bits).tobytes())
    assert (link.framing, link.randomizer, link.fecf, link.reed_solomon) == ("cadu", True, True, None)
    assert packets == sent.packets
    assert read(bits.astype(np.uint8).tobytes())[0].symbols == "unpacked"


def test_another_marker(sent):
    link, _, packets = read(framed(sent.tm(160, fecf=True), bytes.fromhex("034776C7272895B0")))
    assert link.sync_marker.hex() == "034776c7272895b0"
    assert packets == sent.packets


def records(frames):
    return b"".join(b"\x07\x00" + (T0_MS + 250 * k).to_bytes(8, "little") + one for k, one in enumerate(frames))


@pytest.mark.parametrize("form", ["frames", "codeblocks", "cadu"])
def test_records_with_a_time_in_their_prefix(sender, sent, form):
    frames = sent.tm(120, fecf=True)
    if form != "frames":
        frames = [sender.randomize(sender.rs_block(one, 32, 1)) for one in frames]
    if form == "cadu":
        frames = [sender.ASM + one for one in frames]
    link, _, packets = read(records(frames))
    assert (link.framing, link.record_prefix_bytes, link.frame_length_bytes) == (form, 10, 120)
    (time,) = link.record_time
    assert (time.offset, time.n_bytes, time.unit, time.byte_order) == (2, 8, "ms", "little")
    assert packets == sent.packets


def test_a_suffix_behind_frames_with_fecf(sent):
    rng = np.random.default_rng(2)
    stream = b"".join(one + rng.bytes(5) for one in sent.tm(120, fecf=True))
    link, _, packets = read(stream)
    assert (link.record_suffix_bytes, link.frame_length_bytes, link.fecf) == (5, 120, True)
    assert packets == sent.packets


@pytest.mark.parametrize("fecf", [True, False])
def test_bare_frames_behind_bytes_that_are_none(sent, fecf):
    link, _, packets = read(np.random.default_rng(4).bytes(50) + framed(sent.tm(120, fecf=fecf)))
    assert (link.record_prefix_bytes, link.frame_length_bytes, link.fecf) == (0, 120, fecf)
    assert packets == sent.packets


def test_the_parity_of_an_unknown_code_is_set_apart(sender, sent):
    rng = np.random.default_rng(6)
    link, _, packets = read(b"".join(sender.ASM + one + rng.bytes(64) for one in sent.aos(160)))
    assert (link.frame_length_bytes, link.record_suffix_bytes) == (160, 64)
    assert packets == sent.packets


def test_packets_of_which_most_were_left_out_are_packets(sender):
    """Every tenth packet of one APID: each still leads to the next, and the last one to the end."""
    stream = b"".join(sender.packet(386, 5330 + 10 * k, bytes([k]) * 98) for k in range(4))
    link, channels, packets = read(stream)
    assert (link.framing, link.packet_prefix_bytes, channels, len(packets)) == ("packets", 0, (), 4)


@pytest.mark.parametrize("prefix", [0, 7])
def test_packets_back_to_back(sent, prefix):
    link, channels, packets = read(b"".join(b"\xee" * prefix + one for one in sent.packets))
    assert (link.framing, link.packet_prefix_bytes, channels) == ("packets", prefix, ())
    assert packets == sent.packets


def test_kiss_and_the_frames_in_it(sent):
    stream = b"".join(
        b"\xc0\x00" + one.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
        for one in sent.tm(120, fecf=True)
    )
    link, _, packets = read(stream)
    assert (link.container, link.framing, link.frame_length_bytes) == ("kiss", "frames", 120)
    assert packets == sent.packets


def test_a_capture_and_the_frames_in_it(sent):
    stream = b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(12) + (101).to_bytes(4, "little")
    for k, one in enumerate(sent.tm(120, fecf=True)):
        udp = b"\x9c\x40\x13\x88" + (8 + len(one)).to_bytes(2, "big") + b"\0\0" + one
        packet = b"\x45\0" + (20 + len(udp)).to_bytes(2, "big") + bytes(4) + b"\x40\x11" + bytes(10) + udp
        times = (1_700_000_000 + k).to_bytes(4, "little") + bytes(4)
        stream += times + 2 * len(packet).to_bytes(4, "little") + packet
    link, _, packets = read(stream)
    assert (link.container, link.framing, link.frame_length_bytes, link.fecf) == ("pcap", "frames", 120, True)
    assert packets == sent.packets


def test_two_spacecraft_and_an_idle_channel(sender, sent):
    one = sent.aos(160)
    other = [
        sender.aos_frame(frame[8:], int.from_bytes(frame[6:8], "big"), k, scid=82) for k, frame in enumerate(one)
    ]
    idle = [sender.aos_frame(bytes([0x55] * 152), 0x7FE, k, vcid=63) for k in range(len(one))]
    _, channels, packets = read(b"".join(a + b + c for a, b, c in zip(one, other, idle, strict=True)))
    names = {(each.spacecraft_id, each.virtual_channel): each.service for each in channels}
    assert names == {(245, 5): "packets", (82, 5): "packets", (245, 63): "idle"}
    assert sorted(packets) == sorted(2 * sent.packets)


NOISE = {
    "random": lambda rng: rng.bytes(12000),
    "zeros": lambda _: bytes(12000),
    "random bits, one a byte": lambda rng: rng.integers(0, 2, 24000, np.uint8).tobytes(),
    "text": lambda _: "\n".join(f"{k:06d} no carrier at {k * 7 % 997} Hz" for k in range(400)).encode(),
    "a few bytes": lambda rng: rng.bytes(20),
    "one byte": lambda _: b"\xc0",
    "floats": lambda rng: rng.normal(size=3000).astype("<f4").tobytes(),
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_is_called_noise(kind):
    assert detect(np.frombuffer(NOISE[kind](np.random.default_rng(3)), np.uint8)) is None


def test_what_is_found_is_found_again_in_a_part_of_it(sent):
    stream = framed(sent.aos(160, insert=b"12345678"))
    whole, part = (detect(np.frombuffer(octets, np.uint8)) for octets in (stream, stream[: len(stream) // 2]))
    assert replace(whole.settings) == part.settings


@pytest.mark.parametrize("what", ["packets", "segments"])
def test_proximity_1_is_called_by_its_name(sender, tmp_path, what):
    """211.2-B: marker FAF320, a frame of version 3 whose header has its length less one in 11 bits, CRC-32."""
    rng, stream = np.random.default_rng(2), b""
    for k in range(30):
        body = sender.packet(9, k, rng.bytes(20 + 7 * k)) if what == "packets" else rng.bytes(20 + 7 * k)
        head = (2 << 30 | 37 << 16 | 5 + len(body) - 1).to_bytes(4, "big") + bytes([k])
        stream += b"\xfa\xf3\x20" + head + body + rng.bytes(4)
    path = tmp_path / "pass.bin"
    path.write_bytes(stream)
    try:
        text = detected(path)
    except RunError as error:
        text = str(error)
    assert "Proximity-1 (211.2-B): FAF320 and a frame of varying length follow each other 29 times" in text
