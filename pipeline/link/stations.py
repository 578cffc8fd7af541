"""Several stations' recordings of one pass, merged frame by frame.

In: bytes of each station. Out: the output of a single receiver, as for a recording with the best copy of every frame.
The frames of each station are first put in order. `next_station` chooses the station to read next, so that few frames
have to wait for those of other stations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..model.batches import ByteBatch, Event
from ..model.errors import ConfigError
from .channels.channels import ChannelOutput, VirtualChannel, packet_report
from .channels.continuity import Continuity
from .channels.merger import ChannelMerger
from .channels.tracks import Counting
from .containers.unwrapping import Unwrapping
from .frames.frame_types import channel_readers, header_reader
from .frames.tables import Frames
from .front_end import FrontEnd, Sorted
from .output import LinkOutput, join_outputs
from .settings import ChannelSettings, LinkSettings, link_report
from .validity import settings_problems
from .verdict import HeaderCounts

_COMPARED_BYTES = 1 << 16
"""Bytes of the first piece of a recording that order the stations, independently of the order they are named in."""


class StationsReceiver:
    """A link that several stations receive. `stations`: their names.

    Raises ConfigError if the settings are contradictory, or if the link carries packets without frames.
    """

    def __init__(
        self, settings: LinkSettings, channels: Sequence[ChannelSettings], stations: Sequence[str]
    ) -> None:
        problems = settings_problems(settings)
        if problems:
            raise ConfigError(problems)
        if settings.framing == "packets":
            raise ConfigError("recordings of packets without frames cannot be merged")
        self._stations = list(stations)
        self._unwrappings = [Unwrapping(settings) for _ in stations]
        self._front_ends = [FrontEnd(settings, channels) for _ in stations]
        self._ended = [False for _ in stations]
        self._settings = settings
        self._headers = header_reader(settings)
        readers = channel_readers(settings, channels, self._headers)
        self._channels = [VirtualChannel(*pair) for pair in zip(channels, readers, strict=True)]
        self._counts: list[list[Continuity | None]] = [[None for _ in channels] for _ in stations]
        self._mergers: list[ChannelMerger | None] = [None for _ in channels]
        self._n_frames = 0
        self._first_bytes = [b"" for _ in stations]

    def next_station(self) -> int | None:
        """Number of the station to read next: the one with the fewest waiting frames; None when all have ended.

        Of stations with equally many, the one whose recording begins with the lower bytes: the result does not depend
        on the order in which stations are named.
        """
        left = [station for station, ended in enumerate(self._ended) if not ended]
        mergers = [merger for merger in self._mergers if merger]
        return min(
            left,
            key=lambda station: (
                sum(merger.n_waiting(station) for merger in mergers),
                self._front_ends[station].n_frames,
                self._first_bytes[station],
            ),
            default=None,
        )

    def receive(self, station: int, batch: ByteBatch) -> LinkOutput:
        """Receive bytes of one station, by its number. Returns the output that is complete with them."""
        self._first_bytes[station] = self._first_bytes[station] or batch.data[:_COMPARED_BYTES].tobytes()
        if unwrapping := self._unwrappings[station]:
            batch = unwrapping.unwrap(batch)
        window = self._settings.reorder_window_frames if batch.unordered else None
        for count in filter(None, self._counts[station]):
            count.window = window
        if batch.missing:
            self._order_and_merge(station, self._front_ends[station].break_off(batch.missing), window)
        arrived = self._front_ends[station].find_frames(batch)
        self._order_and_merge(station, arrived, window)
        return self._release(self._with_station_name(station, arrived.events), final=False)

    def end(self, station: int) -> LinkOutput:
        """End the recording of one station."""
        return self._release(self._end(station), final=False)

    def flush(self) -> LinkOutput:
        """End all recordings: return all that is complete."""
        events: tuple[Event, ...] = ()
        for station, ended in enumerate(self._ended):
            events += () if ended else self._end(station)
        return self._release(events, final=True)

    def header_counts(self) -> list[HeaderCounts]:
        """Counts of good and bad packet headers so far, of the channels that have bad ones."""
        return [channel.header_counts() for channel in self._channels if channel.bad_headers]

    def report(self) -> dict[str, Any]:
        """Return the report of a single receiver, summed over the stations, with the share of each in `stations`."""
        reports = [
            unwrapping.on_report(front_end.report()) if unwrapping else front_end.report()
            for unwrapping, front_end in zip(self._unwrappings, self._front_ends, strict=True)
        ]
        return {
            "link": link_report(self._settings),
            "bytes": _sum([report["bytes"] for report in reports]),
            "frames": _sum([report["frames"] for report in reports]),
            "synchronizer": _sum([report["synchronizer"] for report in reports]),
            "other_channels": _sum_others([report["other_channels"] for report in reports]),
            "channels": [self._channel_report(k) for k in range(len(self._channels))],
            "packets": packet_report(self._channels),
            "stations": [
                {"name": name, "bytes": report["bytes"], "frames": report["frames"], **self._share(station)}
                for station, (name, report) in enumerate(zip(self._stations, reports, strict=True))
            ],
        }

    def _channel_report(self, number: int) -> dict[str, Any]:
        """Report of one channel. Unused copies count as duplicates, so that all its frames are accounted for."""
        report, merger = self._channels[number].report(), self._mergers[number]
        copies = sum(share.copies for share in merger.shares) if merger else 0
        own = [count.counts for counts in self._counts if (count := counts[number])]
        return {
            **report,
            "frames": sum(counts.frames for counts in own),
            "duplicates": report["duplicates"] + copies + sum(counts.duplicates for counts in own),
            "late_frames": sum(counts.late_frames for counts in own),
            "reordered_frames": sum(counts.reordered_frames for counts in own),
        }

    def _share(self, station: int) -> dict[str, int]:
        shares = [merger.shares[station] for merger in self._mergers if merger]
        own = [count.counts for count in self._counts[station] if count]
        return {
            "used_frames": sum(share.used for share in shares),
            "only_frames": sum(share.only for share in shares),
            "copies_frames": sum(share.copies for share in shares)
            + sum(counts.duplicates + counts.late_frames for counts in own),
        }

    def _end(self, station: int) -> tuple[Event, ...]:
        self._ended[station] = True
        if (left := self._unwrappings[station].flush()) is not None:
            self._order_and_merge(station, self._front_ends[station].find_frames(left), None)
        last = self._front_ends[station].flush()
        self._order_and_merge(station, last, None)
        for number, count in enumerate(self._counts[station]):
            self._merge(station, number, count.flush(self._front_ends[station].n_frames) if count else None)
        for merger in filter(None, self._mergers):
            merger.end(station)
        return self._with_station_name(station, last.events)

    def _order_and_merge(self, station: int, arrived: Sorted, window: int | None) -> None:
        """Put the frames of a station in order of count, and add them to the mergers."""
        counts = self._counts[station]
        for number, count in enumerate(counts):
            if (frames := arrived.by_channel.get(number)) is not None:
                modulus = self._headers.count_modulus(frames.data[0])
                count = counts[number] = count or Continuity(modulus, window)  # noqa: PLW2901 - the first frames
                self._merge(station, number, count.in_order(frames))
            if count is not None:
                self._merge(station, number, count.expire(self._front_ends[station].n_frames - 1))

    def _merge(self, station: int, number: int, frames: Frames | None) -> None:
        if frames is None or not len(frames):
            return
        master = self._headers.master_count(frames.data)
        counts = np.zeros(len(frames), np.int64) if master is None else master.astype(np.int64)
        self._merger(number, frames).add(station, frames, counts)

    def _merger(self, number: int, frames: Frames) -> ChannelMerger:
        merger = self._mergers[number]
        if merger is None:
            first = frames.data[:1]
            masters = self._headers.master_count(first) is not None
            counting = Counting(self._headers.count_modulus(first[0]), masters)
            merger = ChannelMerger(counting, len(self._stations))
            for station, ended in enumerate(self._ended):
                if ended:
                    merger.end(station)
            self._mergers[number] = merger
        return merger

    def _release(self, events: tuple[Event, ...], *, final: bool) -> LinkOutput:
        outputs: list[ChannelOutput] = []
        for channel, merger in zip(self._channels, self._mergers, strict=True):
            merged = merger.release(final=final) if merger else None
            if merged is not None and (output := channel.receive(self._numbered(merged))):
                outputs.append(output)
            if late := channel.expire(self._n_frames - 1):
                outputs.append(late)
        if final:
            for channel in self._channels:
                outputs += channel.flush(self._n_frames)
        return join_outputs(outputs, events)

    def _numbered(self, merged: Frames) -> Frames:
        """Number the merged frames, and reset `lost`: a frame that one station lost may come from another."""
        index = np.arange(self._n_frames, self._n_frames + len(merged), dtype=np.int64)
        self._n_frames += len(merged)
        return replace(merged, lost=np.zeros_like(merged.lost), index=index)

    def _with_station_name(self, station: int, events: tuple[Event, ...]) -> tuple[Event, ...]:
        name = self._stations[station]
        return tuple(
            Event(event.severity, event.kind, f"{name}: {event.text}", event.time_ns, {"station": name})
            for event in events
        )


def _sum(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum tables of numbers by name; nested tables likewise."""
    total: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            if isinstance(value, dict):
                total[name] = _sum([total.get(name, {}), value])
            else:
                total[name] = total.get(name, 0) + value
    return total


def _sum_others(lists: Sequence[Sequence[dict[str, int]]]) -> list[dict[str, int]]:
    total: dict[tuple[int, int], int] = {}
    for entry in (entry for entries in lists for entry in entries):
        name = (entry["scid"], entry["vcid"])
        total[name] = total.get(name, 0) + entry["frames"]
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return [{"scid": scid, "vcid": vcid, "frames": n} for (scid, vcid), n in ordered]
