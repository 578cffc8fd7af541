"""Alarms of values that are no numbers, of NaN, and of how values change."""

import struct

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce


@pytest.fixture
def events(document, packet, batch):
    """(place of the packet, level) of each change, for a parameter X of type T; each batch may be split at will."""

    def found(kind, bodies, *, split=None, received=()):
        plan = compile_plan(read_xtce(document(kind, {"X": "T"})))
        packets = [packet(body, seq_count=i) for i, body in enumerate(bodies)]
        received = list(received or range(1000, 1000 + len(packets)))
        decoder, out = Decoder(plan), []
        for low, high in [(0, split), (split, len(packets))] if split else [(0, len(packets))]:
            decoder.decode(batch(packets[low:high], received=received[low:high]))
            out += [(received.index(each.time_ns), each.details["level"]) for each in decoder.drain_events()]
        return out

    return found


def test_a_text_that_matches_a_pattern_as_a_whole_is_an_alarm(events):
    kind = """<StringParameterType name="T"><StringDataEncoding><SizeInBits><Fixed><FixedValue>32</FixedValue></Fixed>
    </SizeInBits></StringDataEncoding><DefaultAlarm><StringAlarmList>
    <StringAlarm matchPattern="ER.*" alarmLevel="severe"/><StringAlarm matchPattern="WARN" alarmLevel="watch"/>
    </StringAlarmList></DefaultAlarm></StringParameterType>"""
    found = events(kind, [b"GOOD", b"ERR1", b"WARN", b"XERR"])
    assert found == [(1, "severe"), (2, "watch"), (3, "normal")]


def test_nan_is_outside_of_every_range(events):
    kind = """<FloatParameterType name="T"><FloatDataEncoding sizeInBits="32"/><DefaultAlarm><StaticAlarmRanges>
    <CriticalRange minInclusive="-10" maxInclusive="10"/></StaticAlarmRanges></DefaultAlarm></FloatParameterType>"""
    bodies = [struct.pack(">f", value) for value in (1.0, float("nan"), 2.0)]
    assert events(kind, bodies) == [(1, "critical"), (2, "normal")]


def test_a_relative_time_has_limits_in_seconds(events):
    kind = """<RelativeTimeParameterType name="T"><Encoding units="seconds" scale="0.5">
    <IntegerDataEncoding sizeInBits="8"/></Encoding><DefaultAlarm><StaticAlarmRanges><WarningRange maxInclusive="10"/>
    </StaticAlarmRanges></DefaultAlarm></RelativeTimeParameterType>"""
    assert events(kind, [bytes([20]), bytes([21])]) == [(1, "warning")]  # 10 s and 10.5 s


def test_several_ranges_of_a_relative_time_are_in_seconds_too(events):
    kind = """<RelativeTimeParameterType name="T"><Encoding units="seconds"><IntegerDataEncoding sizeInBits="8"/>
    </Encoding><DefaultAlarm><AlarmMultiRanges><Range level="warning" maxInclusive="10"/>
    <Range level="severe" maxInclusive="20"/></AlarmMultiRanges></DefaultAlarm></RelativeTimeParameterType>"""
    assert events(kind, [bytes([10]), bytes([11]), bytes([21])]) == [(1, "warning"), (2, "severe")]


@pytest.mark.parametrize("split", [None, 1, 3, 4])
def test_an_alarm_by_context_lasts_as_many_values_as_it_says_itself(events, split):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="8"/><DefaultAlarm><StaticAlarmRanges>
    <WarningRange maxInclusive="50"/></StaticAlarmRanges></DefaultAlarm><ContextAlarmList>
    <ContextAlarm minViolations="3" minConformance="2"><StaticAlarmRanges><WarningRange maxInclusive="150"/>
    </StaticAlarmRanges><ContextMatch><Comparison parameterRef="X" comparisonOperator="&gt;=" value="100"/>
    </ContextMatch></ContextAlarm></ContextAlarmList></IntegerParameterType>"""
    values = [60, 120, 121, 160, 160, 160, 10]
    changes = [(0, "warning"), (2, "normal"), (5, "warning"), (6, "normal")]
    assert events(kind, [bytes([value]) for value in values], split=split) == changes


CHANGE = """<FloatParameterType name="T"><IntegerDataEncoding sizeInBits="8"/><DefaultAlarm>
<ChangeAlarmRanges {}><WarningRange {}/></ChangeAlarmRanges></DefaultAlarm></FloatParameterType>"""


@pytest.mark.parametrize("split", [None, 1, 2, 3, 4])
def test_a_change_from_sample_to_sample_is_an_alarm_however_the_stream_is_cut(events, split):
    kind = CHANGE.format('changeType="changePerSample"', 'maxInclusive="5"')
    values = [10, 15, 21, 22, 10]  # by 5, 6, 1, -12
    assert events(kind, [bytes([value]) for value in values], split=split) == [
        (2, "warning"),
        (3, "normal"),
        (4, "warning"),
    ]


def test_a_change_in_percent_is_of_the_value_before(events):
    kind = CHANGE.format('changeType="changePerSample" changeBasis="percentageChange"', 'maxInclusive="10"')
    assert events(kind, [bytes([value]) for value in (100, 110, 122, 122)]) == [(2, "warning"), (3, "normal")]


def test_a_change_per_second_divides_by_the_time_between(events):
    kind = CHANGE.format("", 'maxInclusive="5"')
    received = [1_000_000_000, 3_000_000_000, 4_000_000_000]
    # 10 in two seconds, then 6 in one
    assert events(kind, [bytes([value]) for value in (0, 10, 16)], received=received) == [(2, "warning")]


def test_an_alarm_that_can_never_be_watched_is_passed_over_with_a_notice(document, packet, batch):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="8"/><DefaultAlarm><AlarmConditions>
    <WarningAlarm><Comparison parameterRef="X" value="many"/></WarningAlarm></AlarmConditions></DefaultAlarm>
    </IntegerParameterType>"""
    plan = compile_plan(read_xtce(document(kind, {"X": "T"})))
    (notice,) = plan.notices
    assert "an alarm or validity is passed over" in str(notice)
    (found,) = Decoder(plan).decode(batch([packet(b"a")]))
    assert found.columns["X"].tolist() == [97]
