import io
import json
import math

from downlink_pipeline.cli.watch import MAX_TOPICS, WatchTable, json_line, sparkline
from downlink_pipeline.messages import topics
from rich.console import Console


def told(table, width=160, height=40):
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def value(number, quality=0):
    return json.dumps({"time": None, "value": number, "unit": "Pa", "quality": quality}).encode()


def test_a_sparkline_spans_from_its_smallest_to_its_largest_value():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_a_sparkline_leaves_a_gap_where_a_value_is_not_finite():
    assert sparkline([1, math.nan, 2]) == "▁ █"


def test_a_row_tells_the_newest_value_how_it_went_and_how_old_it_is():
    now = [100.0]
    table = WatchTable(lambda: now[0])
    for number in (900.0, 901.0, 907.0):
        table.add("m/live/latest/weather/pressure_pa", value(number), False)
    now[0] = 105.0
    (line,) = [row for row in told(table).splitlines() if "pressure" in row]
    assert "907 Pa" in line
    assert "▁▂█" in line
    assert "5 s" in line
    assert "0.3" in line  # three in ten seconds


def test_a_retained_message_says_nothing_of_the_rate():
    table = WatchTable(lambda: 1.0)
    table.add("m/live/latest/a/b", value(1.0), True)
    assert "0.1" not in told(table)


def test_a_retained_value_has_the_age_of_the_value_and_says_so():
    now = [0.0]
    table = WatchTable(lambda: now[0], lambda: 1_700_007_200.0)  # 2023-11-15T00:13:20Z
    for key, when in (("time", "2023-11-14T22:13:20.000Z"), ("received", "2023-11-10T00:13:20.000Z")):
        payload = {"time": None, "value": 1.0, "unit": "", "quality": 0, "received": None, key: when}
        table.add(f"m/live/latest/a/{key}", json.dumps(payload).encode(), True)
    table.add("m/live/latest/a/unknown", json.dumps({"time": None, "value": 1.0}).encode(), True)
    now[0] = 3.0
    lines = {row.split()[0].rsplit("/", 1)[1]: row for row in told(table).splitlines() if "latest" in row}
    assert "2 h retained" in lines["time"]
    assert "5 d retained" in lines["received"]
    assert "retained" in lines["unknown"]
    assert " s " not in lines["unknown"]


def test_a_value_that_comes_anew_has_the_age_of_its_arrival():
    now = [0.0]
    table = WatchTable(lambda: now[0], lambda: 1_700_007_200.0)
    payload = json.dumps({"time": "2021-05-22T01:20:00.000Z", "value": 1.0}).encode()
    table.add("m/replay/latest/a/b", payload, True)
    table.add("m/replay/latest/a/b", payload, False)
    now[0] = 3.0
    assert "retained" not in told(table)
    assert "3 s" in told(table)


def test_flagged_values_carry_their_quality_bits():
    table = WatchTable(lambda: 0.0)
    table.add("m/live/latest/a/b", value(1.0, quality=16), False)
    assert "⚑ 16" in told(table)


def test_topics_beyond_what_the_screen_holds_are_counted():
    table = WatchTable(lambda: 0.0)
    for number in range(30):
        table.add(f"m/live/latest/a/q{number:02}", value(1.0), False)
    assert "... and 23 more" in told(table, height=10)


def test_topics_without_end_do_not_fill_memory():
    table = WatchTable(lambda: 0.0)
    for number in range(MAX_TOPICS + 7):
        table.add(f"t{number}", b"1", False)
    assert table.n_left_out == 7


def test_what_is_neither_json_nor_a_product_is_told_by_its_size():
    assert json.loads(json_line("a/b", b"\xff\xfe", True)) == {"topic": "a/b", "retained": True, "bytes": 2}
    for payload in (b"", b"\x80", b"[" * 100_000, b'{"quality": "x", "rows": 1}', b"\xc1" * 10):
        for topic in ("m/s/product/a/b", "m/s/link/x", "m/s/latest/a/b"):
            WatchTable().add(topic, payload, False)
            json_line(topic, payload, False)


def test_a_product_is_told_with_its_rows_and_time(products):
    field = next(one for one in products if one.product == "field")
    message = topics.product_message(field)
    line = json.loads(json_line(message.topic, message.payload, False))
    assert line["rows"] == len(field.quality)
    assert line["arrays"]["field_a_enu_nt"] == [len(field.quality), 3]
    table = WatchTable()
    table.add(message.topic, message.payload, False)
    assert f"{len(field.quality):,} rows" in told(table)
