"""From the bytes of one station to good frames of the wanted channels.

In: bytes with receive times. Out: frames that pass every check, channel by channel, each with the receive time of
its last byte, with which it was complete. Dropped and counted: bytes outside blocks, frames that fail a check, frames
of channels nobody asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import ByteBatch, Event, FrameBatch
from ..model.constants import constants
from .coding.bare_frames import BareFrames
from .coding.blocks import Blocks
from .coding.codewords import Checked, FrameDecoder
from .coding.marker import Marker
from .coding.records import Record
from .coding.synchronizer import Synchronizer
from .frames.frame_types import channel_readers, header_reader
from .frames.headers import HeaderReader, Headers
from .frames.tables import Arrivals
from .guard import SettingsGuard
from .marks import ReceiveTimes
from .settings import ChannelSettings, LinkSettings, link_report

_OTHER_CHANNELS_KEPT = 256
_NO_CHANNEL = -1
(_TO_SCID,) = constants(np.int64, 8)


@dataclass(frozen=True, slots=True)
class Sorted:
    """`by_channel`: the new frames of each wanted channel, None where there are none; `told`: guard's doubts."""

    by_channel: list[Arrivals | None]
    told: tuple[Event, ...]


class FrontEnd:
    """Synchroniser, decoder and channel filter of one stream."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self._settings = settings
        self._decoder = FrameDecoder(settings)
        self._blocks = block_source(settings, channels, self._decoder.block_length)
        self.headers = header_reader(settings)
        self._readers = channel_readers(settings, channels, self.headers)
        self._wanted = channels
        self._wanted_names = _names_of(channels)
        self._guard = SettingsGuard(settings, channels)
        self._times = ReceiveTimes()
        self._n_other = 0
        self._others: Counter[tuple[int, int]] = Counter()
        self.n_frames = 0
        """Frames so far that passed all checks, on any channel."""

    def feed(self, batch: ByteBatch) -> Sorted:
        """The frames that are whole with these bytes."""
        self._times.add(batch)
        return self._sort(self._blocks.feed(batch.data))

    def break_off(self, missing: int) -> Sorted:
        """Bytes are missing here (as in ByteBatch): the frames that are whole before that."""
        return self._sort(self._blocks.break_off(missing))

    def most_frames_in(self, n_bytes: int) -> int:
        """How many frames so many bytes can hold; -1 where the number of bytes is not known."""
        return -1 if n_bytes < 0 else -(-n_bytes // self._decoder.block_length)

    def flush(self) -> Sorted:
        """The stream ends."""
        last = self._sort(self._blocks.flush())
        return Sorted(last.by_channel, last.told + self._guard.judge() + self._not_found_again())

    def _not_found_again(self) -> tuple[Event, ...]:
        """Say that bare frames were lost for good, or that what stands before those found again was not checked."""
        blocks = self._blocks
        if not isinstance(blocks, BareFrames):
            return ()
        told = []
        if blocks.n_found and not self._settings.fecf:
            text = (
                f"frames were found again {blocks.n_found} times: without an FECF the frame before may be damaged"
            )
            told.append(Event("warning", "frames_found_again", text, 0, {"times": blocks.n_found}))
        if blocks.lost_at is not None:
            text = f"no frame of a wanted channel was found from byte {blocks.lost_at:,} on"
            told.append(Event("error", "frames_not_found", text, 0, {"byte": blocks.lost_at}))
        return tuple(told)

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
        nothing: list[Arrivals | None] = [None] * len(self._wanted)
        if not len(blocks.last):
            self._times.forget_before(self._blocks.place)
            return Sorted(nothing, ())
        checked = self._decoder.decode(blocks.data)
        received_ns = (
            self._times.at(blocks.last[checked.row])
            if blocks.received_ns is None
            else blocks.received_ns[checked.row]
        )
        self._times.forget_before(self._blocks.place)
        if not len(checked.row):
            return Sorted(nothing, self._guard.watch(blocks.data, checked.row))
        headers = self.headers.read(checked.frames)
        by_channel, other = self._distribute(self._arrivals(checked, headers, received_ns), headers.valid)
        return Sorted(
            by_channel, self._guard.watch(blocks.data, checked.row if other is None else checked.row[~other])
        )

    def _arrivals(self, checked: Checked, headers: Headers, received_ns: NDArray[np.int64]) -> Arrivals:
        n = len(checked.row)
        frames = FrameBatch(
            data=checked.frames,
            scid=headers.scid,
            vcid=headers.vcid,
            vc_count=headers.vc_count,
            first_header_pointer=headers.first_header_pointer,
            lost=np.zeros(n, np.int32),
            n_corrected=checked.n_corrected,
            received_ns=received_ns,
            data_start=headers.zone_start,
            data_stop=headers.zone_stop,
        )
        index = np.arange(self.n_frames, self.n_frames + n, dtype=np.int64)
        self.n_frames += n
        return Arrivals(frames, index)

    def _distribute(
        self, arrivals: Arrivals, valid: NDArray[np.bool_]
    ) -> tuple[list[Arrivals | None], NDArray[np.bool_] | None]:
        """The frames of each wanted channel, and which frames are of none: bool[n], None where there are none."""
        by_channel: list[Arrivals | None] = [None] * len(self._wanted)
        frames, n_left = arrivals.frames, len(arrivals)
        names = _names(frames.scid, frames.vcid)
        if np.count_nonzero(valid) < n_left:
            names[~valid] = _NO_CHANNEL
        other: NDArray[np.bool_] | None = None
        wanted = zip(self._wanted, self._wanted_names, self._readers, strict=True)
        for number, (channel, name, reader) in enumerate(wanted):
            mine = names == name
            n_mine = int(np.count_nonzero(mine))
            if n_mine:
                own = arrivals if n_mine == len(arrivals) else arrivals.take(mine.nonzero()[0])
                its_frames = own.frames if reader is self.headers else _read_anew(own.frames, reader)
                by_channel[number] = Arrivals(reader.for_service(channel.service, its_frames), own.index)
                n_left -= n_mine
            if not n_left:
                return by_channel, None
            other = ~mine if other is None else other & ~mine
        other = np.ones(len(arrivals), np.bool_) if other is None else other
        self._count_others(_names(frames.scid[other], frames.vcid[other]))
        return by_channel, other

    def _count_others(self, names: NDArray[np.int64]) -> None:
        """Frames of channels nobody asked for, or of another version: each channel by itself, up to a limit."""
        self._n_other += len(names)
        values, first, counts = np.unique(names, return_index=True, return_counts=True)
        for which in np.argsort(first):
            name = (int(values[which]) >> 8, int(values[which]) & 0xFF)
            if name in self._others or len(self._others) < _OTHER_CHANNELS_KEPT:
                self._others[name] += int(counts[which])


def _names(scid: NDArray[np.uint16], vcid: NDArray[np.uint8]) -> NDArray[np.int64]:
    """One number for each pair: int64[n]."""
    names: NDArray[np.int64] = scid.astype(np.int64) << _TO_SCID | vcid.astype(np.int64)
    return names


def _names_of(channels: Sequence[ChannelSettings]) -> tuple[NDArray[np.int64], ...]:
    """The numbers of channels; of two that are the same the first one counts."""
    names = [one.spacecraft_id << 8 | one.virtual_channel for one in channels]
    firsts = [name if name not in names[:i] else _NO_CHANNEL - 1 for i, name in enumerate(names)]
    return constants(np.int64, *firsts)


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


def _read_anew(frames: FrameBatch, reader: HeaderReader) -> FrameBatch:
    """The frames with pointer and packet zone as the reader of their channel finds them."""
    headers = reader.read(frames.data)
    return replace(
        frames,
        first_header_pointer=headers.first_header_pointer,
        data_start=headers.zone_start,
        data_stop=headers.zone_stop,
    )
