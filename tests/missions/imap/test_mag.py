"""The instrument MAG: which sensor a vector is of, and when it was."""

import encode
import numpy as np
import pytest
from downlink_imap.mag.mag import Mag
from downlink_pipeline.clock.onboard import OnboardClock
from downlink_pipeline.model.batches import ColumnBatch, Quality, Ragged
from downlink_pipeline.products.context import Context
from downlink_pipeline.products.rows import join

FIRST = np.array([[1, 2, 3], [4, 5, 6]])
SECOND = np.array([[-1, -2, -3]])
SETTINGS = {
    "version": "test",
    "time": {"source": "assumed", "fine_counts_per_second": 65535},
    "sensors": {"source": "assumed", "mago": 0},
}


def packet(text, **values):
    """One packet of 1 s with two vectors of the primary sensor and one of the secondary one."""
    data, n_bytes = encode.rows(text)
    columns = dict.fromkeys(("PUS_SSUBTYPE", "COMPRESSION", "PRI_SENS", "SEC_VECSEC", "PRI_FNTM", "SEC_FNTM"), 0)
    columns |= {
        "PRI_VECSEC": 1,
        "MAGO_ACT": 1,
        "MAGI_ACT": 0,
        "PRI_COARSETM": 10,
        "SEC_COARSETM": 20,
        "SHCOARSE": 30,
    }
    columns |= {"PUS_STYPE": 21, **values}
    arrays = {name: np.array([value]) for name, value in columns.items()}
    arrays["VECTORS"] = Ragged(data.ravel(), np.array([0]), n_bytes)
    zero = np.zeros(1, np.int64)
    return ColumnBatch(
        "P_MAG_SCI_NORM", zero, arrays, {}, {}, zero.astype(np.uint16), zero.astype(np.uint16), zero, zero,
        zero.astype(np.uint32),
    )  # fmt: skip


@pytest.fixture
def drafts():
    def make(rows):
        made = Mag(SETTINGS, Context("imap", "test", OnboardClock(0))).drafts(rows)
        return {draft.kind.name: draft for draft in made}

    return make


PLAIN = encode.plain(FIRST, [1, 2]) + encode.plain(SECOND, [3])


def test_the_primary_sensor_is_the_outboard_one_where_its_number_is_0(drafts):
    made = drafts(packet(PLAIN))
    assert made["norm_mago"].arrays["field_counts"].tolist() == FIRST.tolist()
    assert made["norm_magi"].arrays["field_counts"].tolist() == SECOND.tolist()
    assert made["norm_mago"].arrays["is_active"].tolist() == [1, 1]


def test_it_is_the_inboard_one_where_its_number_is_1(drafts):
    made = drafts(packet(PLAIN, PRI_SENS=1))
    assert made["norm_magi"].arrays["field_counts"].tolist() == FIRST.tolist()
    assert made["norm_magi"].arrays["is_primary"].tolist() == [1, 1]
    assert made["norm_mago"].arrays["range_index"].tolist() == [3]


def test_the_first_vector_is_of_the_time_in_the_packet_and_others_follow_at_the_rate(drafts):
    made = drafts(packet(PLAIN, PRI_FNTM=13_107, SEC_FNTM=65_535))  # a fifth of a second, and a whole one
    assert made["norm_mago"].time_ns.tolist() == [10_200_000_000, 10_700_000_000]
    assert made["norm_magi"].time_ns.tolist() == [21_000_000_000]


def test_compressed_packets_give_the_same_vectors(drafts):
    text = encode.compressed((FIRST, [1, 2]), (SECOND, [3]), 18, ranges=True)
    made = drafts(packet(text, COMPRESSION=1))["norm_mago"]
    assert made.arrays["field_counts"].tolist() == FIRST.tolist()
    assert made.arrays["range_index"].tolist() == [1, 2]
    assert made.arrays["width_bits"].tolist() == [18, 18]


def test_vectors_of_a_packet_that_was_cut_are_flagged(drafts):
    made = drafts(packet(PLAIN[:64]))["norm_magi"]
    assert made.quality.tolist() == [int(Quality.FRAGMENT)]


def test_a_packet_has_a_row_of_its_own_with_the_rates_it_was_made_at(drafts):
    made = drafts(packet(PLAIN))["norm_packets"].arrays
    assert (made["primary_rate_hz"].tolist(), made["secondary_rate_hz"].tolist()) == ([2.0], [1.0])


def test_packets_of_several_groups_are_unpacked_together_where_they_have_one_layout(drafts):
    mag = Mag(SETTINGS, Context("imap", "test", OnboardClock(0)))
    two = join([packet(PLAIN), packet(PLAIN, PRI_COARSETM=11)])
    assert mag.alike(two)
    assert not mag.alike(join([packet(PLAIN), packet(PLAIN, COMPRESSION=1)]))
    assert drafts(two)["norm_mago"].time_ns.tolist() == [
        10_000_000_000,
        10_500_000_000,
        11_000_000_000,
        11_500_000_000,
    ]
