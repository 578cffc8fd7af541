"""Parses messages into a `Stream`: products, link counters, events, latest values, reports, progress.

Each function takes the topic's last levels and the payload, and raises one of UNREADABLE where the payload is not what
the topic requires. All texts are cut and made printable, all numbers of entries are bounded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..messages.time_texts import iso_utc
from ..messages.topics import level as topic_level
from ..model.batches import NO_TIME
from ..model.container_names import product_name
from ..model.printable import printable
from .album import read_picture
from .packets import MAX_APIDS
from .progress import read_progress
from .ring import Ring
from .rows import last_received_ns, product_rows
from .stream import MAX_EVENTS, ONBOARD_KIND, SEVERITIES, Stream

MAX_CHANNELS = 64
MAX_KINDS = 10_000
"""Kinds of product of a stream that are listed; of those beyond it is said how many products came."""
MAX_COUNTS = 256
"""Entries of a map of counts in a report."""
MAX_DESCRIBED = 600
MAX_ALARMS = 2000
MAX_TEXT, MAX_EVENT_TEXT = 80, 400
"""Characters of a text and of the text of an event that are kept."""
MAX_ENTRIES, MAX_DETAILS = 40, 12
"""Entries of a JSON object, and of the details of an event, that are kept."""
MAX_JSON_BYTES = 256 << 10

UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, MemoryError)
"""What parsing of arbitrary payloads may raise."""

Unpack = Callable[[bytes], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Came:
    """Arrival of a message."""

    now_s: float
    utc_ns: int
    retained: bool

    @property
    def heard_s(self) -> float:
        """Time of arrival; 0 for a retained message, whose time of publication is not known."""
        return 0.0 if self.retained else self.now_s


def _take_product(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: Came) -> None:
    product = unpack(payload)
    kind = "/".join(levels)
    wanted = stream.shown.rows.get(kind)
    if wanted is not None:
        ring = stream.products.get(kind) or Ring(wanted.capacity)
        rows, common = product_rows(product, wanted, ring.rows())
        if not stream.is_new(str(product["id"])):
            ring.arrived_s = came.heard_s or ring.arrived_s
            return
        ring.common = common or ring.common
        ring.append(rows, came.heard_s or ring.arrived_s)
        stream.products[kind] = ring
    elif kind in stream.shown.images:
        picture = read_picture(kind, stream.shown.images[kind], product)
        if not stream.is_new(str(product["id"])):
            return
        stream.images.add(picture, came.heard_s or stream.images.arrived_s)
    elif not stream.is_new(str(product["id"])):
        return
    stream.parameters.take(kind, product, came.heard_s)
    lineage = product.get("lineage")
    stream.packets.take(kind, lineage if isinstance(lineage, Mapping) else {}, came.heard_s)
    _take_onboard_events(stream, kind, product, came)
    is_of_clock = _note_time(stream, product.get("time") or {})
    _note_light_time(stream, product["arrays"].get("light_time_s"))
    if came.heard_s and is_of_clock:
        _note_clocks(stream, product)
    if kind in stream.n_products or len(stream.n_products) < MAX_KINDS:
        stream.n_products[kind] += 1
        if kind not in stream.described:
            stream.described[kind] = _descriptions(product) if kind.startswith("telemetry/") else ""
    else:
        stream.n_unlisted += 1


def _descriptions(product: Mapping[str, Any]) -> str:
    """`name: description` of the arrays that have one, cut to MAX_DESCRIBED characters."""
    arrays = product.get("arrays") or {}
    known = [(name, entry.get("description")) for name, entry in arrays.items() if isinstance(entry, Mapping)]
    known = [(name, about) for name, about in known if not name.startswith("time_")]
    text = "; ".join(f"{name}: {about}" for name, about in known if isinstance(about, str) and about)
    return text if len(text) <= MAX_DESCRIBED else f"{text[: MAX_DESCRIBED - 1]}\N{HORIZONTAL ELLIPSIS}"


def _note_time(stream: Stream, time: Mapping[str, Any]) -> bool:
    """Keep the latest onboard time that products carry, of those with a local time where any has one; others may be of
    another spacecraft, whose data were stored for another time. Returns whether the product is of the former.

    ISO 8601 texts of one zone are in order of time.
    """
    names = ("utc", "sol", "ltst", "ltst_sol")
    last = {name: printable(str(time[name][-1])[:30]) for name in names if time.get(name)}
    known = stream.onboard
    if last.get("utc", "None") == "None" or ("sol" in known and "sol" not in last):
        return False
    is_first_local = "sol" in last and "sol" not in known
    if last["utc"] > known.get("utc", "") or is_first_local:
        stream.onboard = last
    if is_first_local:
        stream.clocks.clear()
    return True


def _note_light_time(stream: Stream, entry: Mapping[str, Any] | None) -> None:
    """Keep the light time of a product, in seconds."""
    values: Any = entry["values"] if entry else None
    if (
        entry
        and values is not None
        and len(values)
        and values.ndim == 1
        and values.dtype.kind == "f"
        and math.isfinite(values[-1])
    ):
        stream.light_time_s = float(values[-1])
        stream.light_time_of = printable(str(entry.get("description") or "")[:MAX_TEXT])


def _note_clocks(stream: Stream, product: Mapping[str, Any]) -> None:
    """Keep when the last row of a product was received, and its onboard time; one pair for each time of reception."""
    received_ns = last_received_ns(product.get("lineage"))
    utc = product["arrays"].get("time_utc_ns")
    if received_ns is None or utc is None or not len(utc["values"]):
        return
    onboard_ns = int(utc["values"][-1])
    if onboard_ns != NO_TIME and received_ns and (not stream.clocks or stream.clocks[-1][0] != received_ns):
        stream.clocks.append((received_ns, onboard_ns))


def _take_link(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: Came) -> None:
    counters = _scalars(unpack(payload))
    [channel] = levels
    if channel not in stream.channels and len(stream.channels) >= MAX_CHANNELS:
        raise ValueError("more channels than a page shows")
    grown = counters.get("frames") != stream.channels.get(channel, {}).get("frames")
    stream.channels[channel] = counters
    stream.counts.append((channel, {name: counters.get(name) for name in _COUNTED}))
    stream.link_arrived_s = came.heard_s or stream.link_arrived_s
    if grown and not came.retained:
        stream.frames_arrived_s = came.now_s
        received_ns = counters.get("last_received_ns")
        stream.lag_s = (came.utc_ns - int(received_ns)) / 1e9 if came.utc_ns and received_ns else None


def _take_event(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: Came) -> None:
    event = unpack(payload)
    fields = {name: event.get(name) for name in ("time", "severity", "kind", "text")}
    text = printable(str(fields.pop("text"))[:MAX_EVENT_TEXT])
    details = _scalars(event.get("details") or {}, MAX_DETAILS)
    stream.events.append(dict.fromkeys(fields) | _scalars(fields) | {"text": text} | details)
    if fields["kind"] == "limit":
        _note_alarm(stream, stream.events[-1])
    stream.event_arrived_s = came.heard_s or stream.event_arrived_s


def _note_alarm(stream: Stream, event: Mapping[str, Any]) -> None:
    """Keep which parameters are out of limits, by the events of each change."""
    container, name, concern = (event.get(key) for key in ("container", "parameter", "level"))
    if not (isinstance(container, str) and isinstance(name, str)):
        return
    key = f"{topic_level(product_name(container))}/{topic_level(name)}"
    if concern is None or str(concern).lower() == "normal":
        stream.alarms.pop(key, None)
    elif key in stream.alarms or len(stream.alarms) < MAX_ALARMS:
        stream.alarms[key] = str(concern)[:MAX_TEXT], str(event.get("severity"))


def _take_onboard_events(stream: Stream, kind: str, product: Mapping[str, Any], came: Came) -> None:
    """Take events that a spacecraft reports in its telemetry: rows with a severity and a text."""
    arrays = product["arrays"]
    if not {"severity", "text", "time_utc_ns"} <= arrays.keys():
        return
    severities, texts, times_ns = (arrays[name]["values"] for name in ("severity", "text", "time_utc_ns"))
    if (
        not len(severities) == len(texts) == len(times_ns)
        or severities.dtype.kind != "U"
        or texts.dtype.kind != "U"
    ):
        return
    received_ns = last_received_ns(product.get("lineage"))
    for severity, text, time_ns in zip(
        severities[-MAX_EVENTS:], texts[-MAX_EVENTS:], times_ns[-MAX_EVENTS:], strict=True
    ):
        word = str(severity).lower()[:MAX_TEXT]
        stream.events.append(
            {
                "time": iso_utc(int(time_ns), "ms"),
                "severity": next((one for one in SEVERITIES if one.startswith(word[:4])), printable(word)),
                "kind": ONBOARD_KIND,
                "text": printable(str(text)[:MAX_EVENT_TEXT]),
                "source": printable(kind[:MAX_TEXT]),
                "onboard_ns": int(time_ns),
                "received_ns": received_ns,
            }
        )
    stream.event_arrived_s = came.heard_s or stream.event_arrived_s


def _take_latest(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: Came) -> None:
    """Take a retained value of telemetry; products replace it."""
    del came
    _, container, name = levels
    stream.parameters.take_latest(container, name, unpack(payload))


def _take_report(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: Came) -> None:
    """Take the pass report. Its counters replace those of channels: a broker may have dropped the last of them."""
    report = unpack(payload)
    packets = report.get("packets") or {}
    stream.report = {
        "frames": _frame_counts(report.get("frames") or {}),
        "bytes": _scalars(report.get("bytes") or {}),
        "synchronizer": _scalars(report.get("synchronizer") or {}),
        "received": _scalars(report.get("received") or {}),
        "packets": _scalars(packets)
        | _by_apid(packets)
        | {"set_aside": _scalars((report.get("records") or {}).get("set_aside") or {}, MAX_COUNTS)},
        "other_channels": [_scalars(one) for one in report.get("other_channels", ())[:MAX_CHANNELS]],
        "channels": [_scalars(one) for one in report.get("channels", ())[:MAX_CHANNELS]],
    }
    stream.report_arrived_s = came.heard_s or stream.report_arrived_s
    last = {(one["scid"], one["vcid"]): one for one in stream.report.get("channels", ())}
    for name, counters in stream.channels.items():
        closed = last.get((counters.get("scid"), counters.get("vcid")), {})
        stream.channels[name] = counters | {key: value for key, value in closed.items() if key in counters}


def _take_packets(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: Came) -> None:
    """Take counts of packets, by APID and by reason why they were not decoded."""
    counts = unpack(payload)
    books = _by_apid(counts) | {"set_aside": _scalars(counts.get("set_aside") or {}, MAX_COUNTS)}
    stream.packets.take_books(_scalars(counts) | books, came.heard_s)


def _by_apid(packets: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _scalars(packets.get(name) or {}, MAX_APIDS) for name in ("by_apid", "gaps_by_apid")}


def _take_packet(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: Came) -> None:
    """Take the bytes of a space packet."""
    del unpack
    stream.octets.take(int(levels[0]), payload, came.utc_ns)


def _take_progress(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: Came) -> None:
    content = unpack(payload)
    progress = read_progress({**content, "frames": _frame_counts(content.get("frames") or {})})
    if stream.progress and progress.began != stream.progress.began:
        stream.forget()
    if progress.frames != (stream.progress.frames if stream.progress else {}):
        stream.n_changes += 1
    stream.progress = progress
    stream.progress_arrived_s = came.heard_s


TAKE: dict[str, Callable[[Stream, Unpack, list[str], bytes, Came], None]] = {
    "product": _take_product,
    "link": _take_link,
    "event": _take_event,
    "report": _take_report,
    "latest": _take_latest,
    "progress": _take_progress,
    "packets": _take_packets,
    "packet": _take_packet,
}


_COUNTED = ("first_received_ns", "last_received_ns", "frames", "lost_frames")
"""Counters of a channel that are drawn against time."""


def _frame_counts(frames: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of frames of a report or progress, with the histogram of corrected symbols."""
    symbols = frames.get("corrected_symbols")
    return _scalars(frames) | ({"corrected_symbols": _scalars(symbols, MAX_COUNTS)} if symbols else {})


def _scalars(found: Mapping[str, Any], max_entries: int = MAX_ENTRIES) -> dict[str, Any]:
    """Numbers and texts of a JSON object, texts cut; other values are left out."""
    kept: dict[str, Any] = {}
    for name, value in islice(found.items(), max_entries):
        if value is None or isinstance(value, int | float):
            kept[printable(name[:MAX_TEXT])] = value
        elif isinstance(value, str):
            kept[printable(name[:MAX_TEXT])] = printable(value[:MAX_TEXT])
    return kept


def json_object(payload: bytes) -> Mapping[str, Any]:
    """A JSON object of at most MAX_JSON_BYTES; ValueError or TypeError for anything else."""
    if len(payload) > MAX_JSON_BYTES:
        raise ValueError("JSON larger than any of ours")
    found = json.loads(payload)
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found
