"""KISS, captures and unpacked symbols: what is inside is known, for the wrapping is written here by hand."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.link.detection.detector import detect
from downlink_pipeline.link.evidence import evidence_of
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch

CHANNEL = ChannelSettings(50, 1, "beacon")
FRAMES = LinkSettings("frames", "tm", 60, fecf=True)
N_FRAMES = 12
T0_MS = 1_764_547_200_123
ERMINAZ = LinkSettings("frames", "tm", 128, fecf=True, container="kiss")


@pytest.fixture(scope="module")
def frames(sender):
    """TM frames with bytes in them that KISS escapes."""
    packets = [sender.packet(5, k, bytes([0xC0, 0xDB, 0xDC, 0xDD, k] * 7)) for k in range(15)]
    cut = sender.zones(packets, 52)
    return [sender.tm_frame(zone, at, k, scid=50, vcid=1, fecf=True) for k, (zone, at) in enumerate(cut)]


def receive(link, stream, pieces=(), received_ns=0):
    """The packets' bytes, the frames' receive times, the report."""
    receiver = Receiver(link, [CHANNEL])
    parts = np.split(np.frombuffer(stream, np.uint8), list(pieces))
    outputs = [*(receiver.receive(ByteBatch.of(part, received_ns)) for part in parts), receiver.flush()]
    packets = [
        batch.data[a : a + n].tobytes()
        for batch in (output.packets for output in outputs)
        for a, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]
    times = [int(t) for output in outputs if output.frames for t in output.frames.received_ns]
    return packets, times, receiver.report()


def kiss(frames, control=b"\x00", times=None):
    def wrap(kind, octets):
        return b"\xc0" + kind + octets.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"

    stamps = [wrap(b"\x09", t.to_bytes(8, "big")) for t in times] if times else [b""] * len(frames)
    return b"".join(stamp + wrap(control, frame) for stamp, frame in zip(stamps, frames, strict=True))


@pytest.mark.parametrize("piece", [10**6, 131, 7, 1])
def test_kiss_frames_give_their_packets_with_the_times_of_their_stamps_however_they_are_cut(frames, piece):
    times = [T0_MS + 250 * k for k in range(len(frames))]
    stream = kiss(frames, times=times)
    bare, _, _ = receive(FRAMES, b"".join(frames))
    packets, received, report = receive(replace(FRAMES, container="kiss"), stream, range(piece, len(stream), piece))
    assert packets == bare
    assert len(bare) == 15
    assert received == [1_000_000 * t for t in times]
    assert report["bytes"]["read"] == len(stream)
    assert report["bytes"]["skipped"] == 0


def test_a_kiss_frame_of_another_length_command_or_without_its_beginning_is_counted_and_hurts_no_other(frames):
    stream = b"x" * 51 + kiss(frames[:3]) + kiss([b"status"]) + kiss([b"x" * 60], b"\x06") + kiss(frames[3:])
    packets, _, report = receive(replace(FRAMES, container="kiss"), stream)
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["bytes"]["skipped"] == 51 + 6 + 60


def test_kiss_without_stamps_has_the_receive_times_of_the_recording(frames):
    _, times, _ = receive(replace(FRAMES, container="kiss"), kiss(frames), received_ns=77)
    assert times == [77] * len(frames)


def test_the_time_port_may_be_another_and_stand_in_the_port_bits(frames):
    stamp = b"\xc0\x50" + (T0_MS).to_bytes(8, "big") + b"\xc0"
    _, times, _ = receive(replace(FRAMES, container="kiss", kiss_time_port=5), stamp + kiss(frames[:1]))
    assert times == [1_000_000 * T0_MS]


def test_the_recording_of_a_cubesat_gives_its_80_packets_with_receive_times(frames_case):
    receiver = Receiver(ERMINAZ, [CHANNEL])
    output = receiver.receive(ByteBatch.of(frames_case("erminaz_like.kss")))
    places = zip(output.packets.start.tolist(), output.packets.length.tolist(), strict=True)
    assert b"".join(output.packets.data[a : a + n].tobytes() for a, n in places) == frames_case(
        "erminaz_like.packets"
    )
    assert output.frames.received_ns[0] == int.from_bytes(bytes.fromhex("0000019968ceb000"), "big") * 10**6
    assert (np.diff(output.frames.received_ns) == 200 * 10**6).all()


# -- captures ---------------------------------------------------------------------------------------------------------


def udp(payload, port=5000):
    return struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload


def ipv4(body, protocol=17, fragment=0, number=7):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), number, fragment, 64, protocol, 0)
    return head + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + body


def ipv6(body):
    return struct.pack(">IHBB", 6 << 28, len(body), 17, 64) + bytes(32) + body


def ethernet(packet, kind=0x0800, vlan=b""):
    return bytes(12) + vlan + kind.to_bytes(2, "big") + packet


def pcap(packets, order="<", magic=0xA1B2C3D4, unit=1000, link=1, t0_ns=1_700_000_000 * 10**9):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for k, packet in enumerate(packets):
        ns = t0_ns + 250_000_000 * k
        out += struct.pack(order + "IIII", ns // 10**9, ns % 10**9 // unit, len(packet), len(packet)) + packet
    return out


def pcapng(packets, order="<", resolution=9, t0_ns=1_700_000_000 * 10**9):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = len(body) + 12
        return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)

    option = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack(order + "HHI", 1, 0, 65535) + option)
    for k, packet in enumerate(packets):
        out += block(5, bytes(12))  # interface statistics, of no interest
        ticks = (t0_ns + 250_000_000 * k) // 10 ** (9 - resolution)
        out += block(
            6, struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet)) + packet
        )
    return out


WRAPPINGS = {
    "pcap": lambda frames: pcap([ethernet(ipv4(udp(one))) for one in frames]),
    "pcap big-endian, ns": lambda frames: pcap([ethernet(ipv4(udp(one))) for one in frames], ">", 0xA1B23C4D, 1),
    "pcap raw IPv6": lambda frames: pcap([ipv6(udp(one)) for one in frames], link=101),
    "pcap cooked": lambda frames: pcap([bytes(14) + b"\x08\0" + ipv4(udp(one)) for one in frames], link=113),
    "pcap VLAN": lambda frames: pcap([ethernet(ipv4(udp(one)), vlan=b"\x81\0\0\x05") for one in frames]),
    "pcap padded": lambda frames: pcap([ethernet(ipv4(udp(one))) + bytes(6) for one in frames]),
    "pcapng": lambda frames: pcapng([ethernet(ipv4(udp(one))) for one in frames]),
    "pcapng big-endian, us": lambda frames: pcapng([ethernet(ipv4(udp(one))) for one in frames], ">", 6),
}


def test_kiss_frames_in_a_capture_give_their_packets_however_they_are_cut(frames):
    """Datagrams that end anywhere in a KISS frame, and a file that is read in pieces."""
    sent = kiss(frames)
    stream = pcap([ethernet(ipv4(udp(sent[at : at + 100]))) for at in range(0, len(sent), 100)])
    assert detect(np.frombuffer(stream, np.uint8)).settings.container == "kiss-in-pcap"
    packets, times, report = receive(replace(FRAMES, container="kiss-in-pcap"), stream, range(77, len(stream), 77))
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert times[0] == 1_700_000_000 * 10**9
    assert (report["bytes"]["read"], report["bytes"]["skipped"]) == (len(stream), 0)


@pytest.mark.parametrize("name", WRAPPINGS)
def test_a_capture_gives_the_packets_of_its_udp_payloads_with_times_however_it_is_cut(frames, name):
    stream = WRAPPINGS[name](frames)
    bare = receive(FRAMES, b"".join(frames))[0]
    for piece in (len(stream), 97):
        packets, times, report = receive(
            replace(FRAMES, container="pcap"), stream, range(piece, len(stream), piece)
        )
        assert packets == bare
        assert times == [1_700_000_000 * 10**9 + 250_000_000 * k for k in range(len(frames))]
        assert (report["bytes"]["read"], report["bytes"]["skipped"]) == (len(stream), 0)


def test_other_ports_and_protocols_of_a_capture_are_left_out(frames):
    noise = [ethernet(ipv4(udp(b"dns", 53))), ethernet(ipv4(b"tcp" * 10, 6)), ethernet(b"arp", 0x0806), b"short"]
    mixed = [packet for frame in frames for packet in (ethernet(ipv4(udp(frame))), *noise)]
    link = replace(FRAMES, container="pcap", udp_port=5000)
    packets, _, report = receive(link, pcap(mixed))
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["bytes"]["skipped"] == 0


def test_a_datagram_in_fragments_is_put_together(frames):
    datagram = udp(b"".join(frames))
    parts = [datagram[a : a + 160] for a in range(0, len(datagram), 160)]
    more = [0x2000] * (len(parts) - 1) + [0]
    packets = [ethernet(ipv4(part, fragment=20 * k | more[k])) for k, part in enumerate(parts)]
    packets[1], packets[2] = packets[2], packets[1]
    assert receive(replace(FRAMES, container="pcap"), pcap(packets))[0] == receive(FRAMES, b"".join(frames))[0]


def test_behind_a_damaged_record_the_next_capture_in_the_stream_is_read(frames):
    wrapped = [ethernet(ipv4(udp(one))) for one in frames]
    damaged = pcap(wrapped[:4]) + struct.pack("<IIII", 1, 2, 0xFFFFFFFF, 3) + bytes(50)
    packets, _, report = receive(replace(FRAMES, container="pcap"), damaged + pcap(wrapped[4:]))
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["bytes"]["skipped"] == 66


# -- symbols ----------------------------------------------------------------------------------------------------------


def as_symbols(octets, kind):
    bits = np.unpackbits(np.frombuffer(octets, np.uint8))
    match kind:
        case "unpacked":
            return bits.tobytes()
        case "int8":
            return np.where(bits, 40, -50).astype("i1").tobytes()
        case _:
            return np.where(bits, 0.7, -1.3).astype("<f4").tobytes()


@pytest.mark.parametrize("kind", ["unpacked", "int8", "float32"])
@pytest.mark.parametrize("shift", [0, 3])
def test_symbols_give_what_packed_bits_give_at_any_bit_phase_and_polarity(sender, frames, kind, shift):
    stream = b"".join(sender.cadu(one, parity=0) for one in frames)
    marked = replace(FRAMES, framing="cadu", randomizer=True)
    symbols = as_symbols(stream, kind)
    if shift:
        symbols = symbols[: shift * len(symbols) // 8 // len(stream)] + as_symbols(
            bytes(~b & 255 for b in stream), kind
        )
    expected = receive(marked, stream)[0]
    assert len(expected) == 15
    for piece in (len(symbols), 1003):
        got, _, report = receive(replace(marked, symbols=kind), symbols, range(piece, len(symbols), piece))
        assert got == expected
        assert report["bytes"]["read"] == len(symbols)


def test_receive_times_of_symbols_are_those_of_their_bytes(sender, frames):
    stream = as_symbols(b"".join(sender.cadu(one, parity=0) for one in frames), "unpacked")
    half = len(stream) // 2
    batch = ByteBatch(np.frombuffer(stream, np.uint8), np.array([0, half]), np.array([5, 6]))
    link = replace(FRAMES, framing="cadu", randomizer=True, symbols="unpacked")
    output = Receiver(link, [CHANNEL]).receive(batch)
    assert sorted(set(output.frames.received_ns.tolist())) == [5, 6]
    assert int((output.frames.received_ns == 5).sum()) == len(frames) // 2


@pytest.mark.parametrize(
    ("link", "wrap"),
    [
        (replace(FRAMES, container="kiss"), kiss),
        (replace(FRAMES, container="pcap"), WRAPPINGS["pcap"]),
        (replace(FRAMES, symbols="unpacked"), lambda frames: as_symbols(b"".join(frames), "unpacked")),
    ],
)
def test_a_connection_is_known_by_what_is_in_its_container(frames, link, wrap):
    looks_right = evidence_of(link, [CHANNEL])
    assert looks_right(wrap(frames[:3]))
    assert not looks_right(b"GET / HTTP/1.1\r\n" * 40)
