"""Writes space packets to a file, back to back: channels in order of (scid, vcid), packets in order within each."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from ..dictionary.run.ragged import packed_values
from ..model.batches import PacketBatch, Ragged
from ..model.errors import RunError
from ..system.files import scratch_file, whole_file

STANDARD_OUTPUT = Path("-")


@contextmanager
def packet_file(path: Path) -> Iterator[PacketFile]:
    """Open a file of packets; it is written atomically at the end of the block. `-`: standard output."""
    to_file = path != STANDARD_OUTPUT
    is_special = not to_file or (path.exists() and not path.is_file())
    folder = Path(tempfile.gettempdir()) if is_special else path.parent
    with whole_file(path) if to_file else _standard_output() as out, ExitStack() as parts:
        file = PacketFile(folder, parts)
        yield file
        file.join(out)


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        raise RunError(f"cannot write to standard output: {error.strerror or error}") from error


class PacketFile:
    """Collects each channel in a temporary file, so that memory stays bounded."""

    def __init__(self, folder: Path, parts: ExitStack) -> None:
        self._folder = folder
        self._stack = parts
        self._parts: dict[int, IO[bytes]] = {}
        self.n_packets = 0

    def add(self, packets: PacketBatch) -> None:
        channel = packets.scid.astype(np.int64) << 8 | packets.vcid
        for key in np.unique(channel).tolist():
            if key not in self._parts:
                self._parts[key] = self._stack.enter_context(scratch_file(self._folder))
            rows = np.flatnonzero(channel == key)
            self._parts[key].write(
                packed_values(Ragged(packets.data, packets.start[rows], packets.length[rows])).data
            )
        self.n_packets += len(packets)

    def join(self, out: IO[bytes]) -> None:
        """Copy the channels to `out`, in order of (scid, vcid)."""
        for key in sorted(self._parts):
            self._parts[key].seek(0)
            shutil.copyfileobj(self._parts[key], out, 1 << 20)
