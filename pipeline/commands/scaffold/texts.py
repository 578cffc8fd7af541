"""Texts of the files of a new mission package. `$words` are filled in."""

from __future__ import annotations

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27,<2"]
build-backend = "hatchling.build"

[project]
name = "downlink-$slug"
version = "0.1.0"
description = "$name as a mission package of downlink"
requires-python = ">=3.11"
dependencies = ["downlink-pipeline"]

[project.entry-points."downlink.missions"]
"$name" = "$module:PACKAGE"

[tool.hatch.build.targets.wheel]
packages = ["$module"]
"""

README = """\
# $name, a mission package of downlink

```console
$$ pip install -e .
$$ downlink check $name
$$ downlink topics $name --format markdown
$$ downlink replay first.packets --mission $name
$$ python -m pytest tests
```

| what | where |
|---|---|
| link, channels, clock, which instruments | `$module/mission.toml` |
| dictionary | $dictionary_files |
| the instrument: packets in, products out | `$module/$instrument/` |
| a few packets to try it with | `first.packets` |
"""

INIT = '''\
"""$name as a mission package of downlink."""

from downlink_pipeline.api import MissionPackage

PACKAGE = MissionPackage(__name__, interface=1)
'''

MISSION = """\
# $name. All keys: docs/reference/mission-file.md of downlink.
name = "$name"

[link]
framing = "packets"              # space packets back to back; "cadu" or "frames" for what a station receives
# frame_type = "tm"              # "aos", "tm" or "uslp"
# frame_length_bytes = 1115
# randomizer = true
# reed_solomon = { parity = 32, interleave = 5, basis = "dual" }

# [[channel]]                    # each virtual channel that is wanted
# spacecraft_id = 1
# virtual_channel = 0
# name = "real time"

[dictionary]
xtce = $xtce
$clock
[products]
instruments = ["*"]              # every instrument of this package
window_s = 10.0                  # rows of one product, by onboard time
"""

CLOCK = """
[clock]                          # onboard time is the sum of these, since the epoch
epoch = "2000-01-01T00:00:00Z"
terms = [{ parameter = "SECONDS", unit_ns = 1_000_000_000 }]
"""

TELEMETRY = """\
<?xml version="1.0" encoding="UTF-8"?>
<SpaceSystem name="$system" xmlns="http://www.omg.org/spec/XTCE/20180204">
  <TelemetryMetaData>
    <ParameterTypeSet>
      <IntegerParameterType name="U32" signed="false"><UnitSet/>
        <IntegerDataEncoding sizeInBits="32" encoding="unsigned"/></IntegerParameterType>
      <IntegerParameterType name="U16" signed="false"><UnitSet/>
        <IntegerDataEncoding sizeInBits="16" encoding="unsigned"/></IntegerParameterType>
      <IntegerParameterType name="U11" signed="false" sizeInBits="16"><UnitSet/>
        <IntegerDataEncoding sizeInBits="11" encoding="unsigned"/></IntegerParameterType>
      <IntegerParameterType name="U5" signed="false" sizeInBits="8"><UnitSet/>
        <IntegerDataEncoding sizeInBits="5" encoding="unsigned"/></IntegerParameterType>
    </ParameterTypeSet>
    <ParameterSet>
      <Parameter name="PKT_VERSION_TYPE" parameterTypeRef="U5"/>
      <Parameter name="PKT_APID" parameterTypeRef="U11"/>
      <Parameter name="PKT_SEQUENCE" parameterTypeRef="U16"/>
      <Parameter name="PKT_LENGTH" parameterTypeRef="U16"/>
      <Parameter name="SECONDS" parameterTypeRef="U32" shortDescription="since the epoch of mission.toml"/>
      <Parameter name="COUNTS" parameterTypeRef="U16" shortDescription="as the detector counts"/>
    </ParameterSet>
    <ContainerSet>
      <SequenceContainer name="CCSDSPacket" abstract="true">
        <EntryList>
          <ParameterRefEntry parameterRef="PKT_VERSION_TYPE"/>
          <ParameterRefEntry parameterRef="PKT_APID"/>
          <ParameterRefEntry parameterRef="PKT_SEQUENCE"/>
          <ParameterRefEntry parameterRef="PKT_LENGTH"/>
        </EntryList>
      </SequenceContainer>
      <SequenceContainer name="DETECTOR" shortDescription="one each second">
        <EntryList>
          <ParameterRefEntry parameterRef="SECONDS"/>
          <ParameterRefEntry parameterRef="COUNTS"/>
        </EntryList>
        <BaseContainer containerRef="CCSDSPacket">
          <RestrictionCriteria><Comparison parameterRef="PKT_APID" value="100"/></RestrictionCriteria>
        </BaseContainer>
      </SequenceContainer>
    </ContainerSet>
  </TelemetryMetaData>
