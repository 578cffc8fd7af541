"""Ctrl-C and SIGTERM while an event loop runs: the first asks it to stop, the second cancels, the third exits.

Before and after the loop `interrupt` has the signals. The handlers are not those of asyncio: removing those restores
for a moment the system's own action, which ends the process by the signal.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from .interrupt import end_process

T = TypeVar("T")
_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_handlers: list[Callable[[int], None]] = []
_n_signals = 0


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
    global _n_signals  # noqa: PLW0603 - signals are of the process
    if _handlers:
        _handlers.append(stop)
        try:
            yield
        finally:
            _handlers.remove(stop)
        return
    _n_signals = 0
    before = [signal.getsignal(number) for number in _NUMBERS]
    _handlers.append(stop)
    with _waking(asyncio.get_running_loop()) as loop:
        for number in _NUMBERS:
            signal.signal(number, partial(_on_signal, loop))
        try:
            yield
        finally:
            for number, handler in zip(_NUMBERS, before, strict=True):
                signal.signal(number, end_process if _n_signals else handler)
            _handlers.remove(stop)


@contextmanager
def stopped_by_signals(on_stop: Callable[[], None] = lambda: None) -> Iterator[asyncio.Event]:
    """Give an event that the first Ctrl-C or SIGTERM sets, after a call of `on_stop`; the second cancels this task."""
    task, stop = asyncio.current_task(), asyncio.Event()

    def on_signal(n_signals: int) -> None:
        if n_signals > 1 and task is not None:
            task.cancel()
        else:
            on_stop()
        stop.set()

    with on_signals(on_signal):
        yield stop


async def until_signal() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    with stopped_by_signals() as stop:
        await stop.wait()


@contextmanager
def _waking(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """Wake the loop at a signal, whichever thread the system gives it to: handlers run in the loop's thread only."""
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    loop.add_reader(reading, reading.recv, 64)
    before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield loop
    finally:
        signal.set_wakeup_fd(before)
        loop.remove_reader(reading)
        reading.close()
        writing.close()


def _on_signal(loop: asyncio.AbstractEventLoop, *_: object) -> None:
    """Handle a signal: between any two instructions of the loop's thread, so the rest waits for the loop's turn."""
    global _n_signals  # noqa: PLW0603 - as above
    _n_signals += 1
    if _n_signals > 2:
        end_process()
    loop.call_soon(_stop, _n_signals)


def _stop(n_signals: int) -> None:
    if _handlers:
        _handlers[-1](n_signals)
