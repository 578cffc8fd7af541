"""The books of a pass of a history, as a `Stream` that the Pass look draws like one that comes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from .history_source import StoredPass
from .past import take
from .stream import Stream


def chosen_pass(passes: Sequence[StoredPass], name: str) -> StoredPass | None:
    """The pass of that name, else the one received last; None where there is none."""
    return next((one for one in passes if one.name == name), passes[-1] if passes else None)


def stream_of_pass(name: str, stored: StoredPass) -> Stream:
    """Counters of channels, report, events and numbers of rows of a pass. `name`: of its stream."""
    made = Stream(name)
    made.parameters.unheard = "history"
    if stored.report:
        take(made, "report", json.dumps(stored.report).encode())
    for counters in made.report.get("channels", ()):
        channel = (
            str(counters.get("name") or f"{counters.get('scid')}/{counters.get('vcid')}").lower().replace(" ", "_")
        )
        made.channels[channel] = counters
        made.counts.append((channel, counters))
    for event in stored.events:
        take(made, "event", json.dumps(event).encode())
    made.n_products = Counter(stored.rows)
    return made


def words_of_pass(stored: StoredPass) -> str:
    """Its name, when it was received, and whether it is still open."""
    times = dict.fromkeys(text[:19].replace("T", " ") for text in stored.received if text)
    received = " to ".join(times)
    words = [
        stored.name,
        f"received {received} UTC" if received else "",
        "still open" if stored.state == "open" else "",
    ]
    return " · ".join(word for word in words if word)