</SpaceSystem>
"""

CALIBRATION = """\
version = "0.1"

[scale]
source = "assumed"               # begins with published, recalled or assumed; then, in words, by whom
per_count = 0.5
offset = 1.0
valid = [-1e9, 1e9]              # beyond it rows are flagged
"""

KINDS = '''\
"""What $instrument publishes, and where its classes are. Imported to list topics: nothing heavy belongs here."""

from downlink_pipeline.api import Curves, InstrumentFolder, Look, ProductKind, View

VALUES = ProductKind(
    "$instrument",
    "values",
    "2A",
    {
        # name: (type, axes, unit, what it is)
        "value": ("f8", "row", "$unit", "counts by the scale of the calibration"),
        "counts": ("f8", "row", "1", "$parameter as it was sent"),
    },
    latest=("value",),
    view=(View("$title", "lines", {"label": "value", "arrays": {"value": "value"}}),),
)
LOOK = Look("$title", curves=(Curves("Values", VALUES.topic, ("value",), unit="$unit"),))
INSTRUMENT = InstrumentFolder({"$instrument": "$instrument:$class"}, kinds=(VALUES,), looks=(LOOK,))
'''

INSTRUMENT = '''\
"""$title: counts become values.

In: $container. Out: `$instrument/values`. Dropped: nothing.

    value = offset + counts per_count
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from downlink_pipeline.api import (
    Calibration,
    ColumnBatch,
    Draft,
    Finite,
    Instrument,
    Quality,
    Range,
    Source,
    Table,
    flag,
    outside,
)

from .kinds import VALUES


class Scale(Table):
    """A straight line."""

    source: Source
    per_count: Finite
    offset: Finite
    valid: Range


class ${class}Calibration(Calibration):
    """`calibration.toml`."""

    scale: Scale


class $class(Instrument):
    """Row by row."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"$container": frozenset({"$parameter"})}
    model = ${class}Calibration
    calibration: ${class}Calibration

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        scale = self.calibration.scale
        counts = np.asarray(rows.columns["$parameter"], np.float64)
        value = scale.offset + counts * scale.per_count
        quality = rows.quality | flag(outside(value, scale.valid), Quality.OUT_OF_RANGE)
        yield Draft(VALUES, rows, rows.time_ns, {"value": value, "counts": counts}, quality)
'''

TEST = '''\
"""Expected values are worked by hand from calibration.toml, not taken from the output."""

import pytest
from downlink_pipeline.testing import differences, products_of
from $module.$instrument.kinds import VALUES


def values(counts):
    return products_of("$name", "$instrument", "$container", {"$parameter": counts})


def test_counts_become_values():
    """0.5 a count from an offset of 1."""
    assert [x for one in values([0, 10, 40]) for x in one.arrays["value"].values] == pytest.approx([1.0, 6.0, 21.0])


def test_products_are_as_declared():
    assert [found for one in values([0, 10, 40]) for found in differences(one, VALUES)] == []


def test_a_value_beyond_its_range_is_flagged():
    assert all(one.quality[-1] for one in values([1e12]))
'''
