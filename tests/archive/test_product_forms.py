"""Products of one kind whose arrays differ in form: none is left out without a word."""

from pathlib import Path

import pytest
from downlink_pipeline.api import open_pass

pytest.importorskip("xarray")


def test_images_of_other_sizes_are_reported_to_be_left_out(bundled: Path) -> None:
    found = open_pass(bundled / "clean.cadu", mission="zhurong")
    with pytest.warns(UserWarning, match=r"^natecam/image: 7 of 15 products are left out.*product_forms\("):
        assert len(found.product("natecam/image")["quality"]) == 8


def test_all_images_are_in_one_form_or_another(bundled: Path) -> None:
    found = open_pass(bundled / "clean.cadu", mission="zhurong")
    n_images = sum((one.instrument, one.product) == ("natecam", "image") for one in found.products())
    forms = found.product_forms("natecam/image")
    assert sum(len(one["quality"]) for one in forms) == n_images == 15
    shapes = [one["image"].shape[1:] for one in forms]
    assert len(set(shapes)) == len(shapes)


def test_products_of_one_form_come_without_a_warning(bundled: Path) -> None:
    found = open_pass(bundled / "clean.cadu", mission="zhurong")
    assert found.product("weather/meteorology").attrs["n_products"] >= 1  # warnings are errors here
