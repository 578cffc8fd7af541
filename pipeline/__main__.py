"""The command `downlink`, and `python -m pipeline`: guards against signals, then runs the command line."""

import atexit
import os

from .system import interrupt


def main() -> None:
    """Import the command line and run it."""
    interrupt.guard()
    # Before NumPy is imported. Matrices here are small: a second thread of BLAS costs more than it does, by far where
    # other processes have the cores, and results would depend in their last bits on how many cores a machine has.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    atexit.register(interrupt.ignore)  # registered first, it runs last
    from .cli import main as cli  # noqa: PLC0415 - inside the guard

    try:
        cli.main()
    finally:
        interrupt.guard()


if __name__ == "__main__":  # a process that is spawned imports it too
    main()
