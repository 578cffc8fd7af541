"""Kaitai definitions with streams of their own, bits across types, and values of expressions.

The packets and their values are worked out by hand from the user guide of Kaitai Struct; the compiler 0.11 and its
runtime for Python read the same.
"""

import pytest
from downlink_pipeline.model.errors import ConfigError

BIG = "meta: {id: x, endian: be}\n"


def _only(value):
    """What is there on condition is a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


@pytest.fixture
def values(carried):
    """The values of a packet, those that are not there left out, and what was lost."""

    def read(text, *packets):
        found = carried("x.ksy", text)
        tables = [row[1] for row in found.rows(list(packets))]
        return [{k: _only(v) for k, v in table.items() if v != []} for table in tables], found.losses

    return read


def test_little_endian_bits_of_a_whole_byte_may_cross_two(values):
    text = """
meta: {id: x, bit-endian: le}
seq:
  - {id: a, type: b4}
  - {id: b, type: b8}
  - {id: c, type: b4}
"""
    (found,), _ = values(text, (0xA | 0x55 << 4 | 0x3 << 12).to_bytes(2, "little"))
    assert found == {"a": 0xA, "b": 0x55, "c": 3}


SIZED = (
    BIG
    + """
seq:
  - {id: a, type: b4}
  - {id: s, type: sub, size: 3}
  - {id: z, type: u2}
types:
  sub:
    seq:
      - {id: b, type: b4}
      - {id: rest, REST}
"""
)


def test_a_stream_of_its_own_begins_and_ends_with_a_byte(values):
    (found,), _ = values(SIZED.replace("REST", "type: b8"), bytes.fromhex("1f 234567 0809"))
    assert found == {"a": 1, "s_b": 2, "s_rest": 0x34, "z": 0x0809}


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("size-eos: true", [0x45, 0x67]),
        ("type: u1, repeat: eos", [0x45, 0x67]),
        ("type: u2, repeat: eos", 0x4567),
        ("type: str, encoding: ASCII, size-eos: true", "Eg"),
    ],
)
def test_what_goes_on_to_the_end_of_its_stream_ends_there(values, rest, expected):
    text = SIZED.replace("REST", rest).replace("type: b4}\n      - {id: rest", "type: u1}\n      - {id: rest")
    (found,), losses = values(text, bytes.fromhex("10 024567 0809"))
    assert (found["s_rest"], found["z"], losses) == (expected, 0x0809, ())


def test_the_packet_may_tell_the_size_of_a_stream(values):
    text = (
        SIZED.replace("REST", "size-eos: true").replace("type: b4}", "type: u1}").replace("size: 3", "size: a - 1")
    )
    found, losses = values(text, b"\4\1\2\3\0\7", b"\2\x09\0\5")
    assert found == [{"a": 4, "s_b": 1, "s_rest": [2, 3], "z": 7}, {"a": 2, "s_b": 9, "z": 5}]
    assert losses == ()


SWITCH = (
    BIG
    + """
seq:
  - {id: kind, type: u1}
  - id: body
    HOW
    type: {switch-on: kind, cases: {1: one, 2: two, REST}}
  - {id: z, type: u1}
types:
  one: {seq: [{id: p, type: u2}]}
  two: {seq: [{id: q, type: u1}, {id: r, size-eos: true}]}
"""
)


def test_a_switch_in_a_stream_ends_where_the_stream_does(values):
    text = SWITCH.replace("HOW", "size: 4").replace(", REST", "")
    found, losses = values(text, b"\1\1\2\3\4\7", b"\2\1\2\3\4\7", b"\3\1\2\3\4\7")
    assert found == [
        {"kind": 1, "body_p": 0x102, "z": 7},
        {"kind": 2, "body_q": 1, "body_r": [2, 3, 4], "z": 7},
        {"kind": 3, "z": 7},
    ]
    assert losses == ()


def test_a_switch_on_condition_is_there_only_where_it_holds(values):
    text = SWITCH.replace("HOW", "if: kind < 100").replace(", {id: r, size-eos: true}", "").replace("REST", "_: s4")
    found, losses = values(text, b"\1\1\2\7", b"\2\5\7", b"\3\xff\xff\xff\xfe\7", b"\x64\7")
    assert found == [
        {"kind": 1, "body_p": 0x102, "z": 7},
        {"kind": 2, "body_q": 5, "z": 7},
        {"kind": 3, "body": -2, "z": 7},
        {"kind": 100, "z": 7},
    ]
    assert losses == ()


REPEATED = (
    BIG
    + """
