"""Makes the small recordings in tests/link/corpus that the fuzz test damages: `python tests/link/make_corpus.py`.

Each is named after the link that reads it whole. They are written by the plain sender of conftest.py.
"""

import random
from pathlib import Path
from types import SimpleNamespace

CORPUS = Path(__file__).parent / "corpus"


def packets(sender: SimpleNamespace, n: int, longest: int, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    return [
        sender.packet(rng.choice([1, 2, 300, 0x7FF]), k, rng.randbytes(rng.randint(1, longest)), rng.randint(0, 3))
        for k in range(n)
    ]


def encapsulated(payload: bytes) -> bytes:
    return b"\xe9" + (len(payload) + 2).to_bytes(1, "big") + payload


def aos(sender: SimpleNamespace, sent: list[bytes], zone: int, first: int = 0, **kind: object) -> list[bytes]:
    return [sender.aos_frame(part, at, first + k, **kind) for k, (part, at) in enumerate(sender.zones(sent, zone))]


def uslp(sender: SimpleNamespace, sent: list[bytes]) -> list[bytes]:
    """64 bytes, a count of two bytes, packets over frames (rule 0), now MAP 0 and now MAP 3."""
    frames = []
    for map_id in (0, 3):
        for part, at in sender.zones(sent, 52):
            head = 12 << 28 | 245 << 12 | 5 << 5 | map_id << 1
            pointer = 0xFFFF if at == 0x7FF else at
            frames.append((head, pointer, part))
    frames = [frame for pair in zip(frames[::2], frames[1::2], strict=False) for frame in pair]
    return [
        head.to_bytes(4, "big")
        + b"\x00\x3f\x02"
        + k.to_bytes(2, "big")
        + b"\x00"
        + pointer.to_bytes(2, "big")
        + part
        for k, (head, pointer, part) in enumerate(frames)
    ]


def two_channels(one: list[bytes], two: list[bytes]) -> list[bytes]:
    return [frame for pair in zip(one, two, strict=False) for frame in pair]


def corpus(sender: SimpleNamespace) -> dict[str, bytes]:
    short, long = packets(sender, 40, 60, 1), packets(sender, 12, 300, 2)
    both = two_channels(aos(sender, short, 51, 0xFFFFF0), aos(sender, long, 51, vcid=6))
    mixed = [part for k, packet in enumerate(short) for part in (packet, encapsulated(bytes([k]) * k), b"\xe0" * 3)]
    dual = {"parity": 16, "basis": "dual", "random": False}
    parts = {
        "coded": [sender.cadu(frame, parity=16) for frame in both],
        "interleaved": [sender.cadu(frame, interleave=2, **dual) for frame in aos(sender, short, 90)],
        "checked": [sender.cadu(frame, parity=0) for frame in aos(sender, short, 50, fecf=True)],
        "unchecked": [sender.cadu(frame, parity=0, random=False) for frame in both],
        "frames": both,
        "encapsulation": aos(sender, mixed, 51),
        "stamped": aos(sender, short, 44, insert=bytes(range(8)), ocf=b"\x01\x00\x00\x05", replay=True),
        "telemetry": [
            sender.tm_frame(part, at, 250 + k, secondary=b"ab", ocf=b"\x01\x00\x00\x05", fecf=True)
            for k, (part, at) in enumerate(sender.zones(short, 60))
        ],
        "unified": uslp(sender, short),
        "packets": [b"\xaa\xbb" + packet for packet in packets(sender, 60, 80, 3)],
    }
    return {name: b"".join(part) for name, part in parts.items()}


def main() -> None:
    from conftest import Functions, aos_frame, cadu, packet, tm_frame, zones  # noqa: PLC0415

    sender = Functions(aos_frame=aos_frame, cadu=cadu, packet=packet, tm_frame=tm_frame, zones=zones)
    for name, octets in corpus(sender).items():
        (CORPUS / f"{name}.bin").write_bytes(octets)


if __name__ == "__main__":
    main()
