"""Simulated radar records against what was read off the genuine ones (fact sheet 3)."""

import zlib

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate


@pytest.fixture(scope="module")
def drive(tmp_path_factory, ground):
    """Long enough for the one-byte counter to wrap and for the 64th record."""
    path = tmp_path_factory.mktemp("radar") / "drive.cadu"
    simulate(path, Scenario(duration_s=360.0, seed=8))
    return ground["read_pass"](path)


def high_samples(clean):
    pairs = np.ascontiguousarray(clean.fields(273)[:, 18:16402]).view("<f4")
    return pairs[:, ::2] + 1j * pairs[:, 1::2]


def low_samples(clean):
    parts = np.ascontiguousarray(clean.fields(274)[:, 18:12018]).view("<f4")
    return parts[:, :1500] + 1j * parts[:, 1500:]


def decibels(values):
    return 20 * np.log10(np.abs(values) + 1)


def test_the_high_frequency_head_has_the_genuine_codes(drive):
    head = drive.fields(273)[1, :18]
    assert head[:4].tobytes().hex() == "146f2222"
    assert head[11:].tobytes().hex() == "a8ff0feeaa4000"


def test_the_low_frequency_head_has_the_genuine_codes(drive):
    head = drive.fields(274)[1, :18]
    assert head[:4].tobytes().hex() == "146f1111"
    assert head[11:].tobytes().hex() == "ccaaff0f322ee0"


def test_the_frame_count_of_hh_goes_1_5_9_and_wraps(drive):
    count = drive.fields(273)[:, 10].tolist()
    assert count[:3] == [1, 5, 9]
    assert count[63:66] == [253, 1, 5]


def test_the_first_record_and_each_64th_is_a_self_test(drive):
    assert np.flatnonzero(drive.fields(273)[:, 12] == 0xCC).tolist() == [0, 64]
    assert np.flatnonzero(drive.fields(274)[:, 13] == 0xCC).tolist() == [0]


def test_radar_packets_have_no_secondary_header(drive):
    assert not any(packet.secondary_header for packet in drive.packets if packet.apid in (273, 274))


@pytest.mark.parametrize(("apid", "interval_m"), [(273, 0.054), (274, 0.50)])
def test_traces_are_equidistant_along_the_drive(drive, apid, interval_m):
    name = {273: "gpr_hf", 274: "gpr_lf"}[apid]
    step = np.linalg.norm(np.diff(drive.truth[f"{name}_position_ned_m"], axis=0), axis=1)
    assert np.median(step[1:]) == pytest.approx(interval_m, rel=0.02)


@pytest.mark.parametrize("apid", [273, 274])
def test_the_clock_inside_a_record_tells_when_it_was_taken(drive, ground, apid):
    truth = drive.truth[{273: "gpr_hf_time_utc_ns", 274: "gpr_lf_time_utc_ns"}[apid]]
    assert np.array_equal(ground["clock_ns"](drive.fields(apid)[:, 4:]), truth)


@pytest.mark.parametrize("apid", [273, 274])
def test_the_navigation_block_is_sign_magnitude(drive, ground, apid):
    words = ground["big_endian"](drive.fields(apid)[:, -18:], "u2")
    numbers = np.where(words & 0x8000, 0x8000 - words, words)
    name = {273: "gpr_hf", 274: "gpr_lf"}[apid]
    position, attitude = drive.truth[f"{name}_position_ned_m"], drive.truth[f"{name}_attitude_deg"]
    assert np.array_equal(numbers, drive.truth[f"{name}_navigation_counts"])
    assert np.abs(numbers[:, 3:6] * 0.01 - position).max() <= 0.005001
    assert np.abs(numbers[:, 6:] * (180 / 32768) - attitude[:, [1, 0, 2]]).max() <= 0.0028


def test_the_navigation_block_holds_minus_zeros_as_the_genuine_one_does(drive, ground):
    assert np.any(ground["big_endian"](drive.fields(273)[:, -18:], "u2") == 0x8000)


@pytest.mark.parametrize("apid", [273, 274])
def test_checksums_and_kept_samples_are_those_of_what_was_sent(drive, apid):
    name = {273: "gpr_hf", 274: "gpr_lf"}[apid]
    records, truth = drive.records(apid), drive.truth
    assert [zlib.crc32(record) for record in records] == truth[f"{name}_record_crc32"].tolist()
    assert [zlib.crc32(record[18:-18]) for record in records] == truth[f"{name}_samples_crc32"].tolist()
    kept = [np.frombuffer(records[k][18:-18], "<f4") for k in truth[f"{name}_kept_record"]]
    assert np.array_equal(kept, truth[f"{name}_kept_samples"])


def test_the_high_frequencys_direct_wave_peaks_at_bin_172_with_122_db(drive):
    level = decibels(high_samples(drive)[1:64])
    assert np.all(np.abs(level.argmax(axis=1) - 172) <= 3)
    assert level.max(axis=1).mean() == pytest.approx(122.0, abs=1.5)


def test_the_low_frequencys_direct_wave_peaks_at_bin_21_with_212_db(drive):
    level = decibels(low_samples(drive)[1:])
    assert np.all(level.argmax(axis=1) == 21)
    assert level.max(axis=1).mean() == pytest.approx(212.0, abs=0.5)


def test_the_high_frequencys_noise_floor_is_63_db(drive):
    power = np.mean(np.abs(high_samples(drive)[1:64, 2030:]) ** 2)
    assert 10 * np.log10(power) == pytest.approx(63.0, abs=1.0)


def test_the_low_frequencys_noise_floor_is_about_120_db(drive):
    power = np.mean(np.abs(low_samples(drive)[1:, 1200:]) ** 2)
    assert 10 * np.log10(power) == pytest.approx(120.0, abs=9.0)  # the spur and the coarse steps raise it


def test_low_frequency_samples_are_multiples_of_2_to_the_17(drive):
    samples = low_samples(drive)[1:]
    assert np.all(samples.real % 2**17 == 0)
    assert np.abs(samples.real).max() <= 308_000 * 2**17


def test_the_ground_attenuates_the_high_frequency_by_half_a_decibel_a_nanosecond(drive):
    samples = high_samples(drive)[1:64]
    power = np.mean(np.abs(samples - samples.mean(axis=0)) ** 2, axis=0)
    early, late = (np.median(power[k : k + 60]) for k in (172 + 255, 172 + 560))  # 25 ns and 55 ns after
    assert 10 * np.log10(early / late) / 29.9 == pytest.approx(0.49, abs=0.15)
