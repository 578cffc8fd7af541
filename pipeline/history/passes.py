"""The record of each pass in a history, `passes/STREAM/PASS.json`: version, report, rows by kind and date, packets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from .names import PASSES, pass_path
from .storage import Storage


@dataclass(slots=True)
class PassRecord:
    """One pass. `rows`: number of rows by kind folder and date; `state`: `open` while a service still writes rows of
    it, else `complete`; `received`: first and last receive time, ISO 8601.
    """

    stream: str
    name: str
    mission: str = ""
    version: str = ""
    state: str = "complete"
    written: str = ""
    received: list[str | None] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    packets: dict[str, int] = field(default_factory=dict)
    """Number of packets with rows, by APID; a packet that several products are made of counts once."""
    lost: dict[str, int] = field(default_factory=dict)
    """Number of packets missing by their sequence counts, by APID."""
    report: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    content: str = ""
    """Digest of the recording."""
    has_raw: bool = False
    raw_rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Number of rows with raw values, as `rows`; 0 in an open pass: some."""
    dates_received: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    """Versions whose rows were replaced, oldest first."""

    @property
    def dates(self) -> list[tuple[str, str]]:
        """Kinds and dates of its rows."""
        return [(kind, date) for kind, dates in self.rows.items() for date in dates]

    @property
    def raw_dates(self) -> list[tuple[str, str]]:
        """Kinds and dates of its raw values."""
        return [(kind, date) for kind, dates in self.raw_rows.items() for date in dates]


def nested(
    rows: Mapping[tuple[str, str], int], more: Mapping[str, Mapping[str, int]] = MappingProxyType({})
) -> dict[str, dict[str, int]]:
    """Numbers of rows by kind and date as nested mappings, added to those of `more`."""
    found = {kind: dict(dates) for kind, dates in more.items()}
    for (kind, date), n in rows.items():
        by_date = found.setdefault(kind, {})
        by_date[date] = by_date.get(date, 0) + n
    return found


def read_pass(storage: Storage, stream: str, name: str) -> PassRecord | None:
    """The record of a pass, if there is one."""
    path = pass_path(stream, name)
    return _read(storage, path) if storage.exists(path) else None


def write_pass(storage: Storage, record: PassRecord) -> None:
    """Write a record, atomically."""
    storage.move(*stage_pass(storage, record))


def stage_pass(storage: Storage, record: PassRecord) -> tuple[str, str]:
    """Write a record under a hidden name; the move that commits it."""
    path = pass_path(record.stream, record.name)
    content = json.dumps(asdict(record), ensure_ascii=False, default=str).encode()
    return storage.write_hidden(path, lambda file: file.write(content)), path


def all_passes(storage: Storage) -> Iterator[PassRecord]:
    """The record of every pass, in order of stream and name; damaged ones are skipped."""
    for path, _ in sorted(storage.files(PASSES)):
        if (found := _read(storage, path)) is not None:
            yield found


def _read(storage: Storage, path: str) -> PassRecord | None:
    with suppress(ValueError, TypeError, OSError):
        return PassRecord(**json.loads(storage.read(path)))
    return None
