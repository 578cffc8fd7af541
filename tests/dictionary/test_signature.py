"""Packets that are told apart by a few bits, and those of which more must be looked at, each and all together."""

from itertools import permutations

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce


def below(name, base, *criteria, entries="", abstract=False):
    listed = "".join(f'<ParameterRefEntry parameterRef="{each}"/>' for each in entries.split())
    tests = "".join(f'<Comparison parameterRef="{key}" value="{value}"/>' for key, value in criteria)
    restriction = f"<RestrictionCriteria><ComparisonList>{tests}</ComparisonList></RestrictionCriteria>"
    return f"""<SequenceContainer name="{name}" abstract="{str(abstract).lower()}"><EntryList>{listed}</EntryList>
    <BaseContainer containerRef="{base}">{restriction}</BaseContainer></SequenceContainer>"""


BLOB = """<BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits><DynamicValue>
<ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8" intercept="0"/></DynamicValue></SizeInBits>
</BinaryDataEncoding></BinaryParameterType>"""
SERVICES = (
    below("PUS", "HEADER", ("APID", 2), entries="PUSV SERVICE SUBTYPE", abstract=True)
    + below("HOUSEKEEPING", "PUS", ("SERVICE", 3), ("SUBTYPE", 25), entries="A")
    + below("EVENT", "PUS", ("SERVICE", 5), ("SUBTYPE", 1), entries="A")
    + below("FILE", "HEADER", ("APID", 3), entries="N DATA", abstract=True)
    + below("FROM_ONE", "FILE", ("SOURCE", 1), entries="A")
    + below("FROM_TWO", "FILE", ("SOURCE", 2), entries="A")
).replace(
    '<ParameterRefEntry parameterRef="DATA"/>',
    '<ParameterRefEntry parameterRef="DATA"/><ParameterRefEntry parameterRef="SOURCE"/>',
)


@pytest.fixture(scope="module")
def plan(document):
    eight = dict.fromkeys(("PUSV", "SERVICE", "SUBTYPE", "N", "SOURCE", "A"), "U8")
    body = document(BLOB, {**eight, "DATA": "BLOB"}, '<ParameterRefEntry parameterRef="A"/>', SERVICES)
    return compile_plan(read_xtce(body))


@pytest.fixture(scope="module")
def packets(packet):
    """Octets, the container they are of by the criteria above, and their value of A."""
    return [
        (packet(b"\x07"), "PACKET", 7),
        (packet(b"\x10\x03\x19\x08", apid=2), "HOUSEKEEPING", 8),
        (packet(b"\x10\x05\x01\x09", apid=2), "EVENT", 9),
        (packet(b"\x03abc\x01\x0a", apid=3), "FROM_ONE", 10),
        (packet(b"\x03abc\x02\x0b", apid=3), "FROM_TWO", 11),
        (packet(b"\x01a\x01\x0c", apid=3), "FROM_ONE", 12),
    ]


def found_in(batches):
    return sorted(
        (int(batch.order[i]), batch.container, int(batch.columns["A"][i]))
        for batch in batches
        for i in range(len(batch))
    )


@pytest.mark.parametrize("order", list(permutations(range(6)))[::97])
def test_packets_find_their_containers_together_and_one_by_one_in_any_order(plan, batch, packets, order):
    wanted = [(place, *packets[number][1:]) for place, number in enumerate(order)]
    octets = [packets[number][0] for number in order]
    one = Decoder(plan)
    assert found_in(Decoder(plan).decode(batch(octets))) == wanted
    assert found_in([found for each in octets for found in one.decode(batch([each]))]) == wanted


def test_a_packet_too_short_to_say_what_it_is_is_set_aside_by_what_it_is_too_short_for(plan, batch, packet):
    decoder = Decoder(plan)
    whole, short = packet(b"\x10\x03\x19\x08", apid=2), packet(b"\x10\x03", apid=2)
    for each in (whole, short, whole):
        decoder.decode(batch([each]))
    assert decoder.set_aside == {"too short for PUS": 1}


def test_noise_in_the_bits_that_decide_hides_no_container(plan, batch, packet):
    decoder = Decoder(plan)
    noise = [packet(bytes([i % 251, i % 256, i // 256, 1]), apid=9) for i in range(5000)]
    assert decoder.decode(batch(noise)) == []
    found = decoder.decode(batch([packet(b"\x10\x05\x01\x09", apid=2)]))
    assert [each.container for each in found] == ["EVENT"]
    assert decoder.set_aside == {"no container for APID 9": 5000}


def test_what_one_container_looks_at_behind_a_varying_field_slows_no_other(plan):
    assert plan.signature is not None
    assert plan.signature.keys == {"APID"}


def test_bits_that_stand_far_apart_tell_containers_apart_together(document, batch):
    far = "".join(
        f'<ParameterRefEntry parameterRef="{name}"/>' for name in ("WHAT", "T0", "T1", "T2", "T3", "KIND")
    )
    root = f'<SequenceContainer name="X" abstract="true"><EntryList>{far}</EntryList></SequenceContainer>'
    more = root + "".join(
        below(f"X_{what}_{kind}", "X", ("WHAT", what), ("KIND", kind), entries="A")
        for what in (1, 2)
        for kind in (1, 2)
    )
    kinds = {"KIND": "U8", "A": "U8", **dict.fromkeys(("WHAT", "T0", "T1", "T2", "T3"), "U16")}
    plan = compile_plan(read_xtce(document("", kinds, '<ParameterRefEntry parameterRef="A"/>', more)), "X")
    assert plan.signature is not None
    assert plan.signature.keys == {"WHAT", "KIND"}
    decoder = Decoder(plan)
    octets = [
        bytes([0, what, *([filler] * 8), kind, filler])
        for filler in (5, 250)
        for what in (1, 2, 3)
        for kind in (1, 2)
    ]
    wanted = [f"X_{what}_{kind}" for _ in (5, 250) for what in (1, 2) for kind in (1, 2)]
    for each in (octets, octets[::-1]):
        found = {place: name for place, name, _ in found_in(Decoder(plan).decode(batch(each)))}
        assert [found[i] for i in sorted(found)] == (wanted if each is octets else wanted[::-1])
    assert [each.container for one in octets for each in decoder.decode(batch([one]))] == wanted
