"""The pass report as a person reads it: tables for the terminal, made from the report's dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

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
    """Print the books of a pass: bytes and frames, channels, packets, products."""
    console.print(f"\n[bold]{title}[/bold]")
    frames, read = report["frames"], report["bytes"]
    console.print(f"bytes   {read['read']:,} read, {read['skipped']:,} skipped")
    if frames["read"]:
        counts = ", ".join(f"{frames[name]:,} {name.replace('_', ' ')}" for name in FRAME_COUNTS)
        console.print(f"frames  {frames['read']:,} read: {counts}")
    if report["channels"]:
        console.print(_channels(report["channels"]))
    _packets(console, report)
    if report.get("products"):
        made = ", ".join(f"{name} [bold]{count}[/bold]" for name, count in report["products"].items())
        console.print(f"products  {made}")
    if report.get("quarantined_batches"):
        console.print(f"[red]quarantined batches  {report['quarantined_batches']}[/red]")


def warnings(report: Mapping[str, Any], mission: str, marker: str) -> list[str]:
    """What is odd about a pass as a whole, a line each: nothing read, no marker, another mission's frames."""
    frames, read = report["frames"], report["bytes"]
    used = sum(channel["frames"] for channel in report["channels"])
    if not read["read"]:
        return ["the recording is empty"]
    if report["packets"]["read"] or used:
        return []
    if not frames["read"]:
        what = f"no marker {marker}" if marker else "nothing that can be read"
        return [f"{what} in {read['read']:,} bytes: is this a pass of {mission}?"]
    good = frames["clean"] + frames["corrected"]
    if not good:
        return [f"none of {frames['read']:,} frames passed its check: is this a pass of {mission}?"]
    return [f"none of {good:,} good frames is on a channel of {mission}: is this its pass?"]


def _channels(channels: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("channel", no_wrap=True)
    for label in CHANNEL_COLUMNS.values():
        table.add_column(label, justify="right")
    for channel in channels:
        name = f"{channel['scid']}/{channel['vcid']} {channel['name']}"
        table.add_row(name, *(f"{channel[key]:,}" for key in CHANNEL_COLUMNS))
    return table


def _packets(console: Console, report: Mapping[str, Any]) -> None:
    packets = report["packets"]
    by_apid = packets["by_apid"]
    shown = [f"{apid}: {count:,}" for apid, count in list(by_apid.items())[:12]]
    more = f", and {len(by_apid) - 12} more" if len(by_apid) > 12 else ""
    listing = f" on {len(by_apid)} APIDs ({', '.join(shown)}{more})" if by_apid else ""
    console.print(f"packets {packets['read']:,}{listing}, {packets['sequence_gaps']:,} sequence gaps")
    records = report.get("records", {})
    if records.get("joined") or records.get("broken"):
        console.print(f"records {records['joined']:,} joined from segments, {records['broken']:,} broken")
    for reason, count in records.get("set_aside", {}).items():
        console.print(f"set aside  {count:,}: {reason}")
