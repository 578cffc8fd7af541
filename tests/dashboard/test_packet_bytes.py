"""Packets as they came: kept in bounded memory, counted though nothing decodes them, and taken apart on the page."""

import pytest
from downlink_pipeline.commands.tabs import known_missions
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.publisher import Publisher

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard import packet_bytes
from downlink_pipeline.dashboard.packet_view import NO_DICTIONARY, html
from downlink_pipeline.dashboard.packets_look import PacketsLook, rows_of
from downlink_pipeline.dashboard.state import State
from driving import look, model, page
from test_reach import BESIDE, key

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
EVENT = (259).to_bytes(2) + b"\xc0\x07" + (21).to_bytes(2) + bytes(6) + b"\x01\x01\x01\x0dWHEEL STALLED"
"""A packet EVENT of Zhurong by docs/zhurong-packets.md: severity 1, id 257, a text of 13 characters."""
BOOKS = {"packets": {"read": 9, "by_apid": {"259": 4, "77": 5}}, "records": {"set_aside": {"no container": 5}}}


@pytest.fixture
def state():
    return State(unpack_product, missions=known_missions([load_mission("zhurong")]))


def feed(state, message, now_s=100.0):
    state.receive(message.topic, message.payload, now_s)
    assert state.n_unread == 0
    return state.streams["zhurong/live"]


def test_packets_that_nothing_decodes_are_counted_while_the_pass_is_under_way(state):
    feed(state, topics.packets_message("zhurong", "live", BOOKS))
    again = BOOKS | {"packets": {"read": 19, "by_apid": {"259": 4, "77": 15}}}
    stream = feed(state, topics.packets_message("zhurong", "live", again), now_s=105.0)
    rows = rows_of(stream, 105.0)
    assert (rows["apid"], rows["name"], rows["packets"]) == (["77", "259"], ["not decoded"] * 2, [15, 4])
    assert rows["per_second"][0] == "1.0"  # ten in the last ten seconds
    packets = PacketsLook()
    packets.refresh(stream, 105.0)
    assert packets.aside.data["why"] == ["no container", "no product is made of APID 77, 259"]


def test_the_last_packets_of_each_apid_are_kept_in_bounded_memory():
    held = packet_bytes.PacketBytes()
    for k in range(100):
        held.take(7, (7).to_bytes(2) + (0xC000 + k).to_bytes(2) + bytes(4), 0)
    assert [one.seq_count for one in held.of(7)] == list(range(99, 79, -1))
    for k in range(2000):
        held.take(8 + k % 500, bytes(4000), 0)
    assert held.n_bytes <= packet_bytes.MAX_BYTES
    assert held.of(7) == []  # the oldest went
    with pytest.raises(ValueError, match="not a space packet"):
        held.take(2048, bytes(8), 0)


def test_without_a_dictionary_the_bytes_are_shown_and_the_option_is_said():
    state = State(unpack_product)
    stream = feed(state, Message("zhurong/live/packet/259", EVENT))
    packets = PacketsLook()
    packets.refresh(stream, 100.0)
    packets.picked.value = "259"
    assert NO_DICTIONARY in packets._view.panel._caption.root.tags[0]
    assert "57 48 45 45 4c" in packets._view._body.root.tags[0]


def test_text_in_a_packet_is_escaped(state):
    octets = EVENT.replace(b"WHEEL", b"<b>&'")
    found = state.missions["zhurong"].reader.read(octets)
    drawn = html(octets, found, PacketsLook().picked)
    assert "<b>" not in drawn
    assert "&lt;b&gt;&amp;" in drawn


PACKET = f"Bokeh.index.find_one({model('packet_bytes')}).markup_el"
ROWS = f"[...{PACKET}.querySelectorAll('tbody tr')]"
ROW = """(() => {
  const found = []
  const walk = (node) => {
    for (const child of node.children ?? []) {
      if (child.matches("[data-to=picked_apid]")) found.push(child)
      if (child.shadowRoot) walk(child.shadowRoot)
      walk(child)
    }
  }
  walk(document.body)
  return found.find((one) => one.dataset.pick === "259")
})()"""


async def test_a_packet_is_chosen_by_key_and_taken_apart(chromium):
    async with page() as (address, served):
        async with Publisher(address) as publisher:
            await publisher.publish(
                [
                    topics.packets_message("zhurong", "live", BOOKS),
                    Message("zhurong/live/packet/259", EVENT),
                ]
            )
        tab = await chromium.open(served.url)
        await tab.until(f"{model('header')}.tags[0].includes('zhurong/live')")
        await look(tab, "packets")
        await tab.until(f"{ROW} != null")
        await tab.run(f"{ROW}.focus()")
        await key(tab, "Enter", 13)
        await tab.until(f"{model('packet_bytes')} != null && {ROWS}.length > 8")
        cells = await tab.run(f"{ROWS}.map((row) => [...row.cells].map((cell) => cell.textContent))")
        by_name = {cell[0]: cell[1:] for cell in cells}
        assert by_name["SEVERITY"] == [
            "12 +8",
            "1",
            "WARNING",
            "",
            "8-bit unsigned integer; enumeration of 3 labels",
        ]
        assert by_name["TEXT"][2] == "WHEEL STALLED"
        await tab.until("location.search.includes('apid=259')")
        number = next(k for k, cell in enumerate(cells) if cell[0] == "TEXT")
        await tab.run(f"{ROWS}[{number}].focus()")
        await key(tab, "Enter", 13)
        await tab.until(f"{PACKET}.querySelectorAll('pre .picked').length > 0")
        marked = f"[...{PACKET}.querySelectorAll('pre .picked')].map((one) => one.textContent).join(' ')"
        assert bytes.fromhex(await tab.run(marked)) == b"WHEEL STALLED"
        swatch = f"getComputedStyle({ROWS}[{number}].querySelector('i')).backgroundColor"
        gradient = f"getComputedStyle({PACKET}.querySelector('pre .picked')).backgroundImage"
        assert (await tab.run(swatch)).removeprefix("rgb(").rstrip(")") in await tab.run(gradient)
        await tab.resize((390, 844))
        await tab.until(f"{BESIDE}.length == 0")  # one column
        assert await tab.run("errors") == []
