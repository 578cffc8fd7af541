"""msgpack and JSON from anyone, on every topic: refused by a ValueError or counted, at a bounded cost, never worse."""

import copy
import tracemalloc

import msgpack
import pytest
from downlink_pipeline.cli.watch import WatchTable, json_line
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.messages.topics import product_message, unpack_product
from downlink_pipeline.messages.unpacking import MAX_ENTRIES
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch, Message
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.protocol import (
    Ack,
    Chunk,
    Claim,
    Nack,
    Offer,
    Outgoing,
    Output,
    Restarted,
    RunId,
    pack,
    unpack,
)
from rich.console import Console

RUN = RunId("test", "pass", "run")
STAGE = [
    Offer(RUN),
    Claim(RUN, "one"),
    Chunk(RUN, 0, ByteBatch.of(bytes(300), 7), ended=True),
    Output(RUN, 0, 9, False, 7, (Outgoing(Message("zhurong/test/product/a/b", b"x"), "key"),)),
    Ack(RUN, 5, ended=True),
    Nack(RUN, "why"),
    Restarted("publish"),
]
ODD = [
    b"",
    b"\xc0",
    b"\x91" * 100_000 + b"\xc0",  # a hundred thousand lists in each other
    b"\x81\xa4kind" * 50_000,
    *(head + b"\xff\xff\xff\xff" for head in (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9")),  # 4 GB of it, it says
    b"\xd4\xff\x00",  # extensions, a time among them
    b"\xc7\x0c\xff" + b"\xff" * 12,
    b"\xd7\xff" + b"\xff" * 8,
]


def array(dtype, shape, data=bytes(8)):
    return {"dtype": dtype, "shape": shape, "data": data}


VALUES = [
    *(None, True, False, -1, 1, 2**64 - 1, 1.5, float("nan"), float("inf"), "", "a/b", "\0", b"", b"x" * 100_000),
    *([], [[]], {}, {"a": 1}, [1] * 1000, msgpack.ExtType(5, b"abc"), msgpack.Timestamp(2**33, 1)),
    *(array(one, [1]) for one in ("|O", "V8", "i4,i4", "(2,)i4", ["<i8"], "x" * 100_000, 8)),
    *(array("<i8", one) for one in ([2**40], [-1], ["1"], [1.0], [1] * 10, {"a": 1}, None, [float("inf")])),
    *(array(one, [0], b"") for one in ("O", "S2147483647", "U0", "M8[ns]")),
    array("<i8", [0, 2**62, 2**62], b""),
]
JSON = [
    *(b"[" * 100_000, b'{"a":' * 50_000, b'{"value":1' + b"0" * 4000 + b"}", b'{"value":1e999}', b"null", b"\xff"),
    *(b'{"state":[]}', b'{"frames":"a","gaps":[],"lost_frames":{}}', b'{"frames":1,"last_received_ns":1e999}'),
    *(
        b'{"severity":[],"details":5}',
        b'{"state":"playing","total":1e999,"bytes":1}',
        b'{"quality":true,"value":{}}',
    ),
]


def mutants(told):
    """The same with each value of each map and list in turn replaced by each of VALUES, and left out."""
    for path in paths(told):
        for value in [*VALUES, KeyError]:
            changed = place = copy.deepcopy(told)
            for key in path[:-1]:
                place = place[key]
            if value is KeyError:
                del place[path[-1]]
            else:
                place[path[-1]] = value
            yield msgpack.packb(changed)


def paths(told, above=()):
    keys = told if isinstance(told, dict) else range(len(told[:2])) if isinstance(told, list) else ()
    for key in keys:
        yield (*above, key)
        yield from paths(told[key], (*above, key))


@pytest.fixture(scope="module")
def product(bundled):
    """A small one, as a message."""
    line = ProcessingChain(load_mission("zhurong"), "live")
    for batch in read_pass(bundled / "clean.cadu"):
        for one in line.process(batch).products:
            if one.product == "meteorology":
                return product_message(one)
    raise AssertionError


def refused(read, payload):
    told = ""
    try:
        read(payload)
    except ValueError as error:
        told = str(error)
    assert "\n" not in told
    assert len(told) < 400
    return bool(told)


@pytest.mark.parametrize("message", STAGE, ids=lambda one: type(one).__name__)
def test_a_stage_message_with_anything_else_in_it_is_refused_in_one_line(message):
    payloads = [*ODD, *mutants(msgpack.unpackb(pack(message)))]
    n_refused = sum(refused(unpack, payload) for payload in payloads)
    assert n_refused > 0.7 * len(payloads)  # other texts, counts and flags are as good as those that were there


def test_a_product_with_anything_else_in_it_is_refused_or_read_and_watch_and_page_take_it_or_count_it(product):
    state, table = State(unpack_product), WatchTable()
    n_refused = 0
    for payload in [*ODD, *mutants(msgpack.unpackb(product.payload))]:
        n_refused += refused(unpack_product, payload)
        state.receive(product.topic, payload, 1.0)
        table.add(product.topic, payload, False)
        assert "\n" not in json_line(product.topic, payload, False)
    assert state.n_unread >= n_refused > 1000
    state.receive(product.topic, product.payload, 2.0)
    assert state.streams["zhurong/live"].n_products["weather/meteorology"]


@pytest.mark.parametrize(
    "kind", ["latest/a/b", "link/x", "event/info", "report", "progress", "status", "product/a"]
)
def test_json_that_is_none_is_counted_by_the_page_and_told_by_its_size(kind):
    state, table = State(unpack_product), WatchTable()
    for payload in [*JSON, *ODD]:
        for topic in (f"zhurong/live/{kind}", f"zhurong/{kind}", kind):
            state.receive(topic, payload, 1.0)
            table.add(topic, payload, True)
            json_line(topic, payload, False)
    assert state.n_unread > len(JSON)
    console = Console(width=200, height=50, record=True, quiet=True)
    console.print(table)


def test_what_would_steer_a_terminal_is_not_shown(capsys):
    table = WatchTable()
    table.add("zhurong/live/event/\x1b[2J", b'{"text": "\\u001b]0;owned\\u0007 and so on"}', False)
    Console(width=200, height=50, force_terminal=False).print(table)
    shown = capsys.readouterr().out
    assert "owned" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


@pytest.mark.parametrize("read", [unpack, unpack_product])
@pytest.mark.parametrize(
    "bomb",
    [
        b"\xdd\x00\x80\x00\x00" + b"\x90" * (8 << 20),
        b"\x92" * (1 << 21),
        b"\xdd\x00\x00\x02\x58" + (b"\xdc\xff\xff" + b"\xc0" * 65_535) * 100,
        b"\xdf\x00\x80\x00\x00" + b"\xa0\xc0" * (4 << 20),
    ],
    ids=["one list", "deep", "lists", "map"],
)
def test_a_bomb_of_entries_is_refused_before_it_is_large(read, bomb):
    tracemalloc.start()
    try:
        assert refused(read, bomb)
        assert tracemalloc.get_traced_memory()[1] < 100 * MAX_ENTRIES
    finally:
        tracemalloc.stop()


def test_the_most_messages_that_an_out_can_have_are_read():
    one = Outgoing(Message("zhurong/test/event/info", bytes(64)), "key")
    out = Output(RUN, 0, 9, False, 7, (one,) * 65_536)
    assert unpack(pack(out)) == out
