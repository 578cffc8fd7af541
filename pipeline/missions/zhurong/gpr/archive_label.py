"""The PDS4 label of a radar table, in the structure of the archived ones, written from the products.

Left out: source products and dates of release, which the archive assigns, and the date of writing, so that equal
products make equal files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from ....archive.collection import Collection, Origin
from ....archive.pds4_observation import Header, LocalTime, lineage, local_times, observational, pds4_rules, place
from ....archive.pds4_xml import add, add_texts, document
from .archive_record import HIGH, LEVEL, MISSING, Layout

_GROUND = (
    "Appended on the ground by downlink, not by GRAS. Rover_Location is that of the record, counted from where its "
    "frame began, by the waypoints of the pass, of which the first is taken to begin at the landing site; it has its "
    "missing constant where they are not there; "
    "Rover_Attitude is that of the rover turned to east-north-up (roll + 180, -pitch, 90 - yaw); the solar angles "
    "are computed for the landing site; Quality_Information is 0 where the record is usable, else has "
    "bits 2 to 7 of the quality word of downlink and bit 0 for its higher ones."
)
_BITS, _BYTE, _WORD, _SIGNED = "UnsignedBitString", "UnsignedByte", "UnsignedMSB2", "SignedMSB2"
_FLOAT = "IEEE754LSBSingle"
_FIELDS: dict[str, tuple[tuple[str, str, int, str, str], ...]] = {
    "channel": (("Channel", _BITS, 4, "none", "channel word"),),
    "onboard_seconds": (("Time", _BITS, 6, "none", "seconds (4 bytes) and milliseconds (2) of the rover clock"),),
    "onboard_milliseconds": (),
    "frame_count": (("Frame_Count", _BYTE, 1, "none", "count of traces, shared by the polarisations"),),
    "data_node": (("Data_node", _BITS, 1, "none", "content of the science data"),),
    "work_mode": (("Work_Mode", _BITS, 1, "none", "0xFF science, 0xCC self-test"),),
    "trigger_mode": (("Trigger_Mode", _BITS, 1, "none", "0x0F: each fixed distance"),),
    "polarization": (
        ("Antenna_Polarization_HF", _BITS, 1, "none", "0xEE: HH; assumed: 0xE1: HV, 0x1E: VH, 0x11: VV"),
    ),
    "self_test_switch": (("Power-on_Self-test_Switch", _BITS, 1, "none", "self-test at power-on"),),
    "sampling_window": (("Sampling_Window_LF", _BITS, 1, "none", "0xAA: 15 us"),),
    "trace_interval": (("Detection_Interval_Low", _BITS, 1, "none", "centimetres between traces"),),
    "effective_length_bytes": (("Effective_Data_Length", _WORD, 2, "none", "bytes of science data that count"),),
    "samples": (),
    "navigation_block": (
        *((f"Velocity_V{axis}", _SIGNED, 2, "10um/s", "sign and magnitude") for axis in "xyz"),
        *((f"Position_{axis}", _SIGNED, 2, "0.01m", "sign and magnitude") for axis in "XYZ"),
        *((angle, _SIGNED, 2, "0.005493deg", "sign and magnitude") for angle in ("Pitch", "Yaw", "Roll")),
    ),
    "ground": (
        *(
            (f"Rover_Location_{axis}", _FLOAT, 4, "m", "east, north, up (X, Y, Z) of the landing site")
            for axis in "XYZ"
        ),
        *((f"Rover_Attitude_{a}", _FLOAT, 4, "deg", "to east-north-up") for a in ("Roll", "Pitch", "Yaw")),
        ("Solar_Incidence_Angle", _FLOAT, 4, "deg", "at the landing site"),
        ("Solar_Azimuth_Angle", _FLOAT, 4, "deg", "at the landing site, clockwise from north"),
    ),
    "quality": (("Quality_Information", _BITS, 1, "none", "0: usable; else what makes the record doubtful"),),
}
"""PDS4 fields of each part of a record: name, type, bytes, unit, description."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the label of a table is made from. `mars` is (sol, LMST h, LTST h) of its ends, or empty."""

    layout: Layout
    name: str
    word: str
    n_records: int
    utc_ns: tuple[int, int]
    mars: tuple[LocalTime, ...]
    md5: str


