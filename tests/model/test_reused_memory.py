"""Memory that is used again: never while somebody has a column in it."""

import numpy as np
from downlink_pipeline.model.reused_memory import MEMORY, Arena, Memory, Surroundings, reused_empty


def test_memory_is_used_again_when_no_column_is_left():
    memory = Memory()
    first = memory.take(1000)
    place = first.ctypes.data
    del first
    assert memory.take(900).ctypes.data == place


def test_memory_is_not_used_again_while_a_view_of_a_column_exists():
    memory = Memory()
    column = Arena(1000, 2, memory).empty((10, 5), np.dtype(np.float64))
    column[...] = 7.0
    row = column[3].view(np.uint8)[2:6]
    again = column.reshape(-1)[::2]
    del column
    other = Arena(1000, 2, memory).empty((100,), np.dtype(np.float64))
    other[...] = 1.0
    assert (again == 7.0).all()
    assert row.base is not other.base
    del row, again
    assert Arena(1000, 2, memory).empty((1,), np.dtype(np.uint8)).base is not other.base


def test_no_more_is_kept_than_a_few_pieces():
    memory = Memory()
    for n in range(1, 200):
        memory.take(n * 100)
    assert len(memory._kept) <= 16


def test_large_arrays_are_used_again_and_small_ones_are_not_kept():
    MEMORY.forget()  # pieces of other tests would do as well
    first = reused_empty((1 << 20,), np.dtype(np.uint16))
    place = first.ctypes.data
    assert first.shape == (1 << 20,)
    del first
    assert reused_empty((1 << 20,), np.dtype(np.uint16)).ctypes.data == place
    assert reused_empty((4, 2), np.dtype(np.uint16)).base is None


def test_memory_around_an_array_is_given_once_with_the_array_in_it():
    around = Surroundings(4, 10, 2)
    around.array[:] = np.arange(10)
    around.first(6)
    whole = around.take(around.array, 3, 2)
    assert whole[3:9].tolist() == [0, 1, 2, 3, 4, 5]
    assert len(whole) == 11
    assert np.shares_memory(whole, around.array)
    assert around.take(around.array, 3, 2) is None


def test_memory_around_an_array_is_not_given_for_a_part_of_it_or_where_there_is_too_little():
    around = Surroundings(4, 10, 2)
    assert around.take(around.array[2:], 0, 0) is None
    assert around.take(around.array, 5, 0) is None
    assert around.take(around.array, 0, 3) is None
