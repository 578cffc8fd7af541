"""Ctrl-C while a command is being imported, and while the interpreter shuts down.

An interrupt inside an import can surface as a traceback of the import system. Until a command has what it needs, and
once it has ended, nothing is there to clean up: Ctrl-C then ends the process at once, in one line and with the shell's
status. This module is imported before anything else, so it imports next to nothing.
"""

import os
import signal

INTERRUPTED = 130
"""Exit status of a process that Ctrl-C ended, by the convention of shells."""


def guard() -> bool:
    """End the process at once on Ctrl-C. No-op, and False, where SIGINT is ignored, as in the background of a shell."""
    in_foreground = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if in_foreground:
        signal.signal(signal.SIGINT, _end_process)
    return in_foreground


def release() -> None:
    """Raise KeyboardInterrupt on Ctrl-C again. No-op without a guard."""
    if signal.getsignal(signal.SIGINT) is _end_process:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_process(*_: object) -> None:
    os.write(2, b"downlink: interrupted\n")
    os._exit(INTERRUPTED)


def ignore() -> None:
    """Ignore Ctrl-C while the interpreter shuts down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
