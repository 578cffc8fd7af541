import numpy as np
from downlink_pipeline.model.batches import Quantity
from downlink_pipeline.model.quantities import Quantities


def quantities(value=1.0, unit="V"):
    one = {
        "a": Quantity(np.array([value]), unit, "what a is"),
        "b": Quantity(np.zeros((1, 2)), "", "", ("row", "x")),
    }
    return Quantities.of(one)


def test_a_quantity_is_read_by_name_with_all_that_is_said_of_it():
    one = quantities(2.5)["a"]
    assert (one.values.tolist(), one.unit, one.description, one.dims) == ([2.5], "V", "what a is", ("row",))


def test_quantities_are_a_mapping_in_the_order_in_which_they_were_given():
    one = quantities()
    assert list(one) == ["a", "b"]
    assert [quantity.values.shape for quantity in one.values()] == [(1,), (1, 2)]
    assert ("a" in one, "c" in one, one.get("c"), len(one)) == (True, False, None, 2)


def test_what_is_told_alike_has_one_legend_and_what_is_not_another():
    assert quantities(1.0).metadata is quantities(2.0).metadata
    assert quantities(unit="V").metadata is not quantities(unit="A").metadata
