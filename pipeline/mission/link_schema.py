"""The tables `[link]` and `[[channel]]` of `mission.toml`: keys, and checks of their combinations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..link.settings import (
    Basis,
    ByteOrder,
    ChannelSettings,
    CodewordOrder,
    Container,
    FrameType,
    Framing,
    InsertZoneTime,
    LinkSettings,
    RecordTime,
    ReedSolomonSettings,
    Service,
    Symbols,
    TimeUnit,
    settings_of_channel,
)
from ..link.validity import settings_problems, zone_problems
from ..products.received_files import CfdpSettings
from .packages import usable_packages

ReportProblem = Callable[[str, str], None]
"""Called with a key and its problem."""
_NO_TIME = " is no ISO 8601 time, such as 2000-01-01T00:00:00Z"


class Strict(BaseModel):
    """A table without unknown keys, whose values have exactly the declared types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class ReedSolomonTable(Strict):
    """`reed_solomon = {...}`."""

    parity: Literal[16, 32]
    """Parity symbols of a codeword (131.0-B 4)."""
    interleave: Annotated[int, Field(ge=1, le=8)]
    """Number of codewords in a block, interleaved by symbols."""
    basis: Basis
    """Basis of the symbols on the link: Berlekamp's dual basis, or the conventional one."""
    virtual_fill: Annotated[int, Field(ge=0, le=222)] = 0
    """Number of symbols of each codeword that are not sent."""
    fill_value: Annotated[int, Field(ge=0, le=255)] = 0
    """Value of the symbols that are not sent, in the representation of `basis`."""
    codewords: CodewordOrder = "interleaved"
    """`consecutive`: the codewords of a block follow one another, each with its parity."""
    check: bool = True
    """`false`: the parity is removed without a check."""


class RecordTimeTable(Strict):
    """One of `record_time`."""

    offset: Annotated[int, Field(ge=0, le=65535)]
    """Offset of its first byte in the prefix."""
    bytes: Annotated[int, Field(ge=1, le=8)]
    """Size of the unsigned integer."""
    unit: TimeUnit
    """Unit of one count."""
    byte_order: ByteOrder = "big"
    """Which byte comes first: the most significant one (`big`) or the least (`little`)."""


class InsertZoneTimeTable(Strict):
    """`insert_zone_time = {...}`."""

    bytes: Annotated[int, Field(ge=1, le=8)]
    """Size of the count, an unsigned integer."""
    per_second: Annotated[int, Field(ge=1, le=10**9)]
    """Counts per second: 10_000 for 100 us, 65_536 for 2^-16 s."""
    epoch: str
    """Time of count 0: ISO 8601, UTC."""
    offset: Annotated[int, Field(ge=0, le=1023)] = 0
    """Offset of its first byte in the insert zone."""
    byte_order: ByteOrder = "big"
    """Which byte comes first: the most significant one (`big`) or the least (`little`)."""


