"""One packet: its bytes in hexadecimal, coloured by field, and each field with its values and the rule between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from bokeh.models import Select, TextInput, UIElement

from ..dictionary.packet_fields import NOT_DESCRIBED, PacketField, PacketFields
from . import theme
from .packet_bytes import KeptPacket
from .panels import Panel, below, controls, utc_text
from .stream import Stream
from .table import pick_attributes
from .theme import sheet
from .words import Words

NEWEST = "newest"
LINE_BYTES = 16
_WHOLE = 12
"""Characters of a cell that is never broken into two lines."""
MAX_SHOWN_BYTES, MAX_SHOWN_FIELDS = 4096, 600
NOT_PUBLISHED = (
    "its bytes do not come: packets are published with `--packets` of `downlink replay`, `stage decode` or `stage "
    "all`, or with packets = true below [products] in mission.toml; `downlink packets --hex --fields` shows those of a "
    "recording"
)
NO_DICTIONARY = "no dictionary is known for its fields: start `downlink dashboard` with --mission"
_HEADS = ("field", "bits", "raw", "calibrated", "unit", "rule")
_COLOURS = (theme.BLUE, theme.ORANGE, theme.GREEN, theme.VIOLET, theme.PINK)


class PacketView:
    """The packet that is chosen of an APID; `newest` follows what comes."""

    def __init__(self) -> None:
        css = {"stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.packet = Select(options=[NEWEST], value=NEWEST, width=250, height=28, name="packet", **css)
        self.field = TextInput(name="picked_field", visible=False)
        self._body = Words(
            theme.PACKET_CSS + theme.PICK_CSS, sizing_mode="stretch_both", margin=0, name="packet_bytes"
        )
        self.panel = Panel("Packet", self._body.root, None, {}, "")
        self.panel.root.stylesheets = [*self.panel.root.stylesheets, sheet(theme.TALL_CSS)]
        self._known: tuple[Any, ...] = ()
        self._shown: tuple[Stream, int] | None = None
        self.root: UIElement = below(controls(self.packet, self.field), self.panel.root, visible=False)
        self.packet.on_change("value", self._again)
        self.field.on_change("value", self._again)

    def _again(self, _attr: str, _old: object, _new: object) -> None:
        if self._shown is not None:
            self.show(*self._shown)

    def show(self, stream: Stream, apid: int) -> None:
        """Show a packet of an APID."""
        self._shown = stream, apid
        kept = stream.octets.of(apid)
        self._offer(kept, apid)
        chosen = next((one for one in kept if _label(one) == self.packet.value), kept[0] if kept else None)
        known = (stream.name, apid, chosen and chosen.number, self.field.value)
        if known == self._known:
            return
        self._known = known
        self.panel.title = f"APID {apid}"
        if chosen is None:
            self.panel.set_caption("", note=NOT_PUBLISHED)
            self._body.set("")
            return
        reader = stream.mission.reader if stream.mission else None
        found = reader.read(chosen.octets) if reader else PacketFields("", (), NO_DICTIONARY)
        self.panel.set_caption(found.container, detail=f"count {chosen.seq_count:,} · {len(chosen.octets):,} bytes",
                        note=found.why)  # fmt: skip
        self._body.set(html(chosen.octets, found, self.field))

    def _offer(self, kept: Sequence[KeptPacket], apid: int) -> None:
        options = [NEWEST, *map(_label, kept)]
        if self._known[1:2] != (apid,) and self.packet.value != NEWEST:
            self.packet.value = NEWEST
        if options != self.packet.options:
            value = self.packet.value if self.packet.value in options else NEWEST
            self.packet.update(options=options, value=value)


def _label(packet: KeptPacket) -> str:
    came = f", came {utc_text(packet.utc_ns)[11:]}" if packet.utc_ns else ""
    return f"count {packet.seq_count}{came} (no. {packet.number + 1})"


def html(octets: bytes, found: PacketFields, picked: TextInput) -> str:
    """The bytes and the table of fields. `picked`: the number of the field that is chosen."""
    fields = found.fields
    chosen = int(picked.value) if picked.value.isdecimal() and int(picked.value) < len(fields) else -1
    dump = "\n".join(_lines(octets[:MAX_SHOWN_BYTES], _fields_of_bits(octets, fields), fields, chosen))
    more = len(octets) - MAX_SHOWN_BYTES
    dump += f"\n<span class=place>and {more:,} more bytes</span>" if more > 0 else ""
    shown = [(k, one) for k, one in enumerate(fields) if one.name != NOT_DESCRIBED or one.size_bits >= 8]
    rows = "".join(_row(k, one, picked) for k, one in shown[:MAX_SHOWN_FIELDS])
    rest = len(shown) - MAX_SHOWN_FIELDS
    rows += f"<tr><td colspan={len(_HEADS)}>and {rest:,} more fields</td></tr>" if rest > 0 else ""
    head = "".join(f"<th scope=col>{name}</th>" for name in _HEADS)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if fields else ""
    return f"<pre aria-label='bytes of the packet'>{dump}</pre>{table}"


def _fields_of_bits(octets: bytes, fields: Sequence[PacketField]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """int64[bits]: the number of the field of each bit, -1 for none; of fields over one another the smaller one."""
    found = np.full(len(octets) * 8, -1, np.int64)
    for k in sorted(range(len(fields)), key=lambda k: -fields[k].size_bits):
        one = fields[k]
        if one.name != NOT_DESCRIBED:
            found[one.begin_bits : one.begin_bits + one.size_bits] = k
    return found


def _lines(
    octets: bytes,
    of_bits: np.ndarray[Any, np.dtype[np.int64]],
    fields: Sequence[PacketField],
    chosen: int,
) -> Iterator[str]:
    for at in range(0, len(octets), LINE_BYTES):
        row = octets[at : at + LINE_BYTES]
        bits = of_bits[at * 8 : (at + len(row)) * 8].reshape(-1, 8)
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        pad = " " * 3 * (LINE_BYTES - len(row))
        spans = "".join(_spans(row, bits, fields, chosen))
        yield f"<span class=place>{at:05x}</span>  {spans}{pad} <span class=text>{escape(text)}</span>"


def _spans(
    row: bytes, bits: np.ndarray[Any, np.dtype[np.int64]], fields: Sequence[PacketField], chosen: int
) -> Iterator[str]:
    """The bytes of a line; neighbours of one field are one span."""
    k = 0
    while k < len(row):
        end = k + 1
        if (bits[k] == bits[k, 0]).all():
            while end < len(row) and (bits[end] == bits[k, 0]).all():
                end += 1
        numbers = list(dict.fromkeys(bits[k].tolist()))
        known = [number for number in numbers if number >= 0]
        text = row[k:end].hex(" ")
        if not known:
            yield f"<span class=undescribed>{text}</span> "
        else:
            names = escape(", ".join(fields[number].name for number in known), quote=True)
            mark = " class=picked" if chosen in known else ""
            style = _gradient(bits[k])
            yield f"<span{mark} title='{names}' style='{style}'>{text}</span> "
        k = end


def colour_of(number: int) -> str:
    """The colour of a field: neighbours have different ones."""
    return _COLOURS[number % len(_COLOURS)]


def _gradient(bits: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """The background of a byte, split as its bits are: pale, with a line below in the full colour."""
    edges = [0, *(np.flatnonzero(np.diff(bits)) + 1).tolist(), 8]
    pale, full = [], []
    for low, high in pairwise(edges):
        colour = colour_of(int(bits[low])) if bits[low] >= 0 else "transparent"
        where = f"{low * 12.5:g}% {high * 12.5:g}%"
        full.append(f"{colour} {where}")
        pale.append(f"{colour}44 {where}" if colour != "transparent" else full[-1])
    line = f"linear-gradient(to right, {', '.join(full)}) 0 100% / 100% 2px no-repeat"
    return f"background: {line}, linear-gradient(to right, {', '.join(pale)})"


def _row(number: int, one: PacketField, picked: TextInput) -> str:
    swatch = f"<i style='background: {colour_of(number)}'></i>" if one.name != NOT_DESCRIBED else ""
    kind = " class=undescribed" if one.name == NOT_DESCRIBED else ""
    cells = (one.bits, one.raw, one.calibrated, one.unit, one.rule)
    inner = "".join(f"<td{' class=number' if len(cell) <= _WHOLE else ''}>{escape(cell)}</td>" for cell in cells)
    return f"<tr{pick_attributes(picked, str(number))}><td{kind}>{swatch}{escape(one.name)}</td>{inner}</tr>"
