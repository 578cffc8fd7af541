"""Decides from the bytes on both sides of a seam whether a recording continues the one before it.

A recording that was cut in pieces must decode as the whole; recordings of different passes must not share a frame, a
packet or a gap. The bytes before and behind the seam are decoded separately and together. The recording continues if

- a frame across the seam passes its check; or
- frame counts and sequence counts continue across the seam. For unrelated recordings, a step that misses at most `n` of
  `modulus` values has the probability (n + 1) / modulus; Fisher's method combines the steps of all channels and APIDs.
  The result must be below MAX_CHANCE, and no channel may miss more than MAX_LOST frames. A frame or packet that is cut
  by the seam has its header before the seam, so its count is no evidence; or
- the bytes behind the seam hold nothing complete, and complete exactly the frame or packet that is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..link.frames.frame_types import header_reader
from ..link.output import LinkOutput
from ..link.receiver import Receiver
from ..link.settings import record_bytes
from ..mission.loading import Mission
from ..model.batches import ByteBatch

SEAM_BYTES = 1 << 18
"""Number of bytes that are decoded on each side; more if frames are long."""
MAX_CHANCE = 1e-3
MAX_LOST = 64
_FRAMES_AT_LEAST = 16
_SEQUENCE_COUNTS = 1 << 14
_LONGEST_PACKET = 65542

Octets = NDArray[np.uint8]
Counts = dict[int, NDArray[np.int64]]


def seam_bytes(mission: Mission) -> int:
    """Number of bytes to decode on each side of a seam."""
    return max(SEAM_BYTES, _FRAMES_AT_LEAST * record_bytes(mission.link))


def is_continued(mission: Mission, before: Octets, behind: Octets) -> bool:
    """Whether the bytes `behind` the seam continue the transmission `before` it: both uint8[n].

    `before` must begin with a frame if frames have no marker, and with a packet if there are no frames. For captures
    (pcap) both are payloads.
    """
    first, second, together = (_decoded(mission, *parts) for parts in ((before,), (behind,), (before, behind)))
    if _has_checked_frame_across(mission, first, second, together) or _completes(first, second, together):
        return True
    begun = _decoded(mission, before, _nothing(mission))
    steps = list(_steps(begun.frames, together.frames, together.moduli))
    if any(modulus > MAX_LOST < missing for missing, modulus in steps):
        return False
    steps += _steps(begun.packets, together.packets, dict.fromkeys(begun.packets, _SEQUENCE_COUNTS))
    if _is_aligned(mission, first, second, together):
        steps.append((0, mission.link.frame_length_bytes))
    return _fisher([(missing + 1) / modulus for missing, modulus in steps]) <= MAX_CHANCE


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Decoded bytes: the link's report, and the counts of each channel and of each APID, in order."""

    report: dict[str, Any]
    frames: Counts
    packets: Counts
    moduli: dict[int, int]

    @property
    def n_frames(self) -> int:
        return sum(map(len, self.frames.values()))

    @property
    def n_packets(self) -> int:
        return sum(map(len, self.packets.values()))


def _decoded(mission: Mission, *pieces: Octets) -> _Decoded:
    receiver = Receiver(mission.link, mission.channels)
    outputs = [*(receiver.receive(ByteBatch.of(piece)) for piece in pieces), receiver.flush()]
    frames = _by_key([(one.scid.astype(np.int64) << 8 | one.vcid, one.vc_count) for one in _frames(outputs)])
    packets = _by_key(
        [
            (one.vcid.astype(np.int64) << 11 | one.apid, one.seq_count)
            for one in (output.packets for output in outputs)
        ]
    )
    moduli: dict[int, int] = {}
    if frames:
        headers = header_reader(mission.link)
        for one in _frames(outputs):
            keys, rows = np.unique(one.scid.astype(np.int64) << 8 | one.vcid, return_index=True)
            for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
                moduli[key] = headers.count_modulus(one.data[row])
    return _Decoded(receiver.report(), frames, packets, moduli)


def _frames(outputs: Sequence[LinkOutput]) -> Iterator[Any]:
    return (output.frames for output in outputs if output.frames is not None)


def _by_key(parts: Sequence[tuple[NDArray[np.int64], NDArray[Any]]]) -> Counts:
    if not parts:
        return {}
    key = np.concatenate([part[0] for part in parts])
    count = np.concatenate([part[1].astype(np.int64) for part in parts])
    return {int(one): count[key == one] for one in np.unique(key)}


def _has_checked_frame_across(mission: Mission, before: _Decoded, behind: _Decoded, together: _Decoded) -> bool:
    """Whether there is a frame across the seam that passes its code or FECF."""
    checked = mission.link.fecf or mission.link.reed_solomon is not None
    return checked and _gained(before, behind, together, "clean", "corrected") > 0


def _completes(before: _Decoded, behind: _Decoded, together: _Decoded) -> bool:
    """Whether the bytes behind the seam hold nothing complete, and together with those before all bytes are used."""
    is_more = together.n_frames > before.n_frames or together.n_packets > before.n_packets
    return is_more and not (behind.n_frames or behind.n_packets or together.report["bytes"]["skipped"])


def _nothing(mission: Mission) -> Octets:
    """Bytes that complete a cut frame or packet, and in which none begins, since they have no valid version."""
    link = mission.link
    n_bytes = 2 * record_bytes(link) if link.framing != "packets" else _LONGEST_PACKET + link.packet_prefix_bytes
    return np.full(n_bytes, 0xFF, np.uint8)


def _is_aligned(mission: Mission, before: _Decoded, behind: _Decoded, together: _Decoded) -> bool:
    """Whether a frame lies across the seam between two markers at the right distance, so that the lock is kept."""
    if mission.link.framing != "cadu" or _gained(before, behind, together, "read") < 1:
        return False
    n_locks = [one.report["synchronizer"]["locks"] for one in (before, behind, together)]
    return bool(n_locks[2] - n_locks[0] <= max(n_locks[1] - 1, 0))


def _gained(before: _Decoded, behind: _Decoded, together: _Decoded, *kinds: str) -> int:
    """Number of frames that exist only when both sides are decoded together."""
    n = [sum(one.report["frames"][kind] for kind in kinds) for one in (before, behind, together)]
    return int(n[2] - n[1] - n[0])


def _steps(before: Counts, together: Counts, moduli: dict[int, int]) -> Iterator[tuple[int, int]]:
    """For each counter on both sides of the seam: number of values missing at the seam, and its modulus.

    `before`: counts of what begins before the seam; the last of each may be wrong if its header is cut.
    """
    for key, counts in before.items():
        all_counts, n_before = together.get(key, counts), len(counts)
        if len(all_counts) > n_before:
            modulus = max(moduli[key], 1)
            yield int(all_counts[n_before] - all_counts[n_before - 1] - 1) % modulus, modulus


def _fisher(probabilities: Sequence[float]) -> float:
    """Probability that as many independent uniform values have a product as small (Fisher's method); 1 if empty."""
    x = -sum(map(math.log, probabilities))
    term = total = math.exp(-x) if probabilities else 1.0
    for k in range(1, len(probabilities)):
        term *= x / k
        total += term
    return total
