"""Commands that read recordings to their end; each function is one command. Commands with a broker are in `live`.

recording -> processing chain (link, dictionary, instruments) -> files or a report

Modules that only one command needs are imported when it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import structlog

from ..link.settings import LinkSettings
from ..messages import topics
from ..messages.time_texts import iso_utc
from ..mission.loading import Mission
from ..mission.named_objects import load_place
from ..model.batches import Event, Product
from ..model.displays import Display
from ..model.errors import ConfigError
from ..processing.chain import ProcessingChain
from ..processing.passes import decoded, named_outcomes, outcomes, station_names, with_origin
from ..system.files import printable_name
from ..system.identity import content_of_all
from ..system.outputs import check_folder, check_replace

MAX_EVENTS = 1000  # most gaps and other events of a report
log = structlog.get_logger(__name__)
Progress = Callable[[int], None]


def stream_name(asked: str | None, passes: Sequence[Path]) -> str:
    """The stream of a replay, a topic level: as asked for, or the first recording's name. ConfigError if invalid."""
    if asked is None:
        from ..processing.origin import stream_of  # noqa: PLC0415 - as above

        return stream_of(passes)
    if topics.slug(asked) != asked:
        raise ConfigError(f"--stream {asked}: lower case letters, digits, '-', '_' and '.', as a topic level")
    return asked


def inspect(passes: Sequence[Path], mission: Mission, progress: Progress, *, merge: bool = False) -> dict[str, Any]:
    """The pass report of recordings, with receive times and gaps.

    All channels are read if the mission names none. If nothing is valid, `hints` name the keys to change.
    """
    from ..link.verdict import nothing_right  # noqa: PLC0415 - as above
    from .hints import hints, with_all_channels  # noqa: PLC0415

    mission = with_all_channels(passes, mission)
    chain = ProcessingChain(mission, until="packets", stations=station_names(mission, passes, merge=merge))
    received: list[int] = []
    events: list[Event] = []
    with suppress(KeyboardInterrupt):
        for _, batch, outcome in decoded(chain, passes):
            received = [*received[:1], *batch.mark_ns[[0, -1]].tolist()] if len(batch.mark_ns) else received
            events += outcome.events
            del events[MAX_EVENTS:]
            progress(len(batch.data))
    last = list(chain.flush().events)
    listed = [_listed(event) for event in events[: MAX_EVENTS - len(last)] + last]
    span = {"first": iso_utc(min(received)), "last": iso_utc(max(received))} if received else {}
    report = chain.report()
    span = span or _span_of_channels(report["channels"])
    found = {"hints": hints(passes, mission.link)} if nothing_right(report) else {}
    return report | {"received": span, "events": listed} | found


