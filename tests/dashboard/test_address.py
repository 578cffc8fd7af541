"""The address of a page: what it says is what is opened, and nothing that comes in it does harm."""

from urllib.parse import parse_qs

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard.selection import MAX_ADDRESS, MAX_CHOSEN, MAX_PINS, Asked, Selection, read_address

NOON_MS = 1_714_564_800_000.0
"""2024-05-01T12:00:00Z, by `date -d 2024-05-01T12:00:00Z +%s`."""


def test_an_address_opens_what_it_was_made_of():
    selection = Selection(
        chosen=["HK/TEMP", "cam/raw/a b&c=d"], pins=["HK/BUS"], range_ms=(NOON_MS, NOON_MS + 1500),
        search="deg C", only_pins=True, fold_all=True, unlike={"POWER"},
    )  # fmt: skip
    asked = Asked("Parameters", "sat/live", dark=False, selection=selection)
    assert read_address(parse_qs(asked.query())) == asked
    assert "from=2024-05-01T12%3A00%3A00.000Z" in asked.query()


def test_nothing_chosen_is_a_short_address():
    assert Asked("Pass").query() == "look=Pass"
    assert read_address({}) == Asked()


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("", "2024-05-01"),
        ("2024-05-02", "2024-05-01"),
        ("now", "then"),
        ("0001-01-01", "9999-12-31"),
        ("2024-05-01", "2024-05-01"),
        ("nan", "inf"),
    ],
)
def test_a_range_that_is_none_is_left_out(first, last):
    assert read_address({"from": [first], "to": [last]}).selection.range_ms is None


def test_a_time_without_a_zone_is_utc_and_another_zone_is_converted():
    asked = read_address({"from": ["2024-05-01T12:00"], "to": ["2024-05-01T15:00:00+02:00"]})
    assert asked.selection.range_ms == (NOON_MS, NOON_MS + 3_600_000)


def test_what_comes_from_outside_is_bounded_and_printable():
    many = {name: [f"K{i}/{'x' * 300}" for i in range(1000)] for name in ("p", "pin", "but")}
    asked = read_address({**many, "q": ["y" * 10_000], "look": ["\x1b[31m"], "p": ["a\nb", "z" * 5000, *many["p"]]})
    one = asked.selection
    assert (len(one.chosen), len(one.pins), len(one.search)) == (MAX_CHOSEN, MAX_PINS, 100)
    assert one.chosen[0] == r"a\nb"
    assert max(map(len, one.chosen)) < 400
    assert "\x1b" not in asked.look
    assert len(asked.query()) <= MAX_ADDRESS


def test_a_parameter_is_drawn_once_and_of_too_many_the_oldest_goes():
    one = Selection()
    for i in range(MAX_CHOSEN + 2):
        one.toggle_drawn(f"HK/P{i}")
    assert one.chosen == [f"HK/P{i}" for i in range(2, MAX_CHOSEN + 2)]
    one.toggle_drawn("HK/P5")
    assert "HK/P5" not in one.chosen
    one.draw_only("HK/P5")
    assert one.chosen == ["HK/P5"]


def test_folding_all_is_short_and_what_is_opened_then_stays_open():
    one = Selection(fold_all=True)
    one.act("fold", "HK")
    assert (one.is_folded("HK"), one.is_folded("POWER")) == (False, True)
    again = read_address(parse_qs(Asked("Parameters", selection=one).query())).selection
    assert (again.is_folded("HK"), again.is_folded("POWER")) == (False, True)
    one.search = "bus"
    assert not one.is_folded("POWER")


def test_acts_of_a_browser_are_of_known_verbs_and_bounded():
    one = Selection()
    for verb, key in (("delete", "HK/A"), ("draw", ""), ("pin", "x" * 1000), ("", "")):
        assert not one.act(verb, key)
    assert one == Selection()
    for i in range(3000):
        one.act("fold", f"C{i}")
        one.act("pin", f"C{i}/A")
    assert len(one.unlike) == 2000
    assert len(one.pins) == MAX_PINS
