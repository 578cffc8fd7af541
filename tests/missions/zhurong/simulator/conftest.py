"""A ground station in a few lines, for what was sent without errors; its constants are the standard's."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate

FRAME_BYTES, PARITY_BYTES, CADU_BYTES = 892, 128, 1024


@dataclass(frozen=True)
class Packet:
    apid: int
    secondary_header: bool
    flags: int
    count: int
    octets: bytes


@dataclass(frozen=True)
class Pass:
    path: Path
    cadus: np.ndarray
    frames: np.ndarray
    packets: list
    truth: dict
    books: dict

    def records(self, apid):
        """Packet data fields, segments joined."""
        joined = []
        for packet in self.packets:
            if packet.apid == apid:
                joined.append(b"" if packet.flags in (1, 3) else joined.pop())
                joined[-1] += packet.octets
        return joined

    def fields(self, apid):
        """The same as uint8[n, length]."""
        return np.stack([np.frombuffer(record, np.uint8) for record in self.records(apid)])


def big_endian(octets, kind):
    return np.ascontiguousarray(octets).view(f">{kind}").astype(np.float64 if kind[0] == "f" else np.int64)


def int24(octets):
    wide = np.zeros((*octets.shape[:-1], octets.shape[-1] // 3, 4), np.uint8)
    wide[..., :3] = octets.reshape(*octets.shape[:-1], -1, 3)
    return wide.view(">i4")[..., 0].astype(np.int64) >> 8


def clock_ns(octets):
    """Zhurong's onboard time as UTC nanoseconds from 1970."""
    seconds = big_endian(octets[:, :4], "u4")[:, 0]
    milliseconds = big_endian(octets[:, 4:6], "u2")[:, 0]
    return (1_451_577_600 + seconds) * 1_000_000_000 + milliseconds * 1_000_000


def derandomize(blocks):
    register, bits = [1] * 8, []
    while len(bits) < 255 * 8:
        bits.append(register[0])
        register = [*register[1:], register[0] ^ register[3] ^ register[5] ^ register[7]]
    return blocks ^ np.resize(np.packbits(bits), blocks.shape[1])


def walk(stream):
    packets, at = [], 0
    while at < len(stream):
        head = int.from_bytes(stream[at : at + 4], "big")
        end = at + 7 + int.from_bytes(stream[at + 4 : at + 6], "big")
        octets = stream[at + 6 : end]
        packets.append(Packet(head >> 16 & 2047, bool(head >> 27 & 1), head >> 14 & 3, head & 16383, octets))
        at = end
    return packets


def read_pass(path):
    cadus = np.fromfile(path, np.uint8).reshape(-1, CADU_BYTES)
    frames = derandomize(cadus[:, 4:])[:, :FRAME_BYTES]
    with np.load(f"{path}.truth.npz") as arrays:
        truth = dict(arrays)
    books = json.loads(Path(f"{path}.truth.json").read_text())
    return Pass(path, cadus, frames, walk(frames[:, 16:].tobytes()), truth, books)


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "clean.cadu"
    simulate(path, Scenario(duration_s=240.0, seed=5))
    return read_pass(path)


@pytest.fixture(scope="session")
def ground():
    """The station's functions."""
    return {
        "big_endian": big_endian,
        "int24": int24,
        "clock_ns": clock_ns,
        "derandomize": derandomize,
        "read_pass": read_pass,
    }


@pytest.fixture(scope="session")
def real_radar():
    """The two genuine products of sol 11, which are not part of the project."""
    root = os.environ.get("DOWNLINK_REAL_DATA")
    folder = (Path(root) if root else Path(__file__).parents[5] / "shared" / "data") / "zhurong-roper"
    files = sorted(folder.glob("*.2B"))
    if len(files) != 2:
        pytest.skip(f"no genuine radar products in {folder}")
    return files
