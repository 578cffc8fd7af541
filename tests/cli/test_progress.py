"""The table that a person sees while a pass is replayed."""

import io
from pathlib import Path

import pytest
from downlink_pipeline.cli.progress import TopicTable
from downlink_pipeline.messages import topics
from rich.console import Console

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def rows(products):
    table = TopicTable()
    for product in products:
        table.add([topics.product_message(product), *topics.latest_messages(product)])
    console = Console(width=110, height=200, file=io.StringIO(), record=True)
    console.print(table)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def row(rows, product):
    (found,) = [one for one in rows if one.startswith(f"{product} ")]
    return found


def test_values_stand_beside_the_product_they_came_from(rows):
    assert "depth_pa" in row(rows, "weather/dust_devil")
    assert "air_temperature_k" in row(rows, "weather/meteorology")
    assert "sound_level_db" in row(rows, "weather/sound")
    assert "depth_pa" not in row(rows, "weather/meteorology")


def test_long_values_take_no_room_from_counts_and_names(rows):
    for product in ("libs/spectrum", "magnetometer/field", "mepa/flux"):
        assert row(rows, product).split()[1].isdigit()


def test_the_picture_in_the_readme_is_true(rows):
    text = README.read_text()
    picture = text[text.index("product   ") :].split("\n...")[0]
    shown = [" ".join(line.split()) for line in picture.splitlines()]
    assert len(shown) > 10
    assert [line for line in shown if line not in rows] == []
