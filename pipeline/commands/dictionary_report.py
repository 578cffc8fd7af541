"""The report of `downlink check` on a dictionary: elements, warnings, containers, and results with packets.

In: paths of a dictionary, or a mission; packets to test it with. Out: lines of text, and the problems that would make
the loader refuse it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..dictionary.compile.extents import extent_of
from ..dictionary.compile.layout import lay_out
from ..dictionary.compile.plan import Plan, compile_plan
from ..dictionary.decoder import Decoder
from ..dictionary.model.definitions import Dictionary
from ..dictionary.run.records import RecordJoiner
from ..dictionary.survey import PASSED_OVER, REFUSED, Row, examine
from ..link.receiver import Receiver
from ..link.settings import ChannelSettings, LinkSettings
from ..mission.dictionary_files import ReaderOptions, load_csv, xtce_sources
from ..mission.loading import Mission
from ..model.batches import ByteBatch, PacketBatch
from ..model.errors import ConfigError, Problem

READ_BYTES = 16 << 20
MAX_REASONS = 5


@dataclass(frozen=True, slots=True)
class Examined:
    """Lines of a report; `problems`: why a mission with this dictionary would not load, `plan` is None then."""

    lines: tuple[str, ...]
    problems: tuple[Problem, ...]
    plan: Plan | None


def examine_dictionary(paths: Sequence[Path], options: ReaderOptions) -> Examined:
    """Read and compile a dictionary as a mission does."""
    if len(paths) == 1 and _is_csv(paths[0]):
        return _examine_csv(paths[0], options)
    roots = [options.roots] if isinstance(options.roots, str) else options.roots
    found = examine(
        xtce_sources(paths), strict=options.strict, roots=roots, leading_size_in_bits=options.leading_size_in_bits
    )
    lines = [_row_line(row) for row in found.rows]
    lines += [f"warning  {notice}" for notice in found.notices]
    if found.plan is not None and found.dictionary is not None:
        lines += container_lines(found.plan, found.dictionary)
    return Examined(tuple(lines), found.problems, found.plan)


def _row_line(row: Row) -> str:
    """One element: number of uses, status, and its first place if it is ignored or refused."""
    place = f"  {row.file}:{row.line}" if row.status in {PASSED_OVER, REFUSED} else ""
    return f"{row.n_uses:8,}  {row.status:13} {row.element}{place}"


def _is_csv(path: Path) -> bool:
    return path.suffix == ".csv" or (path.is_dir() and any(path.glob("*.csv")) and not any(path.rglob("*.xml")))


def _examine_csv(path: Path, options: ReaderOptions) -> Examined:
    try:
        dictionary, _ = load_csv(path)
        plan = compile_plan(dictionary, options.root)
    except ConfigError as error:
        return Examined((), error.problems, None)
    lines = [f"warning  {notice}" for notice in plan.notices]
    problems = (
        [Problem(each.text, each.file, each.line, each.key) for each in plan.notices] if options.strict else []
    )
    return Examined((*lines, *container_lines(plan, dictionary)), tuple(problems), plan)


def container_lines(plan: Plan, dictionary: Dictionary) -> Iterator[str]:
    """A line for each concrete container with the lengths in bytes of its shortest and longest packet."""
    for node in plan.walk():
        if node.abstract:
            continue
        low, high = extent_of(lay_out(dictionary.containers[node.key], dictionary), dictionary)
        least = (low + 7) // 8
        most = "any length" if high is None else f"{(high + 7) // 8:,}"
        length = f"{least:,}" if high == low else f"{least:,} to {most}"
        yield f"container  {node.key}: {length} bytes, {len(node.columns):,} parameters"


def packets_of(path: Path, link: LinkSettings, channels: Sequence[ChannelSettings]) -> Iterator[PacketBatch]:
    """The packets of a recording."""
    receiver = Receiver(link, list(channels))
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            yield receiver.receive(ByteBatch.of(piece)).packets
    yield receiver.flush().packets


def against(path: Path, plan: Plan, mission: Mission | None = None) -> tuple[list[str], int]:
    """Test a dictionary with packets. Returns a line for each APID, and the number of packets without a container."""
    link, channels = (mission.link, mission.channels) if mission else (LinkSettings("packets"), ())
    joiner = mission.record_joiner() if mission else RecordJoiner(apart=plan.apids_by_length)
    decoder = Decoder(plan)
    found: dict[int, Counter[str]] = {}
    reasons: dict[int, Counter[str]] = {}
    n_bytes = 0
    for packets in packets_of(path, link, channels):
        n_bytes += int(packets.length.sum())
        _try(joiner.join(packets) if joiner else packets, decoder, plan, found, reasons)
    if joiner:
        joiner.flush()
    n_found, n_lost = (sum(sum(each.values()) for each in table.values()) for table in (found, reasons))
    lines = [f"{path}: {n_found:,} of {n_found + n_lost:,} packets find a container"]
    lines += [
        _line(apid, found.get(apid, Counter()), reasons.get(apid, Counter())) for apid in sorted(found | reasons)
    ]
    n_other = path.stat().st_size - n_bytes if mission is None else 0
    if n_other > 0:
        lines.append(
            f"  {n_other:,} bytes are no whole packets" + ("" if n_bytes else ": is this a file of packets?")
        )
    if joiner and joiner.broken:
        lines.append(f"  {joiner.broken:,} records of segments are broken, and were not tried")
    return lines, n_lost


def _try(
    packets: PacketBatch,
    decoder: Decoder,
    plan: Plan,
    found: dict[int, Counter[str]],
    reasons: dict[int, Counter[str]],
) -> None:
    lost = np.ones(len(packets), np.bool_)
    before = decoder.n_seen
    for batch in decoder.decode(packets):
        lost[batch.order - before] = False
        for apid, n in zip(*np.unique(batch.apid, return_counts=True), strict=True):
            found.setdefault(int(apid), Counter())[batch.container] += int(n)
    for apid in np.unique(packets.apid[lost]):
        separate, rows = Decoder(plan), np.flatnonzero(lost & (packets.apid == apid))
        separate.decode(packets.take(rows))
        known = reasons.setdefault(int(apid), Counter())
        known.update(separate.set_aside)
        if separate.set_aside.total() < len(rows):  # found, where no packet came before
            known["by values of other packets"] += len(rows) - separate.set_aside.total()


def _line(apid: int, found: Counter[str], reasons: Counter[str]) -> str:
    into = [f"{n:,} {name}" for name, n in found.most_common()]
    why = [f"{n:,} {reason}" for reason, n in reasons.most_common(MAX_REASONS)]
    n_found, n_all = sum(found.values()), sum(found.values()) + sum(reasons.values())
    containers = f": {', '.join(into)}" if into else ""
    lack = f"; not: {', '.join(why)}" if why else ""
    return f"  APID {apid}: {n_found:,} of {n_all:,}{containers}{lack}"
