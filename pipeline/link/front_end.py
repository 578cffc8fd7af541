"""Frame sync, decoding and channel filter of one station.

In: bytes with receive times. Out: frames that pass every check, by channel, each with the receive time of its last
byte. Dropped and counted: bytes outside blocks, frames that fail a check, frames of channels that are not wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import ByteBatch, Event
from .coding.bare_frames import BareFrames
from .coding.blocks import Blocks, Record
from .coding.codewords import FrameDecoder
from .coding.marker import Marker
from .coding.synchronizer import Synchronizer
from .frames.frame_types import channel_readers, header_reader
from .frames.tables import Frames
from .guard import SettingsGuard
from .marks import ReceiveTimes
from .settings import ChannelSettings, LinkSettings, link_report

_MAX_OTHER_CHANNELS = 256


@dataclass(slots=True)
class Sorted:
    """`by_channel`: new frames of wanted channels, by the number of the channel; `events`: of the settings guard."""

    by_channel: Mapping[int, Frames]
    events: tuple[Event, ...] = ()


_NOTHING = Sorted({})


class FrontEnd:
    """Synchroniser, decoder and channel filter of one stream."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self._settings = settings
        self._decoder = FrameDecoder(settings)
        self._blocks = block_source(settings, channels, self._decoder.block_length)
        self.headers = header_reader(settings)
        self._readers = channel_readers(settings, channels, self.headers)
        self._channels = channels
        self._numbers = self._numbers_by_key()
        self._unchanged = {
            number
            for number, (channel, reader) in enumerate(zip(channels, self._readers, strict=True))
            if reader is self.headers and channel.service in {"packets", "idle"}
        }
        """Channels whose frames need no other reader than that of the link."""
        self._guard = SettingsGuard(settings, channels)
        self._times = ReceiveTimes()
        self._n_other = 0
        self._others: Counter[tuple[int, int]] = Counter()
        self.n_frames = 0
        """Frames so far that passed all checks, on any channel."""

    def find_frames(self, batch: ByteBatch) -> Sorted:
        """Return the frames completed by these bytes."""
        self._times.add(batch)
        return self._sort(self._blocks.find_blocks(batch.data))

    def break_off(self, missing: int) -> Sorted:
        """Return the frames completed before a gap of `missing` bytes (-1: unknown, as in ByteBatch)."""
        return self._sort(self._blocks.break_off(missing))

    def most_frames_in(self, n_bytes: int) -> int:
        """Upper bound of the frames in `n_bytes`; -1 if the number of bytes is not known."""
        return -1 if n_bytes < 0 else -(-n_bytes // self._decoder.block_length)

    def flush(self) -> Sorted:
        """End the stream."""
        last = self._sort(self._blocks.flush())
        return Sorted(last.by_channel, last.events + self._guard.check() + self._resync_events())

    def _resync_events(self) -> tuple[Event, ...]:
        """Events of bare frames: they were not found again, or the frame before a resync could not be checked."""
        blocks = self._blocks
        if not isinstance(blocks, BareFrames):
            return ()
        events = []
        if blocks.n_found and not self._settings.fecf:
            text = (
                f"frames were found again {blocks.n_found} times: without an FECF the frame before may be damaged"
            )
            events.append(Event("warning", "frames_found_again", text, 0, {"times": blocks.n_found}))
        if blocks.lost_at is not None:
            text = f"no frame of a wanted channel was found from byte {blocks.lost_at:,} on"
            events.append(Event("error", "frames_not_found", text, 0, {"byte": blocks.lost_at}))
        return tuple(events)

    def report(self) -> dict[str, Any]:
        """The keys link, bytes, frames, synchronizer and other_channels."""
        coding = asdict(self._decoder.counts)
        codewords = {str(k): int(n) for k, n in enumerate(coding.pop("codewords")) if n}
        others = sorted(self._others.items(), key=lambda item: (-item[1], item[0]))
        return {
            "link": link_report(self._settings),
            "bytes": {"read": self._times.n_bytes, "skipped": self._blocks.skipped_bytes},
            "frames": {**coding, "other_channel": self._n_other, "corrected_symbols": codewords},
            "synchronizer": self._blocks.report(),
            "other_channels": [{"scid": scid, "vcid": vcid, "frames": n} for (scid, vcid), n in others],
        }

    def _sort(self, blocks: Blocks) -> Sorted:
        if not len(blocks.last):
            self._times.forget_before(self._blocks.position)
            return _NOTHING
        checked = self._decoder.decode(blocks.data)
        row, guard = checked.row, self._guard
        if row is not None and not len(row):
            self._times.forget_before(self._blocks.position)
            return Sorted({}, guard.watch(blocks.data, row))
        frames = self.headers.read(checked.frames, self.n_frames)
        if checked.n_corrected is not None:
            frames.n_corrected[:] = checked.n_corrected
        frames.received_ns = self._received_ns(blocks, row)
        self.n_frames += len(frames.index)
        by_channel, other = self._distribute(frames)
        if guard.is_done:
            return Sorted(by_channel)
        rows = np.arange(len(blocks.data)) if row is None else row
        return Sorted(by_channel, guard.watch(blocks.data, rows if other is None else rows[~other]))

    def _received_ns(self, blocks: Blocks, row: NDArray[np.intp] | None) -> NDArray[np.int64]:
        """Receive times of the blocks `row: intp[n]` (None: of all); from their record prefixes if these have times."""
        if blocks.received_ns is not None:
            return blocks.received_ns if row is None else blocks.received_ns[row]
        return self._times.at(blocks.last if row is None else blocks.last[row])

    def _distribute(self, frames: Frames) -> tuple[Mapping[int, Frames], NDArray[np.bool_] | None]:
        """Split frames by wanted channel. Also returns which are of no wanted channel: bool[n]; None: no frame is."""
        key = frames.key
        first = key.item(0)
        if len(key) == 1 or not len((key != first).nonzero()[0]):
            if (number := self._numbers.get(first)) is None:
                self._count_others(frames)
                return {}, np.ones(len(key), np.bool_)
            return {number: frames if number in self._unchanged else self._of_channel(number, frames)}, None
        by_channel: dict[int, Frames] = {}
        n_left = len(key)
        other = np.ones(len(key), np.bool_)
        for wanted, number in self._numbers.items():
            rows = (key == wanted).nonzero()[0]
            if len(rows):
                by_channel[number] = self._of_channel(number, frames.take(rows))
                other[rows] = False
                n_left -= len(rows)
                if not n_left:
                    return by_channel, None
        self._count_others(frames.take(other.nonzero()[0]))
        return by_channel, other

    def _of_channel(self, number: int, frames: Frames) -> Frames:
        """Read pointer and packet zone of frames by the settings and the service of their channel."""
        reader = self._readers[number]
        if reader is not self.headers:
            anew = reader.read(frames.data)
            frames = replace(
                frames,
                first_header_pointer=anew.first_header_pointer,
                data_start=anew.data_start,
                data_stop=anew.data_stop,
            )
        return reader.for_service(self._channels[number].service, frames)

    def _numbers_by_key(self) -> dict[int, int]:
        """Numbers of channels by their keys; of two that are the same the first one counts."""
        keys = [self.headers.key_of(one.spacecraft_id, one.virtual_channel) for one in self._channels]
        return {key: number for number, key in reversed(list(enumerate(keys)))}

    def _count_others(self, frames: Frames) -> None:
        """Frames of channels nobody asked for, or of another version: each channel by itself, up to a limit."""
        self._n_other += len(frames)
        names = frames.scid << 8 | frames.vcid
        values, first, counts = np.unique(names, return_index=True, return_counts=True)
        for which in np.argsort(first):
            name = (int(values[which]) >> 8, int(values[which]) & 0xFF)
            if name in self._others or len(self._others) < _MAX_OTHER_CHANNELS:
                self._others[name] += int(counts[which])


def block_source(
    settings: LinkSettings, channels: Sequence[ChannelSettings], block_length: int
) -> Synchronizer | BareFrames:
    """What cuts the bytes of a link into its blocks."""
    if settings.framing in {"frames", "codeblocks"}:
        return BareFrames(settings, channels)
    code = settings.reed_solomon
    checked_later = (code is not None and code.check) or settings.fecf
    marker = Marker.of(
        settings.sync_marker,
        settings.marker_errors_searching,
        settings.marker_errors_locked,
        settings.flywheel_frames,
    )
    return Synchronizer(marker, block_length, eager=checked_later, record=Record.of(settings))
