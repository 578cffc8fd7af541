import asyncio
import io
import json
import math
import os
import sys
import termios

import pytest
from downlink_pipeline.cli.watch import MAX_TOPICS, WatchTable, json_line, sparkline
from downlink_pipeline.cli.watch_keys import key_names, keys
from downlink_pipeline.messages import topics
from downlink_pipeline.model.batches import Quality
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
    lines = {row.split()[0]: row for row in told(table).splitlines()}
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


def test_quality_is_told_in_words_and_only_doubtful_values_are_flagged():
    table = WatchTable(lambda: 0.0)
    table.add("m/live/latest/a/b", value(1.0, quality=Quality.OUT_OF_RANGE | Quality.SATURATED), False)
    assert "1 Pa  ⚑ out of range, saturated" in told(table)
    table.add("m/live/latest/a/b", value(1.0, quality=Quality.CORRECTED), False)
    assert "1 Pa  corrected" in told(table)


def test_retained_values_do_not_count_as_messages():
    table = WatchTable(lambda: 0.0)
    table.add("m/s/latest/a/old", value(1.0), True)
    for name in ("old", "fresh", "fresh"):
        table.add(f"m/s/latest/a/{name}", value(2.0), False)
    table.add("m/s/latest/a/kept", value(3.0), True)
    counts = {row.split()[0]: row.split() for row in told(table).splitlines()[2:]}
    assert [counts[name][-2] for name in ("old", "fresh")] == ["1", "2"]
    assert "retained" in counts["kept"]
    assert "1" not in counts["kept"]


LONG = "a_very_long_name_of_a_container_of_the_attitude_control_system/WHEEL_{}_SPEED_RPM"


def test_at_80_columns_topics_are_cut_from_the_left_and_what_they_share_stands_once():
    table = WatchTable(lambda: 0.0)
    for number in range(3):
        table.add(f"mission/live/latest/telemetry/{LONG.format(number)}", value(123.4, Quality.OUT_OF_RANGE), False)
    table.add("mission/live/latest/power/bus", value(1.0), False)
    heading, _, *rows = told(table, width=80).splitlines()
    assert heading.startswith("mission/live/latest/   4 topics")
    for number, row in enumerate(sorted(rows)[-3:]):
        assert row.startswith("…")
        assert f"WHEEL_{number}_SPEED_RPM" in row
        assert "123.4 Pa" in row
        assert len(row) <= 80
    assert sum("mission/live" in row for row in rows) == 0


def press(table, *keys):
    for key in keys:
        assert table.press(key)


def names(table, **size):
    return [row.split()[0] for row in told(table, **size).splitlines()[2:-1]]


def test_keys_filter_sort_reverse_and_scroll():
    now = [0.0]
    table = WatchTable(lambda: now[0])
    for at, (name, bits) in enumerate((("b", 0), ("c", Quality.SATURATED), ("a", Quality.CORRECTED))):
        now[0] = float(at)
        table.add(f"m/s/latest/x/{name}", value(1.0, bits), False)
    press(table, "home")
    assert names(table) == ["a", "b", "c"]
    press(table, "r")
    assert names(table) == ["c", "b", "a"]
    press(table, "r", "s")
    assert names(table) == ["a", "c", "b"]  # the youngest first
    press(table, "s", "s")
    assert names(table) == ["c", "a", "b"]  # the doubtful first, then the corrected
    press(table, "s", "/", "X", "/", "C", "enter")
    assert names(table) == ["c"]
    press(table, "escape")
    assert names(table, height=6) == ["a", "b"]
    press(table, "down")
    assert names(table, height=6) == ["b", "c"]
    press(table, "end", "up")
    assert names(table, height=6) == ["a", "b"]
    assert not table.press("q")


def test_q_in_a_filter_is_a_letter():
    table = WatchTable(lambda: 0.0)
    table.add("m/s/latest/x/q", value(1.0), False)
    press(table, "/", "q")
    assert table.view.filter == "q"


def test_a_terminal_sends_keys_as_sequences():
    assert key_names("q\x1b[A\x1b[6~/\x7f\r\x1b\x1b[15~s") == [
        "q", "up", "page down", "/", "backspace", "enter", "escape", "s",
    ]  # fmt: skip


async def test_keys_come_one_by_one_and_the_terminal_is_left_as_it_was(monkeypatch):
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        before, came = termios.tcgetattr(theirs), asyncio.Queue()
        with keys(came.put_nowait) as has_keys:
            assert has_keys
            os.write(ours, b"s\x1b[B")
            assert [await came.get(), await came.get()] == ["s", "down"]
        assert termios.tcgetattr(theirs) == before
    os.close(ours)


async def test_without_a_terminal_no_key_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with keys(pytest.fail) as has_keys:
        assert not has_keys


def test_topics_beyond_what_the_screen_holds_are_counted():
    table = WatchTable(lambda: 0.0)
    for number in range(30):
        table.add(f"m/live/latest/a/q{number:02}", value(1.0), False)
    assert "... and 24 more" in told(table, height=10)


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


def test_an_old_age_is_not_cut_and_numbers_keep_seven_digits():
    table = WatchTable()
    value = {"time": "2020-01-01T00:00:00Z", "value": 7199005.0, "unit": "ms", "quality": 0}
    table.add("m/s/latest/telemetry/HK/MSEC", json.dumps(value).encode(), True)
    shown = told(table, width=80)
    assert "7199005 ms" in shown
    assert "d retained" in shown
