"""The lines that a feed and its receiver exchange before the bytes of a pass, and the digests in them.

    sender    downlink/2 <sender> <name> <bytes> <head> <mode>     who sends what: the digest of its first bytes,
                                                                   auto, again, or pass=<name> after a reconnect
    receiver  wait                                                 it is still reading its recordings
              compare <n> <digest>                                 it has a pass of n bytes: are these your first n?
    sender    same | other
    receiver  known <pass>                                         all of it is recorded already
              begin <pass> <n>                                     send from byte n on
              recorded <n>                                         so much of the pass is on disk, again and again
              busy <pass> | later <reason> | refused <reason>      try again; try again; do not

Digests are BLAKE2b of 32 bytes over unpacked bytes, in hexadecimal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..model.batches import ByteBatch

HELLO_S = 10.0
"""Longest silence before an answer."""
WAIT_S = 2.0
"""Interval of `wait` lines while the receiver reads its recordings, in seconds."""
HEAD_BYTES = 4096
MAX_LINE_BYTES = 500
NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}"
_FOLDER = r"[A-Za-z0-9][A-Za-z0-9_.~\-]{0,119}"
_MODE = rf"auto|again|pass={_FOLDER}"
_HELLO = re.compile(
    rf"downlink/2 ([0-9a-f]{{1,32}}) ({NAME}) ([1-9][0-9]{{0,14}}) ([0-9a-f]{{64}}) ({_MODE})\n".encode()
)
_OF_ANOTHER_RELEASE = re.compile(rb"downlink(/[0-9]+)? [ -~]*\n")


@dataclass(frozen=True, slots=True)
class Hello:
    """Who sends which recording. `head`: digest of its first HEAD_BYTES; `mode`: "auto", "again" or "pass=<name>"."""

    sender: str
    name: str
    n_bytes: int
    head: str
    mode: str

    @property
    def resumes(self) -> str:
        """The pass that this sender was writing before its connection broke; empty at first."""
        return self.mode.removeprefix("pass=") if self.mode.startswith("pass=") else ""

    def line(self) -> bytes:
        return f"downlink/2 {self.sender} {self.name} {self.n_bytes} {self.head} {self.mode}\n".encode()


def read_hello(line: bytes) -> Hello | None:
    """The first line of a sender; None if it is none of this release."""
    found = _HELLO.fullmatch(line)
    if not found:
        return None
    sender, name, n_bytes, head, mode = (group.decode() for group in found.groups())
    return Hello(sender, name, int(n_bytes), head, mode)


def is_of_another_release(line: bytes) -> bool:
    """Whether a line that is no Hello is the first line of a feed of an older or newer release."""
    return bool(_OF_ANOTHER_RELEASE.fullmatch(line))


def digest_of(batches: Iterable[ByteBatch], n_bytes: int) -> str:
    """Digest of the first `n_bytes`; empty if there are not so many."""
    digest, left = hashlib.blake2b(digest_size=32), n_bytes
    for batch in batches:
        digest.update(batch.data[:left].tobytes())
        left -= min(left, len(batch.data))
        if not left:
            break
    return "" if left else digest.hexdigest()
