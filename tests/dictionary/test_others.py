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


SIZED = """<BinaryParameterType name="{0}"><BinaryDataEncoding><SizeInBits><DynamicValue>
<ParameterInstanceRef parameterRef="{1}"/><LinearAdjustment slope="8"/></DynamicValue></SizeInBits></BinaryDataEncoding>
</BinaryParameterType>"""
MUTUAL = [
    (SCIENCE, b"\1\5\5"),  # K has not come
    (HOUSEKEEPING, b"\x61\2"),  # one byte as N says, K = 2
    (SCIENCE, b"\3\x62\x63"),
    (HOUSEKEEPING, b"\x64\x65\x66\0"),
    (HOUSEKEEPING, b"\x67\x68\x69\1"),
    (SCIENCE, b"\0\x6a"),
    (HOUSEKEEPING, b"\4"),
]


@pytest.mark.parametrize("cuts", [(), (1,), (2,), (4,), (1, 2, 3, 4, 5, 6)])
def test_containers_may_ask_for_values_of_each_other(document, decoded, cuts):
    """PACKET holds N and bytes as many as K says, HK bytes as many as N says, and K."""
    entries = '<ParameterRefEntry parameterRef="N"/><ParameterRefEntry parameterRef="X"/>'
    hk = HK.replace("<EntryList>", '<EntryList><ParameterRefEntry parameterRef="Y"/>').replace('"MODE"', '"K"')
    kinds = LABELS + SIZED.format("B1", "K") + SIZED.format("B2", "N")
    xtce = document(kinds, {"N": "U8", "X": "B1", "K": "U8", "Y": "B2"}, entries, hk)
    xtce = xtce.replace(b'<Parameter name="N"', b'<Parameter initialValue="1" name="N"')
    xtce = xtce.replace(b'<Parameter name="K"', b'<Parameter initialValue="2" name="K"')
    columns, quality, _ = decoded(xtce, MUTUAL, cuts=cuts)
    assert columns == {**columns, "N": [1, 3, 0], "X": [[5, 5], [0x62, 0x63], [0x6A]]}
    assert quality == [Quality.STALE, 0, 0]
    columns, quality, decoder = decoded(xtce, MUTUAL, "HK", cuts=cuts)
    assert columns == {**columns, "Y": [[0x61], [0x64, 0x65, 0x66], [0x67, 0x68, 0x69], []], "K": [2, 0, 1, 4]}
    assert (quality, decoder.set_aside) == ([0] * 4, {})


@pytest.mark.parametrize("cuts", [(), (7,), (30, 31)])
def test_values_that_hang_on_each_other_from_packet_to_packet_are_those_of_the_stream(document, decoded, cuts):
    """Where N stands in a packet depends on K of the packet before, and K of that on N before: 60 packets long."""
    entries = '<ParameterRefEntry parameterRef="X"/><ParameterRefEntry parameterRef="N"/>'
    hk = HK.replace("<EntryList>", '<EntryList><ParameterRefEntry parameterRef="Y"/>').replace('"MODE"', '"K"')
    kinds = LABELS + SIZED.format("B1", "K") + SIZED.format("B2", "N")
    xtce = document(kinds, {"N": "U8", "X": "B1", "K": "U8", "Y": "B2"}, entries, hk)
    xtce = xtce.replace(b'<Parameter name="K"', b'<Parameter initialValue="0" name="K"')
    bodies, last, told = [], {SCIENCE: 0, HOUSEKEEPING: 0}, []
    for i in range(60):
        mine, other = (SCIENCE, HOUSEKEEPING) if i % 2 == 0 else (HOUSEKEEPING, SCIENCE)
        last[mine] = (5 * i + 3) % 7
        bodies.append((mine, bytes(range(0x80, 0x80 + last[other])) + bytes([last[mine]]) + b"\x55" * (i % 3)))
        told += [last[mine]] if mine == SCIENCE else []
    columns, _, decoder = decoded(xtce, bodies, cuts=cuts)
    assert (columns["N"], decoder.set_aside) == (told, {})


@pytest.mark.parametrize("cuts", [(), (2,), (1, 2, 3)])
def test_a_container_that_another_packet_tells_may_tell_which_container_a_third_is(document, decoded, cuts):
    def when(name, apid, parameter, value, held):
        return f"""<SequenceContainer name="{name}"><EntryList><ParameterRefEntry parameterRef="{held}"/></EntryList>
        <BaseContainer containerRef="HEADER"><RestrictionCriteria><ComparisonList>
        <Comparison parameterRef="APID" value="{apid}"/><Comparison parameterRef="{parameter}" value="{value}"/>
        </ComparisonList></RestrictionCriteria></BaseContainer></SequenceContainer>"""

    more = HK + when("FAST", 3, "MODE", "HIGH", "RATE") + when("THIRD", 4, "RATE", 9, "X")
    parameters = {"X": "U8", "A": "U8", "RATE": "U8", "MODE": "M"}
    xtce = document(LABELS, parameters, '<ParameterRefEntry parameterRef="A"/>', more)
    bodies = [(4, b"\1"), (HOUSEKEEPING, b"\2"), (3, b"\x09"), (4, b"\2"), (3, b"\x08"), (4, b"\3")]
    columns, _, decoder = decoded(xtce, bodies, "THIRD", cuts=cuts)
    assert (columns["X"], decoder.set_aside) == ([2], {"no container for APID 4": 2})


def test_a_constant_that_never_stands_in_a_packet_has_the_value_of_its_type(document, packet, decode):
    kind = """<EnumeratedParameterType name="CODE" initialValue="CUC"><EnumerationList>
    <Enumeration value="0" label="NO"/><Enumeration value="1" label="CUC"/></EnumerationList>
    </EnumeratedParameterType>"""
    entries = """<ParameterRefEntry parameterRef="X"><IncludeCondition><Comparison parameterRef="K" value="NO"
    comparisonOperator="!="/></IncludeCondition></ParameterRefEntry><ParameterRefEntry parameterRef="A"/>"""
    (found,) = decode(document(kind, {"X": "U8", "A": "U8", "K": "CODE"}, entries), [packet(b"\1\7")])
    assert (rows(found.columns["X"]), rows(found.columns["A"]), found.quality.tolist()) == ([[1]], [7], [0])
