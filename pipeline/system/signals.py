"""Ctrl-C and SIGTERM while an event loop runs: the first asks it to stop, the second cancels, the third exits.

Before and after the loop `interrupt` has the signals.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .interrupt import end_process

T = TypeVar("T")
_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_handlers: list[Callable[[int], None]] = []
_n_came = 0


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, and cancelled by SIGTERM as by Ctrl-C.

    Cancelled, since asyncio prints a traceback for an exception that a signal handler raises inside the loop.
    """
    return asyncio.run(_cancelled_by_signals(main))


async def _cancelled_by_signals(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None

    def cancel(_: int) -> None:
        task.cancel()

    with on_signals(cancel):
        return await main


@contextmanager
def on_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Inside the block, call `stop` at Ctrl-C and SIGTERM, with how many came so far; blocks may be nested.

    The third ends the process at once, and so does any that comes after the outermost block if one came inside.
    """
    global _n_came  # noqa: PLW0603 - signals are of the process
    loop = asyncio.get_running_loop()
    before = [signal.getsignal(number) for number in _NUMBERS]
    if not _handlers:
        _n_came = 0
        for number in _NUMBERS:
            loop.add_signal_handler(number, _came)
    _handlers.append(stop)
    try:
        yield
    finally:
        _handlers.remove(stop)
        if not _handlers:
            for number, handler in zip(_NUMBERS, before, strict=True):
                loop.remove_signal_handler(number)
                signal.signal(number, end_process if _n_came else handler)


@contextmanager
def stopped_by_signals(on_stop: Callable[[], None] = lambda: None) -> Iterator[asyncio.Event]:
    """Give an event that the first Ctrl-C or SIGTERM sets, after a call of `on_stop`; the second cancels this task."""
    task, stop = asyncio.current_task(), asyncio.Event()

    def came(n_came: int) -> None:
        if n_came > 1 and task is not None:
            task.cancel()
        else:
            on_stop()
        stop.set()

    with on_signals(came):
        yield stop


async def until_signal() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    with stopped_by_signals() as stop:
        await stop.wait()


def _came() -> None:
    global _n_came  # noqa: PLW0603 - as above
    _n_came += 1
    if _n_came > 2:
        end_process()
    _handlers[-1](_n_came)
