"""Preparation of a command: import the modules that it needs, then set up signals, memory and log.

`--help` and usage errors need neither, so the modules of the command line import only typer and rich at their top.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from ..model.errors import ConfigError
from ..model.printable import printable_values
from ..system import interrupt
from ..system.allocator import collector_paused, keep_freed_memory
from ..system.terminal import write_traceback


@contextmanager
def extra(name: str, option: str = "") -> Iterator[None]:
    """ConfigError, with the command that installs it, if the block lacks a library of an extra.

    `option`: that needs the library, for the message.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        from ..system.software import to_install

        raise ConfigError(f"{f'{option} needs {error.name}' if option else error}: {to_install(name)}") from None


@contextmanager
def loading() -> Iterator[None]:
    """Import the modules of a command inside the block; after it signals, allocator and log are set up."""
    with collector_paused():
        yield
    with suppress(ValueError):  # not in the main thread
        interrupt.release()
    _log_to(sys.stderr)
    keep_freed_memory()


def _printable(_logger: object, _method: str, entry: Any) -> Any:
    """A processor of structlog: removes control sequences from texts, which come from files and the network."""
    return {key: value if key == "exc_info" else printable_values(value) for key, value in entry.items()}


class _LogStream:
    """A stream that drops log lines on errors (full disk, closed pipe), so that they do not end the command."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _log_to(stream: Any) -> None:
    """Set up structlog: lines for people on a terminal, JSON elsewhere."""
    import structlog

    people = stream.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _printable,
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=write_traceback)]
        if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast("Any", _LogStream(stream))),
    )
