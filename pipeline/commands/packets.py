"""`downlink packets`: write the space packets of recordings to a file, to a file for each APID, or as a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..archive.packets import STANDARD_OUTPUT, PacketFile, packet_file
from ..dictionary.packet_fields import FieldReader, PacketFields
from ..messages.time_texts import iso_utc
from ..mission.loading import Mission
from ..model.batches import PacketBatch, Quality
from ..processing.chain import ProcessingChain
from ..processing.passes import outcomes, station_names
from ..system.outputs import check_file, check_folder, check_replace

Progress = Callable[[int], None]
HEADING = f"{'received (UTC)':29} {'apid':>4} {'count':>5} {'bytes':>5}  {'channel':24} quality"
_HEX_BYTES = 16


def write_packets(
    passes: Sequence[Path],
    mission: Mission,
    out: Path,
    progress: Progress,
    *,
    by_apid: bool = False,
    merge: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write the complete space packets of recordings to a file; `-` is standard output. Returns the pass report.

    `by_apid`: `out` is a folder, which gets a file for each APID, and for each spacecraft if there are several; the
    report then has their names in `files`.
    """
    inputs = [*passes, *mission.files]
    if by_apid:
        check_folder(out, inputs)
    elif out != STANDARD_OUTPUT:
        check_file(out, inputs, overwrite=overwrite)
    chain = ProcessingChain(mission, until="packets", stations=station_names(mission, passes, merge=merge))
    found = (outcome.packets for outcome in outcomes(chain, passes, progress))
    if by_apid:
        names = _write_each(found, mission, out, inputs, overwrite=overwrite)
        return chain.report() | {"files": names}
    with packet_file(out) as file:
        for packets in found:
            file.add(packets)
    return chain.report()


def _write_each(
    found: Iterator[PacketBatch], mission: Mission, folder: Path, inputs: Sequence[Path], *, overwrite: bool
) -> list[str]:
    """Write a file for each APID; returns their names."""
    several = len({channel.spacecraft_id for channel in mission.channels}) > 1
    files: dict[Path, PacketFile] = {}
    with ExitStack() as stack:
        for packets in found:
            for scid, apid in sorted(set(zip(packets.scid.tolist(), packets.apid.tolist(), strict=True))):
                path = folder / (f"{scid}_{apid}.packets" if several else f"{apid}.packets")
                if path not in files:
                    check_replace([path], inputs, overwrite=overwrite, is_own=lambda _: False)
                    files[path] = stack.enter_context(packet_file(path))
                files[path].add(packets.take((packets.apid == apid) & (packets.scid == scid)))
    return [path.name for path in sorted(files)]


def list_packets(
    passes: Sequence[Path],
    mission: Mission,
    show: Callable[[str], None],
    progress: Progress,
    *,
    with_bytes: bool = False,
    with_fields: bool = False,
    merge: bool = False,
) -> dict[str, Any]:
    """Show a line for each packet, in order of completion: time, APID, count, length, channel, quality.

    `with_bytes`: below it the bytes, 16 a line, in hexadecimal and as text. `with_fields`: below it the fields.
    ConfigError for fields of a mission without a dictionary. Returns the pass report.
    """
    if with_fields:
        mission.check_dictionary()
    reader = field_reader(mission) if with_fields else None
    chain = ProcessingChain(mission, until="packets", stations=station_names(mission, passes, merge=merge))
    names = {
        (one.spacecraft_id, one.virtual_channel): f"{one.spacecraft_id}/{one.virtual_channel} {one.name}"
        for one in mission.channels
    }
    show(HEADING)
    for outcome in outcomes(chain, passes, progress):
        for text in _lines(outcome.packets, names, with_bytes=with_bytes, reader=reader):
            show(text)
    return chain.report()


def field_reader(mission: Mission) -> FieldReader | None:
    """The reader of the fields of single packets of a mission; None without a dictionary."""
    return FieldReader(mission.plan, joins=mission.segments != "separate") if mission.plan else None


def _lines(
    packets: PacketBatch, names: dict[tuple[int, int], str], *, with_bytes: bool, reader: FieldReader | None
) -> Iterator[str]:
    for k in range(len(packets)):
        received_ns = int(packets.received_ns[k])
        time = iso_utc(received_ns, "us") if received_ns else "unknown"
        channel = names.get((int(packets.scid[k]), int(packets.vcid[k])), "-")
        count, length = int(packets.seq_count[k]), int(packets.length[k])
        fields = f"{time:29} {int(packets.apid[k]):4} {count:5} {length:5}  {channel:24}"
        yield f"{fields} {_quality(int(packets.quality[k]))}"
        if not with_bytes and reader is None:
            continue
        start = int(packets.start[k])
        octets = packets.data[start : start + length].tobytes()
        if with_bytes:
            yield from _dump(octets)
        if reader is not None:
            yield from _field_lines(reader.read(octets))


def _quality(bits: int) -> str:
    return " ".join(str(one.name) for one in Quality if bits & one) or "good"


def _dump(octets: bytes) -> Iterator[str]:
    for at in range(0, len(octets), _HEX_BYTES):
        row = octets[at : at + _HEX_BYTES]
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        yield f"  {at:05x}  {row.hex(' '):{3 * _HEX_BYTES - 1}}  {text}"


def _field_lines(found: PacketFields) -> Iterator[str]:
    """Lines with the container, then for each field bits, name, raw and calibrated value with unit, and rule."""
    yield f"  {found.container or 'no container'}{': ' + found.why if found.why else ''}"
    width = max((len(one.name) for one in found.fields), default=0)
    for one in found.fields:
        value = f"{one.raw} -> {one.calibrated} {one.unit}".rstrip() if one.calibrated else one.raw
        yield f"    {one.bits:12} {one.name:{width}}  {value:32}  {one.rule}".rstrip()
