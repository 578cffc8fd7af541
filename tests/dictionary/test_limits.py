"""Valid ranges flag rows; alarms tell when they begin, change and end."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.model.errors import ConfigError


def number(limits, encoding='<IntegerDataEncoding sizeInBits="8"/>'):
    return f'<IntegerParameterType name="T">{encoding}{limits}</IntegerParameterType>'


STATIC = """<StaticAlarmRanges><WarningRange minInclusive="10" maxInclusive="20"/>
<CriticalRange minInclusive="5" maxExclusive="30"/></StaticAlarmRanges>"""


@pytest.fixture
def watch(document, packet, batch):
    def watched(kind, *batches, parameters=None):
        decoder = Decoder(compile_plan(read_xtce(document(kind, parameters or {"X": "T"}))))
        told = []
        for bodies in batches:
            decoder.decode(batch([packet(bytes([body]) if isinstance(body, int) else body) for body in bodies]))
            told.append(
                [(each.severity, each.details["level"], each.details["value"]) for each in decoder.drain_events()]
            )
        return told

    return watched


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('minInclusive="5" maxInclusive="7"', [1, 0, 0, 0, 1]),
        ('minExclusive="5" maxExclusive="7"', [1, 1, 0, 1, 1]),
        ('minInclusive="6"', [1, 1, 0, 0, 0]),
    ],
)
def test_values_outside_of_the_valid_range_flag_their_rows(document, packet, decode, attributes, expected):
    xtce = document(number(f"<ValidRange {attributes}/>"), {"X": "T"})
    (found,) = decode(xtce, [packet(bytes([n])) for n in (4, 5, 6, 7, 8)])
    assert found.quality.tolist() == [flag * Quality.OUT_OF_RANGE for flag in expected]


def test_a_valid_range_may_be_that_of_the_counts(document, packet, decode):
    encoding = """<IntegerDataEncoding sizeInBits="8"><DefaultCalibrator><PolynomialCalibrator>
    <Term coefficient="100" exponent="1"/></PolynomialCalibrator></DefaultCalibrator></IntegerDataEncoding>"""
    limits = '<ValidRange minInclusive="5" maxInclusive="7" validRangeAppliesToCalibrated="false"/>'
    (found,) = decode(document(number(limits, encoding), {"X": "T"}), [packet(b"\5"), packet(b"\x08")])
    assert found.quality.tolist() == [0, Quality.OUT_OF_RANGE]


def test_an_alarm_is_told_when_it_begins_changes_and_ends(watch):
    kind = number(f"<DefaultAlarm>{STATIC}</DefaultAlarm>")
    assert watch(kind, [15, 21, 25, 31, 15, 15]) == [
        [("warning", "warning", 21), ("error", "critical", 31), ("info", "normal", 15)]
    ]


def test_an_alarm_goes_on_from_batch_to_batch(watch):
    kind = number(f"<DefaultAlarm>{STATIC}</DefaultAlarm>")
    assert watch(kind, [15, 22], [23, 24], [12]) == [[("warning", "warning", 22)], [], [("info", "normal", 12)]]


def test_an_alarm_may_want_several_violations_in_a_row(watch):
    kind = number(f'<DefaultAlarm minViolations="3">{STATIC}</DefaultAlarm>')
    assert watch(kind, [15, 21, 22, 15, 21, 22], [23, 15, 15, 15]) == [
        [],
        [("warning", "warning", 23), ("info", "normal", 15)],
    ]


def test_being_inside_a_range_may_be_the_alarm(watch):
    inside = (
        '<StaticAlarmRanges rangeForm="inside"><WatchRange minInclusive="1" maxInclusive="3"/></StaticAlarmRanges>'
    )
    assert watch(number(f"<DefaultAlarm>{inside}</DefaultAlarm>"), [0, 2, 4]) == [
        [("warning", "watch", 2), ("info", "normal", 4)]
    ]


def test_the_highest_of_many_ranges_counts(watch):
    ranges = """<AlarmMultiRanges><Range level="watch" rangeForm="inside" minInclusive="10"/>
    <Range level="severe" rangeForm="inside" minInclusive="20" maxInclusive="30"/></AlarmMultiRanges>"""
    assert watch(number(f"<DefaultAlarm>{ranges}</DefaultAlarm>"), [12, 25]) == [
        [("warning", "watch", 12), ("error", "severe", 25)]
    ]


def test_a_context_alarm_goes_before_the_default_one(watch):
    context = """<ContextAlarmList><ContextAlarm>
    <StaticAlarmRanges><SevereRange maxInclusive="1"/></StaticAlarmRanges>
    <ContextMatch><Comparison parameterRef="MODE" value="1"/></ContextMatch></ContextAlarm></ContextAlarmList>"""
    kind = number(f"<DefaultAlarm>{STATIC}</DefaultAlarm>{context}")
    told = watch(kind, [b"\x0f\0", b"\x0f\1", b"\x0f\0"], parameters={"X": "T", "MODE": "U8"})
    assert told == [[("error", "severe", 15), ("info", "normal", 15)]]


def test_labels_have_alarm_levels(watch):
    kind = """<EnumeratedParameterType name="T"><IntegerDataEncoding/>
    <EnumerationList><Enumeration value="0" label="OK"/>
    <Enumeration value="1" label="HOT"/><Enumeration value="2" label="FIRE"/></EnumerationList><DefaultAlarm>
    <EnumerationAlarmList><EnumerationAlarm alarmLevel="warning" enumerationLabel="HOT"/>
    <EnumerationAlarm alarmLevel="critical" enumerationLabel="FIRE"/></EnumerationAlarmList></DefaultAlarm>
    </EnumeratedParameterType>"""
    assert watch(kind, [0, 1, 2, 0]) == [
        [("warning", "warning", "HOT"), ("error", "critical", "FIRE"), ("info", "normal", "OK")]
    ]


def test_an_event_says_where_and_when(document, packet, batch):
    xtce = document(number(f"<DefaultAlarm>{STATIC}</DefaultAlarm>"), {"X": "T"})
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    decoder.decode(batch([packet(b"\x0f"), packet(b"\x19")], received=[100, 200]))
    (event,) = decoder.drain_events()
    assert (event.kind, event.text, event.time_ns) == ("limit", "X is at level warning", 200)
    assert (event.details["parameter"], event.details["container"]) == ("X", "PACKET")
    assert decoder.drain_events() == ()


def test_an_alarm_may_be_what_other_parameters_say(document, packet, batch):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding/><DefaultAlarm><AlarmConditions>
    <WatchAlarm><Comparison parameterRef="HEAT" value="1"/></WatchAlarm>
    <SevereAlarm><ComparisonList><Comparison parameterRef="HEAT" value="1"/>
    <Comparison parameterRef="X" comparisonOperator="&gt;" value="9"/></ComparisonList></SevereAlarm>
    </AlarmConditions></DefaultAlarm></IntegerParameterType>"""
    decoder = Decoder(compile_plan(read_xtce(document(kind, {"X": "T", "HEAT": "U8"}))))
    decoder.decode(batch([packet(bytes(body)) for body in ((10, 0), (9, 1), (10, 1), (0, 0))]))
    assert [event.details["level"] for event in decoder.drain_events()] == ["watch", "severe", "normal"]