class LinkTable(Strict):
    """`[link]`."""

    framing: Framing
    """`cadu`: sync marker and coded block; `codeblocks`: coded or randomised blocks without marker; `frames`: transfer
    frames alone; `packets`: space packets alone."""
    frame_type: FrameType = "aos"
    """Type of the transfer frames: AOS (732.0-B), TM (132.0-B), USLP (732.1-B)."""
    frame_length_bytes: Annotated[int, Field(ge=7, le=65536)] | None = None
    """Length of a transfer frame, without parity. Required unless the framing is `packets`."""
    sync_marker: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){2,8}$")] = "1ACFFC1D"
    """Sync marker in hexadecimal; framing `cadu`."""
    randomizer: bool = False
    """Whether the block is randomised (131.0-B 10); framing `cadu`, `codeblocks`."""
    reed_solomon: ReedSolomonTable | None = None
    """Reed-Solomon code of the block, if it is coded; framing `cadu`, `codeblocks`."""
    fecf: bool = False
    """Whether the frame ends with a CRC-16, the frame error control field."""
    insert_zone_bytes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Size of the insert zone between header and data field; AOS, USLP."""
    operational_control_field: bool = False
    """Whether four bytes follow the data field; TM frames have a flag for this."""
    header_error_control: bool = False
    """Whether the header has its own two bytes of parity; AOS."""
    packet_prefix_bytes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Bytes to skip before each packet; framing `packets`."""
    long_randomizer: bool = False
    """With `randomizer`: whether the sequence is that of 131,071 bits."""
    marker_errors_searching: int | None = None
    """Bit errors allowed in a marker during the search; default: 1 in 32 bits."""
    marker_errors_locked: int | None = None
    """Bit errors allowed in a marker while locked; default: 4 in 32 bits."""
    flywheel_frames: int = 2
    """Number of consecutive markers that may be missing without loss of lock."""
    insert_zone_time: InsertZoneTimeTable | None = None
    """Time in the insert zone: receive time of frames without one in the recording; AOS."""
    insert_zone_codec: str = ""
    """Instead of `insert_zone_time`: name of a layout in an installed mission package."""
    reorder_window_frames: int = 4
    """Largest delay of a missing frame, in frames of the link."""
    container: Container = "none"
    """Container of the link in the recording: `kiss` frames, a `pcap` (pcapng) capture of UDP packets, or both."""
    kiss_time_port: Annotated[int, Field(ge=0, le=15)] = 9
    """KISS port of the next frame's receive time: 8 bytes, big-endian ms since 1970."""
    udp_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """UDP port of a capture to read; default: all."""
    symbols: Symbols = "packed"
    """`unpacked`: one bit per byte; `int8`, `float32`: soft symbols, of which only the sign is used: positive is 1."""
    record_prefix_bytes: Annotated[int, Field(ge=0, le=65536)] = 0
    """Bytes that the recorder adds before each frame, or before its marker."""
    record_suffix_bytes: Annotated[int, Field(ge=0, le=65536)] = 0
    """Bytes that the recorder adds after each frame, or after its parity."""
    record_time: Annotated[list[RecordTimeTable], Field(min_length=1, max_length=4)] | None = None
    """Receive time in the prefix: the epoch plus the sum of these."""
    record_time_epoch: str | None = None
    """Epoch of `record_time`: ISO 8601, UTC; default: 1970-01-01."""
    secondary_header_bytes: Annotated[int, Field(ge=0, le=64)] | None = None
    """Total length of the secondary header, if its length field is wrong; TM."""
    ignore_synchronization_flag: bool = False
    """Whether frames contain packets even if their synchronisation flag is set; TM."""
    security_header_bytes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Size of a security header (355.0-B) before the data field; it is skipped."""
    security_trailer_bytes: Annotated[int, Field(ge=0, le=1024)] = 0
    """Size of a security trailer after the data field; it is skipped."""
    mpdu_header: bool = True
    """`false`: the data field of each frame begins with a packet, without an M_PDU header; AOS."""


class ApidTable(Strict):
    """`[[apid]]`."""

    apid: Annotated[int, Field(ge=0, le=2046)]
    """APID of the packets."""
    service: Literal["cfdp"]
    """Content of their data field: a PDU of the file delivery protocol (CCSDS 727.0-B), unacknowledged."""
    header_bytes: Annotated[int, Field(ge=0, le=64)] = 0
    """Size of a secondary header before the PDU."""


class ChannelTable(Strict):
    """`[[channel]]`."""

    spacecraft_id: Annotated[int, Field(ge=0, le=65535)]
    """Spacecraft id of its frames."""
    virtual_channel: Annotated[int, Field(ge=0, le=63)]
    """Virtual channel id of its frames."""
    name: Annotated[str, Field(min_length=1, max_length=80)]
    """Its name in the report and in topics."""
    service: Service | Literal["cfdp"] = "packets"
    """Content of its frames: `packets` (M_PDU), `bitstream`, `data` or `idle`. `cfdp`: packets, each with a PDU of the
    file delivery protocol."""
    hand_on_fragments: bool = False
    """Whether packets cut by a gap are also output, with a flag."""
    secondary_header_bytes: Annotated[int, Field(ge=0, le=64)] | None = None
    """As in `[link]`, for this channel only."""
    ignore_synchronization_flag: bool | None = None
    """As in `[link]`."""
    security_header_bytes: Annotated[int, Field(ge=0, le=1024)] | None = None
    """As in `[link]`."""
    security_trailer_bytes: Annotated[int, Field(ge=0, le=1024)] | None = None
    """As in `[link]`."""
    mpdu_header: bool | None = None
    """As in `[link]`."""


def link_problems(link: LinkTable, *, whole: bool) -> Iterator[tuple[str, str]]:
    """Yield key and text of contradictions. `whole`: no invalid key was removed from the table before."""
    if link.framing == "packets":
        yield from _frame_keys_of_packets(link)
        yield from ((found.key, found.text) for found in settings_problems(link_settings(link)))
        return
    if link.frame_length_bytes is None:
        if whole:  # else the key may be misspelled
            yield "link", f'frame_length_bytes is missing: framing "{link.framing}" has frames'
        return
    foreign = {"packet_prefix_bytes": 'belongs to framing "packets"'}
    if link.framing == "frames":
        foreign |= dict.fromkeys(("reed_solomon", "randomizer"), 'belongs to framing "cadu" or "codeblocks"')
    if link.frame_type == "tm":
        foreign |= dict.fromkeys(("insert_zone_bytes", "header_error_control"), "a TM frame has none")
    yield from ((f"link.{name}", text) for name, text in foreign.items() if getattr(link, name))
    yield from _epoch_problems(link)
    yield from _insert_time_problems(link)
    yield from ((found.key, found.text) for found in settings_problems(link_settings(link)))


def _frame_keys_of_packets(link: LinkTable) -> Iterator[tuple[str, str]]:
    """Yield keys of frames that are set although the link has no frames."""
    for name in ("record_prefix_bytes", "record_time"):
        if getattr(link, name):
            yield f"link.{name}", 'belongs to frames: framing "packets" has packet_prefix_bytes'
    given = {
        **{
            name: getattr(link, name)
            for name in ("record_suffix_bytes", "security_header_bytes", "security_trailer_bytes")
        },
        "secondary_header_bytes": link.secondary_header_bytes is not None,
        "ignore_synchronization_flag": link.ignore_synchronization_flag,
        "mpdu_header": not link.mpdu_header,
    }
    for name in (name for name, is_given in given.items() if is_given):
        yield f"link.{name}", 'belongs to frames: framing "packets" has none'


def _epoch_problems(link: LinkTable) -> Iterator[tuple[str, str]]:
    if link.record_time_epoch is None:
        return
    if not link.record_time:
        yield "link.record_time_epoch", "there is no record_time that counts from it"
    if ns_of(link.record_time_epoch) is None:
        yield "link.record_time_epoch", f"'{link.record_time_epoch}'{_NO_TIME}"


def _insert_time_problems(link: LinkTable) -> Iterator[tuple[str, str]]:
    name, table = link.insert_zone_codec, link.insert_zone_time
    if name and table:
        yield "link.insert_zone_codec", "there is an insert_zone_time already: one of the two"
    elif name and name not in (known := _named_insert_times()):
        why = f"no package brings '{name}' ({', '.join(sorted(known)) or 'none'}): give its layout as insert_zone_time"
        yield "link.insert_zone_codec", why
    if table and ns_of(table.epoch) is None:
        yield "link.insert_zone_time.epoch", f"'{table.epoch}'{_NO_TIME}"


def _named_insert_times() -> dict[str, InsertZoneTimeTable]:
    """Layouts of insert zones of installed packages, by name."""
    found: dict[str, InsertZoneTimeTable] = {}
    for name, table in ((*item,) for one in usable_packages()[0] for item in one.package.insert_zones.items()):
        with suppress(ValidationError):  # as if it were absent: a mission that names it gets a problem
            found[name] = InsertZoneTimeTable.model_validate(table)
    return found


def _insert_time(link: LinkTable) -> InsertZoneTime | None:
    table = link.insert_zone_time
    if table is None and link.insert_zone_codec:
        table = _named_insert_times().get(link.insert_zone_codec)
    if table is None:
        return None
    return InsertZoneTime(table.bytes, table.per_second, ns_of(table.epoch) or 0, table.offset, table.byte_order)


def ns_of(text: str | None) -> int | None:
    """Parse an ISO 8601 time to ns since 1970 UTC (0 without a text); None if it is invalid."""
    try:
        epoch = datetime.fromisoformat(text or "1970-01-01")
    except ValueError:
        return None
    aware = epoch if epoch.tzinfo else epoch.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000 + aware.microsecond * 1000


def check_channels(channels: list[tuple[int, ChannelTable]], link: LinkTable, report: ReportProblem) -> None:
    """Check that identifiers fit into the frame header and are unique, and that channel keys fit the frame type."""
    frame_type = link.frame_type
    most_scid, most_vcid = {"aos": (1023, 63), "tm": (1023, 7), "uslp": (65535, 63)}[frame_type]
    seen: set[tuple[int, int]] = set()
    for index, channel in channels:
        if channel.spacecraft_id > most_scid:
            report(f"channel.{index}.spacecraft_id", f"a frame of type {frame_type} has 0 to {most_scid}")
        if channel.virtual_channel > most_vcid:
            report(f"channel.{index}.virtual_channel", f"a frame of type {frame_type} has 0 to {most_vcid}")
        identity = channel.spacecraft_id, channel.virtual_channel
        if identity in seen:
            report(f"channel.{index}.virtual_channel", "this channel is defined twice")
        seen.add(identity)
        settings = link_settings(link)
        own = settings_of_channel(settings, channel_settings([channel])[0])
        if own is not settings and link.frame_length_bytes is not None:
            for found in zone_problems(own, f"channel.{index}"):
                report(found.key, found.text)


def link_settings(link: LinkTable) -> LinkSettings:
    """Convert the table to the settings of the link layer."""
    special = {"reed_solomon", "sync_marker", "frame_length_bytes", "record_time", "record_time_epoch"}
    special |= {"insert_zone_time", "insert_zone_codec"}
    values = link.model_dump(exclude=special)
    times = tuple(RecordTime(one.offset, one.bytes, one.unit, one.byte_order) for one in link.record_time or ())
    code = ReedSolomonSettings(**link.reed_solomon.model_dump()) if link.reed_solomon else None
    return LinkSettings(
        **values,
        reed_solomon=code,
        sync_marker=bytes.fromhex(link.sync_marker),
        frame_length_bytes=link.frame_length_bytes or 0,
        record_time=times,
        record_time_epoch_ns=ns_of(link.record_time_epoch) or 0,
        insert_zone_time=_insert_time(link),
    )


def channel_settings(channels: list[ChannelTable]) -> tuple[ChannelSettings, ...]:
    """Convert the tables to the channel settings of the link layer."""
    return tuple(ChannelSettings(**{**channel.model_dump(), "service": _of_link(channel)}) for channel in channels)


def _of_link(channel: ChannelTable) -> Service:
    """The service of the link layer: CFDP PDUs are in packets."""
    return "packets" if channel.service == "cfdp" else channel.service


def cfdp_settings(channels: list[ChannelTable], apids: list[ApidTable]) -> CfdpSettings:
    """The channels and APIDs whose packets hold PDUs of CFDP."""
    whole = ((one.spacecraft_id, one.virtual_channel) for one in channels if one.service == "cfdp")
    return CfdpSettings(frozenset(whole), {one.apid: one.header_bytes for one in apids})
