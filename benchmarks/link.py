"""The link layer's speed beside its peers', in one run on one core: `python benchmarks/link.py [--quick]`.

galois is tried where it is installed; otherwise its column is empty. The recording is made here, by an encoder of
the benchmark's own.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from downlink_pipeline.link.coding.reed_solomon import ReedSolomon
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch
from numpy.typing import NDArray

MARKER = bytes.fromhex("1ACFFC1D")
INTERLEAVE, PARITY, FRAME_BYTES = 4, 32, 892
CODE = ReedSolomonSettings(PARITY, INTERLEAVE, "conventional")
CODED = LinkSettings("cadu", frame_length_bytes=FRAME_BYTES, randomizer=True, reed_solomon=CODE)
BARE = LinkSettings("frames", frame_length_bytes=FRAME_BYTES)
CHANNEL = [ChannelSettings(245, 5, "relay")]
PACKET_BYTES = 189
MB = 1e6


# -- a recording ---------------------------------------------------------------------------------------------------


def field_tables() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    exp, log, value = np.zeros(510, np.intp), np.zeros(256, np.intp), 1
    for k in range(255):
        exp[k] = exp[k + 255] = value
        log[value] = k
        value = value << 1 ^ (0x187 if value & 0x80 else 0)
    return exp, log


def parity_table() -> NDArray[np.uint8]:
    """uint8[223, 256, 32]: what each symbol at each place adds to the parity."""
    exp, log = field_tables()

    def times(a: NDArray[np.intp] | int, b: NDArray[np.intp] | int) -> NDArray[np.intp]:
        return np.where((np.asarray(a) == 0) | (np.asarray(b) == 0), 0, exp[log[a] + log[b]])

    generator = np.array([1])
    for j in range(128 - PARITY // 2, 128 + PARITY // 2):
        generator = np.append(generator, 0) ^ np.append(0, times(generator, int(exp[11 * j % 255])))
    table = np.zeros((255 - PARITY, 256, PARITY), np.uint8)
    remainder = generator[1:]
    for place in range(254 - PARITY, -1, -1):
        table[place] = times(np.arange(256)[:, None], remainder)
        remainder = np.append(remainder[1:], 0) ^ times(int(remainder[0]), generator[1:])
    return table


def randomizer(n_bytes: int) -> NDArray[np.uint8]:
    bits = [1] * 8
    while len(bits) < 255:
        bits.append(bits[-1] ^ bits[-3] ^ bits[-5] ^ bits[-8])
    return np.resize(np.packbits(np.tile(np.array(bits, np.uint8), 8)), n_bytes)


def make_frames(n: int) -> NDArray[np.uint8]:
    """uint8[n, 892]: AOS frames full of packets of one length on a stream without a gap."""
    zone = FRAME_BYTES - 8
    n_packets = n * zone // PACKET_BYTES + 1
    packets = np.random.default_rng(1).integers(0, 256, (n_packets, PACKET_BYTES), np.uint8)
    heads = np.zeros((n_packets, 3), ">u2")
    heads[:, 0] = 1 + np.arange(n_packets) % 20
    heads[:, 1] = 0xC000 | (np.arange(n_packets) // 20 & 0x3FFF)
    heads[:, 2] = PACKET_BYTES - 7
    packets[:, :6] = heads.view(np.uint8)
    frames = np.zeros((n, FRAME_BYTES), np.uint8)
    frames[:, 8:] = packets.reshape(-1)[: n * zone].reshape(n, zone)
    frames[:, :2] = np.array([1 << 14 | 245 << 6 | 5], ">u2").view(np.uint8)
    frames[:, 2:6] = (np.arange(n) << 8).astype(">u4").view(np.uint8).reshape(n, 4)
    frames[:, 6:8] = (-np.arange(n) * zone % PACKET_BYTES).astype(">u2").view(np.uint8).reshape(n, 2)
    return frames


def make_blocks(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[n, 1020]: with parity and randomiser."""
    table = parity_table().view(np.uint64).reshape(-1, PARITY // 8)
    messages = frames.reshape(len(frames), -1, INTERLEAVE).transpose(0, 2, 1).reshape(-1, 255 - PARITY)
    place = np.arange(255 - PARITY) * 256
    parity = np.concatenate(
        [
            np.bitwise_xor.reduce(table[part + place], axis=1)
            for part in np.array_split(messages, len(messages) // 64)
        ]
    )
    check = (
        parity.view(np.uint8).reshape(len(frames), INTERLEAVE, PARITY).transpose(0, 2, 1).reshape(len(frames), -1)
    )
    blocks = np.concatenate((frames, check), axis=1)
    return blocks ^ randomizer(blocks.shape[1])


def make_cadus(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    marker = np.broadcast_to(np.frombuffer(MARKER, np.uint8), (len(blocks), 4))
    return np.concatenate((marker, blocks), axis=1).reshape(-1)


def with_errors(blocks: NDArray[np.uint8], n_errors: int, share: float) -> NDArray[np.uint8]:
    """`n_errors` wrong symbols in this share of the codewords."""
    rng = np.random.default_rng(2)
    words = blocks.reshape(len(blocks), -1, INTERLEAVE).transpose(0, 2, 1).copy()
    hit = words.reshape(-1, 255)
    chosen = np.nonzero(rng.random(len(hit)) < share)[0] if share < 1 else np.arange(len(hit))
    for k in chosen:
        hit[k, rng.choice(255, n_errors, replace=False)] ^= rng.integers(1, 256, n_errors, np.uint8)
    return np.ascontiguousarray(words.transpose(0, 2, 1)).reshape(len(blocks), -1)


# -- measuring -----------------------------------------------------------------------------------------------------


def best(work: Callable[[], object], repeats: int) -> float:
    """Shortest of some runs, in seconds; one more before them warms up."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def best_of_two(one: Callable[[], object], other: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Shortest runs of both, in turns, so that a busy moment of the machine does not fall on one of them alone."""
    pairs = [(best(one, 1), best(other, 1)) for _ in range(repeats)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def receive(stream: NDArray[np.uint8], settings: LinkSettings, piece_bytes: int) -> Receiver:
    receiver = Receiver(settings, CHANNEL)
    for at in range(0, len(stream), piece_bytes):
        receiver.receive(ByteBatch.of(stream[at : at + piece_bytes]))
    receiver.flush()
    return receiver


def galois_speed(blocks: NDArray[np.uint8]) -> SimpleNamespace:
    """MB/s of galois: detection of clean codewords, correction of 8 errors; None where it is not installed."""
    try:
        import galois  # noqa: PLC0415
    except ImportError:
        return SimpleNamespace(check=None, correct=None)
    field = galois.GF(2**8, irreducible_poly=0x187)
    code = galois.ReedSolomon(255, 223, field=field, alpha=field(2) ** 11, c=112)
    plain = blocks ^ randomizer(blocks.shape[1])
    words = plain.reshape(len(plain), -1, INTERLEAVE).transpose(0, 2, 1).reshape(-1, 255)
    clean = field(np.ascontiguousarray(words))
    assert not code.detect(clean).any()
    bad = with_errors(blocks[:100], 8, 1.0) ^ randomizer(blocks.shape[1])
    wrong = field(np.ascontiguousarray(bad.reshape(100, -1, INTERLEAVE).transpose(0, 2, 1).reshape(-1, 255)))
    return SimpleNamespace(
        check=clean.size / best(lambda: code.detect(clean), 3) / MB,
        correct=wrong.size / best(lambda: code.decode(wrong), 1) / MB,
    )


def line(name: str, ours: float, unit: str, goal: str, peer: float | None = None, peer_name: str = "") -> None:
    beside = f"{peer_name} {peer:8.2f}   ratio {ours / peer:6.1f}" if peer else ""
    digits = 2 if unit == "x" else 1
    print(f"{name:52} {ours:9.{digits}f} {unit:5} {goal:16} {beside}")


def bench_code(blocks: NDArray[np.uint8], repeats: int) -> None:
    code = ReedSolomon(CODE, randomizer(blocks.shape[1]))
    peer = galois_speed(blocks[:1000])
    clean = best(lambda: code.check(blocks), repeats)
    line("RS(255,223) I=4 check, clean", blocks.size / clean / MB, "MB/s", "25 x galois", peer.check, "galois")
    some = blocks[: len(blocks) // 4]
    eight = with_errors(some, 8, 1.0)
    assert (code.decode(eight).n_corrected == 8).all()
    time_8 = best(lambda: code.decode(eight), repeats)
    line("RS, 8 errors in every codeword", eight.size / time_8 / MB, "MB/s", ">= 20", peer.correct, "galois")
    for n_errors in (1, 8, 16):
        few = with_errors(blocks, n_errors, 0.01)
        whole, damaged = best_of_two(lambda: code.decode(blocks), lambda few=few: code.decode(few), repeats)
        ratio = damaged / whole
        line(f"RS, {n_errors} errors in 1 codeword of 100, time to clean", ratio, "x", "<= 1.3")


def bench_chain(frames: NDArray[np.uint8], cadus: NDArray[np.uint8], repeats: int) -> None:
    n_packets = len(frames) * (FRAME_BYTES - 8) // PACKET_BYTES
    for piece_bytes in (1 << 16, 1 << 20, 1 << 22):
        seconds = best(lambda size=piece_bytes: receive(cadus, CODED, size), repeats)
        line(f"CADU to packets, pieces of {piece_bytes >> 10} KiB", cadus.size / seconds / MB, "MB/s", ">= 150")
    for piece_bytes in (1 << 16, 1 << 20, 1 << 22):
        seconds = best(lambda size=piece_bytes: receive(frames.reshape(-1), BARE, size), repeats)
        line(f"frames to packets, pieces of {piece_bytes >> 10} KiB", frames.size / seconds / MB, "MB/s", ">= 500")
    line("  packets a second", n_packets / seconds / 1e6, "M/s", "")
    report = receive(cadus, CODED, 1 << 20).report()
    assert report["packets"]["read"] == n_packets
    assert report["packets"]["sequence_gaps"] == 0


def bench_one_frame(cadus: NDArray[np.uint8]) -> None:
    receiver = Receiver(CODED, CHANNEL)
    pieces = [ByteBatch.of(piece) for piece in cadus.reshape(-1, 1024)[:2000]]
    times = []
    for piece in pieces:
        begin = time.perf_counter()
        receiver.receive(piece)
        times.append(time.perf_counter() - begin)
    line("a batch of one frame, CADU to packets, median", 1e6 * float(np.median(times)), "us", "<= 300")
    line("  99th percentile", 1e6 * float(np.percentile(times, 99)), "us", "")


def bench_memory(cadus: NDArray[np.uint8]) -> None:
    """Peak memory must not grow with the recording."""
    receiver = Receiver(CODED, CHANNEL)
    peaks = []
    for _ in range(4):
        for at in range(0, len(cadus), 1 << 20):
            receiver.receive(ByteBatch.of(cadus[at : at + (1 << 20)]))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    line("peak memory grows over 4 recordings by", peaks[-1] - peaks[0], "MiB", "0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the recording, fewer repeats")
    quick = parser.parse_args().quick
    frames = make_frames(2_000 if quick else 16_000)
    blocks = make_blocks(frames)
    cadus = make_cadus(blocks)
    repeats = 2 if quick else 5
    bench_code(blocks[: len(blocks) // 2], repeats)
    bench_chain(frames, cadus, repeats)
    bench_one_frame(cadus)
    bench_memory(cadus)


if __name__ == "__main__":
    main()
