"""JPSS-1 attitude and ephemeris packets: every value as space_packet_parser has it."""

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import PacketBatch

spp = pytest.importorskip("space_packet_parser")


def test_all_7200_packets_have_the_values_of_a_second_decoder(real_data):
    xtce, recording = real_data / "jpss-1/geolocation.xml", real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    definition, octets = spp.load_xtce(xtce), recording.read_bytes()
    expected = [definition.parse_bytes(each) for each in spp.ccsds_generator(octets)]

    n, header = 7200, np.zeros(7200, np.uint16)
    start, length = np.arange(n, dtype=np.int64) * 71, np.full(n, 71, np.int64)
    zeros = np.zeros(n, np.int64)
    small, bits = header.astype(np.uint8), header.astype(np.uint32)
    packets = PacketBatch(
        np.frombuffer(octets, np.uint8), start, length, header, header, small, header, small, zeros, bits
    )
    decoder = Decoder(compile_plan(read_xtce(xtce.read_bytes())))
    (found,) = decoder.decode(packets)

    assert len(found) == len(expected) == 7200
    assert decoder.set_aside == {}
    assert list(found.columns) == list(expected[0])
    for name, column in found.columns.items():
        np.testing.assert_array_equal(column, [each[name] for each in expected], err_msg=name)
