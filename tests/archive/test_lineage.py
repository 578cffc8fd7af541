"""Every product of a pass says what it is made of, by what, in which units, frames and levels."""

import pytest
from downlink_pipeline.model.batches import QUALITY_MEANINGS, Quality

LEVELS = {"01": "Partially Processed", "2A": "Calibrated", "2B": "Calibrated", "2C": "Derived"}  # GRAS, NASA
OF_ALL = {
    "mission", "stream", "received_ns", "software", "dictionary_sha256", "calibration_sha256", "calibration",
    "clock_correlation", "container", "apid", "seq_count", "n_packets", "n_packets_corrected", "n_gaps",
}  # fmt: skip


@pytest.fixture(scope="module")
def kinds(products):
    return {(one.instrument, one.product): one for one in products}


def test_every_product_says_where_it_comes_from(kinds):
    assert {kind: OF_ALL - one.lineage.keys() for kind, one in kinds.items() if OF_ALL - one.lineage.keys()} == {}


def test_every_level_has_the_words_of_gras_and_of_nasa(kinds):
    reported = {
        kind: (one.level, one.lineage["level_gras"], one.lineage["level_pds4"]) for kind, one in kinds.items()
    }
    assert reported == {kind: (one.level, one.level, LEVELS[one.level]) for kind, one in kinds.items()}


def test_every_real_number_has_a_unit(kinds):
    without = {
        f"{'/'.join(kind)}: {name}"
        for kind, one in kinds.items()
        for name, quantity in one.arrays.items()
        if quantity.values.dtype.kind == "f" and not quantity.unit
    }
    assert without == set()


def test_one_sigma_is_beside_what_it_is_of_in_the_same_unit(kinds):
    wrong = {
        f"{'/'.join(kind)}: {name}"
        for kind, one in kinds.items()
        for name, quantity in one.arrays.items()
        if name.endswith("_sigma")
        and (quantity.unit, set(quantity.dims) - set(one.arrays[name.removesuffix("_sigma")].dims))
        != (one.arrays[name.removesuffix("_sigma")].unit, set())
    }
    assert wrong == set()


def test_every_vector_in_a_frame_names_it(kinds):
    frames = {kind: one.lineage.get("frames", {}) for kind, one in kinds.items()}
    assert set(frames["magnetometer", "field"]) >= {"sensor", "rover", "enu"}
    assert "ned" in frames["gpr", "high_frequency"]
    assert "frames" not in kinds["rover", "event"].lineage


def test_places_are_in_the_frame_of_the_labels_or_in_that_of_the_iau_and_never_in_both(kinds):
    placed = [one for one in kinds.values() if "longitude_deg" in one.arrays]
    words = {one.product: " ".join(one.lineage["frames"].values()) for one in placed}
    found = {name: ("MARS_COORDINATE_SYSTEM" in text, "IAU Mars" in text) for name, text in words.items()}
    assert found["state"] == (False, True)
    assert set(found.values()) <= {(True, False), (False, True)}


def test_every_bit_of_quality_has_a_meaning():
    assert [bit.name for bit in Quality] == list(QUALITY_MEANINGS)
