"""What is declared before a pass comes is what the pass brings: names, levels, types, axes, units."""

from pathlib import Path

import pytest
from downlink_pipeline.commands.catalogue import catalogue
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.products.kinds import mismatches

MISSION = load_mission("zhurong")
FOLDER = Path(__file__).parents[2] / "replay_data"


@pytest.fixture(scope="session")
def night(decode_pass):
    return decode_pass(FOLDER / "night.cadu")


@pytest.mark.parametrize("name", ["clean", "damaged", "night"])
def test_every_product_of_a_bundled_pass_is_as_its_kind_says(name, request):
    products = [one for one in request.getfixturevalue(name).products if one.instrument != "telemetry"]
    wrong = {
        f"{one.instrument}/{one.product}": found
        for one in products
        if (found := mismatches(MISSION.kinds[f"{one.instrument}/{one.product}"], one.level, one.arrays))
        or one.latest != MISSION.kinds[f"{one.instrument}/{one.product}"].latest
    }
    assert len({one.product for one in products}) >= 10
    assert wrong == {}


def test_the_dictionary_declares_products_of_containers_that_no_instrument_reads(clean):
    declared = {form.topic: form for form in catalogue(MISSION)}
    generic = [one for one in clean.products if one.instrument == "telemetry"]
    for one in generic:
        form = declared[f"telemetry/{one.product}"]
        assert list(form.arrays) == list(one.arrays)
        types = [array.values.dtype.str[:2] if array.values.dtype.kind == "U" else array.values.dtype.str
                 for array in one.arrays.values()]  # fmt: skip
        assert [form.arrays[name].dtype.replace("|", "<") for name in form.arrays] == [
            kind.replace("|", "<") for kind in types
        ]
        assert [(form.arrays[name].unit, form.arrays[name].dims) for name in form.arrays] == [
            (array.unit, array.dims) for array in one.arrays.values()
        ]


def test_a_pass_brings_no_topic_that_was_not_declared(clean):
    declared = {form.topic: form for form in catalogue(MISSION)}
    seen = catalogue(MISSION, clean.products)
    assert {form.topic for form in seen} == declared.keys()
    assert {form.topic: form.latest for form in seen} == {topic: form.latest for topic, form in declared.items()}
