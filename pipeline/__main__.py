"""The command `downlink`, and `python -m pipeline`: what Ctrl-C finds before there is a command line, and after.

The command line takes most of a second to import. Until it is there nothing has begun, and once it has said how it
ended nothing is left to do: Ctrl-C then ends the process where it stands, in one line and with the shell's status.
"""

import atexit
import os
import signal

INTERRUPTED = 130  # as a shell tells Ctrl-C


def main() -> None:
    """Import the command line and run it."""
    in_foreground = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else Ctrl-C is not for us
    if in_foreground:
        signal.signal(signal.SIGINT, _end_here)
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # the last of all: Python takes itself apart
    from pipeline import cli  # noqa: PLC0415 - inside the guard

    if in_foreground:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        cli.main()
    finally:
        if in_foreground:
            signal.signal(signal.SIGINT, _end_here)


def _end_here(*_: object) -> None:
    os.write(2, b"downlink: interrupted\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":  # a process that is spawned imports it too
    main()
