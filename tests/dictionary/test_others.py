"""Values of other packets: the last one received before a packet decides in it, whatever the batches are."""

from itertools import pairwise

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import NO_TIME, Quality
from downlink_pipeline.model.errors import ConfigError
from pieces import rows

HOUSEKEEPING, SCIENCE = 2, 1
LABELS = """<EnumeratedParameterType name="M"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="1" label="LOW"/><Enumeration value="2" label="HIGH"/></EnumerationList></EnumeratedParameterType>"""
CONTEXT = """<FloatParameterType name="F"><IntegerDataEncoding sizeInBits="8"><ContextCalibratorList><ContextCalibrator>
<ContextMatch><Comparison parameterRef="MODE" value="HIGH"/></ContextMatch><Calibrator><PolynomialCalibrator>
<Term coefficient="10" exponent="1"/></PolynomialCalibrator></Calibrator></ContextCalibrator></ContextCalibratorList>
</IntegerDataEncoding></FloatParameterType>"""
HK = """<SequenceContainer name="HK"><EntryList><ParameterRefEntry parameterRef="MODE"/></EntryList>
<BaseContainer containerRef="HEADER"><RestrictionCriteria><Comparison parameterRef="APID" value="2"/>
</RestrictionCriteria></BaseContainer></SequenceContainer>"""


def batches_of(packets, cuts):
    bounds = [0, *cuts, len(packets)]
    return [packets[low:high] for low, high in pairwise(bounds)]


@pytest.fixture
def decoded(packet, batch):
    """Columns of a container as lists, and its quality, of bodies by APID, however they are cut."""

    def decode(xtce, bodies, container="PACKET", cuts=(), received=()):
        packets = [packet(body, apid=apid, seq_count=i) for i, (apid, body) in enumerate(bodies)]
        received = list(received or range(1000, 1000 + len(packets)))
        decoder, columns, quality = Decoder(compile_plan(read_xtce(xtce))), {}, []
        place = 0
        for some in batches_of(packets, cuts):
            for each in decoder.decode(batch(some, received=received[place : place + len(some)])):
                if each.container == container:
                    quality += each.quality.tolist()
                    for name, column in each.columns.items():
                        columns.setdefault(name, []).extend(rows(column))
            place += len(some)
        return columns, quality, decoder

    return decode


BODIES = [
    (SCIENCE, b"\7"),
    (HOUSEKEEPING, b"\2"),
    (SCIENCE, b"\7"),
    (HOUSEKEEPING, b"\1"),
    (SCIENCE, b"\7"),
    (HOUSEKEEPING, b"\2"),
]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,), (4,), (5,), (1, 2, 3, 4, 5)])
def test_the_last_value_before_a_packet_calibrates_it_however_the_stream_is_cut(document, decoded, cuts):
    xtce = document(LABELS + CONTEXT, {"X": "F", "MODE": "M"}, '<ParameterRefEntry parameterRef="X"/>', HK)
    columns, quality, _ = decoded(xtce, BODIES, cuts=cuts)
    assert columns["X"] == [7.0, 70.0, 7.0]
    assert quality == [Quality.STALE, 0, 0]


def test_before_a_value_has_come_the_dictionary_gives_one(document, decoded):
    xtce = document(LABELS + CONTEXT, {"X": "F", "MODE": "M"}, '<ParameterRefEntry parameterRef="X"/>', HK)
    xtce = xtce.replace(b'<Parameter name="MODE"', b'<Parameter initialValue="HIGH" name="MODE"')
    columns, quality, _ = decoded(xtce, BODIES)
    assert columns["X"] == [70.0, 70.0, 7.0]
    assert quality == [Quality.STALE, 0, 0]


def test_a_value_that_is_too_old_flags_the_row(document, decoded):
    xtce = document(LABELS + CONTEXT, {"X": "F", "MODE": "M"}, '<ParameterRefEntry parameterRef="X"/>', HK)
    hour = 3600 * 10**9
    bodies = [(HOUSEKEEPING, b"\2"), (SCIENCE, b"\1"), (SCIENCE, b"\1")]
    _, quality, _ = decoded(xtce, bodies, received=[10**9, hour, 2 * hour])
    assert quality == [0, Quality.STALE]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,)])
