"""The command `downlink`, and `python -m pipeline`: guards against signals, then runs the command line."""

import atexit

from pipeline import interrupt


def main() -> None:
    """Import the command line and run it."""
    interrupt.guard()
    atexit.register(interrupt.ignore)  # registered first, it runs last
    from pipeline import cli  # noqa: PLC0415 - inside the guard

    try:
        cli.main()
    finally:
        interrupt.guard()


if __name__ == "__main__":  # a process that is spawned imports it too
    main()
