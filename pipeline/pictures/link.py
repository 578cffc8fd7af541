"""The link's health as panels: what became of the frames, and where something is missing. In: report and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.batches import Event
from pipeline.pictures.style import COLOURS, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FATES = {"clean": COLOURS[2], "corrected": COLOURS[0], "uncorrectable": "#b3261e", "failed_check": "#7a1f1a"}


def frames(axes: Axes, report: Mapping[str, Any]) -> None:
    """A bar of all frames by what became of them, and one for each channel with what is missing of it."""
    counts = report["frames"]
    left = 0
    for fate, colour in _FATES.items():
        axes.barh(
            "all frames", counts[fate], left=left, color=colour, label=f"{fate.replace('_', ' ')} {counts[fate]:,}"
        )
        left += counts[fate]
    for channel in report["channels"]:
        name = f"{channel['scid']}/{channel['vcid']} {channel['name']}"
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


def corrected_symbols(axes: Axes, report: Mapping[str, Any]) -> None:
    """How many codewords had how many symbols corrected."""
    found = {int(n): count for n, count in (report["frames"].get("corrected_symbols") or {}).items()}
    axes.bar(list(found), list(found.values()), color=COLOURS[0], width=0.8)
    axes.set(xlabel="symbols corrected", ylabel="codewords", xlim=(-0.6, max([16, *found]) + 0.6))
    if found:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)


def gaps(axes: Axes, events: Sequence[Event]) -> None:
    """Events on a line of time: when frames are missing and what else was told."""
    timed = [event for event in events if event.time_ns]
    kinds = sorted({event.kind for event in timed})
    for kind, colour in zip(kinds, COLOURS * len(kinds), strict=False):
        times = np.array([event.time_ns for event in timed if event.kind == kind], "datetime64[ns]")
        axes.plot(times, [kind.replace("_", " ")] * len(times), "|", color=colour, markersize=10)
    if not timed:
        axes.text(0.5, 0.5, "no gap, no event", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    axes.margins(y=0.3)
    time_axis(axes, "received, UTC")
