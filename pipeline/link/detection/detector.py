"""Detects the link of a recording: container and symbols, then markers, packets, or frames without markers.

In: the first bytes of a recording. Out: the settings that read them, with evidence for each; None for noise. All
decisions rest on what is unlikely by chance: markers at a constant distance, codewords, checksums, consecutive counts,
consecutive packets.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from ..receiver import Receiver
from ..settings import LinkSettings
from .blocks import guess_of_blocks
from .channels import with_channels
from .guess import Guess
from .headers import SHORTEST
from .markers import KNOWN, Markers, find_markers, proximity_frames
from .periods import Records, frames_in_records, identical_records
from .record_times import with_times
from .wrappings import container_of, hard_symbols, soft_symbols, unwrapped

_SAMPLE_BYTES = 1 << 19
"""Number of bytes of the link that are searched."""
_UNSURE_BYTES = 1 << 17
"""Number of bytes in which packets are looked for if most frames have no header: data that are none take long."""
_LONGEST_PACKET_PREFIX = 32
_FEWEST_SOFT_MARKERS = 3
_LONGEST_RECORD_PREFIX = 128
_FEWEST_PACKETS = 3
_CHAINED_PACKETS = 4
"""Of each APID, that lead from one to the next through all bytes."""
_FEWEST_PROXIMITY_FRAMES = 3
_SURE, _CERTAIN = 0.6, 0.9
"""Required share of frames with consecutive counts if there is no other evidence; if there are packets in them."""


def detect(octets: NDArray[np.uint8]) -> Guess | None:
    """Detect the link of `octets: uint8[n]`; None if they are noise."""
    wrapped = container_of(octets)
    inside = unwrapped(wrapped.settings, octets)
    guess = hard_symbols(wrapped, inside)
    found = _link(guess, unwrapped(guess.settings, octets))
    if found is None and wrapped.settings.symbols == guess.settings.symbols and not wrapped.settings.in_kiss:
        found = _soft_link(wrapped, octets)
    if found is not None and found.settings.packet_prefix_bytes and (text := proximity_text(inside)):
        found = found.noting(text)
    return found


def proximity_text(octets: NDArray[np.uint8]) -> str:
    """Name the link if it is Proximity-1, which is not read; empty if it is not."""
    n = proximity_frames(octets)
    if n < _FEWEST_PROXIMITY_FRAMES:
        return ""
    return (
        f"Proximity-1 (211.2-B): FAF320 and a frame of varying length follow each other {n:,} times; it is not read"
    )


def _soft_link(guess: Guess, octets: NDArray[np.uint8]) -> Guess | None:
    for soft in soft_symbols(guess, octets):
        packed = unwrapped(soft.settings, octets)
        for pattern in KNOWN:
            markers = find_markers(packed[:_SAMPLE_BYTES], bytes.fromhex(pattern))
            if markers is not None and markers.n_there >= _FEWEST_SOFT_MARKERS:
                return _marked(soft, packed, markers)
    return None


def _link(guess: Guess, octets: NDArray[np.uint8]) -> Guess | None:
    """Detect the link of bytes without container."""
    for pattern in KNOWN:
        markers = find_markers(octets[:_SAMPLE_BYTES], bytes.fromhex(pattern))
        if markers is not None:
            return _marked(guess, octets, markers)
    found = _packets(guess, octets, 0) or _unmarked(guess, octets)
    if found is not None and _is_confirmed(found):
        return found
    prefixes = range(1, _LONGEST_PACKET_PREFIX + 1)
    return (
        (None if found else _identical(guess, octets))
        or next((one for n in prefixes if (one := _packets(guess, octets, n))), None)
        or found
    )


def _is_confirmed(guess: Guess) -> bool:
    """Whether there are packets, checks, or headers in most frames: counts in a part of them may be data."""
    return guess.settings.framing == "packets" or guess.has_headers or _is_checked(guess)


def _marked(guess: Guess, octets: NDArray[np.uint8], markers: Markers) -> Guess | None:
    """Detect the link of blocks behind markers."""
    name = markers.pattern.hex().upper()
    how = "inverted" if markers.n_inverted == len(markers.place) else "upright"
    if 0 < markers.n_inverted < len(markers.place):
        how = "upright and inverted"
    phases = sorted({int(place) % 8 for place in markers.place[:1000]})
    text = (
        f"{name} stands {markers.n_there:,} times, every {markers.pitch:,} bytes, {how}, "
        f"at bit {', '.join(map(str, phases))} of a byte"
    )
    guess = guess.having("framing", "cadu", text)
    if markers.pattern != LinkSettings("cadu").sync_marker:
        guess = guess.having("sync_marker", markers.pattern)
    found, gap = guess_of_blocks(guess, markers.blocks, framing="cadu")
    first = int(markers.place[0]) // 8
    prefix = min(first, gap) if gap and first < markers.pitch else 0
    if gap:
        found = _with_record(found, octets, prefix, gap - prefix, markers.pitch, first - prefix)
    return with_channels(found, octets)


def _unmarked(guess: Guess, octets: NDArray[np.uint8]) -> Guess | None:
    """Detect the link of frames or coded blocks in records of one length; None if nothing confirms any."""
    tried: list[tuple[Guess, float]] = []
    for records in frames_in_records(octets[:_SAMPLE_BYTES]):
        found = _in_records(guess, octets, records)
        if found.n_packets >= _FEWEST_PACKETS and (_is_checked(found) or records.share >= _CERTAIN):
            return found
        tried.append((found, records.share))
    found, share = max(tried, key=lambda one: (_is_checked(one[0]), one[0].n_packets, one[1]), default=(guess, 0.0))
    right = found.n_packets >= _FEWEST_PACKETS or _is_checked(found) or share >= _SURE
    return found if right else None


def _identical(guess: Guess, octets: NDArray[np.uint8]) -> Guess | None:
    """Detect the link of records that are nearly all identical."""
    records = identical_records(octets[:_SAMPLE_BYTES])
    return _in_records(guess, octets, records) if records else None


def _is_checked(guess: Guess) -> bool:
    """Whether frames have an FECF or a code."""
    return guess.settings.fecf or guess.settings.reed_solomon is not None


def _in_records(guess: Guess, octets: NDArray[np.uint8], records: Records) -> Guess:
    """Detect the link of these records."""
    text = f"headers follow each other every {records.length:,} bytes ({records.n_followed:,} counts in a row)"
    if not records.n_followed:
        text = f"the same octets come every {records.length:,} bytes"
    guess = guess.having("framing", "frames", text)
    if records.variant != "none":
        guess = guess.having("randomizer", value=True, why="without it the headers are none")
        guess = guess.having("long_randomizer", records.variant == "long")
    blocks = records.blocks(octets[:_SAMPLE_BYTES])
    found, gap = guess_of_blocks(guess, blocks, framing="frames", frame_length=records.frame_length)
    whole = _placed(found, octets, records, gap, min(records.offset, gap))
    longest = min(_LONGEST_RECORD_PREFIX, records.length - SHORTEST)
    if gap or not 0 < records.offset <= longest or _is_checked(found):
        return whole
    # No check tells where a frame ends: what stands before the first one may stand before each.
    found, _ = guess_of_blocks(guess, blocks[:, : -records.offset], framing="frames")
    behind = _placed(found, octets, records, records.offset, records.offset)
    return behind if behind.n_packets >= whole.n_packets else whole


def _placed(guess: Guess, octets: NDArray[np.uint8], records: Records, gap: int, prefix: int) -> Guess:
    """Add the channels. Of the `gap` bytes between two frames, `prefix` belong to the frame behind them."""
    start = records.offset - prefix
    if gap:
        guess = _with_record(guess, octets, prefix, gap - prefix, records.length, start)
    if start:
        guess = guess.noting(f"{start} bytes stand before the first record")
    stop = len(octets) if guess.has_headers or _is_checked(guess) else start + _UNSURE_BYTES
    return with_channels(guess, octets[start:stop])


def _with_record(
    guess: Guess, octets: NDArray[np.uint8], prefix: int, suffix: int, length: int, start: int
) -> Guess:
    """Add the record prefix and suffix around each frame, and the time in the prefix."""
    text = f"of {length:,} bytes from one frame to the next, {prefix + suffix} are none of it"
    guess = guess.having("record_prefix_bytes", prefix, text if prefix else "")
    guess = guess.having("record_suffix_bytes", suffix, text if suffix and not prefix else "")
    n = (len(octets) - start) // length
    rows = octets[start : start + n * length].reshape(n, length)[:, :prefix]
    return with_times(guess, rows)


def _packets(guess: Guess, octets: NDArray[np.uint8], prefix: int) -> Guess | None:
    """Detect a link of space packets back to back, each behind `prefix` bytes; None if it is none."""
    settings = replace(
        guess.settings, framing="packets", packet_prefix_bytes=prefix, container="none", symbols="packed"
    )
    receiver = Receiver(settings, [])
    receiver.receive(ByteBatch.of(octets[:_SAMPLE_BYTES]))
    if len(octets) <= _SAMPLE_BYTES:
        receiver.flush()
    report = receiver.report()
    packets, skipped = report["packets"], report["bytes"]["skipped"]
    n, n_apids = packets["read"] + packets["idle_packets"], len(packets["by_apid"])
    if n < 2 or packets["bad_headers"] or skipped > 0.02 * report["bytes"]["read"] or not packets["read"]:
        return None
    # Counts may be of more packets than were recorded; a chain that has neither gap nor end is no chance, either.
    is_whole = not prefix and not skipped and not packets["truncated_packets"] and n >= _CHAINED_PACKETS * n_apids
    if packets["sequence_gaps"] > max(0.25 * (n - n_apids), n_apids) and not is_whole:
        return None
    if n - n_apids < 2 and n > 2:
        return None
    text = f"{n:,} packets of {n_apids} APIDs follow each other without a bad header"
    found = guess.having("framing", "packets", text)
    if prefix:
        found = found.having("packet_prefix_bytes", prefix, "with it, and no other, each packet leads to the next")
    return found
