"""Memory that this process may still take: of the machine, and of its container."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Limit and use of control groups, of version 2 and 1."""


def available_bytes() -> int:
    """Bytes that can be allocated without swapping; all memory if the system has no such figure."""
    found = [int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES"))]
    with suppress(OSError, ValueError, IndexError):
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    for limit, used in _GROUPS:
        with suppress(OSError, ValueError):  # "max" is no number: no limit
            found.append(max(int(Path(limit).read_text()) - int(Path(used).read_text()), 0))
    return min(found)
