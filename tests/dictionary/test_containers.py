"""Where the entries of a container stand, what its rows hold, and what becomes of packets that fit none."""

import numpy as np
import pytest
from downlink_pipeline.dictionary.decoder import TimeTerm
from downlink_pipeline.model.batches import NO_TIME, PacketBatch, Quality
from downlink_pipeline.model.errors import ConfigError
from pieces import container, decoder_of, equals


def test_each_container_gets_its_rows_in_packet_order(document, packet, batch):
    xtce = document(
        "",
        {"A": "U8", "B": "U8"},
        '<ParameterRefEntry parameterRef="A"/>',
        container("OTHER", "HEADER", equals("APID", 2), "B"),
    )
    decoder = decoder_of(xtce)
    first, other = decoder.decode(batch([packet(bytes([i]), apid=1 + i % 2, seq_count=i) for i in range(7)]))
    assert (first.container, other.container) == ("PACKET", "OTHER")
    assert first.columns["A"].tolist() == [0, 2, 4, 6]
    assert other.columns["B"].tolist() == [1, 3, 5]
    assert first.order.tolist() == [0, 2, 4, 6]
    assert other.seq_count.tolist() == [1, 3, 5]
    assert other.apid.tolist() == [2, 2, 2]
    assert other.received_ns.tolist() == [1001, 1003, 1005]


