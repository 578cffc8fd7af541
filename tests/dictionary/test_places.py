"""Where entries stand: before the next one, and from the start of a container inside another (XTCE 1.2, 4.3.4)."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError
from pieces import entry, rows


def at(bits, reference):
    size = bits if isinstance(bits, str) else f"<FixedValue>{bits}</FixedValue>"
    return f'<LocationInContainerInBits referenceLocation="{reference}">{size}</LocationInContainerInBits>'


TOLD = '<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8"/></DynamicValue>'


def test_an_entry_may_end_where_the_next_begins(document, packet, decode):
    entries = entry("A", at(8, "nextEntry")) + entry("B", at(48 + 40, "containerStart"))
    (found,) = decode(
        document("", {"A": "U16", "B": "U8"}, entries), [packet(b"..\1\2.\7"), packet(b"..\3\4.\x08")]
    )
    assert rows(found.columns["A"]) == [0x0102, 0x0304]
    assert rows(found.columns["B"]) == [7, 8]


def test_so_may_the_one_before_it(document, packet, decode):
    entries = entry("A", at(0, "nextEntry")) + entry("B", at(0, "nextEntry")) + entry("C", at(0, "containerEnd"))
    xtce = document("", {"A": "U8", "B": "U8", "C": "U16"}, entries)
    (found,) = decode(xtce, [packet(b"...\1\2\3\4"), packet(b"\5\6\7\x08")])
    assert rows(found.columns["A"]) == [1, 5]
    assert rows(found.columns["B"]) == [2, 6]
    assert rows(found.columns["C"]) == [0x0304, 0x0708]


def test_the_next_may_stand_where_the_packet_tells(document, packet, decode):
    entries = entry("N") + entry("A", at(0, "nextEntry")) + entry("B", at(TOLD, "containerStart"))
    (found,) = decode(
        document("", {"N": "U8", "A": "U8", "B": "U8"}, entries), [packet(b"\x09..\1"), packet(b"\x08\2\3")]
    )
    assert rows(found.columns["B"]) == [1, 3]
    assert rows(found.columns["A"]) == [ord("."), 2]


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        (entry("A", at(0, "nextEntry")), "the next entry does not say where it begins"),
        (entry("A", at(0, "nextEntry")) + entry("B"), "the next entry does not say where it begins"),
        (
            entry("N") + entry("A", at(TOLD, "nextEntry")) + entry("B", at(90, "containerStart")),
            "a distance from nextEntry that the packet tells",
        ),
    ],
)
def test_an_entry_before_one_without_a_place_is_an_error_by_name(document, entries, problem):
    with pytest.raises(ConfigError, match=problem):
        compile_plan(read_xtce(document("", {"N": "U8", "A": "U8", "B": "U8"}, entries)))


INSIDE = '<SequenceContainer name="IN" abstract="true"><EntryList>{}</EntryList></SequenceContainer>'
REFERENCE = '<ContainerRefEntry containerRef="IN">{}</ContainerRefEntry>'


def test_places_of_a_container_inside_count_from_its_own_start(document, packet, decode):
    inside = INSIDE.format(entry("A", at(16, "containerStart")) + entry("B", at(0, "containerStart")))
    xtce = document("", {"N": "U8", "A": "U8", "B": "U8"}, entry("N") + REFERENCE.format(""), inside)
    (found,) = decode(xtce, [packet(b"\5\1\2\3")])
    assert (rows(found.columns["B"]), rows(found.columns["A"])) == ([1], [3])


def test_they_do_so_behind_what_varies(document, packet, decode):
    blob = f"""<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits>{TOLD}</SizeInBits></BinaryDataEncoding>
    </BinaryParameterType>"""
    inside = INSIDE.format(entry("X") + entry("A", at(24, "containerStart")) + entry("B"))
    xtce = document(
        blob, {"N": "U8", "X": "T", "A": "U8", "B": "U8"}, entry("N") + entry("X") + REFERENCE.format(""), inside
    )
    (found,) = decode(xtce, [packet(b"\2xyab.\1\2"), packet(b"\1xa..\3\4")])
    assert rows(found.columns["A"]) == [1, 3]
    assert rows(found.columns["B"]) == [2, 4]


def test_they_do_so_each_time_that_the_container_is_repeated(document, packet, decode):
    inside = INSIDE.format(entry("A", at(8, "containerStart")) + entry("B", at(0, "containerStart")) + entry("C"))
    repeat = "<RepeatEntry><Count><FixedValue>2</FixedValue></Count></RepeatEntry>"
    xtce = document("", {"A": "U8", "B": "U8", "C": "U8"}, REFERENCE.format(repeat), inside)
    (found,) = decode(xtce, [packet(b"\1\2\3\4")])
    assert rows(found.columns["B"]) == [[1, 3]]
    assert rows(found.columns["A"]) == [[2, 4]]


def test_places_of_a_child_count_from_the_start_of_the_packet(document, packet, decode):
    entries = entry("B", at(56, "containerStart")) + entry("A", at(48, "containerStart"))
    (found,) = decode(document("", {"A": "U8", "B": "U8"}, entries), [packet(b"\1\2")])
    assert (rows(found.columns["A"]), rows(found.columns["B"])) == ([1], [2])
