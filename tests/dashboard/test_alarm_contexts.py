"""Alarms by context (ContextAlarm of XTCE): ranges follow what decides them; where it is not known the page says so."""

import numpy as np
import pytest
from downlink_pipeline.commands.tabs import known_missions
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mission.loading import load_mission

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard.alarm_contexts import DEFAULT, UNKNOWN
from downlink_pipeline.dashboard.parameter_plot import ParameterPlot
from downlink_pipeline.dashboard.parameters_look import ParametersLook
from downlink_pipeline.dashboard.selection import Selection
from downlink_pipeline.dashboard.state import State
from test_parameters import SECOND_NS, START_NS, feed, product

MISSION = 'name = "sat"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "sat.xml"\n'
XTCE = """<?xml version="1.0"?>
<SpaceSystem name="SAT" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="u8" signed="false"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<EnumeratedParameterType name="mode"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="3" label="OFF"/><Enumeration value="5" label="ON"/></EnumerationList></EnumeratedParameterType>
<FloatParameterType name="v" sizeInBits="32"><FloatDataEncoding sizeInBits="32"/>
<DefaultAlarm minViolations="2">
<StaticAlarmRanges><WarningRange minInclusive="0" maxInclusive="10"/></StaticAlarmRanges></DefaultAlarm>
<ContextAlarmList><ContextAlarm minViolations="2"><StaticAlarmRanges>
<CriticalRange minInclusive="20" maxInclusive="30"/></StaticAlarmRanges>
<ContextMatch><ComparisonList><Comparison parameterRef="MODE" value="ON"/>
<Comparison parameterRef="SEL" value="1"/></ComparisonList></ContextMatch></ContextAlarm>
<ContextAlarm><StaticAlarmRanges><WatchRange maxExclusive="5"/></StaticAlarmRanges>
<ContextMatch><Comparison parameterRef="MODE" value="5" useCalibratedValue="false"/></ContextMatch></ContextAlarm>
</ContextAlarmList></FloatParameterType></ParameterTypeSet>
<ParameterSet><Parameter name="APID" parameterTypeRef="u8"/><Parameter name="MODE" parameterTypeRef="mode"/>
<Parameter name="SEL" parameterTypeRef="u8"/><Parameter name="V" parameterTypeRef="v"/></ParameterSet>
<ContainerSet><SequenceContainer name="HEAD" abstract="true"><EntryList><ParameterRefEntry parameterRef="APID"/>
</EntryList></SequenceContainer>
<SequenceContainer name="HK"><EntryList><ParameterRefEntry parameterRef="MODE"/></EntryList>
<BaseContainer containerRef="HEAD"><RestrictionCriteria><Comparison parameterRef="APID" value="1"/>
</RestrictionCriteria></BaseContainer></SequenceContainer>
<SequenceContainer name="SCI"><EntryList><ParameterRefEntry parameterRef="SEL"/><ParameterRefEntry parameterRef="V"/>
</EntryList><BaseContainer containerRef="HEAD"><RestrictionCriteria><Comparison parameterRef="APID" value="2"/>
</RestrictionCriteria></BaseContainer></SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>
"""


@pytest.fixture(scope="module")
def mission(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sat")
    (folder / "mission.toml").write_text(MISSION)
    (folder / "sat.xml").write_text(XTCE)
    (known,) = known_missions([load_mission(str(folder))])
    return known


@pytest.fixture
def state(mission):
    return State(unpack_product, missions=[mission])


def science(first, values, selected):
    columns = {"SEL": np.array(selected, np.uint8), "V": np.array(values, np.float32)}
    return product(first, columns, kind="telemetry/SCI", apid=2, container="/SAT/SCI")


def mode(at, word):
    return product(at, {"MODE": np.array([word])}, container="/SAT/HK", apid=1)


def applied(stream):
    one = stream.parameters.known["SCI/V"]
    return stream.mission.alarms.applied(one, stream.parameters).tolist()


def test_each_row_has_the_first_alarm_whose_context_holds(state):
    """Rows at 0 to 9 s; MODE is not known before 2 s, OFF until 5 s, then ON; SEL stands in the same packets."""
    stream = feed(state, mode(2, "OFF"), mode(5, "ON"), science(0, [25.0] * 10, [1, 0] * 5))
    assert applied(stream) == [UNKNOWN, UNKNOWN, *[DEFAULT] * 3, 2, 1, 2, 1, 2]


def test_ranges_are_drawn_as_long_as_their_context_lasts(state):
    stream = feed(state, mode(2, "OFF"), mode(5, "ON"), science(0, [7.0] * 10, [0] * 10))
    plot = ParameterPlot(Selection())
    plot.show(stream.parameters, ["SCI/V"], 1.0, stream.mission.alarms)
    steps = plot._drawn[0]._steps[0].source.data
    second = [(ms * 1e6 - START_NS) / SECOND_NS for ms in steps["left"] + steps["right"]]
    n = len(steps["left"])
    found = [
        (begin, end, level, context)
        for begin, end, level, context in zip(second[:n], second[n:], steps["level"], steps["context"], strict=True)
    ]
    assert found == [
        (2.0, 5.0, "warning", "default"), (2.0, 5.0, "warning", "default"), (5.0, 9.0, "watch", "raw MODE == 5"),
    ]  # fmt: skip
    assert steps["top"][0] == 0.0  # below 0 and above 10 it is of concern while MODE is OFF
    assert steps["bottom"][1] == 10.0
    assert steps["bottom"][2] == 5.0
    words = plot.root.children[0].children[0].tags[0]
    assert "V: ranges of alarms by context, now those for raw MODE == 5" in words
    assert "no ranges of alarms for 2 of 10 rows: MODE and SEL unknown there" in words


@pytest.mark.parametrize(
    ("word", "values", "selected", "shown"),
    [
        ("OFF", [25.0, 25.0], [0, 0], "▲ warning"),
        ("ON", [25.0, 35.0], [1, 1], None),  # one row alone: two are asked for
        ("ON", [35.0, 35.0], [1, 1], "▲ critical"),
        ("ON", [25.0, 25.0], [1, 1], None),
        ("ON", [5.0, 5.0], [0, 0], "▲ watch"),  # the range excludes its end
    ],
)
def test_the_state_is_that_of_the_context_though_no_event_came(state, word, values, selected, shown):
    stream = feed(state, mode(0, word), science(1, values, selected))
    look = ParametersLook()
    look.refresh(stream, 1.0)
    table = look._table.root.tags[0]
    assert (shown in table) if shown else ("▲" not in table)


def test_no_state_is_shown_where_the_context_is_not_known(state):
    stream = feed(state, science(0, [99.0, 99.0], [0, 0]))
    look = ParametersLook()
    look.refresh(stream, 1.0)
    assert "▲" not in look._table.root.tags[0]
