"""One thread for the heavy work of a stage.

`asyncio.to_thread` uses several threads, and the C library keeps freed memory for each of them: 440 MB after an hour of
decoding in six threads.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class OneThread:
    """Runs calls one after another, each in its caller's context. It ends with the process or when it is deleted."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `act` in the thread and return its result, without blocking the event loop."""
        context = contextvars.copy_context()
        work = partial(context.run, act, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
