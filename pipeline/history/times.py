"""Convert times in texts and Python types to nanoseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np

from ..model.errors import ConfigError
from ..model.printable import printable
from .names import DAY_NS

FIRST, LAST = -(1 << 63) + 1, (1 << 63) - 1
"""Range of nanoseconds in 64 bits: years 1677 to 2262."""
Time = str | int | date | datetime | np.datetime64 | None


def to_ns(time: Time, *, is_end: bool = False) -> int | None:
    """A time in ns since 1970 UTC, from ISO 8601 text (UTC without an offset), a date, datetime, or ns.

    `is_end`: a date stands for its end. Clipped to the range of 64 bits. ConfigError if it is no time.
    """
    found = _to_ns(time, is_end=is_end)
    return None if found is None else min(max(found, FIRST), LAST)


def _to_ns(time: Time, *, is_end: bool) -> int | None:
    if time is None or (isinstance(time, int | np.integer) and not isinstance(time, bool)):
        return None if time is None else int(time)
    try:
        if isinstance(time, np.datetime64):
            return _of_datetime64(time, is_end=is_end)
        if isinstance(time, datetime):
            return _of_datetime(time)
        text = (time.isoformat() if isinstance(time, date) else str.strip(time)).replace(",", ".")  # type: ignore[arg-type]
        found = _of_text(text)
    except (ValueError, OverflowError, AttributeError, TypeError):
        raise ConfigError(
            f"{printable(str(time))[:100]}: no ISO 8601 time, such as 2026-11-24T08:00:00Z or 2026-11-24"
        ) from None
    return found + DAY_NS if is_end and _is_date(text) else found


def _is_date(text: str) -> bool:
    """Whether the text is an ISO 8601 date without a time of day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _of_datetime64(time: np.datetime64, *, is_end: bool) -> int:
    """Without the overflow of a cast to nanoseconds. ValueError for NaT, and for a number without a unit."""
    unit = np.datetime_data(time.dtype)[0]
    if np.isnat(time) or unit == "generic":
        raise ValueError
    if unit in {"Y", "M", "W", "D"}:
        days = int(time.astype("datetime64[D]").astype(np.int64)) + (is_end and unit == "D")
        return days * DAY_NS
    if unit in {"h", "m", "s", "ms", "us"}:
        return int(time.astype("datetime64[us]").astype(np.int64)) * 1000
    return int(time.astype("datetime64[ns]").astype(np.int64))


def _of_text(text: str) -> int:
    """With the precision of the text, up to nanoseconds."""
    main, point, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
    return _of_datetime(datetime.fromisoformat(main + rest[len(digits) :])) + int(digits.ljust(9, "0")[:9] or 0)


def _of_datetime(time: datetime) -> int:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    delta = aware - datetime(1970, 1, 1, tzinfo=UTC)
    of_pandas = int(getattr(time, "nanosecond", 0))
    return (delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1000 + of_pandas