def test_order_counts_over_the_whole_stream(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    decoder.decode(batch([packet(b"a")] * 3))
    (found,) = decoder.decode(batch([packet(b"a"), packet(b"b", apid=9), packet(b"c")]))
    assert found.order.tolist() == [3, 5]


def test_packets_that_match_no_container_are_counted_by_apid(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    assert decoder.decode(batch([packet(b"a", apid=42), packet(b"b", apid=42), packet(b"c", apid=7)])) == []
    assert decoder.set_aside == {"no container for APID 42": 2, "no container for APID 7": 1}


def test_packets_too_short_for_their_container_are_set_aside(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U16", "B": "U16"}))
    (found,) = decoder.decode(batch([packet(b"abcd"), packet(b"abc"), packet(b"efgh")]))
    assert found.columns["B"].tolist() == [0x6364, 0x6768]
    assert found.order.tolist() == [0, 2]
    assert decoder.set_aside == {"too short for PACKET": 1}


def test_packets_too_short_to_tell_their_container_are_set_aside(document, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    assert decoder.decode(batch([b"\x00"])) == []
    assert decoder.set_aside == {"too short for HEADER": 1}


def test_longer_packets_are_decoded_and_flagged(document, packet, batch):
    decoder = decoder_of(document("", {"A": "U8"}))
    packets = batch([packet(b"a"), packet(b"bb")], quality=[Quality.CORRECTED, Quality.AFTER_GAP])
    (found,) = decoder.decode(packets)
    assert found.quality.tolist() == [Quality.CORRECTED, Quality.AFTER_GAP | Quality.UNDESCRIBED]
    assert packets.quality.tolist() == [Quality.CORRECTED, Quality.AFTER_GAP]


def test_an_entry_may_lie_over_others_counted_from_the_start_of_the_packet(document, packet, decode):
    types = """<BinaryParameterType name="BLOB_T"><BinaryDataEncoding><SizeInBits><FixedValue>24</FixedValue>
    </SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    entries = """<ParameterRefEntry parameterRef="A"/><ParameterRefEntry parameterRef="B"/>
    <ParameterRefEntry parameterRef="BLOB"><LocationInContainerInBits referenceLocation="containerStart">
    <FixedValue>48</FixedValue></LocationInContainerInBits></ParameterRefEntry>"""
    xtce = document(types, {"A": "U8", "B": "U16", "BLOB": "BLOB_T"}, entries)
    (found,) = decode(xtce, [packet(b"\1\2\3")])
    assert found.columns["BLOB"].tolist() == [[1, 2, 3]]
    assert found.columns["B"].tolist() == [0x0203]
    assert found.quality.tolist() == [0]


def test_an_entry_may_go_back_from_the_one_before(document, packet, decode):
    entries = """<ParameterRefEntry parameterRef="A"/><ParameterRefEntry parameterRef="B">
    <LocationInContainerInBits><FixedValue>-16</FixedValue></LocationInContainerInBits></ParameterRefEntry>"""
    (found,) = decode(document("", {"A": "U16", "B": "U8"}, entries), [packet(b"\1\2")])
    assert found.columns["B"].tolist() == [1]


def test_the_entries_of_a_container_inside_stand_in_its_place(document, packet, decode):
    inside = """<SequenceContainer name="TIME" abstract="true"><EntryList><ParameterRefEntry parameterRef="S"/>
    <ParameterRefEntry parameterRef="F"/></EntryList></SequenceContainer>"""
    entries = '<ContainerRefEntry containerRef="TIME"/><ParameterRefEntry parameterRef="A"/>'
    xtce = document("", {"S": "U16", "F": "U8", "A": "U8"}, entries, inside)
    (found,) = decode(xtce, [packet(b"\1\2\3\4")])
    assert list(found.columns)[7:] == ["S", "F", "A"]
    assert [found.columns[name].tolist() for name in ("S", "F", "A")] == [[0x0102], [3], [4]]


def test_the_onboard_time_is_the_sum_of_its_terms(document, packet, batch):
    xtce = document("", {"S": "U16", "MS": "U16"}, "", container("NO_TIME", "HEADER", equals("APID", 2)))
    decoder = decoder_of(xtce, TimeTerm("S", 1e9), TimeTerm("MS", 1e6))
    timed, untimed = decoder.decode(batch([packet(b"\0\5\3\xe7"), packet(b"", apid=2)]))
    assert timed.time_ns.tolist() == [5_999_000_000]
    assert untimed.time_ns.tolist() == [NO_TIME]


def test_a_fraction_of_a_nanosecond_is_rounded(document, packet, batch):
    decoder = decoder_of(document("", {"F": "U16"}), TimeTerm("F", 1e9 / 65536))
    (found,) = decoder.decode(batch([packet(b"\x80\0"), packet(b"\0\1")]))
    assert found.time_ns.tolist() == [500_000_000, 15259]


def test_a_time_term_that_no_container_has_is_a_configuration_error(document):
    with pytest.raises(ConfigError, match="CLOCK"):
        decoder_of(document("", {"A": "U8"}), TimeTerm("CLOCK", 1.0))


def test_units_stand_beside_the_columns(document, packet, decode):
    types = """<FloatParameterType name="V"><UnitSet><Unit>m</Unit><Unit power="-1">s</Unit></UnitSet>
    <IntegerDataEncoding sizeInBits="8"/></FloatParameterType>"""
    (found,) = decode(document(types, {"SPEED": "V"}), [packet(b"\1")])
    assert found.units == {"SPEED": "m s^-1"}


def test_a_parameter_that_comes_twice_has_both_values(document, packet, decode):
    entries = '<ParameterRefEntry parameterRef="A"/><ParameterRefEntry parameterRef="A"/>'
    (found,) = decode(document("", {"A": "U8"}, entries), [packet(b"\1\2"), packet(b"\3\4")])
    assert found.columns["A"].tolist() == [[1, 2], [3, 4]]


def test_the_same_name_in_two_systems_is_a_plain_column_in_each(packet, decode):
    def system(name, apid):
        return f"""<SpaceSystem name="{name}"><TelemetryMetaData><ParameterSet>
        <Parameter name="KIND" parameterTypeRef="U8"/></ParameterSet><ContainerSet>
        <SequenceContainer name="{name}_C"><EntryList><ParameterRefEntry parameterRef="KIND"/></EntryList>
        <BaseContainer containerRef="/ROOT/HEAD"><RestrictionCriteria>
        <Comparison parameterRef="/APID" value="{apid}"/></RestrictionCriteria></BaseContainer>
        </SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""

    xtce = f"""<SpaceSystem name="ROOT"><TelemetryMetaData><ParameterTypeSet>
    <IntegerParameterType name="U8"><IntegerDataEncoding/></IntegerParameterType>
    <IntegerParameterType name="U16"><IntegerDataEncoding sizeInBits="16"/></IntegerParameterType>
    </ParameterTypeSet>
    <ParameterSet><Parameter name="APID" parameterTypeRef="U16"/><Parameter name="REST" parameterTypeRef="U16"/>
    <Parameter name="LENGTH" parameterTypeRef="U16"/></ParameterSet>
    <ContainerSet><SequenceContainer name="HEAD" abstract="true"><EntryList><ParameterRefEntry parameterRef="APID"/>
    <ParameterRefEntry parameterRef="REST"/><ParameterRefEntry parameterRef="../ROOT/LENGTH"/>
    </EntryList></SequenceContainer></ContainerSet>
    </TelemetryMetaData>{system("LIBS", 1)}{system("SWIR", 2)}</SpaceSystem>"""
    xtce = xtce.replace("../ROOT/LENGTH", "./LENGTH")
    libs, swir = decode(xtce.encode(), [packet(b"\5", apid=2), packet(b"\6", apid=1)])
    assert (libs.container, libs.columns["KIND"].tolist()) == ("LIBS_C", [6])
    assert (swir.container, swir.columns["KIND"].tolist()) == ("SWIR_C", [5])


def test_packets_apart_in_the_data_are_read_where_they_are(document, packet, batch):
    whole = batch([packet(bytes([i, i + 1, i + 2, i + 3])) for i in range(6)])
    mixed = PacketBatch(whole.data, *(getattr(whole, name)[[4, 0, 5, 1]] for name in PacketBatch.__slots__[1:]))
    (found,) = decoder_of(document("", {"A": "U16", "B": "U16"})).decode(mixed)
    assert found.columns["A"].tolist() == [i * 256 + i + 1 for i in (4, 0, 5, 1)]
    assert found.columns["B"].tolist() == [(i + 2) * 256 + i + 3 for i in (4, 0, 5, 1)]


def test_any_bytes_give_counts_and_never_an_exception(document, batch):
    types = """<BinaryParameterType name="BLOB_T"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="A"/></DynamicValue></SizeInBits></BinaryDataEncoding>
    </BinaryParameterType>"""
    random = np.random.default_rng(4)
    decoder = decoder_of(document(types, {"A": "U16", "BLOB": "BLOB_T", "B": "U8"}))
    packets = [b"\x00\x01" + random.bytes(int(random.integers(0, 40))) for _ in range(500)]
    n_decoded = sum(len(each) for each in decoder.decode(batch(packets)))
    assert n_decoded + decoder.set_aside.total() == 500


def test_any_split_of_a_batch_gives_the_same_columns(document, packet, batch):
    packets = [packet(bytes([i, 255 - i]), apid=1 + (i % 3 == 0), seq_count=i) for i in range(40)]
    xtce = document("", {"A": "U8", "B": "U8"}, "", container("OTHER", "HEADER", equals("APID", 2), "B"))
    whole = {each.container: each for each in decoder_of(xtce).decode(batch(packets))}
    decoder = decoder_of(xtce)
    parts = [each for i in range(0, 40, 7) for each in decoder.decode(batch(packets[i : i + 7]))]
    for name, expected in whole.items():
        got = [each for each in parts if each.container == name]
        assert np.concatenate([each.order for each in got]).tolist() == expected.order.tolist()
        for column, values in expected.columns.items():
            assert np.concatenate([each.columns[column] for each in got]).tolist() == values.tolist()


def test_an_empty_batch_gives_nothing(document, batch):
    assert decoder_of(document("", {"A": "U8"})).decode(batch([])) == []
