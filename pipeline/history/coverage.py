"""Accounting of a history: packets received, decoded and lost by pass and APID, and rows by kind and date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .history import History
from .names import ROWS, decoded, earlier, read_part, rows_of
from .passes import PassRecord


def books(history: History, date: str | None = None) -> list[dict[str, Any]]:
    """Passes that were received on a date or have rows of it, with their packets by APID; all passes without `date`.

    `closes`: whether the counts agree: packets read = sum by APID = decoded + set aside, and the files have the rows of
    the pass; None while there is no report. `why`: the counts that do not agree.
    """
    in_files = rows_of(path for path, _ in history.storage.files(ROWS))
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
    own = bool(one.packets)  # a live pass has only its report
    by_apid = {str(key): n for key, n in packets.get("by_apid", {}).items()}
    return {
        "mission": one.mission,
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


def coverage(history: History, date: str | None = None) -> list[dict[str, Any]]:
    """For each kind and date with rows: mission, rows, files, bytes, first and last time (ns since 1970 UTC)."""
    missions = history.missions()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path, size in history.storage.files(ROWS):
        part = read_part(path)
        if part and date in {None, part.date}:
            key = part.kind_folder, part.date
            entry = found.setdefault(key, dict.fromkeys(("rows", "files", "bytes"), 0))
            entry |= {"kind": decoded(key[0]), "mission": missions.get(key[0], ""), "date": part.date}
            entry["rows"] += part.n_rows
            entry["files"] += 1
            entry["bytes"] += size
            entry["first"] = earlier(entry.get("first", part.first), part.first)
            entry["last"] = max(entry.get("last", part.last), part.last)
    return [found[key] for key in sorted(found)]
