"""Panels of the link: frames, packets, corrected symbols, gaps and events. In: pass report and events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.batches import Event, event_clock
from .style import COLOURS, RECEIVED, escape_dollars, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_APIDS = 12
_MAX_LISTED, _WIDTH = 12, 90  # events without a time, and characters of each
_BESIDE_NS = 1_000_000_000  # at least, before the first event and after the last
_FATES = {"clean": COLOURS[2], "corrected": COLOURS[0], "uncorrectable": "#b3261e", "failed_check": "#7a1f1a"}


def frames(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw a bar of all frames by result, and a bar for each channel with its lost frames."""
    counts = report["frames"]
    left = 0
    for fate, colour in _FATES.items():
        axes.barh(
            "all frames", counts[fate], left=left, color=colour, label=f"{fate.replace('_', ' ')} {counts[fate]:,}"
        )
        left += counts[fate]
    for channel in report["channels"]:
        name = escape_dollars(f"{channel['scid']}/{channel['vcid']} {channel['name']}")
        axes.barh(name, channel["frames"], color="#9fb3c8")
        lost = channel["lost_frames"]
        axes.barh(name, lost, left=channel["frames"], color="#b3261e")
        axes.annotate(
            f" {channel['frames']:,}; {lost:,} lost", (channel["frames"] + lost, name), va="center", fontsize=6
        )
    axes.set_ylim(len(report["channels"]) + 1.4, -0.6)  # the first on top, room for the legend below
    axes.margins(x=0.3)
    axes.set_xlabel("frames")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right", ncols=2)


def packets(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw a bar for each APID, those with the most packets first."""
    counts = Counter({f"APID {apid}": n for apid, n in report["packets"]["by_apid"].items()}).most_common()
    if others := counts[_MAX_APIDS:]:
        counts = [*counts[:_MAX_APIDS], (f"{len(others):,} others", sum(n for _, n in others))]
    for name, n in counts:
        axes.barh(name, n, color=COLOURS[0])
        axes.annotate(f" {n:,}", (n, name), va="center", fontsize=6)
    axes.set_ylim(max(len(counts), 3) - 0.4, -0.6)  # the first on top
    axes.margins(x=0.3)
    axes.set_xlabel("packets")
    axes.grid(axis="y", visible=False)


def corrected_symbols(axes: Axes, report: Mapping[str, Any]) -> None:
    """Draw a histogram of codewords by corrected symbols."""
    found = {int(n): count for n, count in (report["frames"].get("corrected_symbols") or {}).items()}
    axes.bar(list(found), list(found.values()), color=COLOURS[0], width=0.8)
    axes.set(xlabel="symbols corrected", ylabel="codewords", xlim=(-0.6, max([16, *found]) + 0.6))
    if found:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)


def gaps(axes: Axes, report: Mapping[str, Any], events: Sequence[Event]) -> None:
    """Draw events against receive time; list events without one, and gaps that the report counts without an event."""
    timed = [event for event in events if _received_ns(event)]
    untimed = [event for event in events if not _received_ns(event)]
    counted = list(_counted(report, events))
    if timed:
        _draw_events(axes, report, timed)
        words = [f"without a receive time: {_kinds(untimed)}"] if untimed else []
    else:
        axes.set_axis_off()
        words = ["events without a receive time:", *_listed(untimed)] if untimed else []
    words = [*counted, *words] or ([] if timed else ["no gap, no event"])
    axes.text(
        0.01, 0.98, escape_dollars("\n".join(words)), ha="left", va="top", fontsize=6, transform=axes.transAxes
    )


def _draw_events(axes: Axes, report: Mapping[str, Any], events: Sequence[Event]) -> None:
    kinds = sorted({event.kind for event in events})
    for kind, colour in zip(kinds, COLOURS * len(kinds), strict=False):
        times = np.array([_received_ns(event) for event in events if event.kind == kind], "datetime64[ns]")
        axes.plot(times, [escape_dollars(kind.replace("_", " "))] * len(times), "|", color=colour, markersize=10)
    ends = [_received_ns(event) for event in events]
    for channel in report["channels"]:
        ends += [int(channel.get(f"{end}_received_ns") or 0) for end in ("first", "last")]
    known = [time_ns for time_ns in ends if time_ns]
    beside_ns = max((max(known) - min(known)) // 20, _BESIDE_NS)
    axes.set_xlim(*np.array([min(known) - beside_ns, max(known) + beside_ns], "datetime64[ns]"))
    axes.margins(y=0.3)
    time_axis(axes, RECEIVED)


def _received_ns(event: Event) -> int:
    """Receive time of an event, 0 if unknown; `time_ns` may be the onboard time."""
    return int(event.details.get("received_ns") or 0) if event_clock(event.details) == "onboard" else event.time_ns


def _counted(report: Mapping[str, Any], events: Sequence[Event]) -> Iterator[str]:
    """Lines on gaps in the report without an event."""
    n_gaps = sum(channel["gaps"] for channel in report["channels"])
    n_lost = sum(channel["lost_frames"] for channel in report["channels"])
    if n_gaps > sum(event.kind == "gap" for event in events):
        yield f"{n_gaps:,} gaps in all, {n_lost:,} frames lost"
    if n_breaks := report["packets"]["sequence_gaps"]:
        yield f"sequence counts of packets do not follow on {n_breaks:,} times"


def _kinds(events: Sequence[Event]) -> str:
    return ", ".join(
        f"{n:,} {kind.replace('_', ' ')}" for kind, n in sorted(Counter(e.kind for e in events).items())
    )


def _listed(events: Sequence[Event]) -> Iterator[str]:
    yield from (f"{event.kind.replace('_', ' ')}: {event.text}"[:_WIDTH] for event in events[:_MAX_LISTED])
    if len(events) > _MAX_LISTED:
        yield f"and {_kinds(events[_MAX_LISTED:])}"
