"""Ctrl-C and SIGTERM before, between and after the work of a process: one line and an exit status, no traceback.

An interrupt inside an import can surface as a traceback of the import system. Until a command has its modules, and once
it has ended, there is nothing to clean up: Ctrl-C then ends the process at once, with one line and the shell's status.
This module is imported before anything else, so it imports next to nothing. For an event loop see `signals`.
"""

import os
import signal

INTERRUPTED = 130
"""Exit status of a process that Ctrl-C ended, by the convention of shells."""


def guard() -> None:
    """End the process at once on Ctrl-C and SIGTERM; an ignored Ctrl-C (background of a shell) stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, interrupt):
            signal.signal(number, end_process)


def release() -> None:
    """Raise KeyboardInterrupt on the first Ctrl-C or SIGTERM from now on. An ignored Ctrl-C stays ignored.

    ValueError outside the main thread.
    """
    if signal.getsignal(signal.SIGINT) is end_process:
        signal.signal(signal.SIGINT, interrupt)
    if signal.getsignal(signal.SIGTERM) in (end_process, signal.SIG_DFL):
        signal.signal(signal.SIGTERM, interrupt)


def interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt; a signal that comes while that unwinds ends the process at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is interrupt:
            signal.signal(number, end_process)
    raise KeyboardInterrupt


def end_process(*_: object) -> None:
    """End the process at once with one line and status INTERRUPTED, without cleaning up."""
    os.write(2, b"downlink: interrupted\n")
    os._exit(INTERRUPTED)


def ignore() -> None:
    """Ignore Ctrl-C and SIGTERM while the interpreter shuts down."""
    ignore_ctrl_c()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def ignore_ctrl_c() -> None:
    """Ignore Ctrl-C, in a worker: it goes to the whole process group, and whoever started the worker ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
