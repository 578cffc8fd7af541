"""Makes the product files of a pass, again and again, while one call to the disk fails.

Run with `faults.so` preloaded: `python pass_on_faulty_disk.py faults.so FOLDER RECORDINGS MISSION ERRNO FORMAT ...`
Each case is a line of JSON: what failed, what was wrong then.
"""

import ctypes
import hashlib
import json
import re
import shutil
import sqlite3
import sys
import warnings
from contextlib import closing, suppress
from pathlib import Path

import netCDF4
from downlink_pipeline.archive.product_index import NAME as INDEX
from downlink_pipeline.commands.reprocess import Wanted, _indexed, make, tasks_of

WRITES = {"write", "pwrite64", "pwrite", "writev"}


def run(wanted):
    """What `reprocess` does in a worker and behind it, in this process."""
    [task] = tasks_of(wanted)
    return _indexed(wanted.out, make(task))


def content(out):
    """Names and digests of all files; of an index, its rows; of NetCDF, its variables: it has the time of making."""
    return {path.relative_to(out).as_posix(): _digest(path) for path in sorted(out.rglob("*")) if path.is_file()}


def _digest(path):
    if path.name == "made.json":
        return ""
    if path.name == INDEX:
        with closing(sqlite3.connect(path)) as database, suppress(sqlite3.Error):
            return repr(
                database.execute("select file, kind, rows, product_ids from files order by file").fetchall()
            )
        return "no index"
    if path.suffix == ".nc":
        with netCDF4.Dataset(path) as file:
            file.set_auto_mask(False)
            numbers = [one[:].tobytes() for one in file.variables.values() if one.dtype is not str]
            return hashlib.sha256(b"".join(numbers)).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def chosen(calls):
    """Numbers of the calls that are made to fail: of those alike the first, of writes into a file three.

    Not the last write of NetCDF: there the library itself ends the process (`pipeline/archive/netcdf.py`).
    """
    alike = {}
    for nth, call in enumerate(calls, 1):
        alike.setdefault(re.sub(r"[0-9a-f]{8}\.part", "part", call), []).append(nth)
    for name, numbers in alike.items():
        is_write = name.split(" ")[0] in WRITES
        if is_write and name.endswith(".nc"):
            numbers.pop()
        yield from numbers[:: max((len(numbers) - 1) // 2, 1)] if is_write else numbers[:1]


class Trial:
    """`wrong`: what was, with one call failing and with the run that follows."""

    def __init__(self, faults, wanted, truth):
        self.faults, self.wanted, self.truth = faults, wanted, truth
        self.wrong, self.failed, self.calls = [], "", []

    def run(self, nth, number):
        self.faults.faults_arm(f"{self.wanted.out}/".encode(), nth, nth, number)
        try:
            done = run(self.wanted)
        finally:
            self.failed = self.faults.faults_last().decode()
            self.calls = self.faults.faults_calls().decode().splitlines()
            self.faults.faults_arm(b"", 0, 0, 0)
        if not nth:
            return
        self._check(done)
        done = run(self.wanted)
        if done.state == "failed" or content(self.wanted.out) != self.truth:
            self.wrong.append(f"the next run: {done}")

    def _check(self, done):
        found = content(self.wanted.out)
        files, all_files = ({one for one in names if not one.endswith(INDEX)} for names in (found, self.truth))
        if done.state == "failed":
            if not done.text or "\n" in done.text:
                self.wrong.append(f"no clear line: {done.text}")
            if files not in (set(), all_files):
                self.wrong.append(f"half made: {files}")
        elif found != self.truth:
            self.wrong.append(f"{done.state}, and it is not: {files ^ all_files}")


def main():
    faults = ctypes.CDLL(sys.argv[1])
    faults.faults_last.restype = faults.faults_calls.restype = ctypes.c_char_p
    warnings.simplefilter("ignore")
    numbers = [int(one) for one in sys.argv[5].split(",")]
    for file_format in sys.argv[6:]:
        wanted = Wanted(Path(sys.argv[3]), sys.argv[4], Path(sys.argv[2]) / file_format, file_format, stream="live")
        clean = Trial(faults, wanted, {})
        clean.run(0, 0)
        truth = content(wanted.out)
        for nth in chosen(clean.calls):
            shutil.rmtree(wanted.out)
            trial = Trial(faults, wanted, truth)
            trial.run(nth, numbers[nth % len(numbers)])
            about = {"format": file_format, "failed": trial.failed, "wrong": trial.wrong}
            sys.stdout.write(f"{json.dumps(about)}\n")


if __name__ == "__main__":  # pytest imports it, too: it looks for doctests in every module
    main()