def _span_of_channels(channels: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """First and last receive time of frames, from the counters of the channels; empty if unknown."""
    first = [one["first_received_ns"] for one in channels if one["first_received_ns"]]
    last = [one["last_received_ns"] for one in channels if one["last_received_ns"]]
    return {"first": iso_utc(min(first)), "last": iso_utc(max(last))} if first else {}


def _listed(event: Event) -> dict[str, Any]:
    time = iso_utc(event.time_ns) if event.time_ns else None
    return {"time": time, "severity": event.severity, "kind": event.kind, "text": event.text, **event.details}


def decode(
    passes: Sequence[Path],
    mission: Mission,
    out: Path,
    progress: Progress,
    *,
    file_format: str,
    raw: bool,
    merge: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write the decoded columns of recordings to a folder, a file for each container. Returns the pass report.

    ConfigError if the mission has no dictionary, or files cannot be replaced.
    """
    from ..archive.columns import column_files  # noqa: PLC0415 - as above
    from ..processing.origin import source_of  # noqa: PLC0415

    _check_products(mission)
    chain = ProcessingChain(mission, until="columns", raw=raw, stations=station_names(mission, passes, merge=merge))
    has_clock = bool(mission.time_terms)
    with column_files(
        out,
        file_format,
        source=source_of(passes, with_origin(mission, passes), raw=raw),
        inputs=mission.files,
        utc_of=mission.utc_ns if has_clock else None,
        local_of=mission.local_times if has_clock else None,
        describe=mission.described,
        overwrite=overwrite,
    ) as files:
        for name, outcome in named_outcomes(chain, passes, progress):
            files.add(outcome.columns, name)
    decoded = {name: rows.arrays["order"].n_rows for name, (_, rows, _) in files.tables.items()}
    return chain.report() | {"decoded": decoded}


def containers(
    passes: Sequence[Path], mission: Mission, progress: Progress, *, merge: bool = False
) -> dict[str, Any]:
    """The pass report of recordings with the number of packets of each container in `decoded`."""
    _check_products(mission)
    chain = ProcessingChain(mission, until="columns", stations=station_names(mission, passes, merge=merge))
    counts: Counter[str] = Counter()
    for outcome in outcomes(chain, passes, progress):
        for batch in outcome.columns:
            counts[batch.container] += len(batch)
    return chain.report() | {"decoded": dict(sorted(counts.items()))}


class _Joins(Protocol):
    """Makes products of all passes together."""

    def add_products(self, products: Iterable[Product]) -> None: ...
    def finish(self) -> list[Product]: ...


def _joins(mission: Mission) -> list[_Joins]:
    if not mission.joins:
        raise ConfigError(f"mission {mission.name} has no instrument that joins passes")
    return [load_place(module, place, module)(mission.site) for module, place in mission.joins]


def write_products(
    passes: Sequence[Path],
    mission: Mission,
    out: Path,
    progress: Progress,
    *,
    file_format: str,
    stream: str | None = None,
    merge: bool = False,
    overwrite: bool = False,
    traverse: bool = False,
) -> dict[str, Any]:
    """Write the products of recordings to a folder, a file for each kind. Returns the report with their names in
    `files`.

    `traverse`: also the products of all recordings together, in the order given. ConfigError as of `decode`.
    """
    from ..archive.products import product_files  # noqa: PLC0415 - as above
    from ..processing.origin import origin_of  # noqa: PLC0415

    _check_products(mission)
    stream = stream_name(stream, passes)
    mission = with_origin(mission, passes)
    chain = ProcessingChain(mission, stream, stations=station_names(mission, passes, merge=merge))
    origin, inputs = origin_of(passes, mission, stream), [*passes, *mission.files]
    with product_files(out, origin, file_format, inputs=inputs, overwrite=overwrite) as files:
        joins = _joins(mission) if traverse else []
        for name, outcome in named_outcomes(chain, passes, progress):
            files.add(outcome.products, name)
            for one in joins:
                one.add_products(outcome.products)
        for one in joins:
            files.add(one.finish(), ", ".join(map(printable_name, passes)))
        files.received(chain.report()["frames"])
    return chain.report() | {"files": [path.name for path in files.entries]}


def _check_products(mission: Mission) -> None:
    """ConfigError if the mission has neither a dictionary nor files (CFDP)."""
    if not mission.cfdp:
        mission.check_dictionary()


def plot(
    passes: Sequence[Path],
    mission: Mission,
    out: Path,
    progress: Progress,
    *,
    merge: bool = False,
    overwrite: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> tuple[list[Path], dict[str, Any]]:
    """Write pictures of a pass: a page (PNG, PDF) and a report (HTML). Returns their paths and the pass report.

    `notify` is called with the notes on the page, such as that the mission file has no clock.
    """
    from ..pictures.generic import clock_note  # noqa: PLC0415 - as above
    from ..pictures.series import Gathering  # noqa: PLC0415 - as above
    from ..pictures.style import check_available  # noqa: PLC0415
    from ..pictures.summary import PassSummary, is_summary_of, summary_paths, write_summary  # noqa: PLC0415
    from .report import insert_zone_note  # noqa: PLC0415 - as above

    check_available()
    stream = stream_name(None, passes)
    title = f"{mission.name}/{stream}"
    inputs, content = [*passes, *mission.files], content_of_all(passes)
    check_folder(out, inputs)
    paths = summary_paths(out, stream)
    is_own = content and is_summary_of(paths, title, content)
    check_replace(paths, inputs, overwrite=overwrite, is_own=lambda _: bool(is_own))
    chain = ProcessingChain(mission, stream, stations=station_names(mission, passes, merge=merge))
    found = Gathering()
    events: list[Event] = []
    received: list[int] = []
    for outcome in outcomes(chain, passes, progress):
        found.add(outcome.products)
        events += outcome.events[: MAX_EVENTS - len(events)]
        received += outcome.packets.received_ns[[0, -1]].tolist() if len(outcome.packets) else []
        received = received[:1] + received[-1:]
    span = " to ".join(str(iso_utc(ns, "s")) for ns in received if ns)
    report = chain.report()
    received_words = f"received {span}{insert_zone_note(report)}" if span else ""
    series = found.series()
    notes = [note for note in [clock_note(series)] if note and not mission.time_terms]
    if mission.plan is None:
        notes.append(
            f"{mission.name} has no dictionary, so packets are counted and not decoded: [dictionary] xtce = ..."
        )
    for note in notes:
        notify(note)
    summary = PassSummary(title, received_words, report, events, series, content, notes, mission.kinds)
    return write_summary(summary, out, stream), dict(report)


def describe_topics(
    passes: Sequence[Path], mission: Mission, progress: Progress, *, merge: bool = False
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The AsyncAPI document of a mission's topics, with types from recordings; and their pass report, None without."""
    from . import asyncapi  # noqa: PLC0415 - as above
    from .catalogue import catalogue  # noqa: PLC0415

    chain = ProcessingChain(mission, stations=station_names(mission, passes, merge=merge)) if passes else None
    found = outcomes(chain, passes, progress) if chain else ()
    forms = catalogue(mission, (one for outcome in found for one in outcome.products))
    return asyncapi.document(mission, forms), chain.report() if chain else None


def describe(mission: Mission, displays: Sequence[Display] = ()) -> dict[str, list[str]]:
    """Description of a mission for `downlink check`: lines for each part of it, with its displays."""
    from .catalogue import latest_clashes  # noqa: PLC0415 - as above

    channels = [f"{c.spacecraft_id}/{c.virtual_channel} {c.name} ({c.service})" for c in mission.channels]
    return {
        "mission": [mission.name],
        "folder": [str(mission.folder)],
        "packages": [one.words for one in mission.packages],
        "profile": [mission.profile] if mission.profile else [],
        "profiles": [", ".join(mission.profiles) or "none"],
        "link": [_link_text(mission.link)],
        "channels": channels or ["all packets" if mission.link.framing == "packets" else "none"],
        "dictionary": [
            _dictionary_text(mission),
            *(f"warning: {notice}" for notice in (mission.plan.notices if mission.plan else ())),
        ],
        "clock": [_clock_text(mission)],
        "instruments": [", ".join(mission.instruments) or "none"],
        "displays": [f"{one.title} ({one.name}.toml)" for one in displays],
        "clashes": latest_clashes(mission),
    }


def _link_text(link: LinkSettings) -> str:
    container = {
        "kiss": ", in KISS frames",
        "pcap": ", in captured UDP packets",
        "kiss-in-pcap": ", in KISS frames in captured UDP packets",
    }.get(link.container, "")
    symbols = {"packed": "", "unpacked": ", one bit a byte"}.get(link.symbols, f", soft symbols of {link.symbols}")
    if link.framing == "packets":
        return f"space packets back to back{container}{symbols}"
    how = {"cadu": "each with sync marker and coding", "codeblocks": "each coded, without sync marker"}
    where = how.get(link.framing, "back to back")
    return f"{link.frame_type.upper()} frames of {link.frame_length_bytes} bytes, {where}{container}{symbols}"


def _dictionary_text(mission: Mission) -> str:
    if mission.plan is None:
        return "none: packets are not decoded"
    n_containers = sum(not node.abstract for node in mission.plan.walk())
    return f"{n_containers} container{'s' if n_containers != 1 else ''}"


def _clock_text(mission: Mission) -> str:
    if not mission.time_terms:
        return "none: packets have no onboard time"
    terms = ", ".join(term.parameter for term in mission.time_terms)
    plain = "epoch + count less leap seconds" if mission.clock.counts_leap_seconds else "epoch + count"
    by = f"correlation {mission.clock.correlation_id}" if mission.clock.segments else plain
    return f"{terms} since {iso_utc(mission.clock.epoch_utc_ns, 's')}; UTC is {by}"
