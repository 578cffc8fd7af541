"""CFDP class 1 received: files as cfdp-py sends them, with PDUs missing, repeated, swapped and spoilt."""

import itertools
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator.strips import pdus as simulated
from downlink_pipeline.model.batches import Quality, Ragged
from downlink_pipeline.products.cfdp import (
    FAILED,
    MAX_FILE_BYTES,
    NOT_CHECKED,
    VERIFIED,
    FileReceiver,
    file_checksum,
    is_eof,
)

WITNESS = json.loads((Path(__file__).parent / "data/cfdp_py.json").read_text())
CONTENT = bytes.fromhex(WITNESS["content"])
PDUS = {kind: [bytes.fromhex(pdu) for pdu in pdus] for kind, pdus in WITNESS["pdus"].items()}
HEADER_BYTES = 8


@pytest.fixture
def pdu_rows(rows):
    """Rows as the dictionary decodes whole PDUs."""

    def make(pdus, **columns):
        data = [pdu[HEADER_BYTES:] for pdu in pdus]
        length = np.array([len(one) for one in data], np.int64)
        first, fourth = (np.array([pdu[at] for pdu in pdus], np.uint8) for at in (0, 3))
        values = {
            "PDU_TYPE": first >> 4 & 1,
            "CRC_FLAG": first >> 1 & 1,
            "LARGE_FILE": first & 1,
            "ENTITY_LENGTH": fourth >> 4 & 7,
            "SEGMENT_METADATA": fourth >> 3 & 1,
            "NUMBER_LENGTH": fourth & 7,
            "TRANSACTION": [int.from_bytes(pdu[5:7], "big") for pdu in pdus],
            "PDU_DATA": Ragged(np.frombuffer(b"".join(data), np.uint8), np.cumsum(length) - length, length),
            **columns,
        }
        return rows("MORIC_PDU", np.zeros(len(pdus)), columns=values)

    return make


@pytest.fixture
def receive(pdu_rows):
    def run(pdus, **columns):
        receiver = FileReceiver()
        rows = pdu_rows(pdus, **columns)
        return [*receiver.receive(rows), *receiver.flush()]

    return run


@pytest.mark.parametrize("kind", sorted(PDUS))
def test_a_file_that_cfdp_py_sent_is_received_and_verified(receive, kind):
    (file,) = receive(PDUS[kind])
    assert file.content.tobytes() == CONTENT
    assert (file.checksum, file.condition, file.name, file.transaction) == (VERIFIED, 0, "a.strip", 4242)


def test_the_simulator_sends_the_very_pdus_of_cfdp_py():
    assert list(simulated(CONTENT, "a.strip", 33, 4242)) == PDUS["modular"]


# 727.0-B annex F has no test vector for the modular sum; CRC-32 and CRC-32C: their check values for "123456789"
@pytest.mark.parametrize(("kind", "content", "checksum"), [
    (0, b"\x00\x00\x00\x01\xff\xff\xff\xff\x01", 0x01000000),
    (3, b"123456789", 0xCBF43926),
    (2, b"123456789", 0xE3069283),
])  # fmt: skip
def test_checksums(kind, content, checksum):
    assert file_checksum(np.frombuffer(content, np.uint8), kind) == checksum


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_pdus_may_come_in_any_order_before_the_eof(receive, order):
    (file,) = receive([*(PDUS["crc32"][k] for k in order), PDUS["crc32"][4]])
    assert (file.content.tobytes(), file.checksum) == (CONTENT, VERIFIED)


def test_a_repeated_pdu_does_no_harm(receive):
    (file,) = receive([*PDUS["modular"][:3], *PDUS["modular"][1:]])
    assert (file.content.tobytes(), file.checksum) == (CONTENT, VERIFIED)


def test_a_missing_pdu_is_a_hole_and_no_checksum_is_told(receive):
    (file,) = receive([PDUS["modular"][k] for k in (0, 1, 3, 4)])
    holes = np.flatnonzero(~file.have)
    assert (holes[0], holes[-1], len(holes)) == (960, 1919, 960)
    assert file.checksum == NOT_CHECKED
    assert file.quality() & Quality.FRAGMENT


def test_without_metadata_the_modular_sum_is_assumed(receive):
    (file,) = receive(PDUS["modular"][1:])
    assert (file.checksum, file.name) == (VERIFIED, "")


def test_without_eof_the_file_comes_at_the_end_flagged(receive):
    (file,) = receive(PDUS["modular"][:4])
    assert (file.content.tobytes(), file.checksum, file.condition) == (CONTENT, NOT_CHECKED, -1)
    assert file.quality() & Quality.FRAGMENT


def test_a_wrong_byte_fails_the_checksum(receive):
    spoilt = bytearray(PDUS["modular"][2])
    spoilt[500] ^= 1
    (file,) = receive([*PDUS["modular"][:2], bytes(spoilt), *PDUS["modular"][3:]])
    assert file.checksum == FAILED
    assert file.quality() & Quality.FAILED_CHECK


