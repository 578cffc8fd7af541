"""Breaks of sequence counts: in batches of any size those that a count of each APID by itself gives."""

import numpy as np
from downlink_pipeline.link.channels.sequence import SequenceCounts
from hypothesis import given
from hypothesis import strategies as st


def breaks_one_by_one(packets):
    """Rows whose count is not one more, modulo 2**14, than the last of their APID (133.0-B 4.1.3.4.3)."""
    last, rows = {}, []
    for row, (apid, count) in enumerate(packets):
        if apid in last and count != (last[apid] + 1) % 16384:
            rows.append(row)
        last[apid] = count
    return rows


@given(
    counts=st.lists(st.tuples(st.integers(0, 2), st.sampled_from((0, 1, 2, 3, 8191, 16382, 16383))), max_size=60),
    sizes=st.lists(st.integers(0, 20), max_size=5),
)
def test_breaks_are_those_of_each_apid_however_packets_are_split(counts, sizes):
    found, first, sequence = [], 0, SequenceCounts()
    for size in [*sizes, len(counts)]:
        part = counts[first : first + size]
        if part:
            apid, count = (np.array(column, np.uint16) for column in zip(*part, strict=True))
            found += [first + int(row) for row in sequence.find_breaks(apid, count)]
        first += len(part)
    assert sorted(found) == breaks_one_by_one(counts)
    assert sum(sequence.gaps_by_apid().values()) == len(found)
    assert sequence.by_apid() == {apid: n for apid in range(3) if (n := sum(one == apid for one, _ in counts))}
