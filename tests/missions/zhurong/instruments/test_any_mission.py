"""A mission with a dictionary and no instruments, on real packets: JPSS-1, attitude and ephemeris (APID 11)."""

import os
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import PacketBatch

DATA = Path(os.environ.get("DOWNLINK_REAL_DATA", Path(__file__).parents[5] / "shared/data")) / "jpss-1"
PACKET_BYTES = 71


@pytest.fixture(scope="module")
def packets():
    path = DATA / "J01_G011_LZ_2021-04-09.packets"
    if not path.is_file():
        pytest.skip(f"the recorded packets {path} are not here")
    return np.fromfile(path, np.uint8).reshape(-1, PACKET_BYTES)


@pytest.fixture
def published(packets, suite):
    xtce = DATA / "geolocation.xml"
    n = len(packets)
    batch = PacketBatch(
        packets.ravel(),
        np.arange(n) * PACKET_BYTES,
        np.full(n, PACKET_BYTES),
        np.full(n, 11, np.uint16),
        (packets[:, 2] & 0x3F).astype(np.uint16) << 8 | packets[:, 3],
        packets[:, 2] >> 6,
        np.zeros(n, np.uint16),
        np.zeros(n, np.uint8),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint32),
    )
    one = suite("rover", site=None)
    return [*one.make_products(Decoder(compile_plan(read_xtce(xtce.read_bytes()))).decode(batch)), *one.flush()]


def test_all_7200_packets_are_published_once(published):
    assert {(p.instrument, p.product) for p in published} == {("telemetry", "JPSS_ATT_EPHEM")}
    assert sum(len(p.quality) for p in published) == 7200


def test_the_satellites_position_is_the_float_in_bytes_23_to_26(published, packets):
    sent = np.ascontiguousarray(packets[:, 23:27]).view(">f4")[:, 0]
    got = np.concatenate([p.arrays["ADGPSPOSX"].values for p in published])
    assert np.array_equal(got, sent)


def test_values_keep_the_units_of_the_dictionary(published):
    assert {p.arrays["ADGPSPOSX"].unit for p in published} == {"m"}


def test_no_product_has_more_than_4096_packets(published):
    assert max(len(p.quality) for p in published) == 4096