seq:
  - {id: n, type: u1}
  - {id: r, type: pair, repeat: expr, repeat-expr: COUNT}
  - {id: z, type: u1}
types:
  pair:
    seq: [{id: k, type: u1}, {id: v, REST}]
    instances: {half: {value: k * 0.5}}
"""
)


def test_a_structure_comes_as_often_as_the_packet_says(values):
    text = REPEATED.replace("COUNT", "n").replace("REST", "type: u2le")
    found, losses = values(text, b"\2\1\1\0\2\2\0\7", b"\0\x08")
    assert found == [{"n": 2, "r_k": [1, 2], "r_half": [0.5, 1.0], "r_v": [1, 2], "z": 7}, {"n": 0, "z": 8}]
    assert losses == ()


def test_a_repeated_structure_on_condition_is_there_only_where_it_holds(values):
    text = REPEATED.replace("COUNT", "2, if: n == 1").replace("REST", "type: u1")
    found, _ = values(text, b"\1\1\2\3\4\7", b"\2\7")
    assert found[1] == {"n": 2, "z": 7}
    assert [found[0][name] for name in ("r_0_k", "r_0_v", "r_1_k", "r_1_v")] == [1, 2, 3, 4]


def test_a_value_of_a_value_is_calculated_from_the_field(values):
    text = BIG + "seq: [{id: a, type: u1}]\ninstances: {v: {value: a * 0.5 - 1}, w: {value: v * 4}}\n"
    (found,), _ = values(text, b"\x0a")
    assert found == {"a": 10, "v": 4.0, "w": 16.0}


def test_names_in_a_value_are_those_of_its_own_type(values):
    text = (
        BIG
        + """
seq:
  - {id: h, type: head}
  - {id: flags, type: u1}
  - {id: b, type: body}
types:
  head:
    seq: [{id: flags, type: u1}]
    instances: {length: {value: flags >> 4}}
  body:
    seq: [{id: z, type: u1, if: _parent.h.length > 1}]
"""
    )
    found, losses = values(text, b"\x20\1\7", b"\x10\x21")
    assert [each.get("b_z") for each in found] == [7, None]
    assert losses == ()


def test_a_name_may_begin_with_true(values):
    text = BIG + "seq: [{id: true_speed, type: u1}, {id: b, type: u1, if: true_speed > 3}]\n"
    found, losses = values(text, b"\4\7", b"\2")
    assert found == [{"true_speed": 4, "b": 7}, {"true_speed": 2}]
    assert losses == ()


def test_values_that_refer_to_each_other_in_a_circle_are_an_error(carried):
    text = BIG + "seq: [{id: a, type: u1, if: v > 1}]\ninstances: {v: {value: w + 1}, w: {value: v + 1}}\n"
    with pytest.raises(ConfigError, match="in a circle"):
        carried("x.ksy", text)


def test_behind_bits_that_are_not_in_every_packet_nothing_has_a_place(values):
    text = (
        BIG
        + """
seq:
  - {id: flag, type: b1}
  - {id: rest, type: b7}
  - {id: x, type: b4, if: flag}
  - {id: z, type: u1}
"""
    )
    found, losses = values(text, b"\x80\x50\7", b"\0\7")
    assert found == [{"flag": True, "rest": 0, "x": 5}, {"flag": False, "rest": 0}]
    assert [(loss.kind, loss.name, loss.why) for loss in losses] == [
        ("field", "z", "comes after bits that are not in every packet")
    ]


def test_a_switch_may_be_on_text(values):
    text = (
        BIG
        + """
seq:
  - {id: word, type: str, size: 2, encoding: ASCII}
  - id: body
    type: {switch-on: word, cases: {'"AB"': one, '"CD"': two}}
types:
  one: {seq: [{id: p, type: u1}]}
  two: {seq: [{id: q, type: u2}]}
"""
    )
    found, losses = values(text, b"AB\1", b"CD\0\2")
    assert found == [{"word": "AB", "body_p": 1}, {"word": "CD", "body_q": 2}]
    assert losses == ()


def test_a_type_may_have_parameters(values):
    text = (
        BIG
        + """
seq:
  - {id: n, type: u1}
  - {id: a, type: block(2)}
  - {id: b, type: block(n)}
types:
  block:
    params: [{id: size, type: u1}]
    seq: [{id: data, size: size}]
"""
    )
    (found,), losses = values(text, b"\3\1\2\5\6\7")
    assert found == {"n": 3, "a_data": [1, 2], "b_data": [5, 6, 7]}
    assert losses == ()