def label(facts: TableFacts, origin: Origin, sources: Sequence[Collection]) -> bytes:
    """The label as XML."""
    header = Header(
        facts.name,
        "gpr",
        "RoPeR",
        LEVEL,
        "Calibrated",
        ("Microwave" if facts.layout is HIGH else "Radio",),
        "Geosciences",
        facts.utc_ns,
        f"{facts.mars[0][0]:05d}" if facts.mars else "",
        _GROUND,
    )
    root, mission = observational(header, origin)
    _mission(mission, facts, origin, sources)
    _file(add(root, "File_Area_Observational"), facts)
    return document(root, pds4_rules(origin).schemas)


def _mission(area: ET.Element, facts: TableFacts, origin: Origin, sources: Sequence[Collection]) -> None:
    own = facts.word.removeprefix(facts.layout.word).replace("-", "_")
    mode = {
        "channel": facts.layout.channel,
        "data_content": f"{facts.layout.content}{own}",
        "trigger_mode": "Fixed_Distance_Trigger",
    }
    add_texts(add(area, "Work_Mode_Parm"), mode)
    if origin.site is not None:
        place(add(area, "Landing_Site_Location"), origin.site)
    for end, mars in zip(("start_", "stop_"), facts.mars, strict=False):
        local_times(area, mars, end)
    lineage(add(area, "Lineage"), origin, sources, "gpr", [one for source in sources for one in source.ids])


def _file(area: ET.Element, facts: TableFacts) -> None:
    record_bytes = facts.layout.record.itemsize
    file = add(area, "File")
    add(file, "file_name", facts.name)
    add(file, "file_size", str(facts.n_records * record_bytes), unit="byte")
    add(file, "records", str(facts.n_records))
    add(file, "md5_checksum", facts.md5)
    table = add(area, "Table_Binary")
    add(table, "offset", "0", unit="byte")
    add(table, "records", str(facts.n_records))
    record = add(table, "Record_Binary")
    layout = facts.layout.record
    parts = [(name, layout.fields[name][1]) for name in layout.names or ()] if layout.fields else []
    add(record, "fields", str(sum(len(_FIELDS[name]) for name, _ in parts)))
    add(record, "groups", "1")
    add(record, "record_length", str(record_bytes), unit="byte")
    number = 0
    for name, offset in parts:
        at = int(offset) + 1
        if name == "samples":
            _samples(add(record, "Group_Field_Binary"), facts.layout, at)
        for field in _FIELDS[name]:
            number += 1
            _field(record, number, at, field)
            at += field[2]


def _samples(group: ET.Element, layout: Layout, at: int) -> None:
    n_samples = layout.record["samples"].shape[0]
    names = ("Scientific_Data_R", "Scientific_Data_I") if layout.in_pairs else ("ECHO_DATA",)
    add_texts(
        group,
        {
            "name": "Scientific_Data",
            "group_number": "1",
            "repetitions": str(n_samples // len(names)),
            "fields": str(len(names)),
            "groups": "0",
        },
    )
    add(group, "group_location", str(at), unit="byte")
    add(group, "group_length", str(4 * n_samples), unit="byte")
    how = "pairs of real and imaginary" if layout.in_pairs else "all reals, then all imaginaries, then zeros"
    for number, name in enumerate(names, 1):
        _field(group, number, 4 * number - 3, (name, _FLOAT, 4, "none", f"spectrum after pulse compression: {how}"))


def _field(parent: ET.Element, number: int, at: int, field: tuple[str, str, int, str, str]) -> None:
    name, data_type, n_bytes, unit, description = field
    one = add(parent, "Field_Binary")
    add_texts(one, {"name": name, "field_number": str(number)})
    add(one, "field_location", str(at), unit="byte")
    add(one, "data_type", data_type)
    add(one, "field_length", str(n_bytes), unit="byte")
    add_texts(one, {"unit": unit, "description": description})
    if name.startswith(("Rover_Location", "Solar")):
        add(add(one, "Special_Constants"), "missing_constant", f"{MISSING:.1f}")
