"""Keys of a terminal, one by one: standard input without line editing while a block runs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from ..system.tasks import until_first_ends

_NAMES = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home", "\x1b[F": "end",
    "\x1bOA": "up", "\x1bOB": "down", "\x1bOH": "home", "\x1bOF": "end", "\x1b[1~": "home", "\x1b[4~": "end",
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace",
}  # fmt: skip
_KEY = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
"""A control sequence (ECMA-48), or one character."""


def key_names(text: str) -> list[str]:
    """Names of the keys in the input of a terminal; unknown control sequences are skipped."""
    found = (_NAMES.get(key, key) for key in _KEY.findall(text))
    return [key for key in found if not key.startswith("\x1b")]


@contextmanager
def keys(press: Callable[[str], None]) -> Iterator[bool]:
    """Call `press` with each key, on the running event loop. Yields False, and reads nothing, without a terminal.

    The settings of the terminal are restored after the block. Ctrl-C stays a signal.
    """
    try:
        import termios
        import tty
    except ImportError:
        yield False
        return
    if not sys.stdin.isatty():
        yield False
        return
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    loop = asyncio.get_running_loop()

    def read() -> None:
        for key in key_names(os.read(fd, 1024).decode(errors="replace")):
            press(key)

    tty.setcbreak(fd)
    loop.add_reader(fd, read)
    try:
        yield True
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


async def until_event(work: Coroutine[Any, Any, None], ended: asyncio.Event) -> None:
    """Await some work, or cancel it at an event. Raises errors of the work."""
    result, _ = await until_first_ends(work, ended.wait())
    if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
        raise result