def test_data_beyond_the_bound_are_not_kept(receive):
    far = PDUS["modular"][1][:HEADER_BYTES] + struct.pack(">I", MAX_FILE_BYTES - 3) + b"beyond"
    (file,) = receive([*PDUS["modular"][:4], far, PDUS["modular"][4]])
    assert (file.content.tobytes(), file.n_rejected) == (CONTENT, 1)


@pytest.mark.parametrize("name", ["CRC_FLAG", "LARGE_FILE", "SEGMENT_METADATA", "ENTITY_LENGTH"])
def test_pdus_of_another_form_are_counted_and_not_used(receive, name):
    (file,) = receive(PDUS["modular"][1:4], **{name: 1})
    assert (len(file.content), file.n_rejected) == (0, 3)


def test_a_fifth_open_file_closes_the_oldest(pdu_rows):
    receiver = FileReceiver()
    closed = [
        file.transaction
        for n in range(5)
        for file in receiver.receive(pdu_rows(PDUS["modular"][:2], TRANSACTION=n))
    ]
    assert closed == [0]


@pytest.mark.parametrize("octets", [b"", b"\x04", b"\x07\x00", b"\x04\x00\x00", b"\xff\x00", b"\x05" * 20])
def test_directives_that_are_cut_short_or_unknown_are_counted(receive, octets):
    (file,) = receive([PDUS["modular"][0][:HEADER_BYTES] + octets])
    assert (file.n_rejected, len(file.content)) == (1, 0)


def test_an_eof_is_known_by_its_code(pdu_rows):
    assert is_eof(pdu_rows(PDUS["modular"])).tolist() == [False, False, False, False, True]


def strip(altitude_m=265_000, lines=2, samples=4096, binning=1, bands=3, code=33, value=1270):
    """A file of MoRIC as the page has it: 1270 counts everywhere, bias 70, 10 ms."""
    head = (
        b"TW1S"
        + (1234).to_bytes(6, "big")
        + struct.pack(
            ">BBHHHHIIIiiHH4x", code, bands, lines, samples, binning, 0, 1000, 10_000, altitude_m, 10, -10, 9000, 70
        )
    )
    return head + struct.pack(">H", value) * (lines * samples * bands)


@pytest.fixture
def strips(suite, pdu_rows):
    def run(*files, drop=()):
        pdus = [pdu for n, file in enumerate(files) for pdu in simulated(file, "s", 33, n)]
        one = suite("moric")
        kept = [pdu for k, pdu in enumerate(pdus) if k not in drop]
        return [*one.make_products([pdu_rows(kept)]), *one.flush()]

    return run


def test_swath_and_scale_are_the_published_ones(strips):
    """65 m a pixel and a swath of 265 km at 265 km (EurekAlert 1038104)."""
    (product,) = strips(strip())
    assert product.arrays["pixel_scale_m"].values[0] == pytest.approx(65.0, rel=1e-3)
    assert product.arrays["swath_m"].values[0] == pytest.approx(265_000, rel=0.01)


def test_radiance_by_hand(strips):
    """(1270 - 70) / (0.01 s x 1200, 1350, 980)."""
    (product,) = strips(strip())
    assert product.arrays["image"].values[0, 0, 0].tolist() == pytest.approx([100.0, 88.8889, 122.449], rel=1e-5)
    assert product.time.onboard_ns[0] == 123_400_000
    assert product.time.sol is None


def test_a_lost_pdu_costs_its_lines(strips):
    """960 bytes a PDU: the eleventh of data has bytes 9600 to 10559, in line 0; a line has 24,576."""
    (product,) = strips(strip(lines=4), drop=(11,))
    assert product.arrays["line_quality"].values.tolist() == [[1, 0, 0, 0]]
    assert np.isnan(product.arrays["image"].values).sum() == 480
    assert product.quality[0] & Quality.FRAGMENT


def test_without_its_header_a_file_is_set_aside(strips):
    (product,) = strips(strip(), drop=(1,))
    assert (product.product, product.arrays["received_bytes"].values[0]) == ("rejected", len(strip()) - 960)


@pytest.mark.parametrize("wrong", [{"code": 34}, {"bands": 4}, {"binning": 2}], ids=str)
def test_a_header_that_cannot_be_true_is_set_aside(strips, wrong):
    (product,) = strips(strip(**wrong))
    assert product.product == "rejected"


def test_two_files_are_two_strips_and_the_first_comes_when_it_ends(strips):
    found = strips(strip(), strip(altitude_m=530_000))
    assert [round(one.arrays["pixel_scale_m"].values[0]) for one in found] == [65, 130]


def test_beyond_800_km_a_strip_is_flagged(strips):
    (product,) = strips(strip(altitude_m=900_000))
    assert product.quality[0] & Quality.OUT_OF_RANGE


def test_hiric_sees_half_a_metre_at_265_km_and_about_what_press_says_higher(calibrations):
    ifov = calibrations["hiric"]["scale"]["ifov_rad"]
    assert 265_000 * ifov == pytest.approx(0.5, rel=1e-3)
    assert 340_000 * ifov == pytest.approx(0.7, rel=0.12)
