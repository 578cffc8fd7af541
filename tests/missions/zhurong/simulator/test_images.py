"""Stripes of the cameras as the packets' page has them, read here with Pillow and by hand."""

import io
from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator.strips import modular_checksum, pdus
from PIL import Image

HEADER_BYTES = 57
PACKED, LOSSLESS, LOSSY = 1, 2, 3


def field(record, at, n_bytes=2):
    return int.from_bytes(record[at : at + n_bytes], "big")


def samples(record):
    """Samples of a stripe [lines, samples] as they lie in it."""
    n_lines, n_samples, mode, body = field(record, 15), field(record, 19), record[26], record[HEADER_BYTES:]
    if mode == PACKED:
        bits = np.unpackbits(np.frombuffer(body, np.uint8)).reshape(-1, 12)
        return (bits @ (1 << np.arange(11, -1, -1)))[: n_lines * n_samples].reshape(n_lines, n_samples)
    with Image.open(io.BytesIO(body)) as picture:
        return np.asarray(picture).astype(int)


@pytest.mark.parametrize("apid", [353, 354])
def test_a_stripe_says_how_long_it_is(clean, apid):
    for record in clean.records(apid):
        assert len(record) == HEADER_BYTES + field(record, 55)


@pytest.mark.parametrize(("apid", "n_images"), [(353, 9), (354, 15)])
def test_stripes_follow_each_other_and_make_whole_images(clean, apid, n_images):
    records = clean.records(apid)
    ends = [k for k, record in enumerate(records) if record[11] == record[12] - 1]
    assert len(ends) == n_images
    for record, after in pairwise(records):
        if record[11] < record[12] - 1:
            assert (after[11], field(after, 13)) == (record[11] + 1, field(record, 13) + field(record, 15))
        else:
            assert field(record, 13) + field(record, 15) == field(record, 17)


@pytest.mark.parametrize("apid", [353, 354])
def test_every_stripe_decodes_to_its_size_in_12_bits(clean, apid):
    for record in clean.records(apid):
        found = samples(record)
        assert found.shape == (field(record, 15), field(record, 19))
        assert found.max() < 4096


def test_all_modes_but_plain_are_used(clean):
    assert {record[26] for apid in (353, 354) for record in clean.records(apid)} == {PACKED, LOSSLESS, LOSSY}


def test_the_counts_of_mscam_are_the_pages_equation(clean):
    """The first image, 525 nm: bias 64 + 0.15 (T - 20), 9000 DN per s and radiance, F by the distance."""
    records = [record for record in clean.records(353) if record[10] == 0x11]
    image = np.vstack([samples(record) for record in records])
    kept = clean.truth["mscam_kept"]
    degc = -150 + 0.005 * field(records[0], 33)
    exposure_s = field(records[0], 29, 4) * 1e-6
    signal = clean.truth["mscam_kept_radiance_w_m2_sr_um"][0] * 9000 * exposure_s
    place = (8 * (kept + 0.5) + 384 - 1024) / (1024 * np.sqrt(2))
    rho2 = place[:, None] ** 2 + place[None] ** 2
    dn = 64 + 0.15 * (degc - 20) + signal * (1 - 0.18 * rho2 - 0.04 * rho2**2)
    noise = clean.books["noise"]["mscam"]["image_dn"]
    sigma = np.sqrt(noise["read"] ** 2 + noise["photon"] * signal + 1 / 12)
    scale = (image[np.ix_(kept, kept)] - dn) / sigma
    assert np.abs(scale).max() < 6
    assert np.std(scale) == pytest.approx(1, abs=0.15)


def test_exposures_reach_the_middle_of_the_scale_and_not_its_end(clean):
    for apid in (353, 354):
        counts = np.concatenate([samples(record).ravel() for record in clean.records(apid)])
        assert np.percentile(counts, 99.9) < 4095
        assert np.median(counts) > 300


def test_a_file_is_metadata_segments_and_an_eof():
    """By the page: 8 bytes of header; 960 of file data at most, behind their offset."""
    sent = list(pdus(bytes(2000), "a", 33, 258))
    assert [pdu[:8].hex() for pdu in (sent[0], sent[1], sent[-1])] == [
        "24000a0121010201",
        "3403c40121010201",
        "24000a0121010201",
    ]
    assert [int.from_bytes(pdu[8:12], "big") for pdu in sent[1:-1]] == [0, 960, 1920]
    assert sent[-1][8:].hex() == "0400000000000000 07d0".replace(" ", "")


def test_the_modular_checksum_of_annex_f():
    """Words of four bytes, the last filled up: 0x00010203 + 0x04000000."""
    assert modular_checksum(bytes([0, 1, 2, 3, 4])) == 0x04010203
