"""`downlink replay --history`: write the rows of a replay into a history while it runs.

In: messages of products with their keys, in the thread that decodes. Out: rows, committed at most FLUSH_S later. After
a seek back the same products come again, and are skipped (dedup).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..history.messages import product_of
from ..history.recorder import HistoryRecorder
from ..history.storage import Storage
from ..model.batches import Outgoing
from ..system.files import printable_name

FLUSH_S = 0.5
FLUSH_BYTES = 64 << 20


class ReplayKeeper:
    """Records the rows of one replay; the pass has the names of the recordings, as of an import."""

    def __init__(self, url: str, passes: Sequence[Path]) -> None:
        self._recorder = HistoryRecorder(Storage(url, create=True))
        self._name = ", ".join(map(printable_name, passes))
        self._flushed_at = time.monotonic()
        self._stream = ""

    def __call__(self, messages: Sequence[Outgoing], report: dict[str, Any] | None) -> None:
        """Add messages; at the end of the pass with its report. RunError if the disk is full."""
        for one in messages:
            if one.message.topic.split("/")[2:3] == ["product"]:
                product = product_of(one.message.payload)
                self._stream = product.stream
                key = f"{self._name}{one.key}" if one.key.startswith("/") else one.key
                self._recorder.add(product, key, self._name)
        due = time.monotonic() - self._flushed_at > FLUSH_S or self._recorder.waiting_bytes > FLUSH_BYTES
        if due or report is not None:
            self._recorder.flush()
            self._flushed_at = time.monotonic()
        if report is not None and self._stream:
            self._recorder.end_pass(self._stream, self._name, report)
            self._recorder.maintain()
            self._recorder.close()
