"""The command `downlink`, and `python -m pipeline`: guards against signals, then runs the command line."""

import atexit
import os
import sys
from importlib import import_module

_INSTALLED = "downlink_pipeline"


def _as_installed() -> None:
    """Let this folder be imported under its installed name: mission packages import that, and need the same modules."""
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415 - not where it is installed

    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib takes 10 ms, unguarded
    place = os.path.join(folder, "__init__.py")  # noqa: PTH118
    spec = spec_from_file_location(_INSTALLED, place, submodule_search_locations=[folder])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_INSTALLED] = module
    spec.loader.exec_module(module)


if __package__ != _INSTALLED:  # `python -m pipeline` in a clone
    _as_installed()
interrupt = import_module(f"{_INSTALLED}.system.interrupt")


def main() -> None:
    """Import the command line and run it."""
    interrupt.guard()
    # Before NumPy is imported. Matrices here are small: a second thread of BLAS costs more than it does, by far where
    # other processes have the cores, and results would depend in their last bits on how many cores a machine has.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    atexit.register(interrupt.ignore)  # registered first, it runs last
    cli = import_module(f"{_INSTALLED}.cli.main")  # inside the guard

    try:
        cli.main()
    finally:
        interrupt.guard()


if __name__ == "__main__":  # a process that is spawned imports it too
    main()
