"""Detects wrong link settings when no received frame is on a wanted channel.

The randomiser's 255-byte sequence is itself a codeword of RS(255,223) at interleave 1, 2, 4 and 8, so a wrong
randomiser setting passes the decoder and shows only in the headers. The first blocks are kept; if none of the first 32
frames is on a wanted channel, the blocks are decoded with other settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Event
from .coding.codewords import FrameDecoder
from .frames.frame_types import header_reader
from .settings import ChannelSettings, FrameType, LinkSettings

_BLOCKS_WATCHED = 32
_BLOCKS_TO_TRY = 16
_FEWEST_BLOCKS = 2


class SettingsGuard:
    """Watches the first blocks of a link. Emits at most one event about wrong settings."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self._settings = settings
        self._channels = channels
        self._sample: list[NDArray[np.uint8]] = []
        self._n_blocks = 0
        self.is_done = not channels
        """Whether watching has ended: a frame of a wanted channel was seen, or the settings were checked."""

    def watch(self, blocks: NDArray[np.uint8], wanted_rows: NDArray[np.intp]) -> tuple[Event, ...]:
        """Watch more `blocks: uint8[n, L]`; the rows `wanted_rows` hold frames of wanted channels."""
        if self.is_done:
            return ()
        n_unwatched = _BLOCKS_WATCHED - self._n_blocks
        if (wanted_rows < n_unwatched).any():
            return self._end()
        self._sample.append(blocks[: max(0, _BLOCKS_TO_TRY - self._n_blocks)].copy())
        self._n_blocks += len(blocks)
        return self.check() if self._n_blocks >= _BLOCKS_WATCHED else ()

    def check(self) -> tuple[Event, ...]:
        """Check the settings with the blocks seen so far; also called at the end of a short recording."""
        if self.is_done or self._n_blocks < _FEWEST_BLOCKS:
            return ()
        text = diagnose(self._settings, self._channels, np.concatenate(self._sample))
        self._end()
        return (Event("error", "wrong_settings", text),) if text else ()

    def _end(self) -> tuple[Event, ...]:
        self.is_done = True
        self._sample = []
        return ()


def diagnose(settings: LinkSettings, channels: Sequence[ChannelSettings], blocks: NDArray[np.uint8]) -> str:
    """Say which other settings decode `blocks: uint8[n, L]`, in one sentence; empty if none do."""
    tried = [(_channels_with(other, blocks), change) for other, change in _alternatives(settings)]
    wanted = {(channel.spacecraft_id, channel.virtual_channel) for channel in channels}
    spacecraft = {scid for scid, _ in wanted}
    of_spacecraft = {(scid, vcid) for scid in spacecraft for vcid in range(64)}
    for names in (wanted, of_spacecraft):
        scored = [(sum(n for name, n in seen.items() if name in names), change) for seen, change in tried]
        best, change = max(scored, key=lambda pair: pair[0])
        if change and 2 * best > len(blocks):
            return f"no frame is of a wanted channel, but with {change} they would be"
    passing = [(sum(seen.values()), change) for seen, change in tried]
    best, change = max(passing, key=lambda pair: pair[0])
    if change and 2 * best > len(blocks) and passing[0][0] == 0:
        return f"no frame can be decoded, but with {change} they could be"
    seen = tried[0][0]
    if 2 * sum(seen.values()) > len(blocks) and not spacecraft & {scid for scid, _ in seen}:
        found = ", ".join(f"{scid}/{vcid}" for (scid, vcid), _ in seen.most_common(3))
        return f"no frame is of a wanted channel; those that arrive are of spacecraft/channel {found}"
    return ""


def _alternatives(settings: LinkSettings) -> Iterator[tuple[LinkSettings, str]]:
    """Yield the settings themselves, then likely alternatives, each with the change as keys of the mission file."""
    known: tuple[FrameType, ...] = ("aos", "tm", "uslp")
    kinds = [settings.frame_type, *(kind for kind in known if kind != settings.frame_type)]
    coded = settings.framing in {"cadu", "codeblocks"}
    randomizers = [(settings.randomizer, settings.long_randomizer)]
    if coded:
        randomizers += [other for other in ((False, False), (True, False), (True, True)) if other != randomizers[0]]
    code = settings.reed_solomon if coded else None
    codes = (
        [code, replace(code, basis="dual" if code.basis == "conventional" else "conventional")] if code else [None]
    )
    for kind in kinds:
        for randomizer, is_long in randomizers:
            for other in codes:
                changed = replace(
                    settings, frame_type=kind, randomizer=randomizer, long_randomizer=is_long, reed_solomon=other
                )
                yield changed, _describe_change(settings, changed)


def _describe_change(settings: LinkSettings, changed: LinkSettings) -> str:
    words = []
    if changed.frame_type != settings.frame_type:
        words.append(f'frame_type = "{changed.frame_type}"')
    if changed.randomizer != settings.randomizer:
        words.append(f"randomizer = {str(changed.randomizer).lower()}")
    if changed.randomizer and changed.long_randomizer != settings.long_randomizer:
        words.append(f"long_randomizer = {str(changed.long_randomizer).lower()}")
    if changed.reed_solomon and changed.reed_solomon != settings.reed_solomon:
        words.append(f'reed_solomon basis = "{changed.reed_solomon.basis}"')
    return " and ".join(words)


def _channels_with(settings: LinkSettings, blocks: NDArray[np.uint8]) -> Counter[tuple[int, int]]:
    """Count frames that pass every check under these settings, by (spacecraft id, virtual channel)."""
    checked = FrameDecoder(settings).decode(blocks)
    if not len(checked.frames):
        return Counter()
    reader = header_reader(settings)
    headers = reader.read(checked.frames)
    valid = reader.valid(headers)
    scid, vcid = headers.scid[valid].tolist(), headers.vcid[valid].tolist()
    return Counter(zip(scid, vcid, strict=True))
