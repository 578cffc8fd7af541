"""What a command does before its work: import what it needs, then prepare the process.

`--help` and wrong usage need neither, so that the modules of the command line import only typer and rich at their top.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipeline import interrupt
from pipeline.heap import keep_freed_memory


@contextmanager
def loading() -> Iterator[None]:
    """Hold the imports of a command. At the end of the block signals, heap and log are set up for its run."""
    yield
    interrupt.release()
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, interrupt.terminate)
    _log_to(sys.stderr)
    keep_freed_memory()


def _log_to(stream: Any) -> None:
    """Set up structlog: lines for people on a terminal, JSON elsewhere."""
    import structlog

    people = stream.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
