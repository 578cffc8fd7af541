"""Settings of the C library's allocator: freed memory is kept for the next batch.

By default large blocks go back to the system, which hands out zeroed pages: a page fault for each page of each batch, a
sixth of the CPU of a replay. Free memory is also kept for each thread. Both are settings of the whole process: for the
command line, not for programs that import this package.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# <malloc.h> of the GNU C library; others have no mallopt, and are not changed.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
KEPT_BYTES = 32 << 20
"""Free bytes kept at the end of the heap. Blocks of half of it or more are returned immediately, as by default."""
RETURNED_BYTES = 64 << 10
"""Arrays of this size and more have a mapping of their own after `return_freed_memory`."""
CHILD_SETTINGS = {"MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES), "MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES // 2)}
"""The same for a child, in its environment."""


def keep_freed_memory() -> None:
    """Set the heap of this process, and exempt imported objects from Python's garbage collection."""
    _set_heap({_M_TRIM_THRESHOLD: KEPT_BYTES, _M_MMAP_THRESHOLD: KEPT_BYTES // 2, _M_ARENA_MAX: 1})
    keep_objects()


def return_freed_memory() -> None:
    """Give arrays back to the system as soon as they are freed: for services that hold much and compute little, where
    arrays of many sizes and lifetimes would leave holes in the heap.
    """
    _set_heap({_M_TRIM_THRESHOLD: RETURNED_BYTES, _M_MMAP_THRESHOLD: RETURNED_BYTES})


def _set_heap(options: Mapping[int, int]) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in options.items():
            mallopt(option, value)


def keep_objects() -> None:
    """Let Python's collector leave alone what exists by now, which stays as long as the process does.

    It would look at all of it again and again: 0.1 s for each look where an ordinary dictionary and NumPy are loaded.
    """
    gc.freeze()


def give_back_freed_memory() -> None:
    """Give free pages inside the heap back to the system, where the C library can: after much of it was freed."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector of reference cycles while objects are made that stay: it would look at all of them again and
    again, a third of the time in which a large dictionary is loaded.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