def test_another_packet_may_tell_the_size_of_a_field(document, decoded, cuts):
    kind = """<BinaryParameterType name="B"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="MODE" useCalibratedValue="false"/><LinearAdjustment slope="8"/></DynamicValue>
    </SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    entries = '<ParameterRefEntry parameterRef="X"/><ParameterRefEntry parameterRef="A"/>'
    xtce = document(LABELS + kind, {"X": "B", "A": "U8", "MODE": "M"}, entries, HK)
    bodies = [(SCIENCE, b"ab"), (HOUSEKEEPING, b"\2"), (SCIENCE, b"abc"), (HOUSEKEEPING, b"\1"), (SCIENCE, b"de")]
    columns, _, decoder = decoded(xtce, bodies, cuts=cuts)
    assert columns["X"] == [[97, 98], [100]]
    assert columns["A"] == [99, 101]
    assert decoder.set_aside == {"too short for PACKET": 1}  # nobody knew the size yet


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,)])
def test_a_time_may_count_on_from_that_of_another_packet(document, decoded, cuts):
    kinds = """<AbsoluteTimeParameterType name="COARSE"><Encoding><IntegerDataEncoding sizeInBits="8"/></Encoding>
    <ReferenceTime><Epoch>UNIX</Epoch></ReferenceTime></AbsoluteTimeParameterType>
    <AbsoluteTimeParameterType name="FINE"><Encoding scale="0.001"><IntegerDataEncoding sizeInBits="8"/></Encoding>
    <ReferenceTime><OffsetFrom parameterRef="MODE"/></ReferenceTime></AbsoluteTimeParameterType>"""
    xtce = document(kinds, {"X": "FINE", "MODE": "COARSE"}, '<ParameterRefEntry parameterRef="X"/>', HK)
    bodies = [(SCIENCE, b"\5"), (HOUSEKEEPING, b"\2"), (SCIENCE, b"\5"), (SCIENCE, b"\6")]
    columns, quality, _ = decoded(xtce, bodies, cuts=cuts)
    assert columns["X"] == [NO_TIME, 2_005_000_000, 2_006_000_000]
    assert quality == [Quality.STALE, 0, 0]


def test_another_packet_may_tell_whether_an_entry_is_there(document, decoded):
    entries = """<ParameterRefEntry parameterRef="X"><IncludeCondition><Comparison parameterRef="MODE" value="HIGH"/>
    </IncludeCondition></ParameterRefEntry><ParameterRefEntry parameterRef="A"/>"""
    xtce = document(LABELS, {"X": "U8", "A": "U8", "MODE": "M"}, entries, HK)
    bodies = [(HOUSEKEEPING, b"\1"), (SCIENCE, b"\7"), (HOUSEKEEPING, b"\2"), (SCIENCE, b"\x08\x09")]
    columns, _, _ = decoded(xtce, bodies)
    assert columns["X"] == [[], [8]]
    assert columns["A"] == [7, 9]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,), (1, 2, 3)])
def test_another_packet_may_tell_which_container_it_is(document, decoded, cuts):
    more = (
        HK
        + """<SequenceContainer name="FAST"><EntryList><ParameterRefEntry parameterRef="X"/></EntryList>
    <BaseContainer containerRef="HEADER"><RestrictionCriteria><ComparisonList>
    <Comparison parameterRef="APID" value="3"/><Comparison parameterRef="MODE" value="HIGH"/></ComparisonList>
    </RestrictionCriteria></BaseContainer></SequenceContainer>"""
    )
    entries = '<ParameterRefEntry parameterRef="A"/>'
    xtce = document(LABELS, {"X": "U16", "A": "U8", "MODE": "M"}, entries, more)
    bodies = [(3, b"\0\1"), (HOUSEKEEPING, b"\2"), (3, b"\0\5"), (HOUSEKEEPING, b"\1"), (3, b"\0\7")]
    columns, _, decoder = decoded(xtce, bodies, "FAST", cuts=cuts)
    assert columns["X"] == [5]
    assert decoder.set_aside == {"no container for APID 3": 2}


def test_another_packet_may_tell_when_a_value_is_of_concern(document, decoded):
    kind = """<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="8"/><ContextAlarmList><ContextAlarm>
    <StaticAlarmRanges><WarningRange maxInclusive="5"/></StaticAlarmRanges><ContextMatch>
    <Comparison parameterRef="MODE" value="HIGH"/></ContextMatch></ContextAlarm></ContextAlarmList>
    </IntegerParameterType>"""
    xtce = document(LABELS + kind, {"X": "T", "MODE": "M"}, '<ParameterRefEntry parameterRef="X"/>', HK)
    bodies = [(HOUSEKEEPING, b"\1"), (SCIENCE, b"\7"), (HOUSEKEEPING, b"\2"), (SCIENCE, b"\7")]
    _, _, decoder = decoded(xtce, bodies)
    (event,) = decoder.drain_events()
    assert (event.details["level"], event.time_ns) == ("warning", 1003)


def test_what_is_in_no_packet_and_has_no_value_is_an_error(document):
    xtce = document(LABELS + CONTEXT, {"X": "F", "MODE": "M"}, '<ParameterRefEntry parameterRef="X"/>')
    with pytest.raises(ConfigError, match='depends on "MODE", which is not in it'):
        compile_plan(read_xtce(xtce))


def test_containers_that_ask_each_other_are_an_error(document):
    size = """<BinaryParameterType name="{0}"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="{1}"/></DynamicValue></SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    entries = '<ParameterRefEntry parameterRef="N"/><ParameterRefEntry parameterRef="X"/>'
    hk = HK.replace("<EntryList>", '<EntryList><ParameterRefEntry parameterRef="Y"/>')
    kinds = LABELS + size.format("B1", "K") + size.format("B2", "N")
    hk = hk.replace('<ParameterRefEntry parameterRef="MODE"/>', '<ParameterRefEntry parameterRef="K"/>')
    xtce = document(kinds, {"N": "U8", "X": "B1", "K": "U8", "Y": "B2"}, entries, hk)
    with pytest.raises(ConfigError, match="ask for values of each other"):
        compile_plan(read_xtce(xtce))


def test_a_constant_that_never_stands_in_a_packet_has_the_value_of_its_type(document, packet, decode):
    kind = """<EnumeratedParameterType name="CODE" initialValue="CUC"><EnumerationList>
    <Enumeration value="0" label="NO"/><Enumeration value="1" label="CUC"/></EnumerationList>
    </EnumeratedParameterType>"""
    entries = """<ParameterRefEntry parameterRef="X"><IncludeCondition><Comparison parameterRef="K" value="NO"
    comparisonOperator="!="/></IncludeCondition></ParameterRefEntry><ParameterRefEntry parameterRef="A"/>"""
    (found,) = decode(document(kind, {"X": "U8", "A": "U8", "K": "CODE"}, entries), [packet(b"\1\7")])
    assert (rows(found.columns["X"]), rows(found.columns["A"]), found.quality.tolist()) == ([[1]], [7], [0])
