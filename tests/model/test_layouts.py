"""Arrays that are made late are the same arrays."""

import numpy as np
from downlink_pipeline.model.layouts import LateArrays, form_of

ARRAYS = {"A": np.array([1.5]), "B": np.array([7], np.uint8)}


def late():
    copies = {name: array.copy() for name, array in ARRAYS.items()}
    return LateArrays(form_of(ARRAYS), lambda: copies, lambda: [array.tobytes() for array in ARRAYS.values()])


def test_they_are_a_mapping_of_their_form():
    one = late()
    assert (list(one), len(one), "B" in one, "C" in one) == (["A", "B"], 2, True, False)
    assert form_of(one) is form_of(ARRAYS)
    assert {name: array.tolist() for name, array in one.items()} == {"A": [1.5], "B": [7]}


def test_their_bytes_are_those_of_the_arrays_also_when_one_was_changed():
    one = late()
    assert one.octets() == [np.float64(1.5).tobytes(), b"\x07"]
    one["B"][0] = 9
    assert one.octets() == [np.float64(1.5).tobytes(), b"\x09"]


def test_they_may_stand_behind_others():
    front = {"T": np.array([3], np.int16)}
    both = late().behind(front, form_of({**front, **ARRAYS}))
    assert list(both) == ["T", "A", "B"]
    assert both.octets() == [b"\x03\x00", np.float64(1.5).tobytes(), b"\x07"]
    assert (both["T"].tolist(), both["A"].tolist()) == ([3], [1.5])