def test_a_value_that_is_not_valid_is_flagged_and_raises_no_alarm(document, packet, batch):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding/><DefaultAlarm><StaticAlarmRanges>
    <CriticalRange maxInclusive="5"/></StaticAlarmRanges></DefaultAlarm></IntegerParameterType>"""
    plain, valid = (
        b'<Parameter name="X" parameterTypeRef="T"/>',
        b"""<Parameter name="X" parameterTypeRef="T">
    <ParameterProperties><ValidityCondition><Comparison parameterRef="ON" value="1"/></ValidityCondition>
    </ParameterProperties></Parameter>""",
    )
    decoder = Decoder(compile_plan(read_xtce(document(kind, {"X": "T", "ON": "U8"}).replace(plain, valid))))
    (found,) = decoder.decode(batch([packet(bytes(body)) for body in ((9, 0), (3, 1), (9, 1))]))
    assert found.quality.tolist() == [Quality.OUT_OF_RANGE, 0, 0]
    assert [(event.details["level"], event.details["value"]) for event in decoder.drain_events()] == [
        ("critical", 9)
    ]


def test_what_tells_of_validity_must_be_in_the_packet(document):
    plain, valid = (
        b'<Parameter name="X" parameterTypeRef="U8"/>',
        b"""<Parameter name="X" parameterTypeRef="U8">
    <ParameterProperties><ValidityCondition><Comparison parameterRef="ON" value="1"/></ValidityCondition>
    </ParameterProperties></Parameter>""",
    )
    entries = '<ParameterRefEntry parameterRef="X"/>'
    with pytest.raises(ConfigError, match='validity of "X" depends on "ON"'):
        compile_plan(read_xtce(document("", {"X": "U8", "ON": "U8"}, entries).replace(plain, valid)))
