"""Print the pass report on a terminal.

Names from mission files, dictionaries and file systems are printed as `Text`, so that "sensor [x]" is no markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..link.verdict import problems, undescribed

N_LISTED = 12  # most APIDs, events, channels in a list; --json has all
N_KINDS = 60  # most kinds of product
BAR_WIDTH = 50
FRAME_COUNTS = ("clean", "corrected", "uncorrectable", "failed_check", "other_channel")
CHANNEL_COLUMNS = {
    "frames": "frames",
    "duplicates": "duplicates",
    "gaps": "gaps",
    "lost_frames": "lost",
    "packets": "packets",
    "idle_packets": "idle",
    "truncated_packets": "truncated",
    "bad_headers": "bad headers",
}


def print_report(console: Console, report: Mapping[str, Any], title: str) -> None:
    """Print a pass report: bytes and frames, channels, packets, products, events."""
    _line(console, f"\n{title}", "bold")
    _bytes(console, report)
    if report.get("passes"):
        console.print(f"passes  {report['passes']}, one after the other")
    _frames(console, report["frames"])
    if report["channels"]:
        console.print(_channels(report["channels"]))
    if others := report.get("other_channels"):
        listing = ", ".join(f"{other['scid']}/{other['vcid']}: {other['frames']:,}" for other in others[:N_LISTED])
        _line(console, f"other   {listing}{_more(others)}")
    _packets(console, report)
    if made := list(report.get("products", {}).items()):
        names = [Text.assemble(f"{name} ", (str(count), "bold")) for name, count in made[:N_KINDS]]
        n_more = sum(count for _, count in made[N_KINDS:])
        more = (
            f", and {len(made) - N_KINDS} kinds more with {n_more:,} products: --json lists them" if n_more else ""
        )
        console.print(Text("products  ") + Text(", ").join(names) + Text(more))
    if report.get("quarantined_batches"):
        _line(console, f"quarantined batches  {report['quarantined_batches']}", "red")
    if report.get("stations"):
        console.print(_stations(report["stations"]))
    events = [event for event in report.get("events", []) if event["kind"] != "settings"]  # printed by `warnings`
    for event in events[:N_LISTED]:
        _line(console, f"{(event['time'] or 'time unknown')[:23]:24}{event['text']}")
    if len(events) > N_LISTED:
        _line(console, f"and {len(events) - N_LISTED} more events: --json lists them")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style))


def _bytes(console: Console, report: Mapping[str, Any]) -> None:
    read = report["bytes"]
    line = f"bytes   {read['read']:,} read, {read['skipped']:,} skipped"
    if span := report.get("received"):
        first, last = (datetime.fromisoformat(span[key][:26]) for key in ("first", "last"))
        line += f"; received {first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC{insert_zone_note(report)}"
        if seconds := (last - first).total_seconds():
            line += f", {read['read'] * 8 / seconds / 1000:,.1f} kbit/s"
    _line(console, line)


def insert_zone_note(report: Mapping[str, Any]) -> str:
    """Note on receive times that come from insert zones; empty if none does."""
    return " by the insert zones" if any(one.get("insert_zone_times") for one in report["channels"]) else ""


def _frames(console: Console, frames: Mapping[str, Any]) -> None:
    if not frames["read"]:
        return
    counts = ", ".join(f"{frames[name]:,} {name.replace('_', ' ')}" for name in FRAME_COUNTS)
    _line(console, f"frames  {frames['read']:,} read: {counts}")
    histogram = frames.get("corrected_symbols", {})
    if len(histogram) > 1:
        most = max(histogram.values())
        _line(console, "corrected symbols of a codeword")
        for symbols, count in sorted((int(key), value) for key, value in histogram.items()):
            _line(console, f"  {symbols:2}  {'▇' * max(1, round(BAR_WIDTH * count / most))} {count:,}")


def _table(name: str, counts: Iterable[str]) -> Table:
    """A table with a column of names and columns of counts."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(name, no_wrap=True)
    for label in counts:
        table.add_column(label, justify="right")
    return table


def _stations(stations: list[Mapping[str, Any]]) -> Table:
    """Frames of each station: all, those used, those that no other station has."""
    table = _table("station", ("frames", "used", "only here", "not used", "uncorrectable"))
    for one in stations:
        counts = one["frames"]["read"], one["used_frames"], one["only_frames"], one["copies_frames"]
        table.add_row(Text(one["name"]), *(f"{count:,}" for count in (*counts, one["frames"]["uncorrectable"])))
    return table


def _more(items: Sequence[Any]) -> str:
    return f", and {len(items) - N_LISTED} more" if len(items) > N_LISTED else ""


def warnings(report: Mapping[str, Any], mission: str) -> list[str]:
    """Warnings of a pass report, a line each: damaged files, and signs of wrong settings."""
    damaged = list(report.get("damaged", ()))
    if not report["bytes"]["read"]:
        return damaged or problems(report)
    found = [*report["problems"], *undescribed(report)] if "problems" in report else problems(report)
    words = [f"{text} (read as a pass of {mission})" for text in dict.fromkeys(found)]
    if hints := report.get("hints"):
        words[-1:] = ["; ".join([*words[-1:], *hints])]
    return damaged + words


def _channels(channels: list[Mapping[str, Any]]) -> Table:
    table = _table("channel", CHANNEL_COLUMNS.values())
    for channel in channels:
        name = Text(f"{channel['scid']}/{channel['vcid']} {channel['name']}")
        table.add_row(name, *(f"{channel[key]:,}" for key in CHANNEL_COLUMNS))
    return table


def _packets(console: Console, report: Mapping[str, Any]) -> None:
    packets = report["packets"]
    by_apid = packets["by_apid"]
    shown = [f"{apid}: {count:,}" for apid, count in list(by_apid.items())[:N_LISTED]]
    listing = f" on {len(by_apid)} APIDs ({', '.join(shown)}{_more(list(by_apid))})" if by_apid else ""
    _line(console, f"packets {packets['read']:,}{listing}, {packets['sequence_gaps']:,} sequence gaps")
    records = report.get("records", {})
    if records.get("joined") or records.get("broken"):
        _line(console, f"records {records['joined']:,} joined from segments, {records['broken']:,} broken")
    for reason, count in records.get("set_aside", {}).items():
        _line(console, f"set aside  {count:,}: {reason}")
    for name, count in records.get("failed_checks", {}).items():
        _line(console, f"failed check  {count:,}: {name}")
