"""The eight traps that the genuine radar data hold (fact sheet 3.2): each is in the simulated data too."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate
from downlink_pipeline.missions.zhurong.simulator.timeline import stay
from downlink_pipeline.missions.zhurong.simulator.traverse import travel


@pytest.fixture(scope="module")
def drive(tmp_path_factory, ground):
    path = tmp_path_factory.mktemp("traps") / "drive.cadu"
    simulate(path, Scenario(duration_s=300.0, seed=8))
    return ground["read_pass"](path)


def low(drive):
    samples = np.ascontiguousarray(drive.fields(274)[:, 18:12018]).view("<f4")
    return samples[:, :1500] + 1j * samples[:, 1500:]


def test_1_a_reader_of_twos_complement_gets_minus_32763_for_minus_5(drive):
    block = np.ascontiguousarray(drive.fields(273)[:, 16402:])
    wrong, bits = block.view(">i2"), block.view(">u2")
    right = np.where(bits & 0x8000, -(bits & 0x7FFF).astype(int), bits)
    negative = right < 0
    assert negative.any()
    assert np.array_equal(wrong[negative], -32768 - right[negative])


def test_2_the_first_high_frequency_record_and_each_64th_is_a_self_test(drive):
    assert np.flatnonzero(drive.fields(273)[:, 12] == 0xCC).tolist() == [0, 64]


def test_3_the_frame_count_grows_by_four(drive):
    assert set(np.diff(drive.fields(273)[:, 10])) <= {4}  # of bytes: 253 + 4 is 1


def test_4_samples_are_little_endian_in_a_record_that_is_big_endian_and_complex_numbers_differ(drive, ground):
    """High: real and imaginary in turn; low: all reals first. The other way round is no direct wave."""
    high = np.ascontiguousarray(drive.fields(273)[1:60, 18:16402])
    assert np.abs(high.view("<f4")[:, 0::2] + 1j * high.view("<f4")[:, 1::2]).argmax(axis=1).min() >= 170
    samples = np.ascontiguousarray(drive.fields(274)[1:, 18:12018])
    assert set(np.abs(samples.view("<f4")[:, :1500] + 1j * samples.view("<f4")[:, 1500:]).argmax(axis=1)) == {21}
    assert int(ground["big_endian"](drive.fields(273)[:1, 16:18], "u2")[0, 0]) == 16384


def test_5_positions_are_zeroed_again_before_16_bits_of_a_centimetre_are_full():
    """A drive of some 200 m a sol, ten times: never beyond 327.67 m, and what is driven goes on."""
    since, frames, farthest = None, [], 0.0
    for sol in range(11, 21):
        since = travel(stay(sol, 14_400.0), 4, since)
        frames.append(since.frame_id)
        farthest = max(farthest, np.abs(since.position_ned_m).max())
    assert farthest < 327.67
    assert len(set(frames)) > 2
    assert since.odometer_m == pytest.approx(10 * 14_400 * 0.25 * 0.055, rel=0.02)


def test_6_positions_are_north_east_down_and_pitch_comes_before_yaw_and_roll(drive):
    bits = np.ascontiguousarray(drive.fields(273)[:, 16408:16420]).view(">u2").astype(int)
    counts = np.where(bits & 0x8000, -(bits & 0x7FFF), bits)
    assert np.abs(counts[:, :3] * 0.01 - drive.truth["gpr_hf_position_ned_m"]).max() < 0.00501
    yaw, pitch, roll = drive.truth["gpr_hf_attitude_deg"].T
    assert np.abs(counts[:, 3:] * 180 / 32768 - np.stack([pitch, yaw, roll], 1)).max() < 0.00276


def test_7_low_frequency_samples_are_block_scaled_integers(drive):
    samples = low(drive)
    for row, step in ((samples[0], 2**15), (samples[1:], 2**17)):
        parts = np.stack([row.real, row.imag]) / step
        assert np.array_equal(parts, np.rint(parts))
        assert np.abs(parts).max() <= 308_000
    assert (samples[0].real % 2**17 != 0).any()


def test_8_the_low_frequency_fills_40_mhz_to_either_side_and_has_a_spur_at_45(drive):
    """As measured in the genuine records: 80 dB from the band to beyond it, and the spur 35 to 45 dB above that."""
    power = (np.abs(np.fft.fft(low(drive)[1:], axis=1)) ** 2).mean(axis=0)
    frequency = np.fft.fftfreq(1500, 10e-9) / 1e6
    level = 10 * np.log10(power)
    band = level[np.abs(frequency) < 30].mean()
    beyond = np.median(level[np.abs(frequency) > 46])
    spur = level[np.argmin(np.abs(frequency - 45))]
    assert band - beyond == pytest.approx(82, abs=8)
    assert spur - beyond == pytest.approx(40, abs=8)
