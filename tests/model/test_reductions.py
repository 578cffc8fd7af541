import numpy as np
import pytest
from downlink_pipeline.model.reductions import all_true, any_true, largest, smallest


@pytest.mark.parametrize("values", [[7], [[7]], [3, -2, 9], [[3, -2], [9, 1]], 7])
def test_a_single_value_is_reduced_as_several_are(values):
    array = np.array(values)
    assert (smallest(array), largest(array)) == (array.min(), array.max())


@pytest.mark.parametrize("holds", [[], [True], [False], [True, False], [True, True], [False, False]])
def test_a_single_boolean_is_reduced_as_several_are(holds):
    array = np.array(holds, np.bool_)
    assert (any_true(array), all_true(array)) == (any(holds), all(holds))
