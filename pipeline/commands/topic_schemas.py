"""JSON Schemas of the payloads of all missions: products, quantities, counters, events, reports and status."""

from __future__ import annotations

from typing import Any

from ..model.batches import QUALITY_MEANINGS, Quality

SEVERITIES = {"info": "good to know", "warning": "something is missing or out of limits", "error": "needs a person"}

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_INTEGERS: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
_PAIR: dict[str, Any] = {"type": "array", "minItems": 2, "maxItems": 2}
_TIME: dict[str, Any] = {"type": ["string", "null"], "description": "UTC, ISO 8601; null if unknown"}
_COUNTERS = "scid vcid frames duplicates gaps lost_frames packets"
_FRAMES = "read clean corrected uncorrectable failed_check other_channel"
_BITS = "; ".join(f"{bit.value} {bit.name}: {QUALITY_MEANINGS[str(bit.name)]}" for bit in Quality)


def _map(required: str, about: str = "", /, **properties: Any) -> dict[str, Any]:
    """The schema of an object. `required`: keys, separated by spaces."""
    description = {"description": about} if about else {}
    return {"type": "object", **description, "required": required.split(), "properties": properties}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: dict[str, dict[str, Any]] = {
    "Array": _map(
        "dtype shape data",
        "numpy.frombuffer(data, dtype).reshape(shape): C order, little-endian",
        dtype=_TEXT,
        shape=_INTEGERS,
        data={"type": "string", "format": "binary"},
        unit=_TEXT,
        description=_TEXT,
        dims={"type": "array", "items": _TEXT, "description": 'names of the axes; "row" is one measurement'},
    ),
    "Product": _map(
        "id mission stream instrument product level time arrays quality quality_bits doubtful_mask lineage",
        id={"type": "string", "description": "digest of the content: products with equal ids are equal"},
        mission=_TEXT,
        stream=_TEXT,
        instrument=_TEXT,
        product=_TEXT,
        level={"type": "string", "description": "processing level"},
        simulated={
            "type": "boolean",
            "description": "whether a simulator made the telemetry: then none was measured",
        },
        time=_map(
            "onboard_ns utc",
            "first and last instant on each clock; local times where the mission has a site",
            **dict.fromkeys(("onboard_ns", "utc", "sol", "lmst", "ltst", "ltst_sol", "ls_deg"), _PAIR),
        ),
        arrays={"type": "object", "additionalProperties": _ref("Array")},
        quality={"allOf": [_ref("Array")], "description": f"uint32 bits of each row: {_BITS}"},
        quality_bits={"type": "object", "additionalProperties": _TEXT},
        doubtful_mask={"type": "integer", "description": "a row is usable where (quality & doubtful_mask) == 0"},
        lineage={"type": "object", "description": "packets, dictionary, calibration, clock, software"},
    ),
    "Latest": _map(
        "time value unit quality usable",
        "flat, for Grafana, Node-RED and a shell",
        time=_TIME | {"description": "UTC of the value; null where the mission's clock does not tell it"},
        received=_TIME | {"description": "when the ground received it; absent where that is not known"},
        simulated={"const": True, "description": "present where a simulator made the telemetry, absent elsewhere"},
        value={"description": "null where the number is not finite"},
        unit=_TEXT,
        quality={"type": "integer", "description": f"bits: {_BITS}"},
        usable={
            "type": "boolean",
            "description": "no bit makes the value doubtful: corrected and after_gap do not",
        },
    ),
    "Counters": _map(
        _COUNTERS,
        name=_TEXT,
        **dict.fromkeys(f"{_COUNTERS} idle_packets truncated_packets bad_headers".split(), _COUNT),
    ),
    "Packets": _map(
        "read by_apid set_aside",
        read=_COUNT,
        by_apid={"type": "object", "additionalProperties": _COUNT},
        gaps_by_apid={
            "type": "object",
            "description": "sequence gaps of the APIDs that had any",
            "additionalProperties": _COUNT,
        },
        set_aside={
            "type": "object",
            "description": "packets that were not decoded, by reason",
            "additionalProperties": _COUNT,
        },
        **dict.fromkeys(("sequence_gaps", "idle_packets", "truncated_packets", "bad_headers"), _COUNT),
    ),
    "Event": _map(
        "time severity kind text details",
        time=_TIME,
        severity={"enum": list(SEVERITIES)},
        kind={"type": "string", "description": "gap, limit, clock_jump, quarantine and the like"},
        text=_TEXT,
        details={
            "type": "object",
            "description": "of a limit: parameter, container, level, before, value, unit, limit, limit_kind (high, "
            "low, inside, label, condition), onboard_ns, received_ns",
        },
    ),
    "Report": _map(
        "bytes frames channels packets products",
        "read = clean + corrected + uncorrectable + failed_check",
        bytes={"type": "object"},
        frames=_map(
            _FRAMES,
            **dict.fromkeys(_FRAMES.split(), _COUNT),
            corrected_symbols={
                "type": "object",
                "description": "how many codewords had so many symbols corrected",
                "additionalProperties": _COUNT,
            },
        ),
        channels={"type": "array", "items": _ref("Counters")},
        packets={"type": "object"},
        products={"type": "object", "additionalProperties": _COUNT},
    ),
    "Progress": _map(
        "state bytes total time speed behind_s began refused",
        "how far a replay is",
        state={"enum": ["playing", "paused", "seeking", "ended", "stopped"]},
        bytes=_COUNT,
        total={"type": ["integer", "null"]},
        time=_TIME,
        speed={"type": ["number", "string"]},
        behind_s={"type": ["number", "null"]},
        began=_TEXT,
        refused={"type": "string", "description": "why the last command was not done"},
    ),
    "Control": {
        "description": "one command, not retained",
        "oneOf": [
            _map("command", command={"enum": ["pause", "resume"]}),
            _map("command speed", command={"const": "speed"}, speed={"type": ["number", "string"]}),
            _map("command share", command={"const": "seek"}, share={"type": "number", "minimum": 0, "maximum": 1}),
            _map("command time", command={"const": "seek"}, time={"type": "string", "format": "date-time"}),
        ],
    },
    "Status": _map("service state", service=_TEXT, state={"enum": ["online", "offline"]}),
}
"""By their names in an AsyncAPI document."""
