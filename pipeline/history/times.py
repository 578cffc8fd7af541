"""Times as people and programs write them, as nanoseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from ..model.errors import ConfigError
from .names import DAY_NS

FIRST, LAST = -(1 << 63) + 1, (1 << 63) - 1
"""Times that nanoseconds in 64 bits reach: from 1677 to 2262."""
Time = str | int | datetime | np.datetime64 | None


def to_ns(time: Time, *, is_end: bool = False) -> int | None:
    """A time as ns since 1970 UTC: ISO 8601 (UTC where it has no offset), datetime, or ns. ConfigError otherwise.

    Times that 64 bits do not reach are the first or the last one that they do.
    """
    found = _to_ns(time, is_end=is_end)
    return None if found is None else min(max(found, FIRST), LAST)


def _to_ns(time: Time, *, is_end: bool) -> int | None:
    if time is None or isinstance(time, int | np.integer):
        return None if time is None else int(time)
    if isinstance(time, np.datetime64):
        return int(time.astype("datetime64[ns]").astype(np.int64))
    try:
        if isinstance(time, datetime):
            return _of_datetime(time)
        text = time.strip()
        whole_day = len(text) == 10
        found = _of_text(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{time}: no ISO 8601 time, such as 2026-11-24T08:00:00Z or 2026-11-24") from None
    return found + DAY_NS if is_end and whole_day else found


def _of_text(text: str) -> int:
    """To the nanosecond where the text has it."""
    main, point, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
    return _of_datetime(datetime.fromisoformat(main + rest[len(digits) :])) + int(digits.ljust(9, "0")[:9] or 0)


def _of_datetime(time: datetime) -> int:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1000
