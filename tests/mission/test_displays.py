"""Displays of a mission: their files, every problem with file, line and key, and what the page writes for them."""

import pytest
from downlink_pipeline.dashboard.save_display import display_toml
from downlink_pipeline.dashboard.selection import Selection
from downlink_pipeline.mission.displays import check_displays, read_display, shown_display
from downlink_pipeline.model.errors import ConfigError

GOOD = """\
title = "Power"
columns = 3

[[panel]]
kind = "plot"
parameters = ["HK/BUS", "HK/TEMP"]
width = 2

[[panel]]
kind = "value"
parameters = ["HK/BUS"]

[[panel]]
kind = "image"
parameters = ["cam/raw/image"]
column = 1
row = 3

[[panel]]
kind = "table"
parameters = ["HK/TEMP"]
"""
KNOWN = {"HK/BUS", "HK/TEMP", "cam/raw/image"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "displays").mkdir()
    return tmp_path


def write(folder, text, name="power.toml"):
    path = folder / "displays" / name
    path.write_text(text)
    return path


def test_panels_without_a_place_take_the_next_free_cells(folder):
    one = read_display(write(folder, GOOD), KNOWN)
    assert (one.name, one.title) == ("power", "Power")
    assert [(p.kind, p.column, p.row, p.width) for p in one.panels] == [
        ("plot", 0, 0, 2), ("value", 2, 0, 1), ("image", 0, 2, 1), ("table", 0, 1, 1),
    ]  # fmt: skip


WRONG = """\
title = "Power"
columns = 2
colour = "red"

[[panel]]
kind = "dial"
parameters = ["HK/BUS"]

[[panel]]
kind = "plot"
parameters = []

[[panel]]
kind = "table"
parameters = ["HK/BUSS"]
width = 9
"""
OVER = """\
columns = 2

[[panel]]
kind = "plot"
parameters = ["HK/BUSS"]
row = 1

[[panel]]
kind = "image"
parameters = ["cam/raw/image", "HK/TEMP"]
column = 1
row = 1

[[panel]]
kind = "value"
parameters = ["HK/TEMP"]
column = 2
width = 2
"""


def test_every_problem_of_all_files_has_its_file_line_and_key(folder):
    write(folder, WRONG, "a.toml")
    write(folder, OVER, "b.toml")
    write(folder, "title = ", "c.toml")
    write(folder, GOOD, "d.toml")
    with pytest.raises(ConfigError) as raised:
        check_displays(folder, KNOWN)
    found = [(one.file.rsplit("/", 1)[1], one.line, one.key) for one in raised.value.problems]
    assert found == [
        ("a.toml", 3, "colour"),
        ("a.toml", 6, "panel.0.kind"),
        ("a.toml", 11, "panel.1.parameters"),
        ("a.toml", 15, "panel.2.parameters"),
        ("a.toml", 16, "panel.2.width"),
        ("b.toml", 5, "panel.0.parameters"),
        ("b.toml", 10, "panel.1.parameters"),
        ("b.toml", 12, "panel.1.row"),
        ("b.toml", 18, "panel.2.width"),
        ("c.toml", 1, ""),
    ]
    texts = "\n".join(map(str, raised.value.problems))
    assert "there is no parameter 'HK/BUSS': did you mean HK/BUS?" in texts
    assert "an image shows 1 at most" in texts


def test_a_file_that_is_wrong_says_so_on_the_page(folder):
    path = write(folder, OVER)
    one = shown_display(path)
    assert one.panels == ()
    assert any(line.startswith("power.toml:12: panel.1.row") for line in one.problems)


def test_more_panels_than_the_grid_has_rows_is_a_problem_and_no_error(folder):
    panel = '\n[[panel]]\nkind = "value"\nparameters = ["HK/BUS"]\nheight = 12\n'
    with pytest.raises(ConfigError, match="reaches beyond row 12"):
        read_display(write(folder, f"columns = 1\n{panel * 3}"), KNOWN)


def test_what_the_page_saves_is_a_display(folder):
    chosen, pins = ["HK/BUS", 'odd/a "b" \\ c'], ["HK/TEMP"]
    text = display_toml(Selection(chosen=chosen, pins=pins))
    one = read_display(write(folder, text))
    assert [(p.kind, list(p.parameters)) for p in one.panels] == [("plot", chosen), ("table", pins)]
    assert display_toml(Selection()) == ""
