"""The live page: what a message costs the server, and what a tick of an open tab costs, look by look.

The messages are those of the bundled pass; a tab is a Bokeh document without a browser, so drawing is not in it.
"""

import time
from pathlib import Path

from bokeh.document import Document

from pipeline import topics
from pipeline.dashboard.page import TICK_MS, Page
from pipeline.dashboard.state import State
from pipeline.mission import load_mission
from pipeline.stages.line import Line
from pipeline.stages.passes import read_passes

PASS = Path(__file__).parent.parent / "replay_data" / "clean.cadu"
REAL_S = 10.2  # that the pass lasts on the link, which carries 360 s of measurements
N_TABS = 10


def main() -> None:
    line = Line(load_mission("zhurong"), "clean")
    products = [product for batch in read_passes(line, [PASS]) for product in line.feed(batch).products]
    messages = [topics.product_message(product) for product in [*products, *line.flush().products]]

    state = State(topics.unpack_product)
    began = time.perf_counter()
    for message in messages:
        state.feed(message.topic, message.payload, time.monotonic())
    spent_s = time.perf_counter() - began
    n_mb = sum(len(message.payload) for message in messages) / 1e6
    print(f"state: {len(messages)} messages, {n_mb:.1f} MB in {spent_s * 1e3:.0f} ms: {n_mb / spent_s:,.0f} MB/s,")
    print(f"       {spent_s / REAL_S:.1%} of a core at the rate of the link")

    for look in range(5):
        state = State(topics.unpack_product)
        pages = [Page(Document(), state) for _ in range(N_TABS)]
        for page in pages:
            page._tabs.active = look  # noqa: SLF001 - what a click does
        spent_s, n_ticks = 0.0, 0
        each = max(1, round(len(messages) * TICK_MS / 1e3 / REAL_S))
        for start in range(0, len(messages), each):
            for message in messages[start : start + each]:
                state.feed(message.topic, message.payload, time.monotonic())
            began = time.perf_counter()
            for page in pages:
                page.tick()
            spent_s += time.perf_counter() - began
            n_ticks += N_TABS
        title = pages[0]._looks[look].title  # noqa: SLF001
        tick_s = spent_s / n_ticks
        print(f"{title:18} {tick_s * 1e3:6.2f} ms a tick of a tab: {tick_s / TICK_MS * 1e3:5.1%} of a core each")


main()
