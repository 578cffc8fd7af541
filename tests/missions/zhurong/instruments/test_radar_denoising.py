"""Noise attenuation on radargrams whose signal is known: of known rank, straight, or a single trace gone wrong."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_denoising import (
    low_rank,
    low_rank_in_windows,
    median,
    predicted,
    threshold_of_median,
)

N, M = 60, 256


def noise(seed=1, shape=(N, M)):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64) / np.sqrt(2)


def event(dip, at=100.0, amplitude=4.0):
    """A wavelet that is `dip` samples later each trace."""
    time = np.arange(M) - at - dip * np.arange(N)[:, None]
    return (amplitude * np.exp(-0.5 * (time / 4) ** 2) * np.exp(0.9j * time)).astype(np.complex64)


def gain_db(clean, noisy, signal):
    return 10 * np.log10(np.mean(np.abs(noisy - signal) ** 2) / np.mean(np.abs(clean - signal) ** 2))


@pytest.mark.parametrize(("shape", "published"), [((500, 500), 2.858), ((300, 600), 2.1711), ((50, 1000), 1.5194)])
def test_the_threshold_is_the_published_one(shape, published):
    """Gavish and Donoho 2014, table IV: omega of beta 1, 0.5 and 0.05."""
    assert threshold_of_median(shape) == pytest.approx(published, abs=0.002)


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_a_matrix_of_known_rank_in_noise_is_found_with_its_rank(rank):
    """Singular values of twice the edge of the noise's, which Marchenko and Pastur put at sqrt(n) + sqrt(m)."""
    rng = np.random.default_rng(rank)
    left, _ = np.linalg.qr(rng.normal(size=(N, rank)) + 1j * rng.normal(size=(N, rank)))
    right, _ = np.linalg.qr(rng.normal(size=(M, rank)) + 1j * rng.normal(size=(M, rank)))
    signal = (left * 2 * (np.sqrt(N) + np.sqrt(M))) @ right.T
    clean, found = low_rank(signal + noise())
    assert found == rank
    assert gain_db(clean, signal + noise(), signal) > 6


def test_white_noise_alone_has_no_rank():
    clean, found = low_rank(noise(shape=(90, 300)))
    assert found == 0
    assert not clean.any()


def test_a_rank_that_is_asked_for_is_taken():
    """The best approximation of a rank is that of the largest singular values (Eckart and Young)."""
    matrix = noise()
    values = np.linalg.svd(matrix, compute_uv=False)
    clean, found = low_rank(matrix, rank=5)
    assert found == 5
    assert np.linalg.norm(matrix - clean) == pytest.approx(np.linalg.norm(values[5:]), rel=1e-4)


def test_in_windows_a_strong_beginning_leaves_nothing_behind_at_the_end():
    """The first 64 samples 60 dB above the rest; all of rank 2 in noise that falls with them."""
    fall = np.where(np.arange(512) < 64, 1e3, 1.0)
    signal = np.concatenate([event(0.0), event(0.0, at=60)], axis=1)[:, :512] * fall
    noisy = signal + noise(shape=(N, 512)) * fall
    late = np.s_[:, 200:]
    whole, _ = low_rank(noisy, slice(40, 120))
    parts, rank = low_rank_in_windows(noisy, 64, 1.0, (75.0, 230.0))
    assert gain_db(parts[late], noisy[late], signal[late]) > 4
    assert gain_db(whole[late], noisy[late], signal[late]) < gain_db(parts[late], noisy[late], signal[late])
    assert rank < 4


def test_beyond_the_band_nothing_is_left():
    clean, _ = low_rank(noise(), slice(20, 60), rank=60)
    power = np.abs(np.fft.fft(clean, axis=1)) ** 2
    assert power[:, 60:].max() < 1e-6 * power[:, 20:60].max()


@pytest.mark.parametrize("dip", [0.0, 0.7, -1.3])
def test_prediction_keeps_events_of_any_dip_and_halves_the_noise(dip):
    signal = event(dip, at=100 if dip >= 0 else 170)
    clean = predicted(signal + noise(), 6, 30, 64)
    assert gain_db(clean, signal + noise(), signal) > 3
    kept = np.abs(np.vdot(signal, clean) / np.vdot(signal, signal))
    assert kept == pytest.approx(1, abs=0.15)


def test_prediction_of_straight_events_without_noise_changes_nothing():
    """Two dips make each frequency a sum of two exponentials, which two traces before predict."""
    signal = event(0.7) + event(-0.5, at=150)
    assert np.abs(predicted(signal, 6, 60, 256) - signal).max() < 0.05 * np.abs(signal).max()


def test_too_few_traces_are_not_predicted():
    few = noise(shape=(8, M))
    assert predicted(few, 6, 30, 64) is few


def test_the_median_takes_a_wild_trace_out_and_leaves_a_layer():
    signal = event(0.0)
    spoilt = signal.copy()
    spoilt[30] += 50
    np.testing.assert_allclose(median(spoilt, 5, 1), signal, atol=1e-5)


def test_the_median_is_that_of_numpy_in_each_window():
    traces = noise(shape=(9, 7))
    assert median(traces, 3, 1)[4, 2].real == np.median(traces[3:6, 2].real)
    assert median(traces, 3, 3)[4, 2].imag == np.median(traces[3:6, 1:4].imag)
