"""What a history holds of a day: received, decoded and lost by pass and APID, and which kinds have rows when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .history import History
from .names import ROWS, decoded, earlier, read_part
from .passes import PassRecord


def books(history: History, date: str | None = None) -> list[dict[str, Any]]:
    """The passes received on a day, or with rows of it; all without `date`. Each with its packets by APID.

    `closes`: received packets are those by APID, decoded and set aside ones together are those that were to be decoded,
    and the rows are in the files. `why` says what does not.
    """
    in_files = rows_in_files(history)
    found = []
    for one in history.passes():
        rows = {
            decoded(kind): sum(n for day, n in dates.items() if date in {None, day})
            for kind, dates in one.rows.items()
        }
        rows = {kind: n for kind, n in rows.items() if n}
        if date is None or date in one.dates_received or rows:
            found.append({**_of_pass(one), "rows": rows, **_closing(one, in_files)})
    return found


def _of_pass(one: PassRecord) -> dict[str, Any]:
    report = one.report
    packets = report.get("packets", {})
    own = bool(one.packets)  # of a live pass only the report is known
    by_apid = {str(key): n for key, n in packets.get("by_apid", {}).items()}
    return {
        "stream": one.stream,
        "pass": one.name,
        "state": one.state,
        "version": one.version,
        "received": one.received,
        "frames": {
            key: report.get("frames", {}).get(key) for key in ("read", "clean", "corrected", "uncorrectable")
        },
        "lost_frames": sum(max(channel.get("lost_frames", 0), 0) for channel in report.get("channels", ())),
        "packets": packets.get("read"),
        "decoded": report.get("records", {}).get("decoded"),
        "set_aside": dict(report.get("records", {}).get("set_aside", {})),
        "apids": {
            apid: {"received": n}
            | ({"decoded": one.packets.get(apid, 0), "lost": one.lost.get(apid, 0)} if own else {})
            for apid, n in sorted(by_apid.items(), key=lambda item: int(item[0]))
        },
    }


def _closing(one: PassRecord, in_files: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    if not one.report:
        return {"closes": None, "why": ["the pass has no report yet"]}
    packets, records = one.report.get("packets", {}), one.report.get("records", {})
    why = []
    if packets.get("read") != sum(packets.get("by_apid", {}).values()):
        why.append("received packets are not those by APID")
    if one.packets and sum(one.packets.values()) != records.get("decoded"):
        why.append("decoded packets by APID are not those of the report")
    set_aside = sum(records.get("set_aside", {}).values())
    joined = records.get("joined")
    if joined is None and records.get("decoded", 0) + set_aside != packets.get("read"):
        why.append("decoded packets and those set aside are not those received")
    for folder, days in one.rows.items():
        for date, n in days.items():
            there = in_files.get((folder, date), 0)
            if there < n:
                why.append(f"{decoded(folder)} has {there:,} rows of {date}, the pass alone {n:,}")
    return {"closes": not why, "why": why}


def rows_in_files(history: History) -> dict[tuple[str, str], int]:
    """Rows by folder of kind and date, from the names of files."""
    found: dict[tuple[str, str], int] = {}
    for path, _ in history.storage.files(ROWS):
        part = read_part(path)
        if part:
            key = part.kind_folder, part.date
            found[key] = found.get(key, 0) + part.n_rows
    return found


def coverage(history: History, date: str | None = None) -> list[dict[str, Any]]:
    """Kinds and dates that have rows: how many, in how many files and bytes."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path, size in history.storage.files(ROWS):
        part = read_part(path)
        if part and date in {None, part.date}:
            entry = found.setdefault(
                (part.kind_folder, part.date),
                {"kind": decoded(part.kind_folder), "date": part.date, "rows": 0, "files": 0, "bytes": 0},
            )
            entry["rows"] += part.n_rows
            entry["files"] += 1
            entry["bytes"] += size
            entry["first"] = earlier(entry.get("first", part.first), part.first)
            entry["last"] = max(entry.get("last", part.last), part.last)
    return [found[key] for key in sorted(found)]
