import json

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Faults, Scenario, simulate

FAULTS = Faults(
    symbol_errors=9,
    symbol_error_share=0.3,
    lost_frames=11,
    noise_bytes=3000,
    other_channel=True,
    uncorrectable_frames=5,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The same stay, sent well and sent badly."""
    folder = tmp_path_factory.mktemp("faults")
    for name, faults in (("good", Faults(other_channel=True)), ("bad", FAULTS)):
        simulate(folder / name, Scenario(duration_s=60.0, seed=4, faults=faults))
    return folder


def read(folder, name):
    books = json.loads((folder / f"{name}.truth.json").read_text())
    octets = np.fromfile(folder / name, np.uint8)
    offset = np.fromfile(folder / f"{name}.times", "<i8")[::2]
    return books, octets[offset[:, None] + np.arange(1024)]


def header(ground, cadus):
    head = ground["derandomize"](cadus[:, 4:])[:, :5].astype(int)
    return head[:, 1] & 63, head[:, 2] << 16 | head[:, 3] << 8 | head[:, 4]


def matched(pair):
    """CADUs as sent and as received, and for each received one the row of the sent one: slots take 4 ms."""
    received_ns = np.fromfile(pair / "bad.times", "<i8")[1::2]
    first_ns = np.fromfile(pair / "good.times", "<i8")[1]
    return read(pair, "good")[1], read(pair, "bad")[1], (received_ns - first_ns) // 4_000_000


def wrong_symbols(pair):
    """Wrong symbols in each codeword: int[n_cadus, 4]; and the rows."""
    good, bad, rows = matched(pair)
    wrong = (good[rows] != bad)[:, 4:].reshape(len(bad), 255, 4).sum(axis=1)
    return wrong, rows


def test_a_codeword_that_is_hit_has_exactly_the_wrong_symbols_asked_for(pair):
    wrong, _ = wrong_symbols(pair)
    assert set(np.unique(wrong[wrong <= 16])) == {0, 9}


def test_an_uncorrectable_frame_has_one_codeword_beyond_correction(pair):
    wrong, _ = wrong_symbols(pair)
    assert np.count_nonzero((wrong > 16).any(axis=1)) == 5
    assert np.all(np.count_nonzero(wrong > 16, axis=1) <= 1)


def test_the_share_of_codewords_hit_is_about_the_share_asked_for(pair):
    wrong, _ = wrong_symbols(pair)
    assert np.mean(wrong == 9) == pytest.approx(0.3, abs=0.04)


def test_the_books_of_the_reception_close(pair):
    wrong, _ = wrong_symbols(pair)
    received = read(pair, "bad")[0]["frames_received"]
    assert received["read"] == len(wrong) == received["clean"] + received["corrected"] + received["uncorrectable"]
    assert received["clean"] == np.count_nonzero((wrong == 0).all(axis=1))
    assert received["read"] == sum(received[key] for key in ("relay", "orbiter", "other_channel", "uncorrectable"))


def test_exactly_the_lost_frames_are_missing(pair, ground):
    books = read(pair, "bad")[0]
    good, _, rows = matched(pair)
    vcid, count = header(ground, good)
    missing = np.setdiff1d(np.arange(len(good)), rows)
    assert {(245, int(vcid[k]), int(count[k])) for k in missing} == {
        tuple(f) for f in books["faults"]["lost_frames"]
    }
    assert len(missing) == 11


def test_a_duplicate_follows_its_twin(tmp_path, ground):
    simulate(tmp_path / "out", Scenario(duration_s=60.0, faults=Faults(duplicate_frames=7)))
    books, cadus = read(tmp_path, "out")
    _, count = header(ground, cadus)
    again = count[1:][count[1:] == count[:-1]]
    assert sorted(again.tolist()) == sorted(c for _, _, c in books["faults"]["duplicate_frames"])
    assert len(again) == 7 == books["frames_received"]["relay_duplicates"]


def test_noise_stands_where_the_books_say(pair):
    books, cadus = read(pair, "bad")
    assert sum(length for _, length in books["faults"]["noise"]) == 3000
    assert books["bytes"] == cadus.size + 3000
    assert np.all(cadus[:, :4] == (0x1A, 0xCF, 0xFC, 0x1D))


def test_other_traffic_rides_on_channels_1_and_3(pair, ground):
    vcid, _ = header(ground, read(pair, "good")[1])
    assert set(vcid.tolist()) == {1, 3, 5}


def test_the_relay_frames_first_and_last_arrive(pair, ground):
    good, _, rows = matched(pair)
    relay = np.flatnonzero(header(ground, good)[0] == 5)
    assert {relay[0], relay[-1]} <= set(rows.tolist())


def test_packets_taken_are_those_with_a_byte_in_a_frame_that_is_gone(pair, ground):
    books = read(pair, "bad")[0]
    good = read(pair, "good")[1]
    vcid, count = header(ground, good)
    frames = ground["derandomize"](good[:, 4:])[vcid == 5][:, 16:892]
    gone = {c for _, _, c in books["faults"]["lost_frames"] + books["faults"]["uncorrectable_frames"]}
    spoilt = np.repeat(np.isin(count[vcid == 5], list(gone)), 876)
    stream, at, taken = frames.tobytes(), 0, []
    while at < len(stream):
        end = at + 7 + int.from_bytes(stream[at + 4 : at + 6], "big")
        if spoilt[at:end].any():
            taken.append(
                [int.from_bytes(stream[at : at + 2], "big") & 2047, (stream[at + 2] & 63) << 8 | stream[at + 3]]
            )
        at = end
    assert books["faults"]["packets_taken"] == taken


def test_a_record_has_arrived_only_if_all_its_packets_have(pair):
    books = read(pair, "bad")[0]
    taken = {tuple(packet) for packet in books["faults"]["packets_taken"]}
    with np.load(pair / "bad.truth.npz") as truth:
        first, n, arrived = (truth[f"gpr_hf_{name}"] for name in ("sequence_count", "packets", "arrived"))
    whole = [
        not any((273, (int(start) + k) % 16384) in taken for k in range(length))
        for start, length in zip(first, n, strict=True)
    ]
    assert arrived.tolist() == whole


def test_receive_times_leave_a_hole_where_frames_are_lost(pair):
    received_ns = np.fromfile(pair / "bad.times", "<i8")[1::2]
    assert np.sum(np.diff(received_ns) // 4_000_000 - 1) == 11


def test_a_clock_that_drifts_counts_more(tmp_path, ground):
    simulate(tmp_path / "out", Scenario(duration_s=60.0, faults=Faults(clock_drift_ppm=2.0)))
    received = ground["read_pass"](tmp_path / "out")
    ahead_ns = ground["clock_ns"](received.fields(289)) - received.truth["magnetometer_packet_time_utc_ns"]
    assert ahead_ns[0] == pytest.approx(170_338_800 * 2e-6 * 1e9, abs=1e6)
