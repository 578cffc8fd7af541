"""Names in a history folder: kinds, partitions and files.

    rows/kind=K/date=YYYY-MM-DD/part-FIRST-LAST-N-TIMES-SCHEMA-TOKEN.parquet   product rows
    raw/kind=K/...                                                            raw counts of a container's packets
    replaced/VERSION/rows/kind=K/...                                          rows that a newer version replaced
    minutes/kind=K/date=YYYY-MM-DD/, hours/kind=K/month=YYYY-MM/, days/kind=K/year=YYYY/ summary.parquet
    passes/STREAM/PASS.json                                                   the record of each pass
    journal/TOKEN.json                                                        a commit of several files under way
    writers/STREAM.json                                                       on an object store: who writes a stream

A kind is the container of generic telemetry (`HK`) or `instrument/product`. In the name of a folder it is
percent-encoded, as Hive partitions are. FIRST and LAST are 16 hexadecimal digits that sort as times do, N is the number
of rows, TIMES is `t` where every row has a time, `n` where none has one, `m` where some have.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import numpy as np

from ..model.batches import GENERIC_INSTRUMENT, NO_TIME

ROWS, RAW, REPLACED, PASSES, JOURNAL = "rows", "raw", "replaced", "passes", "journal"
SUMMARIES = {"minutes": 60, "hours": 3600, "days": 86_400}
"""Folders of summaries, and the seconds that a row of each covers."""
SUMMARY_PERIODS = {"minutes": ("date", 10), "hours": ("month", 7), "days": ("year", 4)}
"""Of each folder of summaries the name of its partitions, and how many characters of an ISO date their values have."""
NO_DATE = "__HIVE_DEFAULT_PARTITION__"
"""Partition of rows with neither a time nor a receive time; Hive, Spark and Arrow read it as null."""
DAY_NS = 86_400 * 10**9
FIXED = ("time", "onboard_ns", "received", "quality", "stream", "pass", "apid", "seq_count", "product_id")
"""Columns that every kind has, in this order, before its parameters."""
_TAKEN = frozenset({*FIXED, "kind", "date", "n_rows", "n_doubtful"})
"""Names that columns of rows, partitions and summaries have."""
_MAX_NAME = 180
_SHIFT = 1 << 63
_PART = re.compile(
    r"part-(?P<first>[0-9a-f]{16})-(?P<last>[0-9a-f]{16})-(?P<n>\d+)-(?P<times>[tnm])-(?P<schema>[0-9a-f]{8})"
    r"-(?P<token>[0-9a-f]{12})\.parquet"
)


def kind_of(instrument: str, product: str) -> str:
    """The kind of a product: the container of generic telemetry, else `instrument/product`."""
    return product if instrument == GENERIC_INSTRUMENT else f"{instrument}/{product}"


def encoded(text: str) -> str:
    """A text as the name of a folder or file, percent-encoded; a long one is cut and ends with its digest."""
    name = quote(text, safe=" ()+,;=@[]{}!$&'") or "%00"
    name = f"%2E{name[1:]}" if name.startswith(".") else name
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[:_MAX_NAME].rstrip('%')}~{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def decoded(name: str) -> str:
    """The text of an encoded name; of one that was cut, its remainder."""
    return "" if name == "%00" else unquote(name)


def column_of(parameter: str) -> str:
    """The column of a parameter: its name, or `parameter.NAME` if that is a fixed column (SQL ignores case)."""
    return f"parameter.{parameter}" if not parameter or parameter.lower() in _TAKEN else parameter


def date_of(axis_ns: int) -> str:
    """The partition of a row by its time, or else its receive time, ns since 1970."""
    return NO_DATE if axis_ns == NO_TIME else str(np.datetime64(axis_ns // DAY_NS, "D"))


def partition(root: str, folder: str, date: str) -> str:
    """The folder of a kind's rows of a date. `folder`: the encoded kind."""
    return f"{root}/kind={folder}/date={date}"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of rows: its path in the history, and the values in its name.

    `first`, `last`: time, or else receive time, of its first and last row, ns since 1970 UTC.
    """

    path: str
    first: int
    last: int
    n_rows: int
    times: str
    schema: str

    @property
    def kind_folder(self) -> str:
        """The name of the folder of its kind, percent-encoded."""
        return self.path.split("/")[-3].removeprefix("kind=")

    @property
    def date(self) -> str:
        return self.path.split("/")[-2].removeprefix("date=")

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def overlaps(self, start: int | None, end: int | None) -> bool:
        """Whether it may have rows from `start` up to `end` (excluded), ns since 1970 UTC; None: no bound."""
        return (end is None or self.first < end) and (start is None or self.last >= start)


def ends_of(parts: Sequence[Part]) -> tuple[int, int]:
    """First and last time of files, ns since 1970 UTC; NO_TIME if no row has one."""
    firsts = [one.first for one in parts if one.first != NO_TIME]
    return min(firsts, default=NO_TIME), max(one.last for one in parts)


def earlier(one: int, other: int) -> int:
    """The earlier of two times; NO_TIME counts as missing."""
    return max(one, other) if NO_TIME in {one, other} else min(one, other)


def part_name(first: int, last: int, n_rows: int, times: str, schema: str) -> str:
    """A unique name for a new file of rows; `times`: `t`, `n` or `m`."""
    return (
        f"part-{first + _SHIFT:016x}-{last + _SHIFT:016x}-{n_rows}-{times}-{schema}-{secrets.token_hex(6)}.parquet"
    )


def read_part(path: str) -> Part | None:
    """The file of rows at a path; None if its name is not that of one."""
    found = _PART.fullmatch(path.rpartition("/")[2])
    if not found:
        return None
    first, last = (int(found[one], 16) - _SHIFT for one in ("first", "last"))
    return Part(path, first, last, int(found["n"]), found["times"], found["schema"])


def rows_of(paths: Iterable[str]) -> Counter[tuple[str, str]]:
    """Number of rows by kind folder and date, from the names of files."""
    found: Counter[tuple[str, str]] = Counter()
    for part in filter(None, map(read_part, paths)):
        found[part.kind_folder, part.date] += part.n_rows
    return found


def pass_path(stream: str, name: str) -> str:
    """The file of the record of a pass."""
    return f"{PASSES}/{encoded(stream)}/{encoded(name)}.json"
