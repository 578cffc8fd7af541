"""F Prime dictionaries: what F Prime's ground system reads from packets is what our own loader reads."""

import json
import math

import pytest
from witness import ask

U8, I16, F32 = ({"name": name, "kind": "integer" if name[0] != "F" else "float"} for name in ("U8", "I16", "F32"))
TYPES = [
    {"kind": "enum", "qualifiedName": "Ref.Mode", "representationType": {"name": "I32", "kind": "integer"},
     "enumeratedConstants": [{"name": "IDLE", "value": 0}, {"name": "BUSY", "value": 1}, {"name": "LOST", "value": -5}],
     "default": "Ref.Mode.IDLE"},
    {"kind": "array", "qualifiedName": "Ref.Three", "size": 3, "elementType": F32, "default": [0, 0, 0]},
    {"kind": "alias", "qualifiedName": "Ref.Small", "type": U8, "underlyingType": U8},
    {"kind": "struct", "qualifiedName": "Ref.Pair", "default": {}, "members": {
        "second": {"type": {"name": "Ref.Mode", "kind": "qualifiedIdentifier"}, "index": 1},
        "first": {"type": I16, "index": 0},
        "four": {"type": U8, "index": 2, "size": 4}}},
]  # fmt: skip


def channel(name, number, kind, **more):
    return {"name": f"Ref.comp.{name}", "id": number, "type": kind, "telemetryUpdate": "always", **more}


def named(name):
    return {"name": name, "kind": "qualifiedIdentifier"}


def text(size):
    return {"name": "string", "kind": "string", "size": size}


LIMITS = {"low": {"red": -100, "yellow": -50}, "high": {"yellow": 80, "orange": 90, "red": 100}}
CHANNELS = [
    channel("Counter", 1, {"name": "U64", "kind": "integer"}, annotation="counts", format="{d}"),
    channel("Temp", 2, I16, limits=LIMITS),
    channel("Mode", 3, named("Ref.Mode")),
    channel("Vector", 4, named("Ref.Three")),
    channel("Label", 5, text(20)),
    channel("Pair", 6, named("Ref.Pair")),
    channel("Small", 7, named("Ref.Small")),
    channel("Flag", 8, {"name": "bool", "kind": "bool"}),
    channel("Real", 9, {"name": "F64", "kind": "float"}),
]  # fmt: skip
SETS = [{"name": "All", "members": [
    {"name": "First", "id": 1, "group": 0, "members": ["Ref.comp.Counter", "Ref.comp.Label", "Ref.comp.Pair"]},
    {"name": "Second", "id": 2, "group": 0, "members": ["Ref.comp.Vector", "Ref.comp.Flag", "Ref.comp.Label"]},
], "omitted": []}]  # fmt: skip
EVENTS = [
    {"name": "Ref.comp.Started", "id": 17, "severity": "ACTIVITY_HI", "format": "Started {} at {}", "formalParams": [
        {"name": "who", "type": text(16), "ref": False}, {"name": "temp", "type": I16, "ref": False},
        {"name": "mode", "type": named("Ref.Mode"), "ref": False}]},
]  # fmt: skip
WHOLE = {
    "metadata": {"deploymentName": "Ref", "frameworkVersion": "4.0.0", "projectVersion": "1", "libraryVersions": [],
                 "dictionarySpecVersion": "1.0.0"},
    "typeDefinitions": TYPES, "constants": [], "telemetryChannels": CHANNELS, "events": EVENTS,
    "commands": [{"name": "Ref.comp.NO_OP", "commandKind": "async", "opcode": 1, "formalParams": []}],
    "parameters": [], "records": [], "containers": [], "telemetryPacketSets": SETS,
}  # fmt: skip
TIME = bytes.fromhex("0002 07 00000064 00000001")


@pytest.fixture
def reference(carried):
    return carried("RefTopologyDictionary.json", json.dumps(WHOLE, indent=1))


def with_time(octets):
    """A time that F Prime takes: of the workstation, less than a million microseconds."""
    at = 10 if octets[1] == 4 else 12
    return octets[:at] + TIME + octets[at + len(TIME) :]


def ours_of(row, names):
    """Values by qualified name, as F Prime has them: structures as maps."""
    _, calibrated, _ = row
    found = {}
    for name in names:
        end = name.rpartition(".")[2]
        members = {
            key.removeprefix(f"{end}."): value for key, value in calibrated.items() if key.startswith(f"{end}.")
        }
        found[name] = members or calibrated[end]
    return found


def same(ours, theirs):
    if isinstance(theirs, dict):
        return set(ours) == set(theirs) and all(same(ours[name], theirs[name]) for name in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float):
        return ours == pytest.approx(theirs) or (math.isnan(ours) and math.isnan(theirs))
    return ours == theirs


@pytest.mark.witness
def test_a_thousand_packets_are_what_fprime_reads(reference):
    packets = [with_time(each) for each in reference.packets(2400)]
    asked = {"dictionary": str(reference.path), "set": "All", "packets": [each.hex() for each in packets]}
    answers = ask("fprime-gds", "fprime_reads.py", asked)
    rows = reference.rows(packets)
    kinds = set()
    n = 0
    for row, theirs in zip(rows, answers, strict=True):
        if theirs is None:
            continue
        assert same(ours_of(row, theirs), theirs), (row, theirs)
        n += 1
        kinds.add(row[0])
    assert n >= 1000
    assert kinds == {each["name"].rpartition(".")[2] for each in CHANNELS} | {"First", "Second", "Started"}


def test_a_channel_is_known_by_apid_and_id_and_has_its_time(reference):
    body = bytes.fromhex("0001 00000002 0002 00 00000005 0007a120 ff9c")
    (row,) = reference.rows([bytes.fromhex("0001 c000") + (len(body) - 1).to_bytes(2, "big") + body])
    assert (row[0], row[1]["Temp"], row[1]["TIME_SECONDS"], row[1]["TIME_MICROSECONDS"]) == (
        "Temp",
        -100,
        5,
        500_000,
    )
    alarm = reference.dictionary.parameters["Temp"].type.limits.alarm
    assert {level: (where.low, where.high) for level, where, _ in alarm.bands} == {
        2: (-50, 80), 3: (-math.inf, 90), 4: (-100, 100),
    }  # fmt: skip


def test_in_a_packet_a_text_takes_the_room_of_the_longest(reference):
    body = bytes.fromhex("0004 0001 0002 00 00000005 00000000 0000000000000007 0002 6869") + bytes(18)
    body += bytes.fromhex("0102 fffffffb 01020304")
    (row,) = reference.rows([bytes.fromhex("0004 c000") + (len(body) - 1).to_bytes(2, "big") + body])
    assert (row[0], row[1]["Counter"], row[1]["Label"], row[1]["Pair.first"]) == ("First", 7, "hi", 258)
    assert (row[1]["Pair.second"], row[1]["Pair.four"]) == ("LOST", [1, 2, 3, 4])


def test_what_is_lost_is_listed_with_its_line(reference):
    lines = reference.path.read_text().splitlines()
    told = {(loss.kind, loss.name) for loss in reference.losses}
    assert told == {("format", "Ref.comp.Counter"), ("format", "Ref.comp.Started"), ("command", "Ref.comp.NO_OP")}
    assert all(loss.name in lines[loss.line - 1] for loss in reference.losses)
