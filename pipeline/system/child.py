"""Work in a forked child whose modules and temporary memory end with it; the parent gets the result alone.

For long-running services that need the outcome of heavy imports once, at the start. Call it before threads are started:
a fork copies the calling thread only.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from ..model.errors import DownlinkError, RunError

T = TypeVar("T")


def in_child(work: Callable[[], T]) -> T:
    """Return what `work` returns in a child process; it must be picklable. Raises the DownlinkError that it raises, and
    RunError if the child ends without a result. Where the system cannot fork, `work` runs in this process.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        return work()
    context: Any = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(work, writer), daemon=True)
    child.start()
    writer.close()
    try:
        result: T | DownlinkError = reader.recv()
    except EOFError:
        child.join()
        raise RunError(f"a child process ended with status {child.exitcode} and without a result") from None
    child.join()
    if isinstance(result, DownlinkError):
        raise result
    return result


def _send(work: Callable[[], object], writer: Connection) -> None:
    """Send what `work` returns or the DownlinkError that it raises. Ctrl-C is left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = work()
    except DownlinkError as error:
        writer.send(error)
    else:
        writer.send(result)
